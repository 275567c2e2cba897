"""reconcile with VPCs: whatever the path, the reports and the refusals, the rows are those of the last state."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from netctl.compiler import identity
from netctl.compiler.compile import compile_rows
from netctl.compiler.dependents import depth
from netctl.loop import Wake
from netctl.model.intent import Intent, key_of
from netctl.model.keys import HostId, Kind, SubnetId
from netctl.model.route import Bfd
from netctl.model.routing_policy import PolicyAction
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, NicReport, Phase
from netctl.model.vpc import ExternalConnection
from netctl.nb.diff import diff
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.liveness import Delays, Liveness
from netctl.reconciler.reconcile import Reconciler, Settings
from tests.fakes.northbound import FakeNorthbound
from tests.intents import OWNER, FakeSource, infra, snapshot, uid_of
from tests.vpcs import (
    connection,
    external,
    floating,
    guest,
    inside,
    mac_of,
    policy,
    route,
    routed,
    transit,
    vpc,
)
from tests.worlds import walks

BLUE: tuple[Intent, ...] = (
    vpc("blue", connection()),
    external(),
    routed("web"),
    guest("g1"),
    floating(nic="g1"),
    route(),
)


class Bench:
    """A reconciler with its board and its liveness, between fakes; the test moves the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wake = Wake()
        self.source, self.northbound = FakeSource(), FakeNorthbound(owner=OWNER)
        self.board = StatusBoard(self.source.snapshot, clock=lambda: self.now)
        liveness = Liveness(self.board.reports.get, self.wake, clock=lambda: self.now)
        self.board.on_report(liveness.note_report)
        self.reconciler = Reconciler(
            self.source,
            self.northbound,
            self.board,
            Settings(owner=OWNER, epoch=1),
            liveness=liveness,
            clock=lambda: self.now,
        )

    def arrive(self, *intents: Intent) -> None:
        """Make the world these intents; northd follows."""
        self.source.set(snapshot([*infra(), *intents]))
        self.reconciler.step()
        self.reconciler.step()

    def assert_equal(self) -> None:
        """The database holds what a full compilation gives, and a full pass writes nothing more."""
        want = compile_rows(self.source.snapshot(), OWNER, self.reconciler.observed)
        self.northbound.take_changed()
        assert not diff(want, self.northbound.owned_rows())
        written = len(self.northbound.deltas)
        self.reconciler.step()
        assert len(self.northbound.deltas) == written

    def status(self, kind: Kind, name: str) -> tuple[Phase, str]:
        found = self.board.status((kind, name))
        assert found is not None
        return found.phase, found.reason

    def nexthops(self) -> set[object]:
        rows = self.northbound.owned_rows()
        return {
            row.columns["nexthop"]
            for row in rows.values()
            if hasattr(row, "columns") and row.table == "Logical_Router_Static_Route"
        }


@settings(max_examples=40, deadline=None)
@given(states=walks())
def test_path_independence_of_vpcs(states: list[Snapshot]) -> None:
    bench = Bench()
    for state in states:
        bench.source.set(state)
        bench.reconciler.step()
        bench.assert_equal()


def plugged(yes: bool) -> HostReport:
    seen = NicReport(iface_id=uid_of("fw"), tap_present=yes, plugged=yes, ovn_installed=yes)
    return HostReport(host=HostId("h1"), nics=(seen,))


def test_a_next_hop_that_dies_hands_over_and_takes_back() -> None:
    bench = Bench()
    bench.board.note_report(plugged(True))
    firewall = guest("fw", number=9)
    bench.arrive(*BLUE[:5], firewall, route("in", "0.0.0.0/0", "10.0.1.9", priority=500), route("out"))
    assert bench.nexthops() == {"10.0.1.9"}
    bench.wake.wait(0)
    bench.board.note_report(plugged(False))
    assert bench.wake.wait(0), "the report wakes the pass"
    bench.reconciler.step()
    bench.now += Delays().dead_s
    bench.reconciler.step()
    assert bench.nexthops() == {"203.0.100.1"}
    assert bench.status(Kind.ROUTE, "in") == (Phase.FAILED, "NEXT_HOP_DEAD")
    assert {(Kind.ROUTE, "in"), (Kind.ROUTE, "out")} <= bench.board.take_changed()
    bench.board.note_report(plugged(True))
    bench.reconciler.step()
    bench.now += Delays().alive_s
    bench.reconciler.step()
    assert bench.nexthops() == {"10.0.1.9"}
    assert bench.status(Kind.ROUTE, "out") == (Phase.PROGRAMMED, "NOT_USED")
    bench.assert_equal()


def test_a_policy_falls_back_with_its_service() -> None:
    bench = Bench()
    bench.board.note_report(plugged(False))
    steer = policy("steer", PolicyAction.REROUTE, service_ips=("10.0.1.9",))
    bench.arrive(*BLUE, guest("fw", number=9), routed("db", third=2), steer)
    assert bench.status(Kind.ROUTING_POLICY, "steer") == (Phase.FAILED, "FALLBACK")
    bench.assert_equal()


def test_a_floating_ip_that_moves_to_another_vpc_is_one_row() -> None:
    bench = Bench()
    green = (vpc("green", connection(number=11)), routed("red", of="green"), guest("g2", "red"))
    bench.arrive(*BLUE, *green)
    bench.arrive(*BLUE[:4], *green, floating(nic="g2"), BLUE[5])
    row = identity.floating_uuid(uid_of("fip"))
    holders = [key[1] for key in bench.northbound.owned_rows() if len(key) == 4 and key[3] == row]
    assert holders == [identity.router_uuid(uid_of("green"))]
    bench.assert_equal()


def test_a_vpc_that_ovn_refuses_takes_what_hangs_on_it_and_no_other() -> None:
    bench = Bench()
    thief = {"name": f"lsp-{uid_of('blue')}-{uid_of('ext')}"}
    bench.northbound.hand_insert("Logical_Switch", "foreign", {"name": "theirs"})
    bench.northbound.hand_insert("Logical_Switch_Port", "thief", thief)
    bench.northbound.hand_add("Logical_Switch", "foreign", "ports", "thief")
    green = (vpc("green", connection(number=11)), routed("red", of="green"), guest("g2", "red", host=""))
    bench.arrive(*BLUE, *green)
    refused = (Phase.FAILED, "REJECTED_BY_OVN")
    for intent in (BLUE[0], *BLUE[2:]):
        assert bench.status(*key_of(intent)) == refused, intent.id
    assert bench.status(Kind.SUBNET, "ext") == (Phase.PROGRAMMED, "")
    assert bench.status(Kind.VPC, "green") == bench.status(Kind.SUBNET, "red") == (Phase.PROGRAMMED, "")
    bench.northbound.hand_delete("Logical_Switch_Port", "thief")
    bench.now += 60
    bench.reconciler.step()
    bench.reconciler.step()
    assert bench.status(Kind.VPC, "blue") == (Phase.PROGRAMMED, "")
    bench.assert_equal()


def test_what_stands_in_others_rows_is_written_after_them() -> None:
    way = ExternalConnection(subnet=SubnetId("transfer"), ipv4_address="100.64.0.10", mac_address=mac_of("x"))
    order: list[Intent] = [
        external(),
        transit("hub", connection(number=20)),
        inside(),
        vpc("blue", way),
        routed("web"),
        guest("g1"),
    ]
    world = snapshot([*infra(), *order])
    depths = [depth(world, key_of(intent)) for intent in order]
    assert depths == sorted(set(depths))


@pytest.mark.parametrize("loop", [False, True])
def test_depth_ends_where_transit_vpcs_go_in_circles(loop: bool) -> None:
    """Admission refuses that; a store edited by hand must not stop the others."""
    way = ExternalConnection(subnet=SubnetId("transfer"), ipv4_address="100.64.0.10", mac_address=mac_of("x"))
    hub = transit("hub", way) if loop else transit("hub")
    world = snapshot([*infra(), hub, inside()])
    assert 0 < depth(world, (Kind.SUBNET, "transfer")) < 10


def test_a_route_that_bfd_hears_again_takes_back_at_once() -> None:
    bench = Bench()
    world = (*BLUE[1:5], vpc("blue", connection(), connection("far", vlan_id=101)), external("far", 101))
    watched = route("watched", "0.0.0.0/0", "ext", priority=200, bfd=Bfd())
    bench.arrive(*world, watched, route("spare", "0.0.0.0/0", "far"))
    assert bench.nexthops() == {"203.0.100.1", "203.0.101.1"}, "OVN leaves out the one that it does not hear"
    assert bench.status(Kind.ROUTE, "watched") == (Phase.FAILED, "NEXT_HOP_DEAD")
    session = identity.bfd_uuid(uid_of("blue"), uid_of("ext"), "203.0.100.1")
    bench.northbound.hand_update("BFD", session, {"status": frozenset({"up"})})
    bench.reconciler.step()
    assert bench.nexthops() == {"203.0.100.1"}
    bench.northbound.hand_update("BFD", session, {"status": frozenset({"down"})})
    bench.reconciler.step()
    assert bench.nexthops() == {"203.0.100.1", "203.0.101.1"}
    bench.assert_equal()


def test_a_disconnected_vpc_is_no_mass_delete() -> None:
    """The rows of its subnets go because it changed: the log explains them, though the subnets are as they were."""
    bench = Bench()
    ways = (connection(), connection("far", vlan_id=101))
    subnets = [routed(f"s{n}", third=n) for n in range(1, 61)]
    bench.arrive(vpc("blue", *ways), external(), external("far", 101), *subnets)
    before = len(bench.northbound.owned_rows())
    bench.arrive(vpc("blue"), external(), external("far", 101), *subnets)
    assert before - len(bench.northbound.owned_rows()) > 2 * 60 * 2
    bench.assert_equal()
