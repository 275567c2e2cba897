"""DHCPv6 by packets, where the operator vouches for OVN: stateful and stateless, as the API says.

That it is refused without `--trust-dhcpv6` on this OVN is in test_vpc_ipv6.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e import dhcpv6, vpcs
from tests.e2e.site import Site, site
from tests.e2e.vpcs import Nic

DNS = ("2001:db8::53", "2001:db8::54")
STATEFUL, STATELESS = "fd42:8:1::/64", "fd42:8:2::/64"
SEARCH = ("a.example", "b.example")
Nics = dict[str, Nic]


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("dhcp6", subnets=()) as running:
        running.restart_controller("--trust-dhcpv6")
        yield running


@pytest.fixture(scope="module")
def nics(here: Site) -> Nics:
    """Guests with a link-local address: two to be given theirs, on both hosts, and one that makes its own."""
    stateful = vpcs.overlay("stateful", "six", "10.1.1.0/24", STATEFUL, mtu_bytes=1400)
    stateful.dhcp.domain_search.extend(SEARCH)
    stateful.ipv6_mode = network_pb2.IPV6_MODE_DHCPV6_STATEFUL
    stateless = vpcs.overlay("stateless", "six", "10.1.2.0/24", STATELESS)
    stateless.ipv6_mode = network_pb2.IPV6_MODE_DHCPV6_STATELESS
    here.apply(vpcs.vpc("six", dns=["10.1.1.53", *DNS]), stateful, stateless)
    wanted = {"given": ("stateful", "h1"), "other": ("stateful", "h2"), "own": ("stateless", "h2")}
    made = {name: here.create_nic(vpcs.nic(name, *place)) for name, place in wanted.items()}
    for name, nic in made.items():
        here.plug(nic, address=False)
        here.lab.exec(name, ["ip", "link", "set", "eth0", "down"])
        here.lab.exec(name, ["sysctl", "-q", "-w", "net.ipv6.conf.eth0.dad_transmits=0"])
    here.wait_programmed(*(nic.name for nic in made.values()))
    here.settle()
    for name in made:
        here.lab.exec(name, ["ip", "link", "set", "eth0", "up"])
        wait_until(partial(shown, here, name, "link"), timeout_s=5, what=f"{name} is up")
    return made


def shown(here: Site, name: str, scope: str) -> list[str]:
    """Return the guest's addresses of a scope."""
    command = ["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", scope, "-tentative"]
    return [line.split()[3] for line in here.lab.exec(name, command).stdout.splitlines()]


def test_guests_are_given_the_addresses_that_the_api_says(here: Site, nics: Nics) -> None:
    subnet = here.get_subnet("subnets/stateful")
    for name in ("given", "other"):
        nic, where = nics[name], here.namespace(nics[name])
        router = dhcpv6.solicit_router(where)
        assert (router.managed, router.other) == (True, False)
        assert router.prefixes == {STATEFUL: (True, False)}, "on the link, and no address by SLAAC"
        assert (router.mtu_bytes, router.dns_servers) == (1400, DNS[:1]), "OVN advertises one"
        assert router.search == SEARCH
        for told in dhcpv6.lease(where, nic.mac_address):
            assert told.addresses == {nic.ipv6_address: dhcpv6.INFINITE_S}, "nothing is to be renewed"
            assert (told.dns_servers, told.search) == (DNS, ()), "OVN cannot tell domains"
            assert told.server == dhcpv6.identity_of(subnet.gateway_mac_address)
            assert told.client == dhcpv6.identity_of(nic.mac_address)
            assert not any(told.statuses)
        assert shown(here, name, "global") == [], "it gave itself none"
        here.lab.exec(name, ["ip", "addr", "add", f"{nic.ipv6_address}/128", "dev", "eth0"])


def test_guests_make_their_own_addresses_and_are_told_the_rest(here: Site, nics: Nics) -> None:
    nic, where = nics["own"], here.namespace(nics["own"])
    router = dhcpv6.solicit_router(where)
    assert (router.managed, router.other) == (False, True)
    assert router.prefixes == {STATELESS: (True, True)}
    told = dhcpv6.inform(where, nic.mac_address)
    assert (told.addresses, told.dns_servers) == ({}, DNS)
    assert told.client == dhcpv6.identity_of(nic.mac_address)
    wait_until(lambda: shown(here, "own", "global"), timeout_s=5, what="SLAAC")
    assert shown(here, "own", "global") == [f"{nic.ipv6_address}/64"]


def test_they_reach_each_other_across_hosts(here: Site, nics: Nics) -> None:
    """With what they were told alone: the prefix on the link, and the way to the other subnet, by advertisements."""
    for client, server in (("given", "other"), ("given", "own"), ("own", "given")):
        address = nics[server].ipv6_address
        wait_until(partial(vpcs.ping, here, client, address), timeout_s=5, what=f"{client} pings {server}")
