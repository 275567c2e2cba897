"""One route, or one NIC, of one VPC changed while many VPCs are there: from the gRPC call to the northbound database.

In the same run: the same change as one hand-made JSON-RPC transaction, and read and modified through ovsdbapp as
Neutron does. Counted: one transaction a change, and which intents are compiled again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from google.protobuf.field_mask_pb2 import FieldMask

from bench import vpc_peers
from bench.controllers import CALL_S, World, cpu_s, rss_mb, world
from bench.figures import Figure, Target, WrongCount, percentile
from bench.ports import RawClient
from bench.vpc_layout import HOPS, nic_name, route_name
from netctl.compiler.dependents import dependents
from netctl.model.keys import Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import row_uuid
from netctl.v1 import network_pb2, vpc_pb2
from netctl.v1.network_pb2_grpc import NicServiceStub
from netctl.v1.vpc_pb2_grpc import RouteServiceStub

CHANGES = 30
ROUTE_ANSWER, ROUTE, NIC = "route, call to answer", "route, call to northbound", "NIC, call to northbound"
RAW, PEER = "raw JSON-RPC, one route", "ovsdbapp, read and modify a route"
_SMALLEST = 10
TARGETS = (
    *(
        Target(way=way, peer=way, peer_size=_SMALLEST, most=most, sizes=(size,))
        for way in (ROUTE, NIC)
        for size, most in ((100, 1.2), (1000, 2.0))
    ),
    Target(way=ROUTE, peer=PEER, most=2),
    Target(way=ROUTE, most=0.0055),  # a quarter of what Incus takes for one call (recorded, not run here)
)
_ROUTE = row_uuid("Logical_Router_Static_Route", "bench", "foreign")


def measure(size: int, template: Path, *, with_peer: bool) -> list[Figure]:
    """Change one route and one NIC of different VPCs in turns; then the limit and the peer, who would wake netctl."""
    with (
        TemporaryDirectory(prefix="netctl-bench-") as directory,
        world(Path(directory), template=template) as here,
        RawClient(str(here.nb.socket)) as raw,
    ):
        vpc_peers.make_router(raw, _ROUTE)
        figures = [*_in_turns(here, size), _figure(RAW, size, [_change_raw(raw, n) for n in range(CHANGES)])]
        if with_peer:
            figures.append(_figure(PEER, size, vpc_peers.change(CHANGES, here.nb.remote)))
        return figures


def check_reach(snapshot: Snapshot) -> None:
    """See that a change is compiled where it shows, and nowhere else: what a pass costs must not grow with the VPC."""
    route, nic = (name.rpartition("/")[2] for name in (route_name(0), nic_name(0)))
    for key, allowed in (
        ((Kind.ROUTE, route), {(Kind.ROUTE, route)}),
        ((Kind.NIC, nic), {(Kind.NIC, nic), (Kind.FLOATING_IP, route)}),
    ):
        reached: set[Key] = set(dependents(snapshot, key))
        if not reached <= allowed:
            raise WrongCount(f"a change of {key} recompiles {sorted(reached - allowed)[:3]} as well")


def _in_turns(here: World, size: int) -> list[Figure]:
    pid = here.controller.pid
    taken: dict[str, list[float]] = {way: [] for way in (ROUTE_ANSWER, ROUTE, NIC)}
    cpu = {ROUTE: 0.0, NIC: 0.0}
    changed: set[int] = set()
    for number in range(CHANGES):
        vpc = number * size // CHANGES
        changed ^= {vpc}  # with fewer VPCs than changes it is their turn again: back to what they were
        edits = {ROUTE: partial(_change_route, here, vpc, HOPS[vpc in changed])}
        edits[NIC] = partial(_change_nic, here, vpc, vpc not in changed)
        for way, edit in edits.items():
            before = cpu_s(pid)
            answer, rows = _change(here, edit)
            cpu[way] += cpu_s(pid) - before
            taken[way].append(rows)
            if way == ROUTE:
                taken[ROUTE_ANSWER].append(answer)
    return [
        _figure(
            way,
            size,
            seconds,
            cpu_us_each=cpu.get(way, 0.0) / CHANGES * 1e6,
            rss_mb=rss_mb(pid) * (way in cpu),
        )
        for way, seconds in taken.items()
    ]


def _change(here: World, call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds to the answer and to the transaction."""
    before = here.follower.latest
    began = time.monotonic()
    call()
    answered = time.monotonic()
    _, there = here.follower.after(before)
    here.wait_ready()
    if here.follower.latest != before + 1:
        raise WrongCount(f"one change took {here.follower.latest - before} northbound transactions")
    return answered - began, there - began


def _change_route(here: World, vpc: int, hop: str) -> None:
    """Send a VPC's traffic to the outside by another router."""
    request = vpc_pb2.UpdateRouteRequest(
        route=vpc_pb2.Route(name=route_name(vpc), next_hops=[vpc_pb2.NextHop(ip_address=hop)]),
        update_mask=FieldMask(paths=["next_hops"]),
    )
    RouteServiceStub(here.channel).UpdateRoute(request, timeout=CALL_S)


def _change_nic(here: World, vpc: int, connected: bool) -> None:
    """Change the NIC that has the floating IP."""
    request = network_pb2.UpdateNicRequest(
        nic=network_pb2.Nic(name=nic_name(vpc), connected=connected),
        update_mask=FieldMask(paths=["connected"]),
    )
    NicServiceStub(here.channel).UpdateNic(request, timeout=CALL_S)


def _change_raw(client: RawClient, number: int) -> float:
    where = [["_uuid", "==", ["uuid", _ROUTE]]]
    began = time.monotonic()
    client.transact(
        [
            {
                "op": "update",
                "table": "Logical_Router_Static_Route",
                "where": where,
                "row": {"nexthop": HOPS[(number + 1) % 2]},
            }
        ]
    )
    return time.monotonic() - began


def _figure(
    way: str, size: int, taken: Sequence[float], *, cpu_us_each: float = 0.0, rss_mb: float = 0.0
) -> Figure:
    return Figure(
        bench="vpcs",
        way=way,
        size=size,
        seconds=median(taken),
        p99_s=percentile(taken, 99),
        cpu_us_each=cpu_us_each,
        rss_mb=rss_mb,
    )
