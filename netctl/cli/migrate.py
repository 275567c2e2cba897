"""`netctl subnet migrate`: ask for it, print what becomes of the subnets, wait until their NICs have moved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client, pause
from netctl.cli.failures import TIMED_OUT, Failure
from netctl.cli.foretold import Foretold
from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, compare
from netctl.cli.output import Steps
from netctl.cli.waiting import render_progress
from netctl.v1 import network_pb2 as network

_LOOK_EVERY_S = 0.5
_FAILED = network.SubnetMigration.STATE_FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What is asked: `kind` and `addresses` as people spell them."""

    names: Sequence[str]
    kind: str
    addresses: str


def run(client: Client, asked: Migration, ask: Ask, end: End) -> None:
    """Migrate, print, wait."""
    names = list(dict.fromkeys(resource_name(BY_COLLECTION["subnets"], name) for name in asked.names))
    before = {name: api.get(client, name) for name in names}
    request = network.MigrateSubnetsRequest(
        names=names,
        kind=network.SubnetKind.Value(f"SUBNET_KIND_{_constant(asked.kind)}"),
        addresses=network.MigratedAddresses.Value(f"MIGRATED_ADDRESSES_{_constant(asked.addresses)}"),
        **ask.fields,
    )
    answer = client.call("SubnetService/MigrateSubnets", request, network.MigrateSubnetsResponse)
    outcomes = [compare(before[subnet.name], subnet) for subnet in answer.subnets]
    if end.output == "text":
        print(f"{answer.nics} NIC{'' if answer.nics == 1 else 's'} {'would' if ask.dry_run else 'will'} move")
    if end.timeout_s is not None and not ask.dry_run:
        _wait_for_nics(client, names, end.timeout_s)
    finish(client, Made(outcomes=outcomes, foretold=Foretold.of(answer)), ask, end)


def _constant(word: str) -> str:
    return word.upper().replace("-", "_")


def _wait_for_nics(client: Client, names: Sequence[str], timeout_s: float) -> None:
    """Wait until no subnet has NICs to move, and say how far it is; a move of a NIC is no change of its subnet."""
    deadline = time.monotonic() + timeout_s
    steps = Steps()
    try:
        while moving := [subnet for subnet in _read(client, names) if subnet.HasField("migration")]:
            failed = [subnet for subnet in moving if subnet.migration.state == _FAILED]
            if failed:
                hint = "mend that and change the subnet, or migrate to the other kind"
                raise Failure("\n  ".join(map(_why, failed)), code="MIGRATION_FAILED", hint=hint)
            if time.monotonic() > deadline:
                raise Failure(
                    f"not moved in {timeout_s:g} s: {'; '.join(map(_told, moving))}",
                    exit_status=TIMED_OUT,
                    code="TIMED_OUT",
                    hint="it goes on by itself",
                )
            steps.show(_summary(moving))
            pause(_LOOK_EVERY_S)
    finally:
        steps.clear()


def _read(client: Client, names: Sequence[str]) -> list[Any]:
    return [api.get(client, name) for name in names]


def _summary(moving: Sequence[Any]) -> str:
    """Return `12 of 40 NICs moved`, over all subnets."""
    moved = sum(subnet.migration.moved_nics for subnet in moving)
    nics = sum(subnet.migration.nics for subnet in moving)
    return f"{moved} of {nics} NICs moved"


def _told(subnet: Any) -> str:
    return f"{subnet.name} {render_progress(subnet)}"


def _why(subnet: Any) -> str:
    return f"{_told(subnet)}: {subnet.migration.message}"
