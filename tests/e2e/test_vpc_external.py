"""Ways out: SNAT, routed networks, floating IPs, and nobody in who was not let in."""

from __future__ import annotations

import time

import pytest

from netctl.v1 import vpc_pb2
from tests.e2e import talk, vpcs
from tests.e2e.figures import note
from tests.e2e.site import Site
from tests.e2e.vpcs import INTERNET, NAT, ROUTED, SECOND, Nic

CIDR = "10.2.1.0/24"


def tenant(here: Site, made: list[str], name: str, *ways: vpc_pb2.ExternalConnection) -> None:
    """Make a VPC with one subnet; its default route leads to the first external subnet."""
    out = next(subnet for subnet in vpcs.EXTERNALS if subnet.name == ways[0].subnet)
    vpcs.make(
        here,
        made,
        vpcs.vpc(name, *ways),
        vpcs.overlay(name, name, CIDR),
        vpcs.default_route(name, out),
    )


def router(here: Site, name: str) -> list[vpc_pb2.ExternalConnection]:
    """Return the connections of a VPC as admitted."""
    return list(here.get_vpc(f"vpcs/{name}").external_connections)


def test_the_internet_sees_the_routers_address_and_reaches_no_private_one(
    here: Site, made: list[str]
) -> None:
    tenant(here, made, "snat", vpcs.connection(NAT))
    near, far = (here.add_leased(vpcs.nic(f"snat-{host}", "snat", host)) for host in ("h1", "h3"))
    [way] = router(here, "snat")
    assert way.ipv4_address.startswith("198.51.100.")
    assert list(way.gateways), "chosen by the controller"
    assert not {"hosts/h3"} & set(way.gateways), "h3 has no uplink there"
    for nic in (near, far):
        assert vpcs.wait_out(here, nic) == way.ipv4_address
        assert talk.udp(vpcs.guest(here, nic), vpcs.upstream(here), INTERNET, 53) == way.ipv4_address
        assert here.ping_once(nic, INTERNET)
    # Nobody comes in untranslated, though the upstream knows a way.
    here.lab.exec("upstream", ["ip", "route", "add", CIDR, "via", way.ipv4_address])
    try:
        guest, outside = vpcs.guest(here, near), vpcs.upstream(here)
        assert vpcs.ping(here, "upstream", way.ipv4_address), "the router itself answers"
        assert not vpcs.ping(here, "upstream", near.ipv4_address)
        assert not talk.tcp(outside, guest, near.ipv4_address, 8080)
        assert not talk.udp(outside, guest, near.ipv4_address, 8080)
        assert here.ping_once(near, INTERNET)
    finally:
        here.lab.exec("upstream", ["ip", "route", "del", CIDR])


def test_two_vpcs_with_equal_networks_leave_by_addresses_of_their_own(here: Site, made: list[str]) -> None:
    seen = {}
    for name in ("one", "two"):
        tenant(here, made, name, vpcs.connection(NAT))
        nic = here.add_leased(vpcs.nic(name, name, "h3", "10.2.1.50"))
        seen[name] = vpcs.wait_out(here, nic)
    assert seen == {name: router(here, name)[0].ipv4_address for name in seen}
    assert len(set(seen.values())) == 2


def test_each_way_out_has_its_own_address(here: Site, made: list[str]) -> None:
    """Two external subnets: the default route takes one, a more specific route the other."""
    tenant(here, made, "both", vpcs.connection(NAT), vpcs.connection(SECOND))
    hop = vpc_pb2.NextHop(external_subnet=SECOND.name)
    vpcs.make(
        here,
        made,
        vpc_pb2.Route(name="routes/both-b", vpc="vpcs/both", destination="198.18.0.1/32", next_hops=[hop]),
    )
    nic = here.add_leased(vpcs.nic("both", "both", "h2"))
    here.lab.exec("upstream", ["ip", "addr", "add", "198.18.0.1/32", "dev", "lo"])
    try:
        first, second = router(here, "both")
        assert vpcs.wait_out(here, nic) == first.ipv4_address
        assert vpcs.wait_out(here, nic, "198.18.0.1") == second.ipv4_address
    finally:
        here.lab.exec("upstream", ["ip", "addr", "del", "198.18.0.1/32", "dev", "lo"])


def test_a_routed_network_is_seen_as_it_is_both_ways(here: Site, made: list[str]) -> None:
    vpc = vpcs.vpc("routed", vpcs.connection(ROUTED, "192.0.2.2"))
    vpc.externally_routable_prefixes.append("10.101.0.0/16")
    vpcs.make(
        here,
        made,
        vpc,
        vpcs.overlay("routed", "routed", "10.101.1.0/24"),
        vpcs.default_route("routed", ROUTED),
    )
    nic = here.add_leased(vpcs.nic("routed", "routed", "h3"))
    guest, outside = vpcs.guest(here, nic), vpcs.upstream(here)
    assert vpcs.wait_out(here, nic) == nic.ipv4_address
    assert talk.udp(guest, outside, INTERNET, 53) == nic.ipv4_address
    assert talk.tcp(outside, guest, nic.ipv4_address, 8080) == INTERNET
    assert talk.udp(outside, guest, nic.ipv4_address, 8080) == INTERNET
    assert vpcs.ping(here, "upstream", nic.ipv4_address)


def floating(name: str, nic: Nic) -> vpc_pb2.FloatingIp:
    """Return a floating IP, of the external subnet with NAT, on a NIC."""
    return vpc_pb2.FloatingIp(name=f"floatingIps/{name}", external_subnet=NAT.name, nic=nic.name)


def wait_in(here: Site, nic: Nic, address: str) -> None:
    """Return when the guest answers the Internet at this address by TCP; then it does by UDP and ping as well."""
    guest, outside = vpcs.guest(here, nic), vpcs.upstream(here)
    assert talk.wait_tcp(outside, guest, address, 8080) == INTERNET
    assert talk.udp(outside, guest, address, 8080) == INTERNET
    assert vpcs.ping(here, "upstream", address)


@pytest.mark.parametrize("host", ["h1", "h3"])
def test_a_floating_ip_leads_in_and_out_where_the_host_has_the_uplink_and_where_not(
    here: Site, made: list[str], host: str
) -> None:
    tenant(here, made, "fip", vpcs.connection(NAT, "", "h2"))
    nic = here.add_leased(vpcs.nic("fip", "fip", host))
    other = here.add_leased(vpcs.nic("fip-other", "fip", host))
    [way] = router(here, "fip")
    vpcs.make(here, made, floating("fip", nic))
    address = here.get_floating_ip("floatingIps/fip").address
    here.settle()
    guest, outside = vpcs.guest(here, nic), vpcs.upstream(here)
    wait_in(here, nic, address)
    assert talk.tcp(guest, outside, INTERNET, 80) == address
    assert talk.udp(guest, outside, INTERNET, 53) == address
    assert vpcs.wait_out(here, other) == way.ipv4_address, "others leave as before"
    assert mac_of(here, address) == (
        here.get_floating_ip("floatingIps/fip").mac_address if host == "h1" else way.mac_address
    )


def test_a_floating_ip_of_a_private_address_answers_at_the_gateway(here: Site, made: list[str]) -> None:
    tenant(here, made, "pip", vpcs.connection(NAT, "", "h2"))
    nic = here.add_leased(vpcs.nic("pip", "pip", "h1"))
    [way] = router(here, "pip")
    private = vpc_pb2.FloatingIp(
        name="floatingIps/pip",
        external_subnet=NAT.name,
        vpc="vpcs/pip",
        private_address=nic.ipv4_address,
    )
    vpcs.make(here, made, private)
    address = here.get_floating_ip("floatingIps/pip").address
    here.settle()
    wait_in(here, nic, address)
    assert mac_of(here, address) == way.mac_address
    assert talk.tcp(vpcs.guest(here, nic), vpcs.upstream(here), INTERNET, 80) == address


def test_a_floating_ip_that_moves_leaves_nothing_behind(here: Site, made: list[str]) -> None:
    """From a NIC of one host to one of another: the old one is silent at once, the fabric learns where it is now."""
    tenant(here, made, "move", vpcs.connection(NAT, "", "h2"))
    old = here.add_leased(vpcs.nic("move-old", "move", "h1"))
    new = here.add_leased(vpcs.nic("move-new", "move", "h2"))
    [way] = router(here, "move")
    vpcs.make(here, made, floating("move", old))
    address = here.get_floating_ip("floatingIps/move").address
    here.settle()
    wait_in(here, old, address)
    here.apply(floating("move", new))
    here.settle()
    assert not talk.tcp(vpcs.upstream(here), vpcs.guest(here, old), address, 8080)
    wait_in(here, new, address)
    assert talk.tcp(vpcs.guest(here, new), vpcs.upstream(here), INTERNET, 80) == address
    assert vpcs.wait_out(here, old) == way.ipv4_address
    # By h1 to a host without the uplink: the gateway h2 answers, with another MAC address. (Straight from h2 its
    # ovn-controller 23.03 goes on announcing the old one: it knows an announcement by port and address alone.)
    here.apply(floating("move", old))
    here.settle()
    wait_in(here, old, address)
    third = here.add_leased(vpcs.nic("move-third", "move", "h3"))
    here.apply(floating("move", third))
    began_s = time.monotonic()
    wait_in(here, third, address)
    note(
        "floating IP moves to the gateway / upstream reaches it after", f"{time.monotonic() - began_s:.1f} s"
    )
    assert mac_of(here, address) == way.mac_address
    assert not talk.tcp(vpcs.upstream(here), vpcs.guest(here, old), address, 8080)
    here.remove("floatingIps/move")
    made.remove("floatingIps/move")
    here.settle()
    assert not vpcs.ping(here, "upstream", address)
    assert vpcs.wait_out(here, new) == way.ipv4_address
    assert vpcs.ping(here, "upstream", way.ipv4_address)


def mac_of(here: Site, address: str) -> str:
    """Return what the upstream takes for an address' MAC address."""
    shown = here.lab.exec("upstream", ["ip", "neigh", "show", address]).stdout.split()
    return shown[shown.index("lladdr") + 1]
