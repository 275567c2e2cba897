"""BatchService: edits of all nouns as one change, or none.

In: up to 10,000 edits; out: what each left behind. A masked update sees what earlier edits of the batch did to its
resource; one that rests on a stored intent is refused by admission, and made anew, when that changed meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from netctl.errors import Conflict, InvalidIntent, NetctlError, NotFound
from netctl.model.admit import Admitted
from netctl.model.intent import Create, Edit, Intent, Remove, Replace
from netctl.model.keys import Key, check_id, resource_name
from netctl.model.snapshot import Snapshot
from netctl.server import masks
from netctl.server.convert import parse_key, parse_name
from netctl.server.edge import Context
from netctl.server.facts import Facts
from netctl.server.guest_secrets import Sealer
from netctl.server.nouns import BY_KIND, opened
from netctl.server.ports import Ports
from netctl.server.requests import Answer
from netctl.server.row_diff import row_diff
from netctl.server.writes import check_revision, locate, submit, within
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import operations_pb2_grpc

EDITS_MAX = 10_000
_ATTEMPTS = 4
# So many edits are read or rendered before others get their turn on the event loop: a few milliseconds.
_SLICE = 250
# Clients refuse messages above 4 MiB: an answer of that size goes without statuses, which can be had by Get.
_STATUS_UP_TO_BYTES = 3 << 20
_PLACE = re.compile(r"edits\[(\d+)\](?:\.(.+))?\Z", re.DOTALL)


class Plan:
    """The edits of a batch as the model has them; what they leave behind, as far as it is known before admission."""

    def __init__(self, snapshot: Snapshot, sealer: Sealer) -> None:
        self.edits: list[Edit] = []
        self.rests_on_stored = False
        self._snapshot, self._sealer = snapshot, sealer
        self._left: dict[Key, Intent | None] = {}

    def add(self, message: pb.Edit, place: str) -> None:
        """Take the next edit, found at `place` in the request."""
        match message.WhichOneof("edit"):
            case "create":
                intent = self._parse(message.create, f"{place}.create")
                self.edits.append(Create(intent=intent))
            case "apply":
                intent = self._parse(message.apply, f"{place}.apply")
                self.edits.append(Replace(intent=intent, or_create=True))
            case "update":
                self._update(message.update, f"{place}.update")
            case "delete":
                key = parse_key(f"{place}.delete.name", message.delete.name)
                revision = check_revision(f"{place}.delete.if_revision", message.delete.if_revision)
                self.edits.append(Remove(key=key, if_revision=revision))
                self._left[key] = None
            case _:
                raise InvalidIntent(place, "holds no edit; set create, update, apply or delete")

    def _parse(self, resource: pb.Resource, place: str) -> Intent:
        noun, message = opened(resource, place)
        try:
            intent = noun.from_proto(noun.seal(message, self._sealer))
        except NetctlError as error:
            locate(error, f"{place}.{noun.field}", message.DESCRIPTOR)
            raise
        self._left[noun.kind, intent.id] = intent
        return intent

    def _update(self, update: pb.UpdateEdit, place: str) -> None:
        paths = update.update_mask.paths
        revision = check_revision(f"{place}.if_revision", update.if_revision)
        if masks.replaces_all(paths):
            intent = self._parse(update.resource, f"{place}.resource")
            self.edits.append(Replace(intent=intent, if_revision=revision))
            return
        noun, message = opened(update.resource, f"{place}.resource")
        with within(f"{place}.resource.{noun.field}", message.DESCRIPTOR):
            id_ = parse_name("name", message.name, noun.kind)
            check_id("name", id_)
            key = (noun.kind, id_)
            stored = self._left[key] if key in self._left else self._snapshot.get(key)
            if stored is None:
                raise NotFound(f"{resource_name(key)} does not exist", field="name")
            merged = noun.to_request(stored)
            sealed = noun.seal(message, self._sealer)
            try:
                masks.merge(merged, sealed, paths, noun.output_only)
            except InvalidIntent as error:
                error.field = f"{place}.{error.field}"
                raise
            intent = noun.from_proto(merged)
        if not revision and key not in self._left:
            revision, self.rests_on_stored = stored.meta.revision, True
        self._left[key] = intent
        self.edits.append(Replace(intent=intent, if_revision=revision))


class BatchService(operations_pb2_grpc.BatchServiceServicer):
    """Edits and the intents they change, in one atomic change."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._intents, self._statuses = ports, ports.intents, ports.statuses

    async def Batch(self, request: pb.BatchRequest, context: Context) -> pb.BatchResponse:
        """Apply all edits in order as one change, or none."""
        if len(request.edits) > EDITS_MAX:
            raise InvalidIntent("edits", f"has {len(request.edits)} edits; at most {EDITS_MAX} are allowed")
        answer = await self._submit(request, context)
        changed = sum(result.before is not result.after for result in answer.results)
        response = pb.BatchResponse(revision=answer.revision, changed=changed)
        if not request.omit_resources:
            await self._render(answer.results, response)
        diff = await row_diff(self._ports, answer)
        response.row_changes.extend(diff.rows)
        response.row_change_count = diff.count
        return response

    async def _submit(self, request: pb.BatchRequest, context: Context) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            plan = await self._plan(request.edits)
            try:
                return await submit(self._intents, plan.edits, (request, context), batch=True)
            except Conflict as error:
                if attempt == _ATTEMPTS or not plan.rests_on_stored:
                    raise _located(error, request.edits) from None
            except NetctlError as error:
                raise _located(error, request.edits) from None
        raise AssertionError("the last attempt returned or raised")

    async def _plan(self, edits: Sequence[pb.Edit]) -> Plan:
        plan = Plan(self._intents.snapshot(), self._ports.seal)
        for index, edit in enumerate(edits):
            plan.add(edit, f"edits[{index}]")
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        return plan

    async def _render(self, results: Sequence[Admitted], response: pb.BatchResponse) -> None:
        snapshot, facts = self._intents.snapshot(), Facts(self._ports)
        used = 0
        for index, result in enumerate(results):
            resource = response.resources.add()
            if result.after is None:
                continue
            noun = BY_KIND[result.key[0]]
            status = self._statuses.status(result.key, snapshot) if used < _STATUS_UP_TO_BYTES else None
            message = noun.to_proto(result.after, status)
            facts.add(message, result.after, snapshot)
            used += message.ByteSize()
            getattr(resource, noun.field).CopyFrom(message)
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)


def _located(error: NetctlError, edits: Sequence[pb.Edit]) -> NetctlError:
    """Name the field as the request has it: admission knows the edit, and the field within its resource."""
    found = _PLACE.match(error.field)
    if found is None or int(found[1]) >= len(edits):
        return error
    edit = edits[int(found[1])]
    which = str(edit.WhichOneof("edit"))
    place, inner = f"edits[{found[1]}].{which}", found[2] or ""
    if inner != "if_revision" and which != "delete":
        if which == "update":
            place += ".resource"
        resource = edit.update.resource if which == "update" else getattr(edit, which)
        place += f".{resource.WhichOneof('resource')}"
    error.field = f"{place}.{inner}" if inner else place
    return error
