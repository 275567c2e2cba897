"""Admission of address reservations, and that nobody gets what is reserved by chance."""

from typing import Any

import pytest

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent, NotFound
from netctl.model import ipam
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import Kind
from netctl.model.subnet import AddressRange
from tests.unit.model.world import World, cluster, ipv4, ipv6, nic, overlay, reservation

KEPT = Kind.ADDRESS_RESERVATION


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        overlay(ipv4=ipv4("10.0.0.0/28", "10.0.0.1"), ipv6=ipv6("fd00::/64", "fd00::1")),
        overlay("bare"),
    )


def ranges(stored: Any) -> list[tuple[str, str]]:
    return [(one.start, one.end) for one in stored.reserved]


def test_a_count_takes_free_addresses_in_runs(world: World) -> None:
    world.create(nic("n1", ipv4_address="10.0.0.4"))
    stored = world.create(reservation(count=5))
    assert ranges(stored) == [("10.0.0.2", "10.0.0.3"), ("10.0.0.5", "10.0.0.7")]
    assert stored.ranges == ()
    six = world.create(reservation("k6", ip_version=6, count=3))
    assert ranges(six) == [("fd00::1001", "fd00::1003")]
    assert [world.create(nic(f"m{i}")).ipv4_address[7:] for i in range(6)] == [
        "8",
        "9",
        "10",
        "11",
        "12",
        "13",
    ]
    world.refuse(Create(intent=nic("more")), Exhausted, "ipv4_address", "or reservations")
    world.refuse(
        Create(intent=reservation("k2", count=1)),
        Exhausted,
        "count",
        "has 0 free ipv4 addresses, 1 are asked",
    )
    assert world.create(nic("client", ipv4_address="10.0.0.5")).ipv4_address == "10.0.0.5"
    world.remove(KEPT, "k1")
    freed = {world.create(nic(f"f{i}")).ipv4_address for i in range(4)}
    assert freed == {"10.0.0.2", "10.0.0.3", "10.0.0.6", "10.0.0.7"}


def test_a_count_that_goes_around_the_end_is_one_run(world: World) -> None:
    for i in range(9):
        world.create(nic(f"n{i}"))
    for i in range(9):
        world.remove(Kind.NIC, f"n{i}")
    assert ranges(world.create(reservation(count=6))) == [
        ("10.0.0.2", "10.0.0.4"),
        ("10.0.0.11", "10.0.0.13"),
    ]
    assert ranges(world.create(reservation("k2", count=6))) == [("10.0.0.5", "10.0.0.10")]


def test_a_count_is_of_the_pools() -> None:
    config = ipv4(pools="10.0.0.10-10.0.0.12 10.0.0.20-10.0.0.22", exclusions="10.0.0.11-10.0.0.11")
    world = World(cluster(), overlay(ipv4=config))
    world.refuse(Create(intent=reservation(count=6)), Exhausted, "count", "has 5 free ipv4 addresses")
    stored = world.create(reservation(count=4))
    assert ranges(stored) == [
        ("10.0.0.10", "10.0.0.10"),
        ("10.0.0.12", "10.0.0.12"),
        ("10.0.0.20", "10.0.0.21"),
    ]
    assert world.create(nic("n1")).ipv4_address == "10.0.0.22"


def test_ranges_are_kept_as_they_are_named(world: World) -> None:
    stored = world.create(reservation(ranges="10.0.0.9-10.0.0.10 10.0.0.3-10.0.0.3 10.0.0.4-10.0.0.4"))
    assert ranges(stored) == [("10.0.0.3", "10.0.0.4"), ("10.0.0.9", "10.0.0.10")]
    assert [world.create(nic(f"n{i}")).ipv4_address[7:] for i in range(3)] == ["2", "5", "6"]
    # Of an address that is held already there is nothing to give.
    world.create(reservation("k2", ranges="10.0.0.5-10.0.0.6"))


@pytest.mark.parametrize(
    ("fields", "error", "field", "text"),
    [
        ({"subnet": "nope", "count": 1}, NotFound, "subnet", "subnets/nope does not exist"),
        ({"subnet": "bare", "count": 1}, InvalidIntent, "ip_version", "has no IPv4 addresses"),
        ({"ranges": "10.0.1.1-10.0.1.2"}, InvalidIntent, "ranges[0]", "not within the host addresses"),
        ({"ranges": "10.0.0.0-10.0.0.2"}, InvalidIntent, "ranges[0]", "of 10.0.0.0/28"),
        ({"ranges": "10.0.0.9-10.0.0.15"}, InvalidIntent, "ranges[0]", "host addresses"),
        ({"ranges": "10.0.0.9-10.0.0.8"}, InvalidIntent, "ranges[0]", "is above end"),
        ({"ranges": "10.0.0.2-10.0.0.4 10.0.0.4-10.0.0.5"}, InvalidIntent, "ranges[1]", "another range"),
        ({"ranges": "fd00::-fd00::5", "ip_version": 6}, InvalidIntent, "ranges[0]", "of fd00::/64"),
        ({"ranges": "10.0.0.7-10.0.0.12"}, AlreadyExists, "ranges[0]", "with addressReservations/taken"),
        ({"ranges": "10.0.0.2-10.0.0.2 10.0.0.13-10.0.0.13"}, AlreadyExists, "ranges[1]", "taken"),
    ],
)
def test_what_no_reservation_can_be(
    world: World, fields: dict[str, Any], error: Any, field: str, text: str
) -> None:
    world.create(reservation("taken", ranges="10.0.0.8-10.0.0.9 10.0.0.13-10.0.0.13"))
    world.refuse(Create(intent=reservation(**fields)), error, field, text)


def test_only_for_whom_it_is_may_change(world: World) -> None:
    stored = world.create(reservation(count=2))
    assert world.replace(reservation(count=2, client_context="printers")).reserved == stored.reserved
    for asked, field in (
        (reservation(count=3), "count"),
        (reservation(ranges="10.0.0.2-10.0.0.3"), "count"),
        (reservation(count=2, ip_version=6), "ip_version"),
        (reservation(subnet="bare", count=2), "subnet"),
    ):
        world.refuse(Replace(intent=asked), InvalidIntent, field, "cannot change from")
    named = world.create(reservation("k2", ranges="10.0.0.9-10.0.0.9"))
    world.refuse(Replace(intent=reservation("k2", ranges="10.0.0.10-10.0.0.10")), InvalidIntent, "ranges")
    assert named.reserved == (AddressRange(start="10.0.0.9", end="10.0.0.9"),)


def test_a_subnet_with_reservations_keeps_the_family(world: World) -> None:
    world.create(reservation(count=2))
    world.refuse_in_use(Remove(key=(Kind.SUBNET, "app")), "name", "addressReservations/k1")
    six = overlay(ipv6=ipv6("fd00::/64", "fd00::1"))
    world.refuse_in_use(Replace(intent=six), "ipv4", "addressReservations/k1")
    world.replace(overlay(ipv4=ipv4("10.0.0.0/28", "10.0.0.1")))


def test_the_plan_of_a_subnet_is_made_when_a_reservation_changes_and_not_for_each_nic(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    make = ipam.make_plan

    def counted(*args: Any) -> ipam.Plan:
        made.append(1)
        return make(*args)

    monkeypatch.setattr(ipam, "make_plan", counted)
    world.create(reservation("k6", ip_version=6, count=5))
    for i in range(5):
        world.create(nic(f"n{i}"))
    before = len(made)
    world.create(nic("n5"))
    assert len(made) == before
    world.create(reservation(count=1))
    world.create(nic("n6"))
    assert len(made) == before + 1
