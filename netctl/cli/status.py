"""`netctl status`: is the controller well, and is everything in the network?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.kinds import KINDS, kind_of_name
from netctl.cli.messages import render_json
from netctl.cli.output import print_data, print_table
from netctl.cli.tables import phase_of
from netctl.v1 import operations_pb2 as operations

_PHASES = ("PROGRAMMED", "PENDING", "FAILED")
_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The controller, the count of each phase by kind, and what is not PROGRAMMED."""

    controller: operations.GetControllerResponse
    counts: dict[str, Counter[str]]
    open: list[Any]

    @property
    def is_well(self) -> bool:
        """The controller has no problem and nothing is FAILED; PENDING alone is work under way."""
        failed = any(count["FAILED"] for count in self.counts.values())
        return self.controller.ready and not self.controller.problems and not failed


def read_overview(client: Client) -> Overview:
    """Ask the controller and count every resource."""
    controller = api.controller(client)
    counts: dict[str, Counter[str]] = {}
    open_: list[Any] = []
    for kind in KINDS:
        counts[kind.plural] = Counter()
        for resource in api.list_all(client, kind):
            phase = phase_of(resource)
            counts[kind.plural][phase] += 1
            if phase != "PROGRAMMED":
                open_.append(resource)
    return Overview(controller=controller, counts=counts, open=open_)


def print_overview(overview: Overview, address: str, output: str) -> None:
    """Print for people or programs."""
    if output in ("json", "yaml"):
        _print_data(overview, output)
        return
    controller = overview.controller
    state = "ready" if controller.ready else "not ready"
    print(f"controller  {state}, version {controller.version}, at {address}")
    behind = controller.store_revision - controller.northbound_revision
    lag = f", {behind} behind" if behind > 0 else ""
    print(
        f"revision    {controller.store_revision} stored, {controller.northbound_revision} in OVN's database{lag}"
    )
    print(
        f"OVN         northd {controller.northd_version or '-'}, schema {controller.northbound_schema or '-'}"
    )
    for problem in controller.problems:
        print(f"problem     {problem}")
    print()
    rows = [[kind, *(str(count[phase]) for phase in _PHASES)] for kind, count in overview.counts.items()]
    print_table(("", *_PHASES), rows)
    _print_open(overview.open)


def _print_open(resources: Sequence[Any]) -> None:
    if not resources:
        return
    print()
    worst_first = sorted(resources, key=lambda it: (phase_of(it) != "FAILED", it.name))
    rows = [[it.name, phase_of(it), it.status.reason, it.status.message] for it in worst_first[:_SHOWN]]
    print_table(("NOT PROGRAMMED", "PHASE", "REASON", "MESSAGE"), rows)
    if len(resources) > _SHOWN:
        print(f"and {len(resources) - _SHOWN} more: netctl get all --filter 'status.phase != PROGRAMMED'")


def _print_data(overview: Overview, output: str) -> None:
    data = {
        "controller": render_json(overview.controller),
        "counts": {
            kind: {phase: count[phase] for phase in _PHASES} for kind, count in overview.counts.items()
        },
        "not_programmed": [
            {"kind": kind_of_name(it.name).word, "name": it.name, "status": render_json(it.status)}
            for it in overview.open
        ],
        "well": overview.is_well,
    }
    print_data(data, output)
