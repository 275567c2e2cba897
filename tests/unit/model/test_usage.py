"""Usage of addresses: exact against counting one by one, for both families."""

import ipaddress
from dataclasses import replace

import pytest

from netctl.model.keys import Kind, SubnetId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import IpConfig, Subnet
from netctl.model.usage import COUNT_MAX, AddressUsage, usage
from tests.unit.model.world import (
    World,
    cluster,
    external,
    floating,
    host,
    ipv4,
    ipv6,
    nic,
    overlay,
    reservation,
    switch,
    vlan,
    vpc,
)


def of(world: World, id: str = "app") -> tuple[AddressUsage | None, AddressUsage | None]:
    return usage(world.draft, world.stored(Kind.SUBNET, id))


@pytest.mark.parametrize(
    ("config", "total"),
    [
        (ipv4("10.0.0.0/24"), 254),
        (ipv4("10.0.0.0/30"), 2),
        (ipv4(pools="10.0.0.10-10.0.0.19 10.0.0.30-10.0.0.30"), 11),
        (ipv4(pools="10.0.0.10-10.0.0.19", exclusions="10.0.0.1-10.0.0.11 10.0.0.15-10.0.0.15"), 7),
        (ipv6("fd00::/120"), 255),
        (ipv6("fd00::/64"), COUNT_MAX),
        (ipv6("fd00::/66"), 2**62 - 1),
        (ipv6("fd00::/64", pools="fd00::1-fd00::ff"), 255),
    ],
)
def test_the_total_is_that_of_the_pools(config: IpConfig, total: int) -> None:
    world = World(cluster(), vlan_less(config))
    found = of(world)[0 if config.version == 4 else 1]
    assert found is not None
    assert found.total == total
    assert of(world)[1 if config.version == 4 else 0] is None


def vlan_less(config: IpConfig) -> Subnet:
    return overlay(ipv4=config) if config.version == 4 else overlay(ipv6=config)


def test_whoever_holds_an_address_uses_it() -> None:
    world = World(
        cluster(),
        switch(),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        external(),
        vpc("v1", "ext"),
        overlay(vpc="v1", ipv4=ipv4(), ipv6=ipv6("fd00::/120")),
        vlan("db", 20, ipv4=ipv4("10.2.0.0/24")),
        nic("n1"),
    )
    assert of(world, "ext")[0] == AddressUsage(total=254, used=2, reserved=0, free=252)
    world.create(floating())
    assert of(world, "ext")[0] == AddressUsage(total=254, used=3, reserved=0, free=251)
    # The NIC, the gateway and, for IPv4, the DHCP server.
    assert of(world) == (
        AddressUsage(total=254, used=3, reserved=0, free=251),
        AddressUsage(total=255, used=2, reserved=0, free=253),
    )
    child = TrunkVlan(vlan_id=5, subnet=SubnetId("app"))
    world.create(nic("t1", "db", mode=NicMode.TRUNK, trunk_vlans=(child,)))
    assert of(world)[0] == AddressUsage(total=254, used=4, reserved=0, free=250)
    frozen = world.draft.freeze(9)
    assert usage(frozen, world.stored(Kind.SUBNET, "app")) == of(world)


def test_what_is_outside_the_pools_does_not_count() -> None:
    world = World(cluster(), overlay(ipv4=ipv4(pools="10.0.0.10-10.0.0.19")))
    world.create(nic("n1", ipv4_address="10.0.0.200"))
    assert of(world)[0] == AddressUsage(total=10, used=0, reserved=0, free=10)
    world.create(nic("n2", ipv4_address="10.0.0.19"))
    assert of(world)[0] == AddressUsage(total=10, used=1, reserved=0, free=9)


def test_a_reserved_address_that_is_used_counts_once() -> None:
    world = World(cluster(), overlay(ipv4=ipv4("10.0.0.0/28", pools="10.0.0.1-10.0.0.10")))
    world.create(reservation(ranges="10.0.0.2-10.0.0.4 10.0.0.12-10.0.0.13"))
    assert of(world)[0] == AddressUsage(total=10, used=0, reserved=3, free=7)
    world.create(nic("n1", ipv4_address="10.0.0.3"))
    assert of(world)[0] == AddressUsage(total=10, used=1, reserved=2, free=7)
    given = [world.create(nic(f"m{i}")).ipv4_address for i in range(7)]
    assert set(given).isdisjoint({"10.0.0.2", "10.0.0.3", "10.0.0.4"})
    assert of(world)[0] == AddressUsage(total=10, used=8, reserved=2, free=0)
    world.remove(Kind.ADDRESS_RESERVATION, "k1")
    assert of(world)[0] == AddressUsage(total=10, used=8, reserved=0, free=2)


def test_it_is_what_counting_says() -> None:
    world = World(cluster(), overlay(ipv4=ipv4("10.0.0.0/27", exclusions="10.0.0.5-10.0.0.6")))
    world.create(reservation(count=4))
    for i in range(9):
        world.create(nic(f"n{i}"))
    for i in (1, 4, 5):
        world.remove(Kind.NIC, f"n{i}")
    subnet = world.stored(Kind.SUBNET, "app")
    held = {x.ipv4_address for x in world.draft.of_kind(Kind.NIC)} | {subnet.dhcp.server_address}  # type: ignore[union-attr]
    kept = world.stored(Kind.ADDRESS_RESERVATION, "k1").reserved
    reserved = {
        str(ipaddress.ip_address(number))
        for one in kept
        for number in range(int(ipaddress.ip_address(one.start)), int(ipaddress.ip_address(one.end)) + 1)
    }
    addresses = {str(a) for a in ipaddress.ip_network("10.0.0.0/27").hosts()} - {"10.0.0.5", "10.0.0.6"}
    found = of(world)[0]
    assert found == AddressUsage(
        total=len(addresses),
        used=len(addresses & held),
        reserved=len(addresses & reserved - held),
        free=len(addresses - held - reserved),
    )
    loaded = Snapshot.load(3, [intent for kind in Kind for intent in world.draft.of_kind(kind)])
    assert usage(loaded, replace(subnet))[0] == found
