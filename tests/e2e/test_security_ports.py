"""Whom a security policy is about, by packets: by subnet, VPC and VLAN; who is new, moves, or chose its address."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

import pytest

from netctl.loop import wait_until
from netctl.v1 import network_pb2, vpc_pb2
from tests.e2e import forged, raw, security, vpcs
from tests.e2e.figures import note
from tests.e2e.security import IN, LISTED, OUT, Ask, Guests, Stream, asks, rule, streaming, tcp, udp
from tests.e2e.site import DEADLINE_S, Site
from tests.e2e.stations import beside
from tests.e2e.vpcs import Nic
from tests.e2e.wards import DB, WEB, Ward, arriving, emptied_after, newcomer
from tests.lossmeter.frames import Address

WEBS, APPS, REST = ("web1", "web2"), ("app1", "app2"), ("rest1", "rest2")
HTTP_ALONE = rule("http", IN, tcp(80))


def to(targets: tuple[str, ...], *services: str, source: tuple[str, ...] = REST) -> list[Ask]:
    """Return questions of those outside, or others, to these."""
    return asks([(one, target) for one in source for target in targets], *services)


def wear(here: Site, name: str, *categories: str) -> None:
    """Give a subnet or a VPC these categories and no others; return when every host has it."""
    if name.startswith("subnets/"):
        subnet = network_pb2.UpdateSubnetRequest(subnet=network_pb2.Subnet(name=name, categories=categories))
        subnet.update_mask.paths.append("categories")
        here.subnets.UpdateSubnet(subnet, timeout=DEADLINE_S)
    else:
        vpc = vpc_pb2.UpdateVpcRequest(vpc=vpc_pb2.Vpc(name=name, categories=categories))
        vpc.update_mask.paths.append("categories")
        here.vpcs.UpdateVpc(vpc, timeout=DEADLINE_S)
    here.settle_datapaths()


@pytest.fixture
def vpc_ward(both_wards: dict[str, Ward]) -> Iterator[Ward]:
    """The ward in a VPC alone."""
    with emptied_after(both_wards["vpc"]) as used:
        yield used


@pytest.fixture
def vlan_ward(both_wards: dict[str, Ward]) -> Iterator[Ward]:
    """The ward on a VLAN alone."""
    with emptied_after(both_wards["vlan"]) as used:
        yield used


@pytest.fixture
def twins(vpc_ward: Ward) -> Iterator[Guests]:
    """Guests of a VPC with the ward's networks: what is the address of rest1 there is a database's here."""
    there, here = vpc_ward.guests, vpc_ward.here
    here.apply(vpcs.vpc("twin"))
    here.apply(vpcs.overlay("twin", "twin", "10.41.1.0/24", "fd42:41:1::/64"))
    wanted = {
        "web": vpcs.nic("twin-web", "twin", "h1"),
        "db": vpcs.nic("twin-db", "twin", "h2", there.address("rest1")),
        "rest": vpcs.nic("twin-rest", "twin", "h1"),
    }
    wanted["web"].categories.append(WEB)
    wanted["db"].categories.append(DB)
    nics = {name: here.create_nic(nic) for name, nic in wanted.items()}
    try:
        security.plug(here, nics.values())
        here.wait_programmed(*(nic.name for nic in nics.values()))
        here.settle_datapaths()
        bystanders = {name: there.nics[name] for name in there.bystanders}
        with security.wired(here, nics | bystanders, there.bystanders) as guests:
            here.wait_ping(nics["rest"], nics["db"].ipv4_address)
            yield guests
    finally:
        here.discard(*nics.values())
        here.remove("subnets/twin", "vpcs/twin")


def test_dhcp_works_in_quarantine(ward: Ward) -> None:
    """The subnet's own; nothing else does."""
    ward.put(ward.policy("quarantine", "strict", [WEB]))
    ward.guests.check(asks([REST], "icmp"), to(WEBS, "icmp") + asks([WEBS, WEBS[::-1]], "icmp"))
    for name in WEBS:
        nic = ward.guests.nics[name]
        assert ward.here.lease(nic).address.startswith(f"{nic.ipv4_address}/")


def test_a_nic_that_comes_into_a_secured_group_is_never_open_nor_when_it_moves(ward: Ward) -> None:
    """It is asked all the time while it is plugged, and gets what is allowed alone, from its first packet on."""
    ward.put(ward.policy("application", "shop", [WEB], HTTP_ALONE))
    questions = to(("new",), "tcp/80", "tcp/443", "udp/53")
    allowed = [ask for ask in questions if ask.service == "tcp/80"]
    denied = [ask for ask in questions if ask not in allowed]
    with newcomer(ward, "new", ward.guests.nics["web1"].subnet, WEB):
        for host in ("h1", "h2"):
            with streaming(ward.guests, questions) as stream, arriving(ward, "new", host):
                for ask in allowed:
                    wait_until(partial(passes, stream, ask), timeout_s=15, what=f"{ask} passes")
                judged = [stream.passed(ask) for ask in denied]
            assert sum(came for _, came in judged) == 0
            note("a NIC comes into a secured group", f"0 of {sum(sent for sent, _ in judged)} leaked")


def passes(stream: Stream, ask: Ask) -> bool:
    """Has this question been heard often?"""
    return stream.passed(ask)[1] >= 20


def test_an_address_that_a_guest_chose_itself_is_covered(ward: Ward) -> None:
    """Where port security is off: its host learns it, and as a peer it is known by it."""
    ward.put(ward.policy("application", "shop", [WEB], rule("dns", IN, udp(53), peers=[DB])))
    own = ward.guests.nics["web1"]
    questions = to(WEBS, "udp/53", source=("chooser",))
    with (
        newcomer(ward, "chooser", own.subnet, DB, port_security=False) as nic,
        arriving(ward, "chooser", "h2"),
    ):
        ward.here.wait_status(nic.name, "")
        ward.here.settle_datapaths()
        ward.guests.check(questions, to(WEBS, "udp/53"))
        choose(ward, nic)
        wait_until(
            lambda: ward.guests.passing(questions) == set(questions),
            timeout_s=15,
            what="addresses are learned",
        )
        ward.guests.check(questions, to(WEBS, "udp/53") + to(WEBS, "tcp/80", source=("chooser",)))


def choose(ward: Ward, nic: Nic) -> None:
    """Let a guest take addresses of its own choice, and tell its neighbours as guests do."""
    nic.ipv4_address, nic.ipv6_address = beside(nic.ipv4_address, 222), beside(nic.ipv6_address, 0x222)
    own, own6 = (Address(nic.mac_address, address) for address in (nic.ipv4_address, nic.ipv6_address))
    namespace = ward.here.namespace(nic)
    raw.send_frame(namespace, forged.arp_request(nic.mac_address, own, beside(own.ip, 223)))
    raw.send_frame(namespace, forged.advertisement(own6, forged.ALL_NODES, own6.ip, own6.mac))


def test_categories_of_a_subnet(vpc_ward: Ward) -> None:
    """App and db are in a subnet of their own."""
    ward = vpc_ward
    ward.put(security.category("zone"), ward.policy("quarantine", "zone", ["categories/zone"]))
    open_to_all = asks([APPS], "icmp") + to(APPS, "icmp")
    ward.guests.check(open_to_all, [])
    wear(ward.here, "subnets/ward-two", "categories/zone")
    try:
        ward.guests.check(asks([REST], "icmp"), open_to_all)
    finally:
        wear(ward.here, "subnets/ward-two")
    ward.guests.check(open_to_all, [])


def test_categories_of_a_vpc_and_the_scope_of_a_policy(vpc_ward: Ward, twins: Guests) -> None:
    """A policy for one VPC of two; then for all, and the category is the VPC's."""
    ward, everything = vpc_ward, asks(itertools.permutations(("web", "db", "rest"), 2), "icmp")
    listed = {"scope": LISTED, "vpcs": ["vpcs/twin"]}
    ward.put(security.category("zone"), ward.policy("quarantine", "web", [WEB], **listed))
    ward.guests.check(to(WEBS, "icmp"), [])
    ending = [ask for ask in everything if "web" not in (ask.source, ask.destination)]
    twins.check(ending, [ask for ask in everything if ask not in ending])
    ward.drop("securityPolicies/web")
    ward.put(ward.policy("quarantine", "zone", ["categories/zone"]))
    twins.check(everything, [])
    wear(ward.here, "vpcs/twin", "categories/zone")
    try:
        twins.check([], everything)
        ward.guests.check(to(WEBS, "icmp"), [])
    finally:
        wear(ward.here, "vpcs/twin")
    twins.check(everything, [])


def test_a_peer_of_one_vpc_is_none_in_another_with_the_same_addresses(vpc_ward: Ward, twins: Guests) -> None:
    """Databases may ask web: rest1 has the IPv4 address of the other VPC's database."""
    vpc_ward.put(vpc_ward.policy("application", "shop", [WEB], rule("dns", IN, udp(53), peers=[DB])))
    assert twins.address("db") == vpc_ward.guests.address("rest1")
    twins.check(asks([("db", "web")], "udp/53"), asks([("rest", "web")], "udp/53"))
    vpc_ward.guests.check(to(WEBS, "udp/53", source=("db1", "db2")), to(WEBS, "udp/53"))


def test_each_vlan_of_a_trunk_is_a_port_of_its_subnet(vlan_ward: Ward) -> None:
    """The guest's tag 40 is the ward's subnet: what is allowed to web reaches it there; what web may send leaves."""
    ward, here = vlan_ward, vlan_ward.here
    ward.put(ward.policy("application", "shop", [WEB], HTTP_ALONE, rule("dns", OUT, udp(53))))
    native = network_pb2.Subnet(
        name="subnets/native",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=["virtualSwitches/vs0"],
        vlan_id=44,
    )
    here.apply(native)
    wanted = vpcs.nic("trunk", "native", "h1")
    wanted.mode = network_pb2.NIC_MODE_TRUNK
    wanted.categories.append(WEB)
    wanted.trunk_vlans.add(vlan_id=40)
    nic = here.create_nic(wanted)
    try:
        here.plug(nic, address=False)
        here.lab.add_guest_vlans("trunk", (40,))
        here.wait_status(nic.name, "")
        here.settle_datapaths()
        [child] = nic.trunk_vlans
        nic.ipv4_address, nic.ipv6_address, nic.subnet = child.ipv4_address, child.ipv6_address, child.subnet
        ward.guests.nics["trunk"] = nic
        with ward.guests.wire("trunk", "eth0.40"):
            out = [Ask("trunk", name, "udp/53", version) for name in REST for version in (4, 6)]
            ward.guests.check(
                to(("trunk",), "tcp/80") + out,
                to(("trunk",), "tcp/443", "icmp")
                + asks([("trunk", name) for name in REST], "tcp/80", "icmp"),
            )
    finally:
        ward.guests.nics.pop("trunk", None)
        here.discard(nic)
        here.remove("subnets/native")
