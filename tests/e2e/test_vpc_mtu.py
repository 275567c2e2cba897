"""MTU: guests are told what fits, full frames pass unfragmented, and whoever sends too much is told what would fit."""

from __future__ import annotations

from netctl.loop import wait_until
from tests.e2e import vpcs
from tests.e2e.raw import transfer
from tests.e2e.site import Site
from tests.e2e.test_vpc_ipv6 import add
from tests.e2e.vpcs import INTERNET, INTERNET6, NAT

IP_ICMP_BYTES, IP6_ICMP_BYTES = 28, 48
OUTSIDE_BYTES = 1500


def full(here: Site, guest: str, address: str, mtu_bytes: int) -> bool:
    """Does a packet of exactly this size arrive unfragmented and come back?"""
    header = IP6_ICMP_BYTES if ":" in address else IP_ICMP_BYTES
    return vpcs.ping(here, guest, address, "-M", "do", "-s", str(mtu_bytes - header))


def told(here: Site, guest: str, address: str, bytes_: int) -> str:
    """Return what is said to a packet that is too large."""
    command = ["ping", "-n", "-c", "2", "-i", "0.3", "-W", "1", "-M", "do", "-s", str(bytes_), address]
    done = here.lab.exec(guest, command, check=False)
    return done.stdout + done.stderr


def test_full_packets_pass_inside_and_the_router_tells_what_fits_outside(here: Site, made: list[str]) -> None:
    vpcs.make(
        here,
        made,
        vpcs.vpc("mtu", vpcs.connection(NAT)),
        vpcs.overlay("mtu-a", "mtu", "10.7.1.0/24", "fd42:8:1::/64"),
        vpcs.overlay("mtu-b", "mtu", "10.7.2.0/24", "fd42:8:2::/64"),
        vpcs.overlay("mtu-c", "mtu", "10.7.3.0/24", mtu_bytes=1400),
        vpcs.route("mtu-out", "0.0.0.0/0", NAT),
        vpcs.route("mtu-out6", "::/0", NAT),
    )
    one, two = add(here, "one", "mtu-a", "h1"), add(here, "two", "mtu-b", "h3")
    mtu = here.get_subnet("subnets/mtu-a").mtu_bytes
    assert mtu > 8000, "the tunnels' network carries jumbo frames"
    assert {here.lease(nic).mtu_bytes for nic in (one, two)} == {mtu}
    here.settle()
    here.wait_ping(one, two.ipv4_address)
    for address in (two.ipv4_address, two.ipv6_address):
        wait_until(lambda to=address: vpcs.ping(here, "one", to), timeout_s=10, what=f"ping {address}")  # type: ignore[misc]
        assert full(here, "one", address, mtu), address
    vpcs.wait_out(here, one)
    wait_until(lambda: vpcs.ping(here, "one", INTERNET6), timeout_s=10, what="IPv6 outside")
    for address in (INTERNET, INTERNET6):
        assert full(here, "one", address, OUTSIDE_BYTES), address
    assert f"mtu = {OUTSIDE_BYTES}" in told(here, "one", INTERNET, 3000)
    said = told(here, "one", INTERNET6, 3000)
    assert f"mtu={OUTSIDE_BYTES}" in said or f"mtu = {OUTSIDE_BYTES}" in said, said
    upstream = vpcs.upstream(here).namespace
    assert transfer(here.namespace(one), upstream, INTERNET, 2) == 2 << 20, "TCP finds the path's MTU"
    # a subnet of the same VPC whose guests take less
    small = here.add_leased(vpcs.nic("small", "mtu-c", "h2"))
    assert here.lease(small).mtu_bytes == 1400
    here.wait_ping(one, small.ipv4_address)
    assert full(here, "one", small.ipv4_address, 1400)
    assert "mtu = 1400" in told(here, "one", small.ipv4_address, 3000)
    assert transfer(here.namespace(one), here.namespace(small), small.ipv4_address, 2) == 2 << 20
