"""Admission of NICs: references, addresses, MACs, taps; exhaustion to the last address."""

from dataclasses import replace

import pytest

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent, NotFound
from netctl.model import ipam
from netctl.model.infra import Meta
from netctl.model.intent import Create, Replace
from netctl.model.keys import HostId, Kind, NicId, SubnetId, Uid
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import DhcpOptions, IpConfig
from tests.unit.model.world import World, cluster, host, ipv4, ipv6, nic, overlay

NO_DHCP = DhcpOptions(disabled=True)


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        cluster("c2"),
        host("h1", "192.0.2.1/24"),
        host("h2", "192.0.2.2/24"),
        host("far", "192.0.2.1/24", "c2"),
        overlay("app", ipv4=ipv4("10.0.0.0/24", "10.0.0.1"), ipv6=ipv6("fd00::/64", "fd00::1")),
        overlay("bare"),
    )


def test_references_are_checked(world: World) -> None:
    world.refuse(
        Create(intent=nic("n1", "nope")), NotFound, "subnet", "subnets/nope does not exist: create it first"
    )
    world.refuse(
        Create(intent=nic("n1", host=HostId("hx"))),
        NotFound,
        "host",
        "hosts/hx does not exist: create it first",
    )
    world.refuse(
        Create(intent=nic("n1", host=HostId("far"))),
        InvalidIntent,
        "host",
        "hosts/far is in clusters/c2, subnets/app in clusters/c1",
    )


def test_all_is_allocated(world: World) -> None:
    world.uids = [Uid("01234567-89ab-cdef-0123-456789abcdef")]
    stored = world.create(nic("n1", host=HostId("h1")))
    assert stored.meta.uid == "01234567-89ab-cdef-0123-456789abcdef"
    assert stored.tap_name == "tap0123456789a"
    assert stored.mac_address == "50:6b:8d:00:00:02"  # the DHCP server has the first
    assert (stored.ipv4_address, stored.ipv6_address) == ("10.0.0.2", "fd00::1000")
    second = world.create(nic("n2"))
    assert (second.ipv4_address, second.ipv6_address, second.mac_address[-2:]) == (
        "10.0.0.3",
        "fd00::1001",
        "03",
    )


def test_a_freed_number_is_used_last(world: World) -> None:
    first = world.create(nic("n1"))
    world.remove(Kind.NIC, "n1")
    second = world.create(nic("n1"))
    assert second.ipv4_address != first.ipv4_address
    assert second.mac_address != first.mac_address


def test_a_subnet_without_addresses_gives_none(world: World) -> None:
    stored = world.create(nic("n1", "bare"))
    assert (stored.ipv4_address, stored.ipv6_address) == ("", "")
    assert world.create(nic("n2", "bare", ipv4_address="203.0.113.9")).ipv4_address == "203.0.113.9"
    world.refuse(
        Create(intent=nic("n3", "bare", ipv4_address="203.0.113.9")),
        AlreadyExists,
        "ipv4_address",
        "203.0.113.9 is held by nics/n2",
    )


@pytest.mark.parametrize(
    ("field", "address", "text"),
    [
        ("ipv4_address", "10.0.1.1", "10.0.1.1 is not in 10.0.0.0/24"),
        ("ipv4_address", "10.0.0.0", "is the network address of 10.0.0.0/24"),
        ("ipv4_address", "10.0.0.255", "is the broadcast address of 10.0.0.0/24"),
        ("ipv4_address", "10.0.0.1", "is the gateway of subnets/app"),
        ("ipv4_address", "10.0.0.254", "is the DHCP server of subnets/app"),
        ("ipv6_address", "fd01::5", "fd01::5 is not in fd00::/64"),
        ("ipv6_address", "fd00::", "is the subnet-router anycast address of fd00::/64"),
        ("ipv6_address", "fd00::1", "is the gateway of subnets/app"),
    ],
)
def test_addresses_that_no_nic_can_have(world: World, field: str, address: str, text: str) -> None:
    world.refuse(Create(intent=nic("n1", **{field: address})), InvalidIntent, field, text)
    world.create(nic("n1"))
    world.refuse(Replace(intent=nic("n1", **{field: address})), InvalidIntent, field, text)


@pytest.mark.parametrize(("field", "address"), [("ipv4_address", "10.0.0.77"), ("ipv6_address", "fd00::77")])
def test_an_address_is_held_once(world: World, field: str, address: str) -> None:
    world.create(nic("n1", **{field: address}))
    world.create(nic("n2"))
    text = f"{address} is held by nics/n1"
    world.refuse(Create(intent=nic("n3", **{field: address})), AlreadyExists, field, text)
    world.refuse(Replace(intent=nic("n2", **{field: address})), AlreadyExists, field, text)
    world.create(overlay("twin", ipv4=ipv4(), ipv6=ipv6()))
    world.create(nic("n4", "twin", **{field: address}))


def test_static_addresses_are_free_of_pools_and_exclusions(world: World) -> None:
    world.create(overlay("p", ipv4=ipv4(pools="10.0.0.10-10.0.0.11", exclusions="10.0.0.11-10.0.0.20")))
    assert world.create(nic("a", "p", ipv4_address="10.0.0.200")).ipv4_address == "10.0.0.200"
    assert world.create(nic("b", "p", ipv4_address="10.0.0.11")).ipv4_address == "10.0.0.11"
    assert world.create(nic("c", "p")).ipv4_address == "10.0.0.10"
    world.refuse(
        Create(intent=nic("d", "p")),
        Exhausted,
        "ipv4_address",
        "subnets/p",
        "all 1 addresses of its pools are taken",
    )


def test_a_mac_is_unique_over_all(world: World) -> None:
    world.create(nic("n1", mac_address="02-00-00-00-00-AA"))
    world.refuse(
        Create(intent=nic("n2", "bare", mac_address="02:00:00:00:00:aa")),
        AlreadyExists,
        "mac_address",
        "02:00:00:00:00:aa is the address of nics/n1",
    )
    world.refuse(
        Create(intent=nic("n2", mac_address="50:6b:8d:00:00:01")),
        AlreadyExists,
        "mac_address",
        "is the address of the DHCP server of subnets/app",
    )
    world.create(overlay("away", "c2"))
    world.refuse(
        Create(intent=nic("n3", "away", mac_address="02:00:00:00:00:aa")), AlreadyExists, "mac_address"
    )


def test_a_static_mac_is_stepped_over(world: World) -> None:
    world.create(nic("n1", "bare", mac_address="50:6b:8d:00:00:02"))
    assert world.create(nic("n2", "bare")).mac_address == "50:6b:8d:00:00:03"


def test_macs_run_out_and_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    low = 0x506B8D000000
    calls = ipam._allocate
    monkeypatch.setattr(
        ipam,
        "_allocate",
        lambda draft, scope, ranges, start, cursor=None: calls(
            draft, scope, ((low + 1, low + 3),) if scope[0] == "mac" else ranges, start, cursor
        ),
    )
    for i in range(2):
        world.create(nic(f"n{i}"))
    world.refuse(Create(intent=nic("n3")), Exhausted, "mac_address", "clusters/c1", "50:6b:8d")
    world.remove(Kind.NIC, "n0")
    assert world.create(nic("n3")).mac_address == "50:6b:8d:00:00:02"
    world.refuse(Create(intent=nic("n4")), Exhausted, "mac_address")


def test_taps_with_the_same_digits_take_others(world: World) -> None:
    world.uids = [
        Uid("01234567-89ab-0000-0000-000000000001"),
        Uid("01234567-89ab-0000-0000-000000000002"),
        Uid("01234567-89ab-0000-0000-000000000003"),
    ]
    taps = [world.create(nic(f"n{i}", "bare")).tap_name for i in range(3)]
    assert taps == ["tap0123456789a", "tap123456789ab", "tap23456789ab0"]
    assert all(len(tap) == 14 for tap in taps)


def test_what_may_change(world: World) -> None:
    before = world.create(nic("n1", host=HostId("h1")))
    after = world.replace(
        before,
        meta=Meta(display_name="moved", labels={"a": "b"}),
        host=HostId("h2"),
        ipv4_address="10.0.0.50",
        ipv6_address="fd00::50",
        mac_address="02:00:00:00:00:01",
        connected=False,
        port_security=False,
        allow_unknown_macs=True,
        tap_name="tapother",
    )
    assert after.host == "h2"
    assert (after.ipv4_address, after.ipv6_address) == ("10.0.0.50", "fd00::50")
    assert (after.mac_address, after.tap_name) == ("02:00:00:00:00:01", before.tap_name)
    assert (after.connected, after.port_security, after.allow_unknown_macs) == (False, False, True)
    world.create(nic("n2", ipv4_address=before.ipv4_address, mac_address=before.mac_address))
    floating = world.replace(after, host=HostId(""))
    assert list(world.draft.nics_of_host(HostId("h2"))) == []
    assert floating.host == ""


def test_a_nic_stays_in_its_subnet(world: World) -> None:
    stored = world.create(nic("n1"))
    asked = replace(stored, subnet=SubnetId("bare"))
    world.refuse(Replace(intent=asked), InvalidIntent, "subnet", "cannot change from app to bare")
    world.refuse(Replace(intent=replace(stored, host=HostId("far"))), InvalidIntent, "host", "clusters/c2")


@pytest.mark.parametrize(
    ("config", "dhcp", "expected"),
    [
        (ipv4("10.0.0.0/29", "10.0.0.1"), None, "2 3 4 5"),
        (ipv4("10.0.0.0/29", "10.0.0.1"), NO_DHCP, "2 3 4 5 6"),
        (ipv4("10.0.0.0/29"), NO_DHCP, "1 2 3 4 5 6"),
        (ipv4("10.0.0.0/30", "10.0.0.1"), None, ""),
        (
            ipv4("10.0.0.0/24", "10.0.0.12", pools="10.0.0.20-10.0.0.22 10.0.0.10-10.0.0.12"),
            None,
            "10 11 20 21 22",
        ),
        (
            ipv4(
                "10.0.0.0/24",
                pools="10.0.0.10-10.0.0.30",
                exclusions="10.0.0.5-10.0.0.12 10.0.0.15-10.0.0.28",
            ),
            None,
            "13 14 29 30",
        ),
        (ipv4("10.0.0.0/24", exclusions="10.0.0.3-10.0.0.253"), None, "1 2"),
        (ipv4("10.0.0.0/24", pools="10.0.0.3-10.0.0.4", exclusions="10.0.0.1-10.0.0.9"), None, ""),
        (ipv4("10.0.0.0/24"), None, " ".join(map(str, range(1, 254)))),
    ],
)
def test_a_pool_is_used_to_the_last_address(
    config: IpConfig, dhcp: DhcpOptions | None, expected: str
) -> None:
    world = World(cluster(), overlay("p", ipv4=config, dhcp=dhcp))
    given = [f"10.0.0.{n}" for n in expected.split()]
    assert [world.create(nic(f"n{i}", "p")).ipv4_address for i in range(len(given))] == given
    for _ in range(2):
        world.refuse(
            Create(intent=nic("more", "p")),
            Exhausted,
            "ipv4_address",
            f"all {len(given)} addresses of its pools",
        )
    for i, address in enumerate(given[::7]):
        world.remove(Kind.NIC, f"n{i * 7}")
        assert world.create(nic(f"again{i}", "p")).ipv4_address == address
        world.refuse(Create(intent=nic("more", "p")), Exhausted, "ipv4_address")


def test_a_full_pool_that_is_enlarged_has_room() -> None:
    world = World(cluster(), overlay("p", ipv4=ipv4(pools="10.0.0.5-10.0.0.5")), nic("n1", "p"))
    world.refuse(Create(intent=nic("n2", "p")), Exhausted, "ipv4_address", "all 1 addresses of")
    world.replace(overlay("p", ipv4=ipv4(pools="10.0.0.5-10.0.0.6")))
    assert world.create(nic("n2", "p")).ipv4_address == "10.0.0.6"


def test_a_full_pool_whose_nic_takes_another_address_has_room() -> None:
    world = World(
        cluster(), overlay("p", ipv4=ipv4(pools="10.0.0.5-10.0.0.6")), nic("n1", "p"), nic("n2", "p")
    )
    world.replace(nic("n1", "p", ipv4_address="10.0.0.200"))
    assert world.create(nic("n3", "p")).ipv4_address == "10.0.0.5"


def test_nothing_is_half_made_when_the_second_family_is_full() -> None:
    world = World(cluster(), overlay("p", ipv4=ipv4(), ipv6=ipv6("fd00::/126", "fd00::1")))
    world.create(nic("n1", "p"))
    world.create(nic("n2", "p"))
    world.refuse(Create(intent=nic("n3", "p")), Exhausted, "ipv6_address", "all 2 addresses of its pools")
    world.remove(Kind.NIC, "n1")
    stored = world.create(nic("n3", "p"))
    assert (stored.ipv4_address, stored.ipv6_address) == ("10.0.0.3", "fd00::2")


def test_small_ipv6_networks_are_used_whole() -> None:
    world = World(cluster(), overlay("p", ipv6=ipv6("fd00::/125")))
    assert [world.create(nic(f"n{i}", "p")).ipv6_address for i in range(7)] == [
        f"fd00::{i}" for i in range(1, 8)
    ]
    world.refuse(Create(intent=nic("more", "p")), Exhausted, "ipv6_address", "all 7 addresses of its pools")


def test_a_cursor_starts_anew_after_a_restart() -> None:
    world = World(cluster(), overlay("p", ipv4=ipv4("10.0.0.0/29")), nic("n1", "p"), nic("n2", "p"))
    world.remove(Kind.NIC, "n1")
    stored = [intent for kind in Kind for intent in world.draft.of_kind(kind)]
    world.draft = Snapshot.load(9, stored).draft()
    assert world.create(nic("n3", "p")).ipv4_address == "10.0.0.1"
    assert world.stored(Kind.NIC, NicId("n2")).ipv4_address == "10.0.0.2"
