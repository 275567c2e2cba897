"""Routing policies as the API describes them."""

from __future__ import annotations

import pytest

from netctl.model.keys import NicId
from netctl.model.routing_policy import Endpoint, Fallback, PortRange, Protocol
from tests.oracle.words import Delivered, Dropped, Packet, SentOut
from tests.unit.oracle.town import FAR, floating, oracle, policy, route, sent

DEFAULT = route("default", "red", "0.0.0.0/0", "wan")
DROPPED = {Dropped()}
A, B, WORLD = Endpoint(cidr="10.0.0.0/24"), Endpoint(cidr="10.0.1.0/24"), Endpoint(external=True)
TO_B = {Delivered("b1", "10.0.0.5", "10.0.1.5")}
TO_A = {Delivered("a1", "10.0.1.5", "10.0.0.5")}
OUT = {SentOut("wan", "203.0.113.1", "203.0.113.10", FAR)}


def test_the_highest_priority_decides() -> None:
    deny, permit = policy("deny", 100, "deny", source=A), policy("permit", 200, "permit", destination=B)
    assert sent(oracle(DEFAULT, deny, permit), "a1", "10.0.1.5") == TO_B
    assert sent(oracle(DEFAULT, deny, permit), "a1", FAR) == DROPPED


def test_one_direction_unless_bidirectional() -> None:
    one, both = (policy("deny", 100, "deny", source=A, destination=B, bidirectional=b) for b in (False, True))
    assert sent(oracle(one), "a1", "10.0.1.5") == DROPPED
    assert sent(oracle(one), "b1", "10.0.0.5") == TO_A
    assert sent(oracle(both), "b1", "10.0.0.5") == DROPPED


def test_traffic_inside_a_subnet_never_meets_a_policy() -> None:
    assert sent(oracle(policy("deny", 100, "deny")), "a1", "10.0.0.9") == {
        Delivered("fw", "10.0.0.5", "10.0.0.9")
    }


def test_external_is_what_is_beyond_the_connections() -> None:
    to_world = oracle(DEFAULT, policy("deny", 100, "deny", destination=WORLD))
    assert sent(to_world, "a1", FAR) == DROPPED
    assert sent(to_world, "a1", "10.0.1.5") == TO_B
    from_world = oracle(
        DEFAULT, policy("deny", 100, "deny", source=WORLD), floating("f", "203.0.113.50", nic=NicId("a1"))
    )
    assert from_world.from_outside("wan", "203.0.113.50", Packet(FAR, "203.0.113.50")) == DROPPED
    assert sent(from_world, "b1", FAR) == OUT


@pytest.mark.parametrize(("port", "denied"), [(79, False), (80, True), (85, True), (86, False), (443, True)])
def test_ports_are_ranges_with_both_ends(port: int, denied: bool) -> None:
    ranges = (PortRange(first=80, last=85), PortRange(first=443, last=443))
    world = oracle(policy("deny", 100, "deny", protocol=Protocol.TCP, destination_ports=ranges))
    fates: set[object] = set(DROPPED if denied else TO_B)
    assert sent(world, "a1", "10.0.1.5", "tcp", 4000, port) == fates
    assert sent(world, "a1", "10.0.1.5", "udp", 4000, port) == TO_B
    assert sent(world, "a1", "10.0.1.5", "tcp", port, 4000) == TO_B


def test_the_way_back_has_its_ports_exchanged_too() -> None:
    ports = (PortRange(first=80, last=80),)
    world = oracle(
        policy(
            "deny",
            100,
            "deny",
            source=A,
            destination=B,
            protocol=Protocol.TCP,
            destination_ports=ports,
            bidirectional=True,
        )
    )
    assert sent(world, "b1", "10.0.0.5", "tcp", 80, 4000) == DROPPED
    assert sent(world, "b1", "10.0.0.5", "tcp", 4000, 80) == TO_A


@pytest.mark.parametrize(("protocol", "number"), [(Protocol.ICMP, 0), (Protocol.NUMBER, 1)])
def test_protocols(protocol: Protocol, number: int) -> None:
    world = oracle(policy("deny", 100, "deny", protocol=protocol, protocol_number=number))
    assert sent(world, "a1", "10.0.1.5") == DROPPED
    assert sent(world, "a1", "10.0.1.5", "udp", 1, 2) == TO_B


def test_rerouted_traffic_arrives_at_the_service_as_it_was_and_passes_when_it_comes_back() -> None:
    world = oracle(DEFAULT, policy("inspect", 100, "reroute", service_ips=("10.0.0.9",)))
    assert sent(world, "b1", FAR) == {Delivered("fw", "10.0.1.5", FAR)}
    assert world.from_nic("fw", Packet("10.0.1.5", FAR)) == OUT


def test_the_second_service_has_the_way_back() -> None:
    other = policy(
        "inspect",
        100,
        "reroute",
        source=A,
        destination=B,
        bidirectional=True,
        service_ips=("10.0.2.7", "10.0.0.9"),
    )
    assert sent(oracle(other), "b1", "10.0.0.5") == {Delivered("fw", "10.0.1.5", "10.0.0.5")}


@pytest.mark.parametrize(
    ("fallback", "fates"),
    [(Fallback.PASSTHROUGH, DROPPED), (Fallback.ALLOW, OUT), (Fallback.DROP, DROPPED)],
)
def test_while_the_service_does_not_work_the_fallback_decides(fallback: Fallback, fates: set[object]) -> None:
    inspect = policy("inspect", 100, "reroute", service_ips=("10.0.0.9",), fallback=fallback)
    below = policy("deny", 50, "deny", source=B, destination=WORLD)
    world = oracle(DEFAULT, inspect, below, dead=(("red", "10.0.0.9"),))
    assert sent(world, "b1", FAR) == fates


def test_passing_through_goes_on_with_the_lower_policies() -> None:
    inspect = policy("inspect", 100, "reroute", service_ips=("10.0.0.9",))
    world = oracle(DEFAULT, inspect, dead=(("red", "10.0.0.9"),))
    assert sent(world, "b1", FAR) == OUT


def test_policies_see_private_addresses() -> None:
    fip = floating("f", "203.0.113.50", nic=NicId("a1"))
    world = oracle(DEFAULT, fip, policy("deny", 100, "deny", source=WORLD, destination=A))
    assert world.from_outside("wan", "203.0.113.50", Packet(FAR, "203.0.113.50")) == DROPPED
    world = oracle(DEFAULT, fip, policy("deny", 100, "deny", source=A, destination=WORLD))
    assert sent(world, "a1", FAR) == DROPPED


def test_half_a_service_is_none() -> None:
    inspect = policy(
        "inspect",
        100,
        "reroute",
        source=B,
        destination=A,
        bidirectional=True,
        service_ips=("10.0.2.7", "10.0.0.9"),
        fallback=Fallback.DROP,
    )
    world = oracle(inspect, dead=(("red", "10.0.0.9"),))
    assert sent(world, "b1", "10.0.0.5") == DROPPED


def test_what_nobody_waits_for_at_a_translated_address_goes_nowhere_but_to_a_service() -> None:
    stray = Packet(FAR, "203.0.113.10", "udp", 4000, 53)
    assert oracle().from_outside("wan", "203.0.113.10", stray) == DROPPED
    inspect = policy("inspect", 100, "reroute", source=WORLD, service_ips=("10.0.0.9",))
    assert oracle(inspect).from_outside("wan", "203.0.113.10", stray) == {
        Delivered("fw", FAR, "203.0.113.10")
    }
    routed = Packet(FAR, "198.51.100.10", "udp", 4000, 53)
    assert oracle(inspect).from_outside("lan", "198.51.100.10", routed) == DROPPED
