"""VPCs inside: one router for each, everywhere at once, and nothing between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e import talk, vpcs
from tests.e2e.site import Site
from tests.e2e.vpcs import Nic

RED = ("10.1.1.0/24", "10.1.2.0/24")


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """Two VPCs with equal networks: in red `web` and `app` on other hosts and subnets, `mate` beside `web`."""

    site: Site
    web: Nic
    mate: Nic
    app: Nic
    blue_web: Nic
    blue_app: Nic


@pytest.fixture(scope="module")
def two(three_hosts: Site) -> Iterator[Two]:
    here = three_hosts
    with vpcs.removed_after(here) as names:
        for colour in ("red", "blue"):
            parts = (
                vpcs.vpc(colour, dns=["10.9.9.9", "2001:db8::9"]),
                vpcs.overlay(f"{colour}-web", colour, RED[0]),
                vpcs.overlay(f"{colour}-app", colour, RED[1]),
            )
            here.apply(*parts)
            names += [part.name for part in parts]
        yield Two(
            site=here,
            web=here.add_leased(vpcs.nic("web", "red-web", "h1")),
            mate=here.add_leased(vpcs.nic("mate", "red-app", "h1")),
            app=here.add_leased(vpcs.nic("app", "red-app", "h2")),
            blue_web=here.add_leased(vpcs.nic("blue-web", "blue-web", "h1", "10.1.1.77")),
            blue_app=here.add_leased(vpcs.nic("blue-app", "blue-app", "h2", "10.1.2.77")),
        )


def test_a_lease_gives_router_dns_servers_and_mtu_of_the_vpc(two: Two) -> None:
    lease = two.site.lease(two.web)
    assert (lease.address, lease.router) == (f"{two.web.ipv4_address}/24", "10.1.1.1")
    assert lease.dns_servers == ("10.9.9.9",)
    assert lease.mtu_bytes == two.site.get_subnet("subnets/red-web").mtu_bytes


def test_subnets_are_routed_on_a_host_and_across_hosts_and_their_gateways_answer(two: Two) -> None:
    two.site.settle()
    two.site.wait_ping(two.web, two.app.ipv4_address)
    for address in ("10.1.1.1", "10.1.2.1", two.mate.ipv4_address, two.app.ipv4_address):
        assert two.site.ping_once(two.web, address), address
    web, app, mate = (vpcs.guest(two.site, nic) for nic in (two.web, two.app, two.mate))
    for client, server in ((web, app), (app, web), (web, mate), (mate, web)):
        assert talk.tcp(client, server, server.address, 8080) == client.address
        assert talk.udp(client, server, server.address, 8080) == client.address


def test_a_router_takes_one_hop_of_a_packets_life(two: Two) -> None:
    two.site.wait_ping(two.web, two.app.ipv4_address)
    assert not vpcs.ping(two.site, "web", two.app.ipv4_address, "-t", "1")
    assert vpcs.ping(two.site, "web", two.app.ipv4_address, "-t", "2")
    said = two.site.lab.exec("web", ["ping", "-n", "-c1", two.app.ipv4_address]).stdout
    assert "ttl=63" in said, said
    said = two.site.lab.exec(
        "web", ["ping", "-n", "-c1", "-t", "1", two.app.ipv4_address], check=False
    ).stdout
    assert "From 10.1.1.1" in said, said


def test_equal_networks_of_two_vpcs_do_not_meet(two: Two) -> None:
    """Each reaches its own namesake's neighbours at the same moment as it fails to reach the other's."""
    two.site.wait_ping(two.web, two.app.ipv4_address)
    two.site.wait_ping(two.blue_web, two.blue_app.ipv4_address)
    for own, other, mine, theirs in (
        (two.web, two.blue_web, two.app, two.blue_app),
        (two.blue_web, two.web, two.blue_app, two.app),
    ):
        assert two.site.ping_once(own, mine.ipv4_address)
        assert not two.site.ping_once(own, other.ipv4_address)
        assert not two.site.ping_once(own, theirs.ipv4_address)
        assert two.site.ping_once(own, mine.ipv4_address)
