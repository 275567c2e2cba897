"""The second half of commands that change intents: send, print what became of it, wait for the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.apply import Plan, make_plan, run_plan
from netctl.cli.client import Client
from netctl.cli.documents import Documents
from netctl.cli.failures import Failure
from netctl.cli.foretold import Foretold
from netctl.cli.outcome import Made, Outcome, print_outcomes, summarise
from netctl.cli.output import note, print_data
from netctl.cli.waiting import wait_until_removed, wait_until_settled
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import status_pb2

_ATTEMPTS = 3
# What ends only when somebody changes the intent.
_PENDING = {
    "NOT_ATTACHED": "not attached to a host",
    "NOT_ASSOCIATED": "not associated with anything",
    "SAVED": "saved: nothing is written",
    "NOT_USED": "nothing passes it",
    "NOT_MIRRORED": "nothing is copied to it",
    "VM_OFF": "its virtual machine is off",
    "WAITING_FOR_UPLOAD": "its bytes are not here yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a command ends: seconds to wait for the network (None: not at all) and how to print."""

    timeout_s: float | None
    output: str


def finish(client: Client, made: Made, ask: Ask, end: End) -> None:
    """Wait for what was made if asked, and print what became of it."""
    outcomes, data = made.outcomes, end.output in ("json", "yaml")
    if not data:
        print_outcomes(outcomes, end.output)
    if end.output == "text" and len(outcomes) != 1:
        print(summarise(outcomes))
    if ask.dry_run:
        _print_foretold(made, end)
        note("dry run: nothing was changed")
        return
    if end.timeout_s is not None:
        outcomes = _wait(client, outcomes, end.timeout_s, made.revision)
        if end.output == "text":
            print(_render_phases(outcomes))
    if data:
        print_outcomes(outcomes, end.output)


def _print_foretold(made: Made, end: End) -> None:
    """Print the rows that would change; programs get them with the outcomes, as of `apply`."""
    if end.output == "text":
        for line in made.foretold.render_text():
            print(line)
    elif end.output != "name":
        resources = [outcome.render_json() for outcome in made.outcomes]
        print_data({"dry_run": True, "resources": resources, **made.foretold.render_json()}, end.output)


def delete(client: Client, names: Sequence[str], ask: Ask, end: End, *, if_revision: int = 0) -> None:
    """Delete resources: one by its own call, several as one batch; one that is named twice is deleted once."""
    names = list(dict.fromkeys(names))
    if len(names) == 1:
        answer = api.delete(client, names[0], ask, if_revision=if_revision)
    elif if_revision:
        raise Failure.usage("--if-revision speaks of one resource, but several are named")
    else:
        edits = [operations.Edit(delete=operations.DeleteEdit(name=name)) for name in names]
        try:
            answer = api.batch(client, edits, ask)
        except Failure as failure:
            failure.hint = failure.hint or "nothing was deleted: several names are one atomic change"
            raise
    outcomes = [Outcome(action="deleted", name=name) for name in names]
    made = Made(outcomes=outcomes, revision=answer.revision, foretold=Foretold.of(answer))
    finish(client, made, ask, end)


def apply(client: Client, documents: Documents, ask: Ask, end: End, *, prune: bool) -> None:
    """Make intents equal to documents, print the plan, wait if asked."""
    if prune and not documents.set_name:
        raise Failure.usage(
            "--prune needs to know whose resources it may delete",
            hint="name the set: `set: NAME` at the top of the file, or --set NAME",
        )
    if not documents.items and not prune:
        raise Failure("the files hold no resource", code="INVALID_FILE")
    plan, made = _plan_and_run(client, documents, ask, prune=prune)
    for taken in plan.taken:
        note(f"note: {taken}")
    if end.output in ("json", "yaml"):
        _print_plan(client, plan, made, ask, end)
        return
    finish(client, made, ask, end)


def _plan_and_run(client: Client, documents: Documents, ask: Ask, *, prune: bool) -> tuple[Plan, Made]:
    """Plan and send; plan afresh when somebody changed what was to be pruned in between."""
    for attempt in range(1, _ATTEMPTS + 1):
        plan = make_plan(client, documents, prune=prune)
        if not plan.edits:
            return plan, Made(outcomes=())
        try:
            made = run_plan(client, plan, ask)
        except Failure as failure:
            if failure.code != "ABORTED" or attempt == _ATTEMPTS or ask.request_id:
                raise
        else:
            return plan, made
    raise AssertionError("the last attempt returns or raises")


def _print_plan(client: Client, plan: Plan, made: Made, ask: Ask, end: End) -> None:
    outcomes = made.outcomes
    if ask.dry_run:
        note("dry run: nothing was changed")
    elif end.timeout_s is not None:
        outcomes = _wait(client, outcomes, end.timeout_s, made.revision)
    data: dict[str, Any] = {"revision": str(made.revision), "set": plan.set_name, "dry_run": ask.dry_run}
    data["resources"] = [outcome.render_json() for outcome in outcomes]
    if ask.dry_run:
        data |= made.foretold.render_json()
    print_data(data, end.output)


def _wait(client: Client, outcomes: Sequence[Outcome], timeout_s: float, revision: int) -> list[Outcome]:
    """Wait for every resource and removal; return the outcomes with the resources as they are now."""
    wanted = {it.name: it.resource.revision for it in outcomes if it.resource is not None}
    seen = wait_until_settled(client, wanted, timeout_s) if wanted else {}
    if len(wanted) < len(outcomes):
        wait_until_removed(client, revision, timeout_s)
    return [replace(it, resource=seen.get(it.name, it.resource)) for it in outcomes]


def _render_phases(outcomes: Sequence[Outcome]) -> str:
    """Return what waiting led to: "6 PROGRAMMED, 1 PENDING (not attached to a host), 2 gone from the network"."""
    statuses = [it.resource.status for it in outcomes if it.resource is not None]
    programmed = sum(status.phase == status_pb2.PHASE_PROGRAMMED for status in statuses)
    pending = Counter(
        _PENDING.get(status.reason, status.reason)
        for status in statuses
        if status.phase == status_pb2.PHASE_PENDING
    )
    parts = (
        (programmed, "PROGRAMMED"),
        *((count, f"PENDING ({why})") for why, count in pending.items()),
        (len(outcomes) - len(statuses), "gone from the network"),
    )
    return ", ".join(f"{count} {what}" for count, what in parts if count)
