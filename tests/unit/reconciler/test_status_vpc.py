"""status of what is routed: each reason, exactly when it applies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.compiler.observed import Observed
from netctl.model.intent import Intent
from netctl.model.keys import AddressReservationId, HostId, Kind, SubnetId, VpcId
from netctl.model.reservation import AddressReservation
from netctl.model.routing_policy import Fallback, PolicyAction
from netctl.model.status import HostReport, Phase, Status, TunnelReport
from netctl.model.subnet import Ipv6Mode
from netctl.reconciler.poison import Poison
from netctl.reconciler.reports import Heard
from netctl.reconciler.status import World, status_of
from tests.intents import infra, meta, snapshot
from tests.vpcs import connection, external, floating, guest, policy, route, routed, vpc

PENDING, FAILED, PROGRAMMED = Phase.PENDING, Phase.FAILED, Phase.PROGRAMMED
INTENTS: tuple[Intent, ...] = (
    vpc("blue", connection()),
    external(),
    routed("web", ipv6="fd00:1::/64"),
    guest("g1"),
    floating(nic="g1"),
    floating("bare", address="203.0.100.51"),
    floating("central", address="203.0.100.52", private="10.0.1.77"),
    route(),
    route("spare", "0.0.0.0/0", "10.0.1.5", priority=10),
    policy("steer", PolicyAction.REROUTE, service_ips=("10.0.1.5",), fallback=Fallback.DROP),
    AddressReservation(id=AddressReservationId("kept"), meta=meta("kept"), subnet=SubnetId("web"), count=1),
)


def hears(name: str, *, other: str, up: bool, connected: bool = True) -> tuple[str, Heard]:
    tunnel = TunnelReport(
        remote_ip={"h1": "192.0.2.1", "h2": "192.0.2.2"}[other], up=True, bfd=True, bfd_up=up
    )
    return name, Heard(HostReport(host=HostId(name), tunnels=(tunnel,)), connected)


def world(*said: tuple[str, Heard], dead: tuple[str, ...] = (), **change: object) -> World:
    heard = dict(said)
    base = World(
        northbound_revision=9,
        required_cfg=lambda revision: 7,
        sb_cfg=7,
        heard=lambda name: heard.get(name, Heard(None, False)),
        observed=Observed(dead=frozenset((VpcId("blue"), what) for what in dead)),
    )
    return replace(base, **change)  # type: ignore[arg-type]


def status(of: World, kind: Kind, name: str, *intents: Intent) -> Status:
    found = status_of((kind, name), snapshot([*infra(), *(intents or INTENTS)]), of)
    assert found is not None
    assert bool(found.message) == bool(found.reason)
    return found


def verdict(of: World, kind: Kind, name: str, *intents: Intent) -> tuple[Phase, str]:
    found = status(of, kind, name, *intents)
    return found.phase, found.reason


ALL = [
    (Kind.VPC, "blue"),
    (Kind.SUBNET, "web"),
    (Kind.FLOATING_IP, "fip"),
    (Kind.ROUTE, "default"),
    (Kind.ROUTING_POLICY, "steer"),
]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_everything_waits_for_northd_and_says_when_ovn_refuses_it(kind: Kind, name: str) -> None:
    assert verdict(world(), kind, name) == (PROGRAMMED, "")
    assert verdict(world(sb_cfg=6), kind, name) == (PENDING, "WAITING_FOR_NORTHD")
    assert verdict(world(northbound_revision=0), kind, name) == (PENDING, "WAITING_FOR_NORTHBOUND")
    poison = {(kind, name): Poison(revision=1, message="constraint violation")}
    assert verdict(world(poison=poison), kind, name) == (FAILED, "REJECTED_BY_OVN")


def test_a_reservation_is_nobodys_business_but_admissions() -> None:
    assert verdict(world(northbound_revision=0), Kind.ADDRESS_RESERVATION, "kept") == (PROGRAMMED, "")


def test_a_vpc_without_a_gateway_names_the_hosts() -> None:
    found = status(world(dead=("ext",)), Kind.VPC, "blue")
    assert (found.phase, found.reason) == (FAILED, "NO_GATEWAY")
    assert "h1, h2" in found.message


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((False, True), (False, True), (FAILED, "GATEWAYS_SPLIT")),
        ((True, True), (False, True), (PROGRAMMED, "")),
        ((False, True), (True, True), (PROGRAMMED, "")),
        ((False, True), (False, False), (PROGRAMMED, "")),
    ],
    ids=["both deaf", "one hears", "the other hears", "one is gone"],
)
def test_two_gateways_that_do_not_hear_each_other_are_split(
    first: tuple[bool, bool], second: tuple[bool, bool], expected: tuple[Phase, str]
) -> None:
    of = world(
        hears("h1", other="h2", up=first[0], connected=first[1]),
        hears("h2", other="h1", up=second[0], connected=second[1]),
    )
    assert verdict(of, Kind.VPC, "blue") == expected


def test_gateways_that_bfd_does_not_watch_are_not_split() -> None:
    quiet = Heard(
        HostReport(host=HostId("h1"), tunnels=(TunnelReport(remote_ip="192.0.2.2", up=True),)), True
    )
    assert verdict(world(("h1", quiet), ("h2", quiet)), Kind.VPC, "blue") == (PROGRAMMED, "")


def test_a_floating_ip_of_nothing_is_not_associated() -> None:
    assert verdict(world(), Kind.FLOATING_IP, "bare") == (PENDING, "NOT_ASSOCIATED")


def test_only_a_floating_ip_at_the_gateway_needs_one() -> None:
    of = world(dead=("ext",))
    assert verdict(of, Kind.FLOATING_IP, "central") == (FAILED, "NO_GATEWAY")
    assert verdict(of, Kind.FLOATING_IP, "fip") == (PROGRAMMED, "")


@pytest.mark.parametrize(
    ("dead", "default", "spare"),
    [
        ((), (PROGRAMMED, ""), (PROGRAMMED, "NOT_USED")),
        (("ext",), (FAILED, "NEXT_HOP_DEAD"), (PROGRAMMED, "")),
        (("10.0.1.5",), (PROGRAMMED, ""), (FAILED, "NEXT_HOP_DEAD")),
        (("ext", "10.0.1.5"), (FAILED, "NEXT_HOP_DEAD"), (FAILED, "NEXT_HOP_DEAD")),
    ],
)
def test_of_two_routes_one_is_used(
    dead: tuple[str, ...], default: tuple[Phase, str], spare: tuple[Phase, str]
) -> None:
    of = world(dead=dead)
    assert verdict(of, Kind.ROUTE, "default") == default
    assert verdict(of, Kind.ROUTE, "spare") == spare


def test_a_route_that_is_not_used_says_which_is() -> None:
    assert "routes/default is used instead with priority 100" in status(world(), Kind.ROUTE, "spare").message


def test_a_route_with_one_of_two_next_hops_is_used() -> None:
    both = route("both", "192.168.0.0/16", "ext", "10.0.1.5")
    found = status(world(dead=("10.0.1.5",)), Kind.ROUTE, "both", *INTENTS, both)
    assert (found.phase, found.reason) == (PROGRAMMED, "NEXT_HOP_DEAD")
    assert "10.0.1.5" in found.message


def test_a_policy_whose_service_is_dead_says_what_happens_instead() -> None:
    found = status(world(dead=("10.0.1.5",)), Kind.ROUTING_POLICY, "steer")
    assert (found.phase, found.reason) == (FAILED, "FALLBACK")
    assert "10.0.1.5" in found.message
    assert "dropped" in found.message


@pytest.mark.parametrize("mode", [Ipv6Mode.DHCPV6_STATEFUL, Ipv6Mode.DHCPV6_STATELESS])
def test_dhcpv6_on_an_unsafe_ovn_names_the_releases_that_are_safe(mode: Ipv6Mode) -> None:
    asking = replace(routed("web", ipv6="fd00:1::/64"), ipv6_mode=mode)
    found = status(world(), Kind.SUBNET, "web", vpc("blue"), asking)
    assert (found.phase, found.reason) == (FAILED, "UNSUPPORTED")
    assert "24.03.8" in found.message
    assert "--trust-dhcpv6" in found.message
    safe = world(observed=Observed(dhcpv6=True))
    assert verdict(safe, Kind.SUBNET, "web", vpc("blue"), asking) == (PROGRAMMED, "")
