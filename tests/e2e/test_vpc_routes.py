"""Static routes: the highest priority, equal ones together, dead next hops left out; a transit VPC between others."""

from __future__ import annotations

from netctl.loop import wait_until
from netctl.v1 import network_pb2, vpc_pb2
from tests.e2e import bfd, talk, vpcs
from tests.e2e.figures import note
from tests.e2e.site import Site
from tests.e2e.vpcs import INTERNET, NAT, SECOND

CIDR = "10.3.1.0/24"


def two_ways(here: Site, made: list[str], name: str) -> list[str]:
    """Make a VPC with two ways out; return the router's address on each."""
    vpcs.make(
        here,
        made,
        vpcs.vpc(name, vpcs.connection(NAT), vpcs.connection(SECOND)),
        vpcs.overlay(name, name, CIDR),
    )
    return [way.ipv4_address for way in here.get_vpc(f"vpcs/{name}").external_connections]


def test_the_route_with_the_highest_priority_is_used_and_the_next_when_it_goes(
    here: Site, made: list[str]
) -> None:
    first, second = two_ways(here, made, "prio")
    vpcs.make(
        here,
        made,
        vpcs.route("prio-low", "0.0.0.0/0", NAT, priority=100),
        vpcs.route("prio-high", "0.0.0.0/0", SECOND, priority=200),
    )
    nic = here.add_leased(vpcs.nic("prio", "prio", "h3"))
    assert vpcs.wait_out(here, nic) == second
    # A longer prefix wins over any priority.
    vpcs.make(here, made, vpcs.route("prio-long", "203.0.113.0/24", NAT, priority=1))
    here.settle()
    assert vpcs.wait_out(here, nic) == first
    here.remove("routes/prio-long", "routes/prio-high")
    made[:] = [name for name in made if name not in ("routes/prio-long", "routes/prio-high")]
    here.settle()
    assert vpcs.wait_out(here, nic) == first


def test_equal_next_hops_share_the_traffic(here: Site, made: list[str]) -> None:
    ways = two_ways(here, made, "ecmp")
    vpcs.make(here, made, vpcs.route("ecmp-out", "0.0.0.0/0", NAT, SECOND))
    nic = here.add_leased(vpcs.nic("ecmp", "ecmp", "h1"))
    vpcs.wait_out(here, nic)
    guest, outside = vpcs.guest(here, nic), vpcs.upstream(here)
    # TCP: OVS' userspace datapath leaves UDP's ports out of the hash, each pair of addresses keeps to one way
    seen = [talk.tcp(guest, outside, INTERNET, 5000 + number) for number in range(24)]
    assert set(seen) == set(ways), seen
    note("ECMP, 24 flows over two ways", " and ".join(str(seen.count(way)) for way in ways))


def test_a_next_hop_that_does_not_answer_bfd_is_left_out(here: Site, made: list[str]) -> None:
    """Two next hops; the one in NAT speaks BFD, first, and the other then does, too."""
    first, second = two_ways(here, made, "bfd")
    watched = vpcs.route("bfd-out", "0.0.0.0/0", NAT, SECOND)
    watched.bfd.CopyFrom(vpc_pb2.Bfd(min_rx_ms=100, min_tx_ms=100, multiplier=3))
    vpcs.make(here, made, watched)
    nic = here.add_leased(vpcs.nic("bfd", "bfd", "h3"))
    guest, outside = vpcs.guest(here, nic), vpcs.upstream(here)

    def ways() -> set[str]:
        return {talk.tcp(guest, outside, INTERNET, 5000 + number, timeout_s=0.3) for number in range(12)}

    with bfd.speaking(outside.namespace, "198.51.100.1"):
        wait_until(lambda: ways() == {first}, timeout_s=15, what="only the one that answers is used")
        with bfd.speaking(outside.namespace, "198.18.102.1"):
            wait_until(lambda: ways() == {first, second}, timeout_s=15, what="both answer and are used")
        wait_until(lambda: ways() == {first}, timeout_s=10, what="the other fell silent and is left out")


def test_a_route_to_a_guest_leads_through_it(here: Site, made: list[str]) -> None:
    """A network behind a NIC: the guest has its address and is told of by a route."""
    vpcs.make(
        here,
        made,
        vpcs.vpc("inner"),
        vpcs.overlay("inner-a", "inner", "10.3.1.0/24"),
        vpcs.overlay("inner-b", "inner", "10.3.2.0/24"),
    )
    asking = here.add_leased(vpcs.nic("asking", "inner-a", "h1"))
    box = vpcs.nic("box", "inner-b", "h2")
    box.port_security = False
    behind = here.add_leased(box)
    here.lab.exec("box", ["ip", "addr", "add", "10.200.0.1/32", "dev", "lo"])
    here.wait_ping(asking, behind.ipv4_address)
    assert not here.ping_once(asking, "10.200.0.1")
    vpcs.make(here, made, vpcs.route("inner-box", "10.200.0.0/16", behind.ipv4_address))
    here.settle()
    assert here.ping_once(asking, "10.200.0.1")


def test_spokes_reach_the_shared_way_out_and_each_other_as_far_as_it_is_routed(
    here: Site, made: list[str]
) -> None:
    """`green` has a default route into the hub; `gold` has one, too; `gray` is connected and routes nothing."""
    hub = vpcs.vpc("hub", vpcs.connection(NAT))
    hub.kind = vpc_pb2.VPC_KIND_TRANSIT
    exchange = vpcs.Subnet(
        name="subnets/exchange",
        kind=network_pb2.SUBNET_KIND_EXTERNAL,
        nat=False,
        clusters=["clusters/lab"],
        vpc="vpcs/hub",
        ipv4=network_pb2.IpConfig(cidr="100.64.0.0/24"),
    )
    vpcs.make(here, made, hub, exchange, vpcs.route("hub-out", "0.0.0.0/0", NAT))
    nics = {}
    for number, name in enumerate(("green", "gold", "gray")):
        spoke = vpcs.vpc(name, vpcs.connection(exchange))
        spoke.externally_routable_prefixes.append(f"10.{8 + number}.0.0/16")
        vpcs.make(here, made, spoke, vpcs.overlay(name, name, f"10.{8 + number}.1.0/24"))
        if name != "gray":
            vpcs.make(here, made, vpcs.route(f"{name}-out", "0.0.0.0/0", exchange))
        nics[name] = here.add_leased(vpcs.nic(name, name, f"h{number + 1}"))
    [way] = here.get_vpc("vpcs/hub").external_connections
    for name in ("green", "gold"):
        assert vpcs.wait_out(here, nics[name]) == way.ipv4_address, "the hub's address"
    here.wait_ping(nics["green"], nics["gold"].ipv4_address)
    assert here.ping_once(nics["gold"], nics["green"].ipv4_address)
    assert not here.ping_once(nics["green"], nics["gray"].ipv4_address), "gray does not route back"
    assert not here.ping_once(nics["gray"], nics["green"].ipv4_address)
    assert not here.ping_once(nics["gray"], INTERNET)
    vpcs.make(here, made, vpcs.route("gray-green", "10.8.0.0/16", exchange))
    here.settle()
    here.wait_ping(nics["gray"], nics["green"].ipv4_address)
    assert not here.ping_once(nics["gray"], nics["gold"].ipv4_address)
    assert not here.ping_once(nics["gray"], INTERNET)
