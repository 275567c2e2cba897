"""IPv6 in VPCs: addresses by router advertisements, as the API says; routed inside and out; DHCPv6 where it is safe."""

from __future__ import annotations

import grpc
import pytest

from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e import talk, vpcs
from tests.e2e.site import Site
from tests.e2e.vpcs import INTERNET6, NAT, ROUTED, Nic

SMALL_BYTES = 1400


def dual_stack(
    here: Site, made: list[str], name: str, net: str, way: vpcs.Subnet, address6: str = ""
) -> None:
    """Make a VPC with two subnets of both families, and default routes for both."""
    vpc = vpcs.vpc(name, vpcs.connection(way, ipv6=address6), dns=["2001:db8::9"])
    if not way.nat:
        vpc.externally_routable_prefixes.append(f"{net}::/48")
    vpcs.make(
        here,
        made,
        vpc,
        vpcs.overlay(f"{name}-a", name, "10.101.1.0/24", f"{net}:1::/64", mtu_bytes=SMALL_BYTES),
        vpcs.overlay(f"{name}-b", name, "10.101.2.0/24", f"{net}:2::/64"),
        vpcs.route(f"{name}-out", "::/0", way),
    )


def add(here: Site, name: str, subnet: str, host: str) -> Nic:
    """Add a guest that configures itself; return its NIC when it has the address that the API says."""
    nic = here.create_nic(vpcs.nic(name, subnet, host))
    here.plug(nic, address=False)
    ready = here.wait_status(nic.name, "")
    for state in ("down", "up"):  # it asks for a router now, not when the kernel's next question is due
        here.lab.exec(name, ["ip", "link", "set", "eth0", state])
    wait_until(
        lambda: f"{ready.ipv6_address}/64 scope global" in shown(here, name),
        timeout_s=15,
        what=f"{name} gives itself {ready.ipv6_address}",
    )
    return ready


def shown(here: Site, name: str) -> str:
    """Return the guest's addresses that are not tentative any more."""
    return here.lab.exec(name, ["ip", "-6", "addr", "show", "dev", "eth0", "-tentative"]).stdout


def test_guests_configure_themselves_and_are_routed(here: Site, made: list[str]) -> None:
    dual_stack(here, made, "six", "fd42:6", NAT)
    one, two = add(here, "one", "six-a", "h1"), add(here, "two", "six-b", "h3")
    told = here.lab.exec("one", ["sysctl", "-n", "net.ipv6.conf.eth0.mtu"]).stdout
    assert int(told) == SMALL_BYTES, "the advertisement tells the MTU"
    here.settle()
    wait_until(lambda: vpcs.ping(here, "one", two.ipv6_address), timeout_s=10, what="one pings two")
    ends = [vpcs.guest(here, nic, nic.ipv6_address) for nic in (one, two)]
    for client, server in (ends, ends[::-1]):
        assert talk.tcp(client, server, server.address, 8080) == client.address
        assert talk.udp(client, server, server.address, 8080) == client.address
    [way] = here.get_vpc("vpcs/six").external_connections
    outside = vpcs.upstream(here, INTERNET6)
    for end in ends:
        assert talk.wait_tcp(end, outside, INTERNET6, 80) == way.ipv6_address
        assert talk.udp(end, outside, INTERNET6, 53) == way.ipv6_address
    assert vpcs.ping(here, "one", INTERNET6)


def test_a_routed_prefix_is_seen_as_it_is(here: Site, made: list[str]) -> None:
    dual_stack(here, made, "sixr", "2001:db8:a101", ROUTED, "2001:db8:101::2")
    nic = add(here, "sixr", "sixr-a", "h3")
    guest, outside = vpcs.guest(here, nic, nic.ipv6_address), vpcs.upstream(here, INTERNET6)
    assert talk.wait_tcp(guest, outside, INTERNET6, 80) == nic.ipv6_address
    assert talk.tcp(outside, guest, nic.ipv6_address, 8080) == INTERNET6
    assert vpcs.ping(here, "upstream", nic.ipv6_address)


def test_dhcpv6_is_refused_where_ovn_is_not_safe_for_it(here: Site, made: list[str]) -> None:
    vpcs.make(here, made, vpcs.vpc("guarded"))
    for mode in (network_pb2.IPV6_MODE_DHCPV6_STATEFUL, network_pb2.IPV6_MODE_DHCPV6_STATELESS):
        subnet = vpcs.overlay("guarded", "guarded", "10.1.1.0/24", "fd42:7:1::/64")
        subnet.ipv6_mode = mode
        with pytest.raises(grpc.RpcError) as refused:
            here.apply(subnet)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        said = refused.value.details() or ""
        assert "DHCPv6" in said
        assert "24.03.8" in said, "which OVN could"
