"""VPCs through a real northd, judged by ovn-trace: routed as intended, and nobody else's."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.loop import wait_until
from netctl.model.intent import Intent
from netctl.model.keys import SubnetId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.route import Bfd
from netctl.model.routing_policy import Endpoint, PolicyAction, PortRange, Protocol
from netctl.model.subnet import Ipv6Mode
from netctl.model.vpc import ExternalConnection
from netctl.nb.diff import diff
from tests.functional.northd.conftest import Plane
from tests.intents import OWNER, host, infra, nic, snapshot, uid_of, vlan
from tests.vpcs import (
    connection,
    external,
    floating,
    guest,
    inside,
    mac_of,
    policy,
    route,
    routed,
    transit,
    vpc,
)

BLUE = (vpc("blue", connection()), external(), routed("web"), routed("db", third=2), route())
G1, G2 = guest("g1"), guest("g2", "db", 2, host="h2")
OUTSIDE, PEER = "198.51.100.7", "0a:00:00:00:00:01"
PING = "icmp4.type==8"


def out(name: str) -> str:
    """As ovn-trace prints the port of a NIC."""
    return f'output("{uid_of(name)[:6]}")'


def packet(source: str, gateway: str, ip: str, to: str, flow: str = PING) -> str:
    """A packet of a guest to its gateway."""
    return (
        f'inport=="{uid_of(source)}" && eth.src=={mac_of(source)} && eth.dst=={mac_of(gateway)}'
        f" && ip4.src=={ip} && ip4.dst=={to} && ip.ttl==64 && {flow}"
    )


def arriving(to: str, mac: str, flow: str = PING) -> str:
    """A packet from outside, by the external subnet's VLAN."""
    return (
        f'inport=="localnet-{uid_of("ext")}-vs0" && eth.src=={PEER} && eth.dst=={mac}'
        f" && ip4.src=={OUTSIDE} && ip4.dst=={to} && ip.ttl==64 && {flow}"
    )


def learn(plane: Plane, of: str, port: str, ip: str, mac: str = PEER) -> None:
    """Let a VPC's router know a neighbour, as if it had answered just now: an old answer is forgotten."""
    datapath = plane.sb.ctl(
        "ovn-sbctl", "--bare", "--columns=_uuid", "find", "Datapath_Binding", f"external_ids:name={of}"
    ).strip()
    plane.sb.ctl(
        "ovn-sbctl",
        "create",
        "MAC_Binding",
        f"logical_port={port}",
        f'ip="{ip}"',
        f'mac="{mac}"',
        f"datapath={datapath}",
        f"timestamp={round(time.time() * 1000)}",
    )


def outer(of: str, subnet: str = "ext") -> str:
    """Return the name of a VPC's port on an external subnet."""
    return f"lrp-{uid_of(of)}-{uid_of(subnet)}"


def test_subnets_of_a_vpc_are_routed_to_each_other(plane: Plane) -> None:
    plane.arrive(*BLUE, G1, G2)
    verdict = plane.trace("web", packet("g1", "web", "10.0.1.5", "10.0.2.5"))
    assert out("g2") in verdict
    assert f"eth.dst = {mac_of('g2')}" in verdict


def test_vpcs_with_the_same_networks_do_not_meet(plane: Plane) -> None:
    green = (
        vpc("green", connection(number=11)),
        routed("red", of="green"),
        routed("tan", of="green", third=2),
        replace(guest("g8", "red"), ipv4_address="10.0.1.5"),
        replace(guest("g9", "tan"), ipv4_address="10.0.2.5"),
    )
    plane.arrive(*BLUE, G1, G2, *green)
    mine = plane.trace("web", packet("g1", "web", "10.0.1.5", "10.0.2.5"))
    theirs = plane.trace("red", packet("g8", "red", "10.0.1.5", "10.0.2.5"))
    assert (out("g2") in mine, out("g9") in mine) == (True, False)
    assert (out("g2") in theirs, out("g9") in theirs) == (False, True)


def test_a_guest_leaves_by_the_routers_address(plane: Plane) -> None:
    plane.arrive(*BLUE, G1)
    learn(plane, "blue", outer("blue"), "203.0.100.1")
    verdict = plane.trace("web", packet("g1", "web", "10.0.1.5", OUTSIDE))
    assert "ct_snat(203.0.100.10)" in verdict or "ip4.src=203.0.100.10" in verdict
    assert f"localnet-{uid_of('ext')}-vs0" in verdict
    assert f"eth.dst = {PEER}" in verdict


@pytest.mark.parametrize(
    ("fip", "source_mac"),
    [
        (floating(nic="g1"), mac_of("fip")),
        (floating(private="10.0.1.5"), mac_of("ext 10")),
    ],
    ids=["distributed", "at the gateway"],
)
def test_a_floating_ip_translates_both_ways(plane: Plane, fip: Intent, source_mac: str) -> None:
    plane.arrive(*BLUE, G1, fip)
    learn(plane, "blue", outer("blue"), "203.0.100.1")
    leaving = plane.trace("web", packet("g1", "web", "10.0.1.5", OUTSIDE))
    assert "ip4.src=203.0.100.50" in leaving or "ct_snat(203.0.100.50)" in leaving
    assert f"eth.src = {source_mac}" in leaving
    assert out("g1") in plane.trace("ext", arriving("203.0.100.50", source_mac))


def test_a_floating_ip_that_moves_leaves_nothing_behind(plane: Plane) -> None:
    other = guest("g3", number=6)
    plane.arrive(*BLUE, G1, other, floating(nic="g1"))
    plane.arrive(*BLUE, G1, other, floating(nic="g3"))
    verdict = plane.trace("ext", arriving("203.0.100.50", mac_of("fip")))
    assert (out("g1") in verdict, out("g3") in verdict) == (False, True)
    plane.arrive(*BLUE, G1, other, floating())
    flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "blue")
    assert "203.0.100.50" not in flows
    assert "203.0.100.10" in flows


def test_the_outside_reaches_no_private_address_behind_nat(plane: Plane) -> None:
    plane.arrive(*BLUE, G1)
    assert out("g1") not in plane.trace("ext", arriving("10.0.1.5", mac_of("ext 10")))
    plane.arrive(BLUE[0], external(nat=False), *BLUE[2:], G1)
    assert out("g1") in plane.trace("ext", arriving("10.0.1.5", mac_of("ext 10")))


def test_a_policy_denies_what_it_matches_and_nothing_else(plane: Plane) -> None:
    web = policy(
        "web",
        priority=20,
        source=Endpoint(cidr="10.0.1.0/24"),
        destination=Endpoint(cidr="10.0.2.0/24"),
        protocol=Protocol.TCP,
        destination_ports=(PortRange(first=80, last=90),),
    )
    permit = replace(web, action=PolicyAction.PERMIT, priority=30, id=policy("p").id, meta=policy("p").meta)
    narrow = replace(permit, destination_ports=(PortRange(first=85, last=85),))
    plane.arrive(*BLUE, G1, G2, web, narrow)
    fate = {
        port: out("g2")
        in plane.trace("web", packet("g1", "web", "10.0.1.5", "10.0.2.5", f"tcp.dst=={port} && tcp.src==9"))
        for port in (79, 80, 85, 90, 91)
    }
    assert fate == {79: True, 80: False, 85: True, 90: False, 91: True}


def test_a_policy_reroutes_to_its_service_and_not_what_comes_from_there(plane: Plane) -> None:
    service = replace(guest("fw", "db", 2, 9, host="h2"), port_security=False)
    steer = policy(
        "steer",
        PolicyAction.REROUTE,
        source=Endpoint(cidr="10.0.1.0/24"),
        service_ips=("10.0.2.9",),
    )
    plane.arrive(*BLUE, G1, G2, service, steer)
    assert out("fw") in plane.trace("web", packet("g1", "web", "10.0.1.5", "10.0.2.5"))
    back = plane.trace(
        "db",
        packet("fw", "db", "10.0.1.5", "10.0.2.5"),
    )
    assert (out("fw") in back, out("g2") in back) == (False, True)


def test_several_next_hops_share_the_traffic(plane: Plane) -> None:
    hops = [replace(guest(f"hop{n}", "db", 2, n, host="h2"), port_security=False) for n in (11, 12)]
    both = route("both", "192.168.0.0/16", "10.0.2.11", "10.0.2.12")
    plane.arrive(*BLUE, G1, *hops, both)
    flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "blue")
    assert "192.168.0.0/16" in flows
    assert "select(" in flows
    groups = [line for line in flows.splitlines() if "lr_in_ip_routing_ecmp" in line]
    assert any("reg0 = 10.0.2.11" in line for line in groups)
    assert any("reg0 = 10.0.2.12" in line for line in groups)


def spoke(name: str, number: int, third: int) -> tuple[Intent, ...]:
    way = ExternalConnection(
        subnet=SubnetId("transfer"), ipv4_address=f"100.64.0.{number}", mac_address=mac_of(f"{name} hub")
    )
    return (
        vpc(name, way, externally_routable_prefixes=(f"10.0.{third}.0/24",)),
        routed(f"net{third}", of=name, third=third),
        guest(f"g{third}", f"net{third}", third),
        route(f"{name}-out", "0.0.0.0/0", "transfer", of=name),
    )


def test_spokes_reach_each_other_and_the_outside_by_their_transit_vpc(plane: Plane) -> None:
    hub = (
        transit("hub", connection(number=20)),
        external(),
        inside(),
        route("hub-out", of="hub"),
    )
    plane.arrive(*hub, *spoke("blue", 10, 1), *spoke("green", 11, 3))
    # Both sides ask for each other's address by ARP, which ovn-trace cannot: tell them.
    learn(plane, "blue", outer("blue", "transfer"), "100.64.0.1", mac_of("transfer"))
    learn(plane, "hub", f"lrp-{uid_of('transfer')}", "100.64.0.11", mac_of("green hub"))
    assert out("g3") in plane.trace("net1", packet("g1", "net1", "10.0.1.5", "10.0.3.5"))
    learn(plane, "hub", outer("hub"), "203.0.100.1")
    leaving = plane.trace("net1", packet("g1", "net1", "10.0.1.5", OUTSIDE))
    assert "203.0.100.20" in leaving
    assert f"localnet-{uid_of('ext')}-vs0" in leaving
    assert out("g3") not in plane.trace("net1", packet("g1", "net1", "10.0.1.5", "10.0.4.5"))


def test_a_trunks_vlans_are_ports_with_tags(plane: Plane) -> None:
    vlans = (TrunkVlan(vlan_id=7, subnet=SubnetId("db"), ipv4_address="10.0.2.7"),)
    trunk = replace(nic("n1"), mode=NicMode.TRUNK, trunk_vlans=vlans)
    plane.arrive(*BLUE, vlan(), trunk, G1)
    child = f"{uid_of('n1')}-7"
    found = plane.sb.ctl(
        "ovn-sbctl",
        "--bare",
        "--columns=parent_port,tag,options",
        "find",
        "Port_Binding",
        f"logical_port={child}",
    ).split()
    assert found == [uid_of("n1"), "7", "requested-chassis=h1"]
    verdict = plane.trace("web", packet("g1", "web", "10.0.1.5", "10.0.2.7"))
    assert f'output("{uid_of("n1")[:6]}-7")' in verdict or f'output("{child}")' in verdict
    moved = replace(trunk, host=host("h2").id)
    plane.arrive(*BLUE, vlan(), moved, G1)
    options = plane.sb.ctl(
        "ovn-sbctl", "--bare", "--columns=options", "find", "Port_Binding", f"logical_port={child}"
    )
    assert options.split() == ["requested-chassis=h2"]


def test_a_guest_hears_of_its_router_by_advertisement(plane: Plane) -> None:
    plane.arrive(vpc("blue"), routed("web", ipv6="fd00:1::/64"), G1)
    flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "blue")
    (told,) = (line for line in flows.splitlines() if "put_nd_ra_opts" in line)
    for part in ('addr_mode = "slaac"', "mtu = 1442", "prefix = fd00:1::/64", f"slla = {mac_of('web')}"):
        assert part in told


def test_an_ovn_that_may_answers_dhcpv6(plane: Plane) -> None:
    """The rows alone: the reconciler would not ask this northd, which is too old for it."""
    web = replace(routed("web", ipv6="fd00:1::/64"), ipv6_mode=Ipv6Mode.DHCPV6_STATEFUL)
    blue = vpc("blue", dns_servers=("2001:db8::53",))
    world = snapshot([*infra(), blue, web, replace(G1, ipv6_address="fd00:1::5")])
    wanted = compile_rows(world, OWNER, Observed(dhcpv6=True))
    cfg = plane.northbound.apply(diff(wanted, {}), epoch=1)
    wait_until(lambda: plane.northbound.sb_cfg >= cfg, timeout_s=10, what="northd catches up")
    flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "web").splitlines()
    (told,) = (line for line in flows if "put_dhcpv6_opts" in line)
    for part in ("ia_addr = fd00:1::5", "dns_server = {2001:db8::53}", f"server_id = {mac_of('web')}"):
        assert part in told
    (mode,) = (
        line for line in plane.sb.ctl("ovn-sbctl", "lflow-list", "blue").splitlines() if "addr_mode" in line
    )
    assert 'addr_mode = "dhcpv6_stateful"' in mode
    plane.arrive(blue, web, replace(G1, ipv6_address="fd00:1::5"))
    assert "put_dhcpv6_opts" not in plane.sb.ctl("ovn-sbctl", "lflow-list", "web")


def test_packets_too_large_for_where_they_go_are_answered(plane: Plane) -> None:
    small, db = external(mtu_bytes=1300), routed("db", third=2, mtu_bytes=1200)
    plane.arrive(BLUE[0], small, routed("web"), db, G1)
    checks = [
        line
        for line in plane.sb.ctl("ovn-sbctl", "lflow-list", "blue").splitlines()
        if "lr_in_chk_pkt_len" in line
    ]
    for port, mtu_bytes in ((outer("blue"), 1300), (f"lrp-{uid_of('db')}", 1200)):
        assert any(f'outport == "{port}"' in line and f"({mtu_bytes + 14})" in line for line in checks)
    assert not any(f'"lrp-{uid_of("web")}"' in line for line in checks)


def test_a_watched_route_has_a_session_on_its_gateway(plane: Plane) -> None:
    plane.arrive(*BLUE[:-1], route(bfd=Bfd(min_rx_ms=300, min_tx_ms=300)))
    session = plane.sb.ctl(
        "ovn-sbctl", "--bare", "--columns=logical_port,dst_ip,min_rx", "list", "BFD"
    ).split()
    assert session == [outer("blue"), "203.0.100.1", "300"]


def test_a_trunk_without_a_list_passes_every_tag(plane: Plane) -> None:
    every = replace(nic("n1", "v0"), mode=NicMode.TRUNK, ipv4_address="10.0.0.5")
    tagged = f'inport=="{uid_of("n1")}" && eth.src==50:6b:8d:00:00:05 && eth.dst=={PEER} && vlan.vid==7 && vlan.present'
    plane.arrive(vlan("v0", 0), every)
    assert f"localnet-{uid_of('v0')}-vs0" in plane.trace("v0", tagged)
    plane.arrive(vlan("v0", 0), replace(every, mode=NicMode.ACCESS))
    assert "localnet" not in plane.trace("v0", tagged)


def test_the_next_route_serves_until_bfd_hears_the_first(plane: Plane) -> None:
    ways = vpc("blue", connection(), connection("far", vlan_id=101))
    watched = route("watched", "0.0.0.0/0", "ext", priority=200, bfd=Bfd())
    world = (ways, *BLUE[1:4], external("far", 101), watched, route("spare", "0.0.0.0/0", "far"))

    def used() -> set[str]:
        plane.reconciler.step()
        flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "blue").splitlines()
        default = [line for line in flows if "ip4.dst == 0.0.0.0/0" in line]
        return {
            hop
            for hop in ("203.0.100.1;", "203.0.101.1;")
            if any(f"reg0 = {hop}" in line for line in default)
        }

    plane.arrive(*world)
    assert used() == {"203.0.101.1;"}
    session = plane.sb.ctl("ovn-sbctl", "--bare", "--columns=_uuid", "list", "BFD").strip()
    for status, hop in (("up", "203.0.100.1;"), ("down", "203.0.101.1;"), ("up", "203.0.100.1;")):
        plane.sb.ctl("ovn-sbctl", "set", "BFD", session, f"status={status}")
        wait_until(lambda hop=hop: used() == {hop}, timeout_s=10, what=f"BFD is {status}")  # type: ignore[misc]
