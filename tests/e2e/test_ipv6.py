"""Guests with IPv6 find each other by both their addresses, and by none that is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from netctl.v1 import network_pb2
from tests.e2e.site import Site, site

FOREIGN = "fd16::bad"


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("six") as running:
        ipv4, ipv6 = network_pb2.IpConfig(cidr="10.16.0.0/24"), network_pb2.IpConfig(cidr="fd16::/64")
        overlay, vlan = network_pb2.SUBNET_KIND_OVERLAY, network_pb2.SUBNET_KIND_VLAN
        running.apply(
            network_pb2.Subnet(
                name="subnets/tunnelled", kind=overlay, clusters=("clusters/lab",), ipv4=ipv4, ipv6=ipv6
            ),
            network_pb2.Subnet(
                name="subnets/tagged",
                kind=vlan,
                virtual_switches=("virtualSwitches/vs0",),
                vlan_id=16,
                ipv4=ipv4,
                ipv6=ipv6,
            ),
        )
        yield running


def link_local(nic: network_pb2.Nic) -> str:
    raw = bytes.fromhex(nic.mac_address.replace(":", ""))
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]))


def pings(here: Site, guest: str, destination: str, *options: str) -> bool:
    """Ask for the neighbour afresh, then ping."""
    here.lab.exec(guest, ["ip", "-6", "neigh", "flush", "dev", "eth0"])
    ping = ["ping", "-c1", "-w3", *options, destination]
    return here.lab.exec(guest, ping, check=False).returncode == 0


@pytest.mark.parametrize("subnet", ["tunnelled", "tagged"])
def test_global_and_link_local_neighbours_are_found_and_foreign_sources_dropped(
    here: Site, subnet: str
) -> None:
    one, two = here.add("one", subnet, "h1"), here.add("two", subnet, "h2")
    here.wait_ping(one, two.ipv4_address)
    for guest, address in (("one", one.ipv6_address), ("two", two.ipv6_address)):
        here.lab.exec(guest, ["ip", "addr", "add", f"{address}/64", "dev", "eth0", "nodad"])
    assert pings(here, "one", two.ipv6_address)
    for _ in range(
        3
    ):  # a neighbour that solicits us first is learned from that, and would hide a lost answer
        assert pings(here, "one", f"{link_local(two)}%eth0")
        here.lab.exec("two", ["ip", "-6", "neigh", "flush", "dev", "eth0"])
    here.lab.exec("one", ["ip", "addr", "add", f"{FOREIGN}/64", "dev", "eth0", "nodad"])
    assert not pings(here, "one", two.ipv6_address, "-I", FOREIGN)
    here.discard(one, two)
