"""`netctl vm migrate`: rehearse, or make migrations and follow them to their end."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client, pause
from netctl.cli.failures import TIMED_OUT, Failure
from netctl.cli.foretold import Foretold
from netctl.cli.kinds import BY_COLLECTION
from netctl.cli.messages import new_message, render_json
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, compare, print_outcomes
from netctl.cli.output import Steps, is_terminal, print_data, print_table
from netctl.cli.show import quote
from netctl.cli.tables_compute import size, stage
from netctl.v1 import compute_pb2 as pb

_LOOK_EVERY_S = 0.2
_ATTEMPTS = 5
_KIND = BY_COLLECTION["vmMigrations"]
_ENDS = (pb.MIGRATION_STAGE_DONE, pb.MIGRATION_STAGE_FAILED)
_VM_ROOM = 52  # with `-m1234567` or a digest after it, it is an id


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked; an empty destination is chosen."""

    names: Sequence[str]
    destination: str = ""
    bandwidth_mbps: int = 0
    cross_cluster: bool = False
    retries: int = 0


def rehearse(client: Client, asked: Asked, output: str) -> bool:
    """Print what migrations would find; say whether all would do."""
    found = {}
    for name in asked.names:
        request = pb.RehearseMigrationRequest(
            vm=name, destination=asked.destination, cross_cluster=asked.cross_cluster
        )
        found[name] = client.call("VmService/RehearseMigration", request, pb.RehearseMigrationResponse)
    if output in ("json", "yaml"):
        print_data([{"vm": name, **render_json(it, zeros=True)} for name, it in found.items()], output)
    else:
        for name, answer in found.items():
            verdict = "would migrate" if answer.ok else "would not migrate"
            print(f"{name}  {verdict}{f' to {answer.destination}' if answer.destination else ''}")
            if answer.checks:
                print_table(
                    ("CHECK", "", "FOUND"), [[it.check, _mark(it), it.message] for it in answer.checks]
                )
    return all(answer.ok for answer in found.values())


def _mark(check: pb.MigrationCheck) -> str:
    return "ok" if check.ok else "warning" if check.warning else "MISSING"


def run(client: Client, asked: Asked, ask: Ask, end: End) -> None:
    """Make a migration of each machine, print them, follow them if asked."""
    answers = [create(client, name, asked, ask) for name in asked.names]
    outcomes = [compare(None, answer.vm_migration) for answer in answers]
    if ask.dry_run or end.timeout_s is None:
        rows = [row for answer in answers for row in answer.row_changes]
        count = sum(answer.row_change_count for answer in answers)
        finish(client, Made(outcomes=outcomes, foretold=Foretold(rows=rows, count=count)), ask, end)
        return
    if end.output == "text":
        print_outcomes(outcomes, end.output)
    ended = _follow(client, [outcome.name for outcome in outcomes], end.timeout_s)
    if end.output == "text":
        for migration in ended:
            print(tell_end(migration))
    else:
        print_outcomes(
            [replace(it, resource=new) for it, new in zip(outcomes, ended, strict=True)], end.output
        )
    _refuse_failed(ended)


def create(client: Client, vm: str, asked: Asked, ask: Ask) -> Any:
    """Make a migration under a name that is free; the same request makes the same name."""
    for attempt in range(1, _ATTEMPTS + 1):
        migration = new_message(_KIND, f"{_KIND.collection}/{_free_id(client, vm, ask)}")
        migration.vm, migration.destination = vm, asked.destination
        migration.bandwidth_mbps, migration.retries = asked.bandwidth_mbps, asked.retries
        migration.cross_cluster = asked.cross_cluster
        key = f"{ask.request_id[:20]}-{_digest(vm)}" if ask.request_id and len(asked.names) > 1 else ""
        try:
            return api.create(client, _KIND, migration, replace(ask, request_id=key) if key else ask)
        except Failure as failure:
            if failure.code != "ALREADY_EXISTS" or ask.request_id or attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _free_id(client: Client, vm: str, ask: Ask) -> str:
    base = vm.partition("/")[2][:_VM_ROOM].rstrip("-")
    if ask.request_id:
        return f"{base}-{_digest(ask.request_id)}"
    known = [it.name for it in api.list_all(client, _KIND, f"vm = {quote(vm)}")]
    numbers = [int(found[1]) for name in known if (found := re.search(r"-m(\d{1,7})\Z", name))]
    return f"{base}-m{max(numbers, default=0) + 1}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _follow(client: Client, names: Sequence[str], timeout_s: float) -> list[Any]:
    """Return migrations that ended, and say how far they are until then."""
    deadline = time.monotonic() + timeout_s
    live = is_terminal(sys.stderr)
    steps = Steps()
    try:
        while True:
            now = [api.get(client, name) for name in names]
            going = [migration for migration in now if migration.stage not in _ENDS]
            if not going:
                return now
            told = "; ".join(tell_progress(migration, live=live) for migration in going)
            if time.monotonic() > deadline:
                raise Failure(
                    f"not moved in {timeout_s:g} s: {told}",
                    exit_status=TIMED_OUT,
                    code="TIMED_OUT",
                    hint="it goes on by itself; `netctl update migration NAME --abort true` stops it",
                )
            steps.show(told)
            pause(_LOOK_EVERY_S)
    finally:
        steps.clear()


def tell_progress(migration: Any, *, live: bool) -> str:
    """Return how far a migration is; what changes all the time only where the line is rewritten."""
    seen = migration.evidence
    parts = [migration.vm.partition("/")[2], stage(migration)]
    if migration.attempt > 1:
        parts.append(f"try {migration.attempt}")
    if seen.iterations:
        parts.append(f"iteration {seen.iterations}")
    if live and seen.remaining_bytes:
        parts.append(f"{size(seen.remaining_bytes)} remain")
    if seen.throttle_percent:
        parts.append(f"guest slowed by {seen.throttle_percent} %")
    if migration.status.message:
        parts.append(f"({migration.status.message})")
    return " ".join(parts)


def tell_end(migration: Any) -> str:
    """Return what became of a migration on one line, with what was measured."""
    vm, seen = migration.vm, migration.evidence
    if migration.stage == pb.MIGRATION_STAGE_FAILED:
        return f"{vm}  stays on {migration.source}: {migration.failure}: {migration.failure_message}"
    found = [
        f"pause {seen.pause_ms} ms",
        f"network gap {seen.network_gap_ms} ms",
        f"{seen.iterations} iteration{'' if seen.iterations == 1 else 's'}",
        f"{size(seen.transferred_bytes) or '0 B'} in {seen.copy_ms / 1000:.1f} s",
    ]
    return f"{vm}  from {migration.source} to {migration.destination}: {', '.join(found)}"


def _refuse_failed(ended: Sequence[Any]) -> None:
    failed = [it for it in ended if it.stage == pb.MIGRATION_STAGE_FAILED]
    if failed:
        names = ", ".join(it.name for it in failed)
        hint = f"`netctl describe migration {failed[0].name.partition('/')[2]}` has every stage"
        raise Failure(f"did not migrate: {names}", code=failed[0].failure or "MIGRATION_FAILED", hint=hint)
