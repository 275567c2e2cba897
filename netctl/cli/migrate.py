"""`netctl subnet migrate`: ask for it, print what becomes of the subnets, wait until their NICs have moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.foretold import Foretold
from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, compare
from netctl.v1 import network_pb2 as network


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
    finish(client, Made(outcomes=outcomes, foretold=Foretold.of(answer)), ask, end)


def _constant(word: str) -> str:
    return word.upper().replace("-", "_")
