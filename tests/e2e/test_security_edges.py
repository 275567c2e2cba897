"""Where policies end, by packets: routers, the world outside, other realms, errors, fragments, addresses once used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from netctl.lab import namespaces
from netctl.loop import wait_until
from netctl.v1 import security_pb2, vpc_pb2
from tests.e2e import forged, talk, vpcs
from tests.e2e.raw import frame_socket, tapped
from tests.e2e.security import ICMP, IN, OUT, Ask, asks, id_of, rule, tcp, udp
from tests.e2e.stations import Station, heard
from tests.e2e.talk import End
from tests.e2e.vpcs import INTERNET, NAT
from tests.e2e.wards import DB, WEB, Ward, arriving, emptied_after, newcomer
from tests.lossmeter.frames import Address

WEBS, REST = ("web1", "web2"), ("rest1", "rest2")
NEIGHBOUR = "10.40.0.250"  # a machine on the VLAN that is no NIC of ours


def to_webs(*services: str) -> list[Ask]:
    """Return questions of those outside to web."""
    return asks([(source, target) for source in REST for target in WEBS], *services)


def test_errors_about_what_is_allowed_come_back(ward: Ward) -> None:
    """ICMP that belongs to a connection needs no rule, also where nothing may leave."""
    ward.put(ward.policy("application", "shut", [WEB], rule("dns", IN, udp(53))))
    ward.guests.check(to_webs("udp/53"), to_webs("tcp/80"))
    wait_until(
        lambda: all(any(map(forged.is_refusal, waiting(ward, name))) for name in REST),
        timeout_s=5,
        what="nobody listens there: told so",
    )


def test_fragments_pass_by_rules_that_need_no_head(ward: Ward) -> None:
    """In the userspace datapath: tails have no ports, IPv6's no protocol; the kernel's puts them together first."""
    rules = {4: rule("ping", IN, ICMP), 6: rule("any", IN, ip_version=6)}
    shut = rule("http", IN, tcp(80))

    def passes() -> dict[int, list[bool]]:
        names = [id_of(ward.guests.nics[name]) for name in ("rest1", "app1")]
        targets = {version: ward.guests.address("web2", version) for version in (4, 6)}
        return {
            version: [vpcs.ping(ward.here, name, target, "-s", "4000", "-W", "0.4") for name in names]
            for version, target in targets.items()
        }

    ward.put(ward.policy("application", "shut", [WEB], *rules.values()))
    assert passes() == {4: [True, True], 6: [True, True]}
    ward.put(ward.policy("application", "shut", [WEB], shut))
    assert passes() == {4: [False, False], 6: [False, False]}


def waiting(ward: Ward, name: str) -> list[bytes]:
    """Return what has come to a guest since the last questions."""
    ward.guests.arrived()
    return ward.guests.got[name]


def test_a_router_answers_those_who_may_ask_it(both_wards: dict[str, Ward]) -> None:
    with emptied_after(both_wards["vpc"]) as ward:
        router, names = "10.41.1.1", [id_of(ward.guests.nics[name]) for name in ("web1", "rest1")]
        assert [vpcs.ping(ward.here, name, router) for name in names] == [True, True]
        ward.put(ward.policy("application", "shut", [WEB], rule("dns", OUT, udp(53))))
        assert [vpcs.ping(ward.here, name, router) for name in names] == [False, True]
        ward.put(ward.policy("application", "shut", [WEB], rule("ping", OUT, ICMP)))
        assert [vpcs.ping(ward.here, name, router) for name in names] == [True, True]


def test_isolated_guests_do_not_meet_by_their_link_local_addresses(both_wards: dict[str, Ward]) -> None:
    with emptied_after(both_wards["vlan"]) as ward:
        ward.put(ward.policy("isolation", "apart", [WEB, DB]))
        one, peers = Station(nic=ward.guests.nics["web1"]), ("db1", "db2", "web2", "rest1", "rest2")
        for name in peers:
            other = Station(nic=ward.guests.nics[name])
            frames = {"it": forged.udp(one.local, other.local, (5000, 5001))}
            assert heard(ward.here, one, other, frames) == (set() if name.startswith("db") else {"it"}), name


@pytest.mark.parametrize("scope", ["vlan", "vpc"])
def test_a_policy_says_nothing_outside_its_scope(both_wards: dict[str, Ward], scope: str) -> None:
    other = "vpc" if scope == "vlan" else "vlan"
    with emptied_after(both_wards[scope]) as ward, emptied_after(both_wards[other]) as spared:
        ward.put(ward.policy("quarantine", "here", [WEB]))
        ward.guests.check([], to_webs("icmp", "tcp/80"))
        spared.guests.check(to_webs("icmp", "tcp/80"), [])


def test_a_machine_on_the_vlan_that_is_no_guest_is_a_peer_by_its_address(both_wards: dict[str, Ward]) -> None:
    machine = Address("02:00:00:00:02:50", NEIGHBOUR)
    with emptied_after(both_wards["vlan"]) as ward:
        web, rest = Station(nic=ward.guests.nics["web1"]).four, Station(nic=ward.guests.nics["rest1"]).four
        comes = {port: forged.tagged(forged.udp(machine, web, (5000, port)), 40) for port in (80, 443)}
        comes[0] = forged.tagged(forged.udp(machine, rest, (5000, 80)), 40)
        leaves = {port: forged.udp(web, machine, (5000, port)) for port in (80, 8080)}
        leaves[0] = forged.udp(rest, machine, (5000, 80))

        def passing() -> tuple[set[int], set[int]]:
            return arriving_from_outside(ward, comes), leaving(ward, leaves)

        assert passing() == ({80, 443, 0}, {80, 8080, 0})
        ward.put(ward.policy("application", "shop", [WEB], rule("http", IN, udp(443), peers=[DB])))
        assert passing() == ({0}, {0})
        group = security_pb2.AddressGroup(name="addressGroups/outside", addresses=[NEIGHBOUR])
        http, out = (
            rule("http", IN, udp(443), peers=[group.name, DB]),
            rule("out", OUT, udp(8080), peers=[group.name]),
        )
        ward.put(group, ward.policy("application", "shop", [WEB], http, out))
        assert passing() == ({443, 0}, {8080, 0})


def arriving_from_outside(ward: Ward, frames: dict[int, bytes]) -> set[int]:
    """Send frames from the physical VLAN, the last to somebody who gets it; return which arrived."""
    with ExitStack() as stack:
        taps = [
            stack.enter_context(tapped(ward.here.namespace(ward.guests.nics[name])))
            for name in ("web1", "rest1")
        ]
        wire = stack.enter_context(frame_socket(upstream(ward), "eth1"))
        for frame in frames.values():
            wire.send(frame)
        wait_until(lambda: taps[1].count(untagged(frames[0])), timeout_s=5, what="the last frame arrives")
        return {name for name, frame in frames.items() if any(tap.count(untagged(frame)) for tap in taps)}


def leaving(ward: Ward, frames: dict[int, bytes]) -> set[int]:
    """Send frames from guests to the physical VLAN, the last from somebody who may; return which are on the wire."""
    with ExitStack() as stack:
        wire = stack.enter_context(tapped(upstream(ward), "eth1"))
        for number, frame in frames.items():
            guest = ward.guests.nics["web1" if number else "rest1"]
            with frame_socket(ward.here.namespace(guest)) as sender:
                sender.send(frame)

        def on_wire() -> set[int]:
            seen = [untagged(frame) for frame in tuple(wire.frames)]
            return {number for number, frame in frames.items() if any(one.startswith(frame) for one in seen)}

        wait_until(lambda: 0 in on_wire(), timeout_s=5, what="the last frame is on the wire")
        return on_wire()


def upstream(ward: Ward) -> str:
    """Return the namespace of the world outside."""
    return namespaces.node_namespace(ward.here.lab.name, "upstream")


def untagged(frame: bytes) -> bytes:
    """Return the frame without its VLAN tag; the kernel may have taken it off already."""
    return frame[:12] + frame[16:] if frame[12:14] == b"\x81\x00" else frame


def test_the_internet_is_a_peer_by_its_address_through_a_floating_ip(both_wards: dict[str, Ward]) -> None:
    """Peers are who is seen at the guest: the address of the machine outside, whatever the guest is called there."""
    with emptied_after(both_wards["vpc"]) as ward, newcomer_outside(ward) as (guest, public):
        internet = vpcs.upstream(ward.here, INTERNET)
        talk.wait_tcp(internet, guest, public, 80)
        assert talk.tcp(guest, internet, INTERNET, 80) == public
        ward.put(ward.policy("application", "shop", [WEB], rule("http", IN, tcp(80), peers=[DB])))
        assert not talk.tcp(internet, guest, public, 80, timeout_s=0.4)
        assert not talk.tcp(guest, internet, INTERNET, 80, timeout_s=0.4)
        group = security_pb2.AddressGroup(name="addressGroups/internet", addresses=["203.0.113.0/24"])
        rules = [rule("http", IN, tcp(80), peers=[group.name]), rule("out", OUT, tcp(80), peers=[group.name])]
        ward.put(group, ward.policy("application", "shop", [WEB], *rules))
        assert talk.tcp(internet, guest, public, 80) == INTERNET
        assert talk.tcp(guest, internet, INTERNET, 80) == public
        assert not talk.tcp(internet, guest, public, 443, timeout_s=0.4)


@contextmanager
def newcomer_outside(ward: Ward) -> Iterator[tuple[End, str]]:
    """Have a guest of category web in a VPC with a way out and a floating IP, during a block."""
    here = ward.here
    here.apply(
        vpcs.vpc("out", vpcs.connection(NAT)),
        vpcs.overlay("out", "out", "10.48.0.0/24"),
        vpcs.default_route("out", NAT),
    )
    wanted = vpcs.nic("out", "out", "h2")
    wanted.categories.append(WEB)
    try:
        nic = here.add_leased(wanted)
        floating = vpc_pb2.FloatingIp(name="floatingIps/out", external_subnet=NAT.name, nic=nic.name)
        [stored] = here.apply(floating)
        here.settle_datapaths()
        yield vpcs.guest(here, nic), stored.floating_ip.address
    finally:
        here.remove("floatingIps/out")
        here.discard(nic)
        here.remove("routes/out-out4", "subnets/out", "vpcs/out")


def test_an_address_that_is_given_again_is_nobody_at_first(ward: Ward) -> None:
    """A database leaves; who gets its addresses is not let in by them."""
    ward.put(ward.policy("application", "shop", [WEB], rule("dns", IN, udp(53), peers=[DB])))
    subnet, questions = (
        ward.guests.nics["web1"].subnet,
        asks([("again", name) for name in WEBS], "udp/53", versions=(4,)),
    )
    with newcomer(ward, "again", subnet, DB) as nic, arriving(ward, "again", "h1"):
        address = nic.ipv4_address
        ward.here.wait_status(nic.name, "")
        ward.here.settle_datapaths()
        ward.guests.check(questions, asks([("rest1", "web1")], "udp/53"))
    with newcomer(ward, "again", subnet, address=address) as nic, arriving(ward, "again", "h1"):
        ward.here.wait_status(nic.name, "")
        ward.here.settle_datapaths()
        ward.guests.check(asks([("again", "rest1")], "udp/53"), questions)
