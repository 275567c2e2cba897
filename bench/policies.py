"""Security policies: 50 groups, 250 rules. What they cost in rows and logical flows, and what one change costs.

`size` is how many NICs. Peers with the same ports and rules on a northd of their own: the least there can be by hand,
Neutron's layout, and an ACL for each pair of ports. Changes are measured in turns with the same ones by hand, on the
same northd. Counted: northbound rows, logical flows, one transaction a change.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from bench import policy_layout as layout
from bench.controllers import CALL_S, World, world
from bench.figures import Figure, Target, WrongCount, percentile
from bench.ports import Port, RawClient
from netctl.loop import wait_until
from netctl.v1 import network_pb2, security_pb2
from netctl.v1.network_pb2_grpc import NicServiceStub
from netctl.v1.security_pb2_grpc import SecurityPolicyServiceStub
from tests.servers import OvsdbServer, northd, ovsdb_server

CHANGES, CHANGES_LARGE = 10, 4  # even: the next round begins where this one did
PAIRS_UPTO = 500  # NICs; above, northd takes minutes
_CHUNK = 5000
# By hand beside netctl's: groups 0 and 1 as netctl's are, each on two switches and more than one port on the first,
# so that one that moves changes as many flows.
_BESIDE = (0, 50, 100, 1, 51)
_FULL_S = 600.0
_ROWS = ("ACL", "Port_Group", "Address_Set", "Meter", "Meter_Band")
_BUMP = {"op": "mutate", "table": "NB_Global", "where": [], "mutations": [["nb_cfg", "+=", 1]]}
_CFG = {"op": "select", "table": "NB_Global", "where": [], "columns": ["nb_cfg"]}
NETCTL = "netctl"
REGROUP, REGROUP_ROWS, FLIP, FLIP_ROWS = (
    "netctl, a NIC changes its group",
    "the same, to the northbound",
    "netctl, a rule is flipped",
    "the same flip, to the northbound",
)
RAW_REGROUP, RAW_FLIP = "by hand, a port changes its group", "by hand, an ACL is flipped"
TARGETS = (
    Target(way=f"{NETCTL}, flows", peer=f"{layout.GROUPS}, flows", most=1.05, by="count"),
    Target(way=REGROUP, peer=RAW_REGROUP, most=1.2),
    Target(way=FLIP, peer=RAW_FLIP, most=1.2),
    Target(way=REGROUP_ROWS, most=0.010),
)


def run(sizes: Sequence[int] = (500, 1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure every way at every size; rows and flows are the same each time, and counted once."""
    figures: list[Figure] = []
    for size in sizes:
        ways = (layout.GROUPS, layout.NEUTRON, *((layout.PAIRS,) if size <= PAIRS_UPTO else ()))
        for way in ways:
            figures += _by_hand(way, size)
        figures += _by_netctl(size, repetitions)
    return figures


@contextmanager
def _ovn(directory: Path) -> Iterator[tuple[OvsdbServer, OvsdbServer, ExitStack]]:
    with ExitStack() as stack:
        nb = stack.enter_context(ovsdb_server(directory, "nb"))
        sb = stack.enter_context(ovsdb_server(directory, "sb"))
        yield nb, sb, stack


def _by_hand(way: str, size: int) -> list[Figure]:
    """Write the rows before northd starts, so that its first pass is over all of them."""
    with (
        TemporaryDirectory(prefix="netctl-bench-") as text,
        _ovn(Path(text)) as (nb, sb, stack),
        RawClient(str(nb.socket)) as client,
    ):
        for operations in layout.transactions(way, size):
            client.transact(operations)
        client.transact([{"op": "insert", "table": "NB_Global", "row": {"nb_cfg": 1}}])
        began = time.monotonic()
        stack.enter_context(northd(Path(text), nb, sb))
        _wait_northd(client, 1)
        first_pass_s = time.monotonic() - began
        figures = [_first_pass(way, size, first_pass_s), *_counted(way, size, client, _acl_flows(sb))]
        if way == layout.PAIRS:
            changes = [layout.regroup_pairs(size, here, 1 - here) for here in (0, 1)]
            taken = [_timed(client, operations) for operations in changes]
            figures.append(
                _figure(f"{way}, one changes its group", size, taken, count=sum(map(_acls_in, changes)) // 2)
            )
        return figures


def _acls_in(operations: Sequence[dict[str, Any]]) -> int:
    """Return how many rows are put in; as many go."""
    return sum(operation["op"] == "insert" for operation in operations)


def _first_pass(way: str, size: int, seconds: float) -> Figure:
    return Figure(bench="policies", way=f"{way}, northd's first pass", size=size, seconds=seconds)


def _timed(client: RawClient, operations: list[Any]) -> float:
    """Return the seconds until northd is done with a change by hand."""
    began = time.monotonic()
    nb_cfg = client.transact([*operations, _BUMP, _CFG])[-1]["rows"][0]["nb_cfg"]
    _wait_northd(client, nb_cfg)
    return time.monotonic() - began


def _wait_northd(client: RawClient, nb_cfg: int) -> None:
    select = {"op": "select", "table": "NB_Global", "where": [], "columns": ["sb_cfg"]}
    wait_until(
        lambda: client.transact([select])[0]["rows"][0]["sb_cfg"] >= nb_cfg,
        timeout_s=_FULL_S,
        what=f"northd reaches nb_cfg {nb_cfg}",
        poll_s=0.001,
    )


def _counted(way: str, size: int, client: RawClient, flows: int) -> list[Figure]:
    rows = sum(
        len(client.transact([{"op": "select", "table": table, "where": [], "columns": ["_uuid"]}])[0]["rows"])
        for table in _ROWS
    )
    return [
        Figure(bench="policies", way=f"{way}, rows", size=size, count=rows),
        Figure(bench="policies", way=f"{way}, flows", size=size, count=flows),
    ]


def _acl_flows(server: OvsdbServer) -> int:
    """Count the logical flows of the stages that ACLs are in."""
    with RawClient(str(server.socket)) as client:
        select = {"op": "select", "table": "Logical_Flow", "where": [], "columns": ["external_ids"]}
        rows = client.call("transact", ["OVN_Southbound", select])[0]["rows"]
    stages = (dict(row["external_ids"][1]).get("stage-name", "") for row in rows)
    return sum("_acl" in stage for stage in stages)


def _by_netctl(size: int, repetitions: int) -> list[Figure]:
    with TemporaryDirectory(prefix="netctl-bench-") as text:
        with world(Path(text), with_northd=True, ground=layout.ground) as here:
            for request in layout.batches(size, min(size, _CHUNK)):
                here.batch(request)
            here.wait_ports(size)
            sb = OvsdbServer(Path(text), "sb")
            with RawClient(str(here.nb.socket)) as client:
                nb_cfg = client.transact([_CFG])[0]["rows"][0]["nb_cfg"]
                _wait_northd(client, nb_cfg)
                figures = _counted(NETCTL, size, client, _acl_flows(sb))
                client.transact(layout.beside(_BESIDE))
                for _ in range(repetitions):
                    figures += _changes_in_turns(here, client, size)
        return [_first_pass(NETCTL, size, _northd_over(Path(text) / "nb.db")), *figures]


def _northd_over(database: Path) -> float:
    """Return the seconds that northd takes for what an earlier one had worked off, with a southbound that is empty."""
    with TemporaryDirectory(prefix="netctl-bench-") as text, ExitStack() as stack:
        nb = OvsdbServer(Path(text), "nb")
        shutil.copy(database, nb.database)
        stack.callback(nb.stop)
        nb.start()
        sb = stack.enter_context(ovsdb_server(Path(text), "sb"))
        client = stack.enter_context(RawClient(str(nb.socket)))
        nb_cfg = client.transact([_BUMP, _CFG])[-1]["rows"][0]["nb_cfg"]
        began = time.monotonic()
        stack.enter_context(northd(Path(text), nb, sb))
        _wait_northd(client, nb_cfg)
        return time.monotonic() - began


def _changes_in_turns(here: World, client: RawClient, size: int) -> list[Figure]:
    """Change netctl's, and the same by hand of a port beside netctl's: northd has the same to recompute."""
    taken: dict[str, list[float]] = {}
    for number in range(CHANGES_LARGE if size > _CHUNK else CHANGES):
        old, new = number % 2, 1 - number % 2
        by_hand = {
            RAW_REGROUP: layout.regroup(Port(0).uuid, old, new),
            RAW_FLIP: [layout.flip(old == 0)],
        }
        by_netctl = {
            (REGROUP, REGROUP_ROWS): partial(_regroup, here, new),
            (FLIP, FLIP_ROWS): partial(_flip, here, old == 0),
        }
        for way, operations in by_hand.items():
            _settle(here, client)
            taken.setdefault(way, []).append(_timed(client, operations))
        for (way, rows), edit in by_netctl.items():
            _settle(here, client)
            to_rows, to_northd = _change(here, client, edit)
            taken.setdefault(way, []).append(to_northd)
            taken.setdefault(rows, []).append(to_rows)
    return [_figure(way, size, seconds) for way, seconds in taken.items()]


def _settle(here: World, client: RawClient) -> None:
    """Return when northd is done with all that the change before has left, and the follower has heard of it."""
    nb_cfg = client.transact([_BUMP, _CFG])[-1]["rows"][0]["nb_cfg"]
    _wait_northd(client, nb_cfg)
    here.follower.after(nb_cfg - 1)


def _change(here: World, client: RawClient, call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds from the call to the northbound transaction, and to the end of northd's work on it."""
    before = here.follower.latest
    began = time.monotonic()
    call()
    nb_cfg, there = here.follower.after(before)
    _wait_northd(client, nb_cfg)
    done = time.monotonic()
    here.wait_ready()
    if here.follower.latest != before + 1:
        raise WrongCount(f"one change took {here.follower.latest - before} northbound transactions")
    return there - began, done - began


def _regroup(here: World, group: int) -> None:
    nic = network_pb2.Nic(name=layout.grouped(0).name, categories=[f"categories/g{group}"])
    request = network_pb2.UpdateNicRequest(nic=nic, update_mask=FieldMask(paths=["categories"]))
    NicServiceStub(here.channel).UpdateNic(request, timeout=CALL_S)


def _flip(here: World, flipped: bool) -> None:
    request = security_pb2.UpdateSecurityPolicyRequest(
        security_policy=layout.policy(0, flipped=flipped), update_mask=FieldMask(paths=["rules"])
    )
    SecurityPolicyServiceStub(here.channel).UpdateSecurityPolicy(request, timeout=CALL_S)


def _figure(way: str, size: int, taken: Sequence[float], *, count: int = 0) -> Figure:
    return Figure(
        bench="policies",
        way=way,
        size=size,
        seconds=median(taken),
        p99_s=percentile(taken, 99),
        count=count,
    )
