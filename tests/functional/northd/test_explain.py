"""Paths of packets by a real ovn-trace over what a real northd made of our rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.errors import InvalidIntent, NetctlError, NotFound, SouthboundUnavailable, Unavailable
from netctl.loop import Wake, wait_until
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.ovsdb.northbound import OvsdbNorthbound
from netctl.ovsdb.southbound import OvsdbSouthbound
from netctl.server.trace import trace
from netctl.v1 import explain_pb2 as pb
from tests.explained import nic
from tests.intents import OWNER, uid_of
from tests.servers import OvsdbServer, northd, ovsdb_server
from tests.unit.analysis.cases import CASES, HOLDERS, NEIGHBOURS, SNAPSHOT, Case


@dataclass
class Traced:
    """The world of the cases in OVN."""

    sb: OvsdbServer
    southbound: OvsdbSouthbound

    def learn(self) -> None:
        """Have the routers know their neighbours, as after a first packet."""
        for vpc, subnet, address, mac in NEIGHBOURS:
            datapath = self.find("Datapath_Binding", f"external_ids:name={vpc}")
            port = f"lrp-{uid_of(vpc)}-{uid_of(subnet)}"
            now = f"timestamp={time.time_ns() // 1_000_000}"  # an old one northd forgets at once
            values = (f'ip="{address}"', f'mac="{mac}"', f"datapath={datapath}", f"logical_port={port}", now)
            self.sb.ctl("ovn-sbctl", "create", "MAC_Binding", *values)

    def find(self, table: str, condition: str) -> str:
        return self.sb.ctl("ovn-sbctl", "--bare", "--columns=_uuid", "find", table, condition).strip()

    def hold(self, holders: Mapping[str, str]) -> None:
        """Have chassis hold gateway ports, as ovn-controllers do."""
        for port, chassis in holders.items():
            self.sb.ctl("ovn-sbctl", "lsp-bind", port, chassis)

    def trace(self, request: pb.TraceRequest, snapshot: Snapshot = SNAPSHOT) -> pb.TraceResponse:
        return trace(snapshot, NOTHING_OBSERVED, self.southbound, request)


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    with ovsdb_server(tmp_path, "nb") as nb, ovsdb_server(tmp_path, "sb") as sb, northd(tmp_path, nb, sb):
        northbound = OvsdbNorthbound(nb.remote, owner=OWNER, wake=Wake())
        southbound = OvsdbSouthbound(sb.remote, timeout_s=2.0)
        northbound.start()
        try:
            wait_until(lambda: northbound.connected, timeout_s=10, what="replica in sync")
            cfg = northbound.apply(diff(compile_rows(SNAPSHOT, OWNER), northbound.owned_rows()), epoch=1)
            assert northbound.wait_northd(cfg, 10)
            for name in ("h1", "h2"):
                sb.ctl("ovn-sbctl", "chassis-add", name, "geneve", f"192.0.2.{name[1]}")
            yield Traced(sb, southbound)
        finally:
            southbound.close()
            northbound.close()


def request(case: Case) -> pb.TraceRequest:
    return pb.TraceRequest(
        nic=f"nics/{case.nic}",
        destination=case.probe.destination,
        protocol=case.probe.protocol,
        destination_port=case.probe.destination_port,
    )


def outline(path: pb.TraceResponse) -> tuple[str, ...]:
    def last(name: str) -> str:
        return name.rpartition("/")[2] or "-"

    return tuple(f"{step.kind} {last(step.host)} {last(step.resource_name)}" for step in path.steps)


@pytest.mark.parametrize("neighbours", [False, True])
def test_paths_are_as_recorded(traced: Traced, neighbours: bool) -> None:
    if neighbours:
        traced.learn()
    traced.hold(HOLDERS)
    told, expected = {}, {}
    for name, case in CASES.items():
        if case.neighbours is neighbours and case.holders is HOLDERS:
            path = traced.trace(request(case))
            told[name] = (outline(path), path.verdict, case.text in path.reason)
            expected[name] = (case.steps, case.verdict, True)
    assert told == expected
    assert len(told) > 5


def test_without_a_gateway_nothing_leaves(traced: Traced) -> None:
    path = traced.trace(pb.TraceRequest(nic="nics/w1", destination="8.8.8.8"))
    assert (path.verdict, path.reason) == ("dropped", "no host is the gateway of vpcs/blue there")


def test_a_nic_is_a_destination(traced: Traced) -> None:
    path = traced.trace(pb.TraceRequest(nic="nics/w1", destination="nics/d1", destination_port=22))
    assert path.reason == "routingPolicies/deny-ssh denies it"
    assert "lr_in_policy" in path.raw


def test_another_nic_with_the_same_address_is_told(traced: Traced) -> None:
    path = traced.trace(pb.TraceRequest(nic="nics/w1", destination="nics/twin"))
    assert path.verdict == "delivered"
    assert path.reason == "reaches nics/w2 on hosts/h2, which has that address here, and not nics/twin"


@pytest.mark.parametrize(
    ("asked", "error", "field"),
    [
        (pb.TraceRequest(nic="nics/nobody", destination="8.8.8.8"), NotFound, "nic"),
        (pb.TraceRequest(nic="nics/w1", destination="nics/nobody"), NotFound, "destination"),
        (pb.TraceRequest(nic="w1", destination="8.8.8.8"), InvalidIntent, "nic"),
        (pb.TraceRequest(nic="nics/n4", destination="8.8.8.8"), InvalidIntent, "nic"),
        (pb.TraceRequest(nic="nics/w1", destination="example.com"), InvalidIntent, "destination"),
        (pb.TraceRequest(nic="nics/w1", destination="224.0.0.1"), InvalidIntent, "destination"),
        (pb.TraceRequest(nic="nics/w1"), InvalidIntent, "destination"),
        (pb.TraceRequest(nic="nics/w1", destination="8.8.8.8", protocol="sctp"), InvalidIntent, "protocol"),
        (
            pb.TraceRequest(nic="nics/w1", destination="8.8.8.8", protocol="tcp"),
            InvalidIntent,
            "destination_port",
        ),
        (
            pb.TraceRequest(nic="nics/w1", destination="8.8.8.8", destination_port=70_000),
            InvalidIntent,
            "destination_port",
        ),
        (
            pb.TraceRequest(nic="nics/w1", destination="8.8.8.8", protocol="icmp", destination_port=7),
            InvalidIntent,
            "destination_port",
        ),
    ],
)
def test_what_cannot_be_traced_is_refused(
    traced: Traced, asked: pb.TraceRequest, error: type[NetctlError], field: str
) -> None:
    with pytest.raises(error) as refused:
        traced.trace(asked)
    assert refused.value.field == field


def test_a_nic_that_ovn_does_not_know_yet_is_unavailable(traced: Traced) -> None:
    draft = SNAPSHOT.draft()
    draft.put(nic("new", "web", "10.0.1.50", "h1"))
    with pytest.raises(Unavailable, match="has OVN taken the NIC yet"):
        traced.trace(pb.TraceRequest(nic="nics/new", destination="10.0.1.12"), draft.freeze(9))


def test_a_southbound_that_is_away_is_unavailable_in_time(traced: Traced) -> None:
    traced.sb.stop()
    started = time.monotonic()
    with pytest.raises(SouthboundUnavailable):
        traced.trace(pb.TraceRequest(nic="nics/w1", destination="8.8.8.8"))
    assert time.monotonic() - started < 5
