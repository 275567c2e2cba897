"""How acli commands change intents: one edit by its own call, several as one batch; all with the line as reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.acli.grammar import Call
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.kinds import kind_of_name
from netctl.cli.messages import unwrap, wrap
from netctl.cli.outcome import Outcome, compare
from netctl.v1 import operations_pb2 as operations

_REASON_MAX = 200
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make `resource`."""

    resource: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change the fields `paths` of `before` to those of `resource`, unless somebody else changed it meanwhile."""

    before: Any
    resource: Any
    paths: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove `resource`."""

    resource: Any


Edit = Create | Update | Delete


def ask_of(call: Call) -> Ask:
    """Return what a command's mutation carries: the change log says which line it was."""
    line = "".join(character if character.isprintable() else "?" for character in call.line)
    line = line if len(line) <= _REASON_MAX else f"{line[: _REASON_MAX - 3]}..."
    return Ask(reason=f"acli {line}")


def send(client: Client, edits: Sequence[Edit], call: Call) -> list[Outcome]:
    """Make edits, all or none."""
    ask = ask_of(call)
    if len(edits) == 1:
        return [_send_one(client, edits[0], ask)]
    answer = api.batch(client, [_to_proto(edit) for edit in edits], ask)
    after = [unwrap(resource) for resource in answer.resources]
    return [_outcome(edit, resource) for edit, resource in zip(edits, after, strict=True)]


def send_again(client: Client, plan: Callable[[], Sequence[Edit]], call: Call) -> list[Outcome]:
    """Make the edits that `plan` says, and plan afresh when somebody was faster."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            edits = plan()
            return send(client, edits, call) if edits else []
        except Failure as failure:
            if failure.code not in ("ABORTED", "ALREADY_EXISTS") or attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _send_one(client: Client, edit: Edit, ask: Ask) -> Outcome:
    kind = kind_of_name(edit.resource.name)
    match edit:
        case Create():
            answer = api.create(client, kind, edit.resource, ask)
        case Update():
            revision = edit.before.revision
            answer = api.update(client, edit.resource, list(edit.paths), ask, if_revision=revision)
        case Delete():
            api.delete(client, edit.resource.name, ask)
            return _outcome(edit, None)
    return _outcome(edit, getattr(answer, kind.field))


def _to_proto(edit: Edit) -> operations.Edit:
    match edit:
        case Create():
            return operations.Edit(create=wrap(edit.resource))
        case Update():
            update = operations.UpdateEdit(resource=wrap(edit.resource), if_revision=edit.before.revision)
            update.update_mask.paths.extend(edit.paths)
            return operations.Edit(update=update)
        case Delete():
            return operations.Edit(delete=operations.DeleteEdit(name=edit.resource.name))


def _outcome(edit: Edit, after: Any) -> Outcome:
    match edit:
        case Delete():
            return Outcome(action="deleted", name=edit.resource.name)
        case Update():
            return compare(edit.before, after)
        case Create():
            return compare(None, after)
