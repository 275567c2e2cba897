"""Gateway hosts die and come back while guests talk to the Internet: how long the silence is, and who is the gateway.

Three flows at once, each both ways, of guests on h3, which has no way out itself: by SNAT, by a floating IP that the
gateway translates, and routed without NAT. h1 is the most preferred gateway, h2 the next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import grpc
import pytest

from netctl.lab import links, namespaces
from netctl.loop import wait_until
from netctl.v1 import vpc_pb2
from netctl.v1.explain_pb2 import ExplainVpcRequest, ExplainVpcResponse
from tests.e2e import bfd, raw, talk, vpcs
from tests.e2e.figures import note
from tests.e2e.site import DEADLINE_S, PROGRAMMED, Site, site
from tests.e2e.vpcs import NAT, ROUTED, SECOND, Nic
from tests.lossmeter.meter import Guest, LossMeter, measure, nothing_denied

PPS = 100
A_SECOND = 100
FLOWS = ("SNAT", "floating", "routed")
DEFAULT_GAP_MS, TUNED_GAP_MS = 3500, 1000
CONVERGE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The lab of this module and the ends of the flows."""

    site: Site
    ends: tuple[tuple[Guest, Guest], ...]
    nics: tuple[Nic, ...]

    @contextmanager
    def measured(self, name: str) -> Iterator[list[LossMeter]]:
        """Run a loss meter on each flow, and note what it counted."""
        with ExitStack() as stack:
            meters = [
                stack.enter_context(measure(guest, outside, pps=PPS, denied=nothing_denied))
                for guest, outside in self.ends
            ]
            yield meters
        for flow, meter in zip(FLOWS, meters, strict=True):
            note(f"{name} / {flow}", str(meter.report))

    def active(self) -> str:
        """Return the host that is the gateway by the southbound database, the same for every connection."""
        found = set(
            self.sbctl("--bare", "--columns=chassis", "find", "Port_Binding", "type=chassisredirect").split()
        )
        if len(found) != 1:
            return ""
        return self.sbctl("--bare", "--columns=name", "list", "Chassis", found.pop()).strip()

    def sbctl(self, *arguments: str) -> str:
        """Run ovn-sbctl on the lab's southbound database."""
        return self.site.lab.exec("central", ["ovn-sbctl", "--timeout=20", *arguments]).stdout

    def come_back(self, host: str) -> None:
        """Give a host its power back; return when it takes part again."""
        self.site.lab.restore(host)
        self.site.wait_host(f"hosts/{host}", "")
        self.site.settle()


@pytest.fixture
def world(lasting: World) -> World:
    """The lab of this module with every host alive, whatever the test before left."""
    for host in ("h1", "h2", "h3"):
        if not lasting.site.lab.process(host, "ovs-vswitchd").pid():
            lasting.come_back(host)
    return lasting


@pytest.fixture(scope="module")
def lasting() -> Iterator[World]:
    with site("gate", "three-hosts", vpcs.EXTERNALS) as here:
        routed = vpcs.vpc("routed", vpcs.connection(ROUTED, "192.0.2.2", "h1", "h2"))
        routed.externally_routable_prefixes.append("10.101.0.0/16")
        here.apply(
            vpcs.vpc("nat", vpcs.connection(NAT, "", "h1", "h2")),
            vpcs.overlay("nat", "nat", "10.4.1.0/24"),
            vpcs.default_route("nat", NAT),
            routed,
            vpcs.overlay("routed", "routed", "10.101.1.0/24"),
            vpcs.default_route("routed", ROUTED),
        )
        names = (("snat", "nat"), ("floating", "nat"), ("routed", "routed"))
        nics = tuple(here.add_leased(vpcs.nic(name, subnet, "h3")) for name, subnet in names)
        here.apply(vpc_pb2.FloatingIp(name="floatingIps/f", external_subnet=NAT.name, nic=nics[1].name))
        here.settle()
        for nic in nics:
            talk.wait_tcp(vpcs.guest(here, nic), vpcs.upstream(here), vpcs.INTERNET, 80)
        yield World(site=here, ends=flows(here, nics), nics=nics)


def flows(here: Site, nics: tuple[Nic, ...]) -> tuple[tuple[Guest, Guest], ...]:
    """Return the two ends of each flow."""
    floating = here.get_floating_ip("floatingIps/f").address
    outside = [
        Guest(
            namespace=namespaces.node_namespace(here.lab.name, "upstream"),
            interface=interface,
            mac="",
            ip=f"203.0.113.{81 + number}",
        )
        for number, interface in enumerate(("eth2.100", "eth2.100", "eth2.101"))
    ]
    return tuple(
        (
            Guest(
                namespace=here.namespace(nic),
                interface="eth0",
                mac=nic.mac_address,
                ip=nic.ipv4_address,
                seen_as=floating if flow == "floating" else "",
                translated=flow == "SNAT",
            ),
            far,
        )
        for flow, nic, far in zip(FLOWS, nics, outside, strict=True)
    )


def test_the_next_gateway_takes_over_and_the_first_comes_back_unseen(world: World) -> None:
    """OVN's default BFD: 1000 ms, three missing. The dead host is told of, and its return loses nothing."""
    assert world.active() == "h1"
    upstream = namespaces.node_namespace(world.site.lab.name, "upstream")
    router = world.site.get_vpc("vpcs/nat").external_connections[0].ipv4_address
    with raw.tapped(upstream, "eth2.100") as seen, world.measured("gateway dies, BFD 1000 ms x 3") as meters:
        meters[0].wait_for_more(A_SECOND)
        before = len(seen.frames)
        world.site.lab.cut("h1")
        meters[0].wait_for_more(6 * A_SECOND)
    assert world.active() == "h2"
    assert router in {raw.announced(frame) for frame in seen.frames[before:]}, "no gratuitous ARP"
    for meter in meters:
        assert 0 < meter.report.longest_gap_ms <= DEFAULT_GAP_MS, str(meter.report)
        assert meter.report.lost > 50, "it was no gateway"
    world.site.wait_host("hosts/h1", "HOST_DOWN")
    with world.measured("gateway comes back") as meters:
        world.come_back("h1")
        meters[0].wait_for_more(3 * A_SECOND)
    assert [meter.report.lost for meter in meters] == [0, 0, 0], [str(meter.report) for meter in meters]


def test_tuned_bfd_takes_over_within_a_second(world: World) -> None:
    """300 ms, three missing, by the controller's own settings; that it starts anew for them moves no gateway."""
    here, first = world.site, world.active()
    with_bfd(here, "--bfd-min-rx-ms=300", "--bfd-min-tx-ms=300", "--bfd-multiplier=3")
    here.settle()
    assert world.active() == first
    with world.measured("gateway dies, BFD 300 ms x 3") as meters:
        meters[0].wait_for_more(A_SECOND)
        here.lab.cut(first)
        meters[0].wait_for_more(3 * A_SECOND)
    assert world.active() != first
    for meter in meters:
        assert 0 < meter.report.longest_gap_ms <= TUNED_GAP_MS + starved_ms(meter), str(meter.report)
        assert meter.report.lost > 20, "it was no gateway"
    with world.measured("gateway comes back, BFD 300 ms x 3") as meters:
        world.come_back(first)
        meters[0].wait_for_more(3 * A_SECOND)
    assert [meter.report.lost for meter in meters] == [0, 0, 0], [str(meter.report) for meter in meters]
    assert world.active() != first


def test_a_gateway_cut_off_from_the_other_hosts_does_not_stay_one(world: World) -> None:
    """Its tunnels' network is gone, its way out is not: two would be the gateway if it went on."""
    here, first = world.site, world.active()
    tunnels = (
        namespaces.fabric_namespace(here.lab.name),
        f"{first}-eth1",
    )  # the agent would set the host's end up
    with world.measured("gateway loses the tunnels' network") as meters:
        meters[0].wait_for_more(A_SECOND)
        links.set_state(*tunnels, up=False)
        meters[0].wait_for_more(6 * A_SECOND)
        sent = [meter.sent_each() for meter in meters]
        meters[0].wait_for_more(2 * A_SECOND)
        assert world.active() not in ("", first)
        assert here.get_vpc("vpcs/nat").status.reason == "GATEWAYS_SPLIT", "people are told"
    links.set_state(*tunnels, up=True)
    for meter, before in zip(meters, sent, strict=True):
        assert meter.report.longest_gap_ms <= DEFAULT_GAP_MS, str(meter.report)
        late = [run for one in meter.report.directions for run in one.lost_runs if run[0] > before]
        assert not late, f"it still takes packets: {meter.report}"
    here.settle()
    assert world.active() != first, "it is heard again, and nothing moves"
    wait_until(
        lambda: here.get_vpc("vpcs/nat").status.phase == PROGRAMMED,
        timeout_s=10,
        what="vpcs/nat is whole again",
    )


def test_a_dead_gateway_is_told_of_and_what_is_asked_meanwhile_is_done(world: World) -> None:
    """It dies under a stream of changes: the guest of a VPC made since reaches the Internet within 10 s."""
    here, first = world.site, world.active()
    failed: list[grpc.RpcError] = []

    def churn(ending: threading.Event) -> None:
        number = 0
        while not ending.is_set():
            number += 1
            try:
                here.apply(
                    vpcs.vpc(f"churn-{number}"),
                    vpcs.overlay(f"churn-{number}", f"churn-{number}", "10.4.1.0/24"),
                )
                here.remove(f"subnets/churn-{number}", f"vpcs/churn-{number}")
            except grpc.RpcError as error:
                failed.append(error)

    with running(churn):
        here.lab.cut(first)
        began_s = time.monotonic()
        here.apply(
            vpcs.vpc("late", vpcs.connection(NAT, "", "h1", "h2")),
            vpcs.overlay("late", "late", "10.4.1.0/24"),
            vpcs.default_route("late", NAT),
        )
        nic = here.add_leased(vpcs.nic("late", "late", "h3"))
        vpcs.wait_out(here, nic)
        took_s = time.monotonic() - began_s
    note("gateway dies during passes / a new VPC's guest is outside after", f"{took_s:.1f} s")
    assert took_s <= CONVERGE_S
    assert not failed
    here.wait_host(f"hosts/{first}", "HOST_DOWN")
    [gateway] = [one for one in explained(here, "late").gateways if one.subnet == NAT.name]
    assert {one.host: one.alive for one in gateway.hosts} == {
        "hosts/h1": first != "h1",
        "hosts/h2": first != "h2",
    }
    assert gateway.active_host == f"hosts/{world.active()}" != f"hosts/{first}"
    assert any(first in problem for problem in explained(here, "late").problems)
    world.come_back(first)
    here.remove("routes/late-out4")
    here.lab.remove_guest("late")
    here.remove("nics/late", "subnets/late", "vpcs/late")


def test_a_way_out_whose_only_gateway_is_dead_is_left_for_the_next(world: World) -> None:
    """OVN leaves its BFD session `up` when no host can run it any more (ovn issue 320): our own liveness sees it."""
    here, outside = world.site, vpcs.upstream(world.site)
    preferred = vpcs.route("ways-high", "0.0.0.0/0", NAT, priority=200)
    preferred.bfd.CopyFrom(vpc_pb2.Bfd(min_rx_ms=300, min_tx_ms=300, multiplier=3))
    here.apply(
        vpcs.vpc("ways", vpcs.connection(NAT, "", "h1"), vpcs.connection(SECOND, "", "h3")),
        vpcs.overlay("ways", "ways", "10.4.1.0/24"),
        preferred,
        vpcs.route("ways-low", "0.0.0.0/0", SECOND, priority=100),
    )
    nic = here.add_leased(vpcs.nic("ways", "ways", "h2"))
    first, second = (way.ipv4_address for way in here.get_vpc("vpcs/ways").external_connections)
    with bfd.speaking(outside.namespace, "198.51.100.1"):
        wait_until(lambda: vpcs.wait_out(here, nic) == first, timeout_s=20, what="the preferred way is used")
        here.lab.cut("h1")
        began_s = time.monotonic()
        wait_until(lambda: seen_as(here, nic) == second, timeout_s=20, what="the other way is used")
        took_s = time.monotonic() - began_s
        note("only gateway of a way out dies / guest leaves by the next way after", f"{took_s:.1f} s")
        assert took_s <= CONVERGE_S
        world.come_back("h1")
        wait_until(lambda: seen_as(here, nic) == first, timeout_s=20, what="the preferred way is used again")
    here.lab.remove_guest("ways")
    here.remove("routes/ways-high", "routes/ways-low", "nics/ways", "subnets/ways", "vpcs/ways")


def seen_as(here: Site, nic: Nic) -> str:
    """Return as whom the Internet sees a guest now, "" when nobody answers."""
    return talk.tcp(vpcs.guest(here, nic), vpcs.upstream(here), vpcs.INTERNET, 80)


def test_a_gateway_host_named_by_hand_is_not_removed_and_a_chosen_one_is_replaced(world: World) -> None:
    here = world.site
    with pytest.raises(grpc.RpcError) as refused:
        here.remove("hosts/h1")
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "vpcs/nat" in (refused.value.details() or "")
    for vpc in ("nat", "routed"):
        found = here.get_vpc(f"vpcs/{vpc}")
        for way in found.external_connections:
            del way.gateway_hosts[:]
            way.gateway_host_count = 1
        here.apply(found)
    here.settle()
    [before] = here.get_vpc("vpcs/nat").external_connections
    [gone] = [host.rpartition("/")[2] for host in before.gateways]
    here.remove(f"hosts/{gone}")
    here.wait_written()
    [after] = here.get_vpc("vpcs/nat").external_connections
    assert list(after.gateways) == [f"hosts/{'h2' if gone == 'h1' else 'h1'}"]
    assert after.ipv4_address == before.ipv4_address
    for nic in world.nics:
        talk.wait_tcp(vpcs.guest(here, nic), vpcs.upstream(here), vpcs.INTERNET, 80)


@contextmanager
def running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a function in a thread during a block; at its end the event is set."""
    ending = threading.Event()
    worker = threading.Thread(target=work, args=(ending,))
    worker.start()
    try:
        yield
    finally:
        ending.set()
        worker.join()


def starved_ms(meter: LossMeter) -> float:
    """Return what a machine that has too few processors for this lab adds: nothing below half of the time waited."""
    pressure = meter.report.cpu_pressure_percent or 0
    return 500.0 if pressure > 50 else 0.0


def explained(here: Site, vpc_id: str) -> ExplainVpcResponse:
    """Return the router of a VPC as people think of it."""
    return here.explain.ExplainVpc(ExplainVpcRequest(name=f"vpcs/{vpc_id}"), timeout=DEADLINE_S)


def with_bfd(here: Site, *options: str) -> None:
    """Start the controller anew with options; return when every tunnel has what they say."""
    here.restart_controller(*options)
    wait_until(
        lambda: (
            here.vsctl("h3", "--bare", "--columns=bfd", "find", "Interface", "type=geneve").count(
                "min_rx=300"
            )
            == 2
        ),
        timeout_s=10,
        what="the tunnels of h3 have the tuned BFD",
    )
