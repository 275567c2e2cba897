"""The oracle says what the documents say: one sentence of docs/design/vpc.md or of the API's comments for each test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.model.keys import NicId, VpcId
from tests.oracle.words import Answered, Delivered, Dropped, Packet, SentOut
from tests.unit.oracle.town import FAR, floating, guest, oracle, route, sent

DEFAULT = route("default", "red", "0.0.0.0/0", "wan")
BLUE_DEFAULT = route("blue-default", "blue", "0.0.0.0/0", "wan")
DROPPED = {Dropped()}


def test_neighbours_talk_without_the_router() -> None:
    assert sent(oracle(), "a1", "10.0.0.9") == {Delivered("fw", "10.0.0.5", "10.0.0.9")}


def test_subnets_of_one_vpc_are_routed_and_others_are_not_there() -> None:
    assert sent(oracle(), "a1", "10.0.1.5") == {Delivered("b1", "10.0.0.5", "10.0.1.5")}
    assert sent(oracle(), "c1", "10.0.1.5") == DROPPED


def test_the_same_address_in_two_vpcs_is_two_guests() -> None:
    assert sent(oracle(), "b1", "10.0.0.5") == {Delivered("a1", "10.0.1.5", "10.0.0.5")}


def test_nobody_has_an_address_that_no_nic_has() -> None:
    assert sent(oracle(), "a1", "10.0.1.99") == DROPPED
    assert sent(oracle(), "a1", "10.0.0.99") == DROPPED


def test_routers_answer_pings_at_each_of_their_addresses() -> None:
    for address in ("10.0.0.1", "10.0.1.1", "203.0.113.10", "198.51.100.10"):
        assert sent(oracle(), "a1", address) == {Answered(address)}
    assert sent(oracle(), "a1", "10.0.0.1", "tcp", 1, 22) == DROPPED


def test_without_a_route_there_is_no_way_out() -> None:
    assert sent(oracle(), "a1", FAR) == DROPPED


def test_behind_nat_guests_are_seen_as_the_routers_address() -> None:
    assert sent(oracle(DEFAULT), "a1", FAR) == {SentOut("wan", "203.0.113.1", "203.0.113.10", FAR)}
    assert sent(oracle(DEFAULT), "a1", "203.0.113.250") == {
        SentOut("wan", "203.0.113.250", "203.0.113.10", "203.0.113.250")
    }


def test_a_routed_external_subnet_translates_nothing() -> None:
    routed = route("default", "red", "0.0.0.0/0", "lan")
    assert sent(oracle(routed), "a1", FAR) == {SentOut("lan", "198.51.100.1", "10.0.0.5", FAR)}


def test_a_floating_ip_stands_for_its_nic_both_ways() -> None:
    world = oracle(DEFAULT, floating("f", "203.0.113.50", nic=NicId("a1")))
    assert sent(world, "a1", FAR) == {SentOut("wan", "203.0.113.1", "203.0.113.50", FAR)}
    assert sent(world, "b1", FAR) == {SentOut("wan", "203.0.113.1", "203.0.113.10", FAR)}
    knock = Packet(FAR, "203.0.113.50", "tcp", 4000, 22)
    assert world.from_outside("wan", "203.0.113.50", knock) == {Delivered("a1", FAR, "10.0.0.5")}


def test_a_floating_ip_of_a_private_address_and_one_of_nobody() -> None:
    one = floating("f", "203.0.113.50", vpc=VpcId("red"), private_address="10.0.1.5")
    world = oracle(one, floating("g", "203.0.113.51"))
    knock = Packet(FAR, "203.0.113.50")
    assert world.from_outside("wan", "203.0.113.50", knock) == {Delivered("b1", FAR, "10.0.1.5")}
    assert sent(world, "a1", "203.0.113.51") == {
        SentOut("wan", "203.0.113.51", "203.0.113.10", "203.0.113.51")
    }


def test_a_floating_ip_counts_on_its_own_external_subnet_only() -> None:
    routed = route("default", "red", "0.0.0.0/0", "lan")
    world = oracle(routed, floating("f", "203.0.113.50", nic=NicId("a1")))
    assert sent(world, "a1", FAR) == {SentOut("lan", "198.51.100.1", "10.0.0.5", FAR)}


def test_the_way_to_a_floating_ip_of_the_own_vpc_leads_out_and_in_again() -> None:
    world = oracle(floating("f", "203.0.113.50", nic=NicId("a1")))
    assert sent(world, "b1", "203.0.113.50") == {Delivered("a1", "203.0.113.10", "10.0.0.5")}


def test_floating_ips_join_vpcs_on_one_external_subnet() -> None:
    world = oracle(floating("f", "203.0.113.50", nic=NicId("a1")))
    assert sent(world, "c1", "203.0.113.50") == {Delivered("a1", "203.0.113.11", "10.0.0.5")}


def test_private_addresses_cannot_be_reached_from_outside_a_nat() -> None:
    assert oracle().from_outside("wan", "203.0.113.10", Packet(FAR, "10.0.0.5")) == DROPPED
    leak = route("leak", "blue", "10.0.1.0/24", "203.0.113.10")
    assert sent(oracle(leak), "c1", "10.0.1.5") == DROPPED


def test_a_routed_external_subnet_leads_in() -> None:
    knock = Packet(FAR, "10.0.1.5")
    assert oracle().from_outside("lan", "198.51.100.10", knock) == {Delivered("b1", FAR, "10.0.1.5")}


@pytest.mark.parametrize("dead", [(), (("red", "203.0.113.1"),), (("red", "wan"),)])
def test_the_highest_route_that_works_wins(dead: tuple[tuple[str, str], ...]) -> None:
    world = oracle(DEFAULT, route("second", "red", "0.0.0.0/0", "lan", priority=50), dead=dead)
    wan, lan = (
        SentOut("wan", "203.0.113.1", "203.0.113.10", FAR),
        SentOut("lan", "198.51.100.1", "10.0.0.5", FAR),
    )
    assert sent(world, "a1", FAR) == {lan if dead else wan}


def test_the_longest_prefix_wins_and_of_equal_ones_the_connected() -> None:
    longer = route("longer", "red", "192.0.2.0/24", "198.51.100.7")
    assert sent(oracle(DEFAULT, longer), "a1", FAR) == {SentOut("lan", "198.51.100.7", "10.0.0.5", FAR)}
    shadowed = route("shadowed", "red", "10.0.1.0/24", "lan")
    assert sent(oracle(shadowed), "a1", "10.0.1.5") == {Delivered("b1", "10.0.0.5", "10.0.1.5")}


def test_next_hops_share_the_traffic_and_dead_ones_have_none() -> None:
    both = route("both", "red", "0.0.0.0/0", "lan", "198.51.100.7")
    first, second = (SentOut("lan", f"198.51.100.{n}", "10.0.0.5", FAR) for n in (1, 7))
    assert sent(oracle(both), "a1", FAR) == {first, second}
    assert sent(oracle(both, dead=(("red", "198.51.100.1"),)), "a1", FAR) == {second}


def test_a_guest_can_be_a_next_hop_if_it_may_have_what_is_not_its_own() -> None:
    via = route("via", "red", "172.16.0.0/12", "10.0.0.9")
    assert sent(oracle(via), "b1", "172.16.0.1") == {Delivered("fw", "10.0.1.5", "172.16.0.1")}
    via = route("via", "red", "172.16.0.0/12", "10.0.0.5")
    assert sent(oracle(via), "b1", "172.16.0.1") == DROPPED


def test_port_security_lets_a_guest_send_its_own_alone() -> None:
    foreign = Packet("10.0.0.77", "10.0.1.5")
    assert oracle().from_nic("a1", foreign) == DROPPED
    assert oracle().from_nic("fw", foreign) == {Delivered("b1", "10.0.0.77", "10.0.1.5")}


def test_a_disconnected_nic_neither_sends_nor_gets() -> None:
    off = guest("b2", "b", "10.0.1.6", connected=False)
    assert sent(oracle(off), "b2", "10.0.0.5") == DROPPED
    assert sent(oracle(off), "a1", "10.0.1.6") == DROPPED


def test_a_transit_vpc_is_the_way_out_of_its_spokes() -> None:
    spoke = route("default", "red", "0.0.0.0/0", "core")
    hub = route("hub-default", "hub", "0.0.0.0/0", "wan")
    world = oracle(spoke, hub)
    assert sent(world, "b1", FAR) == {SentOut("wan", "203.0.113.1", "203.0.113.9", FAR)}
    # Not one of red's externally routable prefixes: nobody translates it, nobody could answer.
    assert sent(world, "a1", FAR) == {SentOut("wan", "203.0.113.1", "10.0.0.5", FAR)}


def test_prefixes_of_spokes_are_routed_to_them_by_the_hub_but_not_from_outside_its_nat() -> None:
    world = oracle()
    inner = Packet("100.64.0.77", "10.0.1.5")
    assert world.from_outside("core", "100.64.0.1", inner) == {Delivered("b1", "100.64.0.77", "10.0.1.5")}
    assert world.from_outside("core", "100.64.0.1", replace(inner, destination="10.0.0.5")) == DROPPED
    assert world.from_outside("wan", "203.0.113.9", replace(inner, source=FAR)) == DROPPED


def test_a_loop_ends() -> None:
    spoke = route("default", "red", "10.0.1.128/25", "core")
    assert sent(oracle(spoke), "a1", "10.0.1.200") == DROPPED
