"""`netctl host enter-maintenance` and `exit-maintenance`: empty a host, or say whether it could be."""

from __future__ import annotations

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.foretold import Foretold
from netctl.cli.messages import render_json
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, compare
from netctl.cli.output import print_data, print_table
from netctl.v1 import infra_pb2


def check(client: Client, host: str) -> infra_pb2.CheckMaintenanceResponse:
    """Ask where a host's machines would go."""
    request = infra_pb2.CheckMaintenanceRequest(name=host)
    return client.call("HostService/CheckMaintenance", request, infra_pb2.CheckMaintenanceResponse)


def print_check(client: Client, host: str, output: str) -> bool:
    """Print where a host's machines would go; say whether all can."""
    answer = check(client, host)
    if output in ("json", "yaml"):
        print_data({"host": host, **render_json(answer, zeros=True)}, output)
        return answer.ok
    stuck = sum(not move.destination for move in answer.moves)
    print(f"{host}  {len(answer.moves)} machine(s) are on, {stuck} of them cannot leave")
    if answer.moves:
        rows = [[move.vm, move.destination, move.message] for move in answer.moves]
        print_table(("VM", "WOULD GO TO", "WHY NOT"), rows)
    return answer.ok


def switch(client: Client, host: str, ask: Ask, end: End, *, enter: bool) -> None:
    """Have a host emptied, or used again; wait for the last machine if asked."""
    before = api.get(client, host)
    wanted = infra_pb2.Host(name=host, maintenance=enter)
    answer = api.update(client, wanted, ["maintenance"], ask)
    finish(client, Made(outcomes=(compare(before, answer.host),), foretold=Foretold.of(answer)), ask, end)
