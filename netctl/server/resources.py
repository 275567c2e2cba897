"""Get, list, create, update and delete, once for all nouns.

In: messages of one noun; out: messages with status. A masked update reads the stored intent, changes the fields of the
mask and replaces it only if it is still at the revision read: nothing that others wrote meanwhile is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, cast
from weakref import WeakValueDictionary

from netctl.errors import Conflict, InvalidIntent, NotFound
from netctl.model.intent import Create, Edit, Remove, Replace
from netctl.model.keys import HostId, Kind, SubnetId, check_id
from netctl.model.snapshot import Snapshot
from netctl.model.status import Status
from netctl.server import masks, paging
from netctl.server.convert import parse_name
from netctl.server.edge import Context
from netctl.server.facts import Facts
from netctl.server.filters import Filter, parse_filter
from netctl.server.noun import N, Noun, P
from netctl.server.nouns import AnyNoun
from netctl.server.ports import Ports
from netctl.server.row_diff import RowDiff, row_diff
from netctl.server.writes import Mutation, check_revision, submit, within

# A masked update meets a batch or an unmasked one in between at most so often before the client hears of it.
_ATTEMPTS = 8
# So many intents are looked at before others get their turn on the event loop: below a millisecond.
_SCAN = 500

Call = tuple[Mutation, Context]
# A resource as it is now, or would be; with `validate_only` also the rows that the change would touch.
Written = tuple[P, RowDiff]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[P]):
    """One page of a list."""

    items: Sequence[P]
    next_page_token: str
    revision: int


class Resources(Generic[P, N]):
    """The verbs of one noun."""

    def __init__(self, noun: Noun[P, N], ports: Ports) -> None:
        self._noun, self._ports = noun, ports
        self._intents, self._statuses = ports.intents, ports.statuses
        self._facts = Facts(ports)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def get(self, name: str) -> P:
        """Return a resource; NotFound names it."""
        snapshot = self._intents.snapshot()
        intent = self.stored(name, snapshot)
        return self._render(intent.id, intent, snapshot)

    def stored(self, name: str, snapshot: Snapshot) -> N:
        """Return the intent of a name; NotFound names it."""
        id_ = parse_name("name", name, self._noun.kind)
        check_id("name", id_)
        intent = snapshot.get((self._noun.kind, id_))
        if intent is None:
            raise self._missing(id_)
        return cast(N, intent)

    def rendered(self, intent: N) -> P:
        """Return the message of an intent as it was answered, with its status now."""
        return self._render(intent.id, intent, self._intents.snapshot())

    async def list_page(self, page_size: int, page_token: str, filter_text: str) -> Page[P]:
        """Return the next page of the resources that match a filter, by id."""
        size = paging.page_size(page_size)
        query = f"{self._noun.kind.value} {filter_text}"
        after = paging.parse_token(page_token, query)
        wanted = parse_filter(filter_text, cast(AnyNoun, self._noun))
        snapshot = self._intents.snapshot()
        items: list[P] = []
        last, used = "", 0
        for scanned, id_ in enumerate(self._candidates(snapshot, wanted, after), 1):
            if scanned % _SCAN == 0:
                await asyncio.sleep(0)
            intent = cast(N, snapshot.get((self._noun.kind, id_)))
            status = self._status(id_, snapshot) if wanted.needs_status else None
            if not wanted.matches(intent, status):
                continue
            item = self._noun.to_proto(intent, status or self._status(id_, snapshot))
            self._facts.add(item, intent, snapshot)
            if not wanted.shows(item):
                continue
            used += item.ByteSize()
            if len(items) == size or (items and used > paging.MAX_BYTES):
                token = paging.render_token(last, query)
                return Page(items=items, next_page_token=token, revision=snapshot.revision)
            items.append(item)
            last = id_
        return Page(items=items, next_page_token="", revision=snapshot.revision)

    async def create(self, resource: P, call: Call) -> Written[P]:
        """Store a new resource."""
        with self._within():
            return await self._write(Create(intent=self._noun.from_proto(self._sealed(resource))), call)

    async def update(self, resource: P, paths: Sequence[str], if_revision: int, call: Call) -> Written[P]:
        """Change fields of a resource."""
        check_revision("if_revision", if_revision)
        with self._within():
            resource = self._sealed(resource)
            if masks.replaces_all(paths):
                edit = Replace(intent=self._noun.from_proto(resource), if_revision=if_revision)
                return await self._write(edit, call)
            id_ = parse_name("name", resource.name, self._noun.kind)
            check_id("name", id_)
            # Updates of one resource through this door take turns instead of refusing each other.
            async with self._locks.setdefault(id_, asyncio.Lock()):
                return await self._update_masked(resource, paths, if_revision, call)

    async def _update_masked(
        self, resource: P, paths: Sequence[str], if_revision: int, call: Call
    ) -> Written[P]:
        id_ = parse_name("name", resource.name, self._noun.kind)
        for attempt in range(1, _ATTEMPTS + 1):
            stored = self._intents.snapshot().get((self._noun.kind, id_))
            if stored is None:
                return await self._write(Replace(intent=self._alone(resource, id_)), call)
            merged = self._noun.to_request(cast(N, stored))
            masks.merge(merged, resource, paths, self._noun.output_only)
            revision = if_revision or stored.meta.revision
            try:
                return await self._write(
                    Replace(intent=self._noun.from_proto(merged), if_revision=revision), call
                )
            except Conflict:
                if if_revision or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returned or raised")

    def _alone(self, resource: P, id_: str) -> N:
        """Return what can be asked of a missing resource: admission remembers the answer if this is a repetition."""
        try:
            return self._noun.from_proto(resource)
        except InvalidIntent:
            raise self._missing(id_) from None

    async def delete(self, name: str, if_revision: int, call: Call) -> tuple[int, RowDiff]:
        """Remove a resource; return the revision of the removal, and the rows that it would touch."""
        check_revision("if_revision", if_revision)
        id_ = parse_name("name", name, self._noun.kind)
        check_id("name", id_)
        edit = Remove(key=(self._noun.kind, id_), if_revision=if_revision)
        answer = await submit(self._intents, (edit,), call)
        return answer.revision, await row_diff(self._ports, answer)

    async def _write(self, edit: Edit, call: Call) -> Written[P]:
        answer = await submit(self._intents, (edit,), call)
        result = answer.results[0]
        after = cast(N, result.after)
        resource = self._render(result.key[1], after, self._intents.snapshot())
        return resource, await row_diff(self._ports, answer)

    def _sealed(self, resource: P) -> P:
        return self._noun.seal(resource, self._ports.seal)

    def _missing(self, id_: str) -> NotFound:
        return NotFound(f"{self._noun.kind.value}/{id_} does not exist", field="name")

    def _render(self, id_: str, intent: N, snapshot: Snapshot) -> P:
        message = self._noun.to_proto(intent, self._status(id_, snapshot))
        self._facts.add(message, intent, snapshot)
        return message

    def _status(self, id_: str, snapshot: Snapshot) -> Status | None:
        return self._statuses.status((self._noun.kind, id_), snapshot)

    def _within(self) -> AbstractContextManager[None]:
        return within(self._noun.field, self._noun.message.DESCRIPTOR)

    def _candidates(self, snapshot: Snapshot, wanted: Filter, after: str) -> Iterable[str]:
        """Return the ids that may match, sorted; by an index where the filter names one."""
        kind = self._noun.kind
        subnet, host = wanted.wanted("subnet"), wanted.wanted("host")
        if kind is Kind.NIC and subnet:
            found = snapshot.nics_of_subnet(SubnetId(subnet.partition("/")[2]))
        elif kind is Kind.NIC and host:
            found = snapshot.nics_of_host(HostId(host.partition("/")[2]))
        else:
            return snapshot.ids(kind, after)
        return sorted(nic.id for nic in found if nic.id > after)
