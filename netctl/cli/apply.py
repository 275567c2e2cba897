"""`netctl apply`: make the controller's intents equal to files, in one atomic batch.

Pruning removes only what carries the label `netctl.set` with the set's name, as it was read (`if_revision`), in the
same batch. The set must be named, in the file or by --set: a name taken from the file's own would let two files of
the same name in two folders remove each other's resources.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.documents import Document, Documents, read_documents
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.foretold import Foretold
from netctl.cli.kinds import KINDS, Kind, kind_of_name
from netctl.cli.messages import references_of, wrap
from netctl.cli.order import Step, circle_through, in_order
from netctl.cli.outcome import Made, Outcome, compare
from netctl.v1 import operations_pb2 as operations

SET_LABEL = "netctl.set"
# Above this many resources of a kind, reading all pages is cheaper than reading each.
_GETS_MAX = 50
# Who asks for one of these goes first, lest it is allocated to who asked for any.
_CERTAIN = ("mac_address", "ipv4_address", "ipv6_address", "bridge", "address", "ranges")
_EDIT_FIELD = re.compile(r"edits\[(\d+)\]\.?(?:apply\.(?:\w+\.)?)?(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The edits of one batch, and for each its step, its document and how the resource was before (None: new)."""

    set_name: str = ""
    steps: list[Step] = field(default_factory=list)
    edits: list[operations.Edit] = field(default_factory=list)
    documents: list[Document | None] = field(default_factory=list)
    before: list[Any] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)


def load(files: Sequence[str], set_name: str) -> Documents:
    """Read files (`-` is standard input) into one list; --set goes before what a file says."""
    together = Documents(set_name=set_name)
    for file in files:
        found = read_documents(_read_text(file), "<stdin>" if file == "-" else file)
        if found.set_name and together.set_name and found.set_name != together.set_name and not set_name:
            raise Failure.usage(f"{file} is of set {found.set_name!r}, another file of {together.set_name!r}")
        together.set_name = together.set_name or found.set_name
        together.items.extend(found.items)
    first: dict[str, str] = {}
    for item in together.items:
        if item.resource.name in first:
            raise Failure(f"{item.where}: {item.resource.name} is already in {first[item.resource.name]}")
        first[item.resource.name] = item.where
    return together


def make_plan(client: Client, documents: Documents, *, prune: bool) -> Plan:
    """Read what is there and return the edits, in the order of dependence."""
    plan = Plan(set_name=documents.set_name)
    removals = {it.name: it for it in _find_removals(client, documents)} if prune else {}
    items = {item.resource.name: item for item in documents.items}
    existing: dict[str, Any] = {}
    for kind in KINDS:
        existing |= _read_existing(client, kind, [name for name, item in items.items() if item.kind is kind])
    steps = [_removal_step(resource) for resource in removals.values()]
    steps += [_apply_step(item.resource, existing.get(name)) for name, item in items.items()]
    plan.steps.extend(in_order(steps))
    for step in plan.steps:
        if step.is_removal:
            _add_removal(plan, removals[step.name])
        else:
            _add_apply(plan, items[step.name], existing.get(step.name))
    return plan


def run_plan(client: Client, plan: Plan, ask: Ask) -> Made:
    """Send the batch; return what became of each resource."""
    while True:
        try:
            answer = api.batch(client, plan.edits, ask)
            break
        except Failure as failure:
            better = _reordered(plan, failure)
            if better is None:
                raise _located(failure, plan) from None
            plan = better
    outcomes = []
    for edit, before, after in zip(plan.edits, plan.before, answer.resources, strict=True):
        if edit.HasField("delete"):
            outcomes.append(Outcome(action="deleted", name=edit.delete.name))
        else:
            outcomes.append(compare(before, getattr(after, kind_of_name(before_name(edit)).field)))
    return Made(outcomes=outcomes, revision=answer.revision, foretold=Foretold.of(answer))


def before_name(edit: operations.Edit) -> str:
    """Return the name of the resource that an apply edit is about."""
    field_name = edit.apply.WhichOneof("resource")
    assert field_name is not None
    return str(getattr(edit.apply, field_name).name)


def _read_text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file}: {(error.strerror or str(error)).lower()}", code="INVALID_FILE") from None
    except UnicodeDecodeError:
        raise Failure(f"{file}: not UTF-8 text", code="INVALID_FILE") from None


def _removal_step(resource: Any) -> Step:
    return Step(
        name=resource.name,
        message=resource.DESCRIPTOR.name,
        is_removal=True,
        needs=frozenset(references_of(resource)),
    )


def _apply_step(resource: Any, before: Any) -> Step:
    return Step(
        name=resource.name,
        message=resource.DESCRIPTOR.name,
        is_certain=any(getattr(resource, name, "") for name in _CERTAIN),
        needs=frozenset(references_of(resource)),
        leaves=frozenset(references_of(before)) if before is not None else frozenset(),
    )


def _reordered(plan: Plan, failure: Failure) -> Plan | None:
    """Return the plan with a refused edit after those that the server said are in its way, None when none are to come.

    Not every use is a reference: a policy's service IP is in the way of its NIC, a next hop in that of its subnet.
    """
    match = _EDIT_FIELD.fullmatch(failure.field)
    if match is None or int(match[1]) >= len(plan.steps):
        return None
    index = int(match[1])
    refused = plan.steps[index]
    coming = {step.name for step in plan.steps[index + 1 :]}
    waits = coming.intersection(failure.dependents) - refused.after
    if not waits:
        return None
    steps = [*plan.steps]
    steps[index] = replace(refused, after=refused.after | waits)
    ordered = in_order(steps)
    places = {step.name: place for place, step in enumerate(plan.steps)}
    old = [places[step.name] for step in ordered]
    return replace(
        plan,
        steps=ordered,
        edits=[plan.edits[place] for place in old],
        documents=[plan.documents[place] for place in old],
        before=[plan.before[place] for place in old],
    )


def _find_removals(client: Client, documents: Documents) -> list[Any]:
    """Return what carries the set's label and is not in the files."""
    keep = {item.resource.name for item in documents.items}
    found = []
    for kind in reversed(KINDS):
        for resource in api.list_all(client, kind, f'labels.{SET_LABEL} = "{documents.set_name}"'):
            # The label is looked at here too: what is removed must not hang on how a filter is understood.
            if resource.labels.get(SET_LABEL) == documents.set_name and resource.name not in keep:
                found.append(resource)
    return found


def _read_existing(client: Client, kind: Kind, names: Sequence[str]) -> dict[str, Any]:
    if len(names) > _GETS_MAX:
        wanted = set(names)
        return {it.name: it for it in api.list_all(client, kind) if it.name in wanted}
    found = {name: _get_or_none(client, name) for name in names}
    return {name: resource for name, resource in found.items() if resource is not None}


def _get_or_none(client: Client, name: str) -> Any:
    try:
        return api.get(client, name)
    except Failure as failure:
        # A malformed name is refused here already, but without file and line; the batch says it better.
        if failure.exit_status == NOT_FOUND or failure.code == "INVALID_ARGUMENT":
            return None
        raise


def _add_apply(plan: Plan, item: Document, before: Any) -> None:
    if plan.set_name:
        item.resource.labels[SET_LABEL] = plan.set_name
        other = before.labels.get(SET_LABEL, "") if before is not None else ""
        if other and other != plan.set_name:
            plan.taken.append(f"{item.resource.name} belonged to set {other!r}, now to {plan.set_name!r}")
    plan.edits.append(operations.Edit(apply=wrap(item.resource)))
    plan.documents.append(item)
    plan.before.append(before)


def _add_removal(plan: Plan, resource: Any) -> None:
    delete = operations.DeleteEdit(name=resource.name, if_revision=resource.revision)
    plan.edits.append(operations.Edit(delete=delete))
    plan.documents.append(None)
    plan.before.append(resource)


def _located(failure: Failure, plan: Plan) -> Failure:
    """Return the failure with file and line of the document whose edit the server refused."""
    match = _EDIT_FIELD.fullmatch(failure.field)
    if match is None or int(match[1]) >= len(plan.edits):
        return failure
    index = int(match[1])
    document, before = plan.documents[index], plan.before[index]
    failure.field = match[2]
    if document is None:
        return failure.located(f"pruning {before.name}")
    circle = circle_through(plan.steps, plan.steps[index].name) if failure.code == "NOT_FOUND" else []
    if circle:
        failure.hint = f"in the files they name each other in a circle: {' names '.join(circle)}"
    return failure.located(f"{document.where}: {document.resource.name}")
