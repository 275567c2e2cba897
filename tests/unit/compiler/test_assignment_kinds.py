"""Where each kind of NIC is plugged, what DHCP tells, and what is copied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.model.assignment import Assignment, NicAssignment, StaticRoute
from netctl.model.assignment_chains import Mirror
from netctl.model.intent import Intent
from netctl.model.keys import HostId, NicId, ServiceChainId, SubnetId, TrafficMirrorId, VirtualSwitchId
from netctl.model.mirror import MirrorDirection, MirrorSource, TrafficMirror
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode, TrunkVlan
from netctl.model.subnet import StaticRoute as Told
from netctl.model.subnet import Subnet, SubnetKind
from tests.intents import host, infra, meta, nic, snapshot, vlan

SETTINGS = AssignmentSettings(ovn_remote="tcp:192.0.2.100:6642", epoch=1)


def basic_vlan(name: str = "v10", vlan_id: int = 10) -> Subnet:
    return replace(vlan(name, vlan_id), kind=SubnetKind.VLAN_BASIC)


def basic(name: str = "n1", subnet: str = "v10", number: int = 5) -> Nic:
    return replace(nic(name, subnet, number=number), basic=True)


def bare(name: str, kind: NicKind, number: int = 9) -> Nic:
    side = FunctionSide.INGRESS if kind is NicKind.NETWORK_FUNCTION else FunctionSide.NONE
    found = nic(name, number=number)
    return replace(found, subnet=SubnetId(""), ipv4_address="", kind=kind, function_side=side)


def mirror(*sources: MirrorSource, **changes: object) -> TrafficMirror:
    found = TrafficMirror(
        id=TrafficMirrorId("m1"),
        meta=meta("m1"),
        host=HostId("h1"),
        sources=sources,
        destinations=(NicId("span"),),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def assigned(*intents: Intent, at: str = "h1") -> Assignment:
    found = compile_assignment(snapshot([*infra(), *intents]), HostId(at), SETTINGS)
    assert found is not None
    return found


def only(found: Assignment, name: str = "n1") -> NicAssignment:
    (one,) = (one for one in found.nics if one.nic == name)
    return one


def test_a_basic_nic_is_on_the_uplink_bridge_in_its_vlan_and_neither_guarded_nor_learned_from() -> None:
    found = only(assigned(basic_vlan(), replace(basic(), ipv4_address="")))
    assert (found.bridge, found.vlan_id, found.localnet) == ("br0", 10, "")
    assert not any((found.learn_addresses, found.guard_ipv6, found.disconnected, found.trunks_all))
    port = only(assigned(vlan(), replace(nic(), ipv4_address="")))
    assert (port.bridge, port.learn_addresses, port.guard_ipv6) == ("", True, True)


def test_what_a_nic_is_decides_and_not_what_its_subnet_is_to_be() -> None:
    assert only(assigned(vlan(), basic())).bridge == "br0"
    assert only(assigned(basic_vlan(), nic())).bridge == ""


def test_tags_of_a_basic_trunk() -> None:
    listed = (TrunkVlan(vlan_id=30), TrunkVlan(vlan_id=20, subnet=SubnetId("v20")))
    some = only(assigned(basic_vlan(), replace(basic(), mode=NicMode.TRUNK, trunk_vlans=listed)))
    assert (some.vlan_id, some.trunk_vlan_ids, some.trunks_all) == (10, (20, 30), False)
    every = only(assigned(basic_vlan(), replace(basic(), mode=NicMode.TRUNK)))
    assert (every.trunk_vlan_ids, every.trunks_all) == ((), True)


@pytest.mark.parametrize("chained", ["access", "trunk", "none"])
def test_guests_of_a_chained_basic_subnet_are_behind_br_nf(chained: str) -> None:
    chain = ServiceChainId("inspect")
    first, second = basic_vlan(), basic_vlan("v20", 20)
    trunk = (TrunkVlan(vlan_id=20, subnet=SubnetId("v20")),)
    guest = replace(basic(), mode=NicMode.TRUNK, trunk_vlans=trunk)
    direct = replace(basic("direct", number=6), kind=NicKind.DIRECT)
    port = replace(nic("port", "v30", number=7), ipv4_address="")
    found = assigned(
        replace(first, service_chain=chain) if chained == "access" else first,
        replace(second, service_chain=chain) if chained == "trunk" else second,
        replace(vlan("v30", 30), service_chain=chain),
        guest,
        direct,
        port,
    )
    assert only(found).bridge == ("br0" if chained == "none" else "br0.local")
    assert only(found, "direct").bridge == "br0"
    assert only(found, "port").bridge == ""


def test_a_basic_nic_that_is_not_connected_or_has_no_uplink_is_plugged_nowhere() -> None:
    assert only(assigned(basic_vlan(), replace(basic(), connected=False))).disconnected
    assert only(assigned(basic_vlan(), basic(), host(uplink=""))).disconnected
    assert not only(assigned(vlan(), replace(nic(), connected=False))).disconnected


def test_a_basic_guest_is_told_by_its_host_what_ovn_would_tell() -> None:
    subnet = basic_vlan()
    assert subnet.dhcp is not None
    route = Told(destination="10.9.0.0/16", next_hop="10.0.10.9")
    more = replace(
        subnet.dhcp,
        dns_servers=("10.0.0.53", "2001:db8::53"),
        ntp_servers=("10.0.0.123",),
        domain_name="lab.test",
        domain_search=("lab.test", "test"),
        tftp_server="10.0.0.69",
        bootfile_name="boot.img",
        static_routes=(route,),
        lease_s=600,
    )
    found = only(assigned(replace(subnet, dhcp=more, mtu_bytes=1400), basic())).dhcp
    assert found is not None
    assert (found.address, found.prefix_length, found.router) == ("10.0.10.5", 24, "10.0.10.1")
    assert (found.server_address, found.server_mac_address) == ("10.0.10.254", "50:6b:8d:ff:ff:01")
    assert (found.lease_s, found.mtu_bytes, found.dns_servers) == (600, 1400, ("10.0.0.53",))
    assert (found.ntp_servers, found.domain_name) == (("10.0.0.123",), "lab.test")
    assert (found.domain_search, found.tftp_server) == (("lab.test", "test"), "10.0.0.69")
    assert found.bootfile_name == "boot.img"
    assert found.static_routes == (
        StaticRoute(destination="10.9.0.0/16", next_hop="10.0.10.9"),
        StaticRoute(destination="0.0.0.0/0", next_hop="10.0.10.1"),
    )


@pytest.mark.parametrize(
    ("subnet", "guest"),
    [
        (replace(vlan(dhcp=False), kind=SubnetKind.VLAN_BASIC), basic()),
        (basic_vlan(), replace(basic(), ipv4_address="")),
        (basic_vlan(), replace(basic(), kind=NicKind.DIRECT)),
        (vlan(), nic()),
    ],
    ids=["off", "no address", "direct", "a port of OVN"],
)
def test_others_are_not_told_by_the_host(subnet: Subnet, guest: Nic) -> None:
    assert only(assigned(basic_vlan(), basic())).dhcp is not None
    assert only(assigned(subnet, guest)).dhcp is None


def test_sides_of_functions_are_on_br_nf_with_room_for_every_frame() -> None:
    found = only(assigned(bare("n1", NicKind.NETWORK_FUNCTION)))
    assert (found.bridge, found.disconnected, found.mtu_bytes) == ("br.nf", False, 1500)
    assert not any((found.learn_addresses, found.guard_ipv6))
    off = only(assigned(replace(bare("n1", NicKind.NETWORK_FUNCTION), connected=False)))
    assert off.disconnected


@pytest.mark.parametrize(
    ("sources", "bridge", "from_ports", "to_ports"),
    [
        ((("port", MirrorDirection.BOTH),), "", ("port",), ("port",)),
        ((("port", MirrorDirection.INGRESS),), "", (), ("port",)),
        ((("n1", MirrorDirection.EGRESS), ("vs0", MirrorDirection.EGRESS)), "br0", ("n1",), ("br0-up",)),
        ((("vs0", MirrorDirection.INGRESS),), "br0", ("br0-up",), ()),
        ((("away", MirrorDirection.BOTH), ("n1", MirrorDirection.BOTH)), "br0", ("n1",), ("n1",)),
    ],
)
def test_a_mirror_names_ports_of_the_bridge_that_its_sources_are_on(
    sources: tuple[tuple[str, MirrorDirection], ...],
    bridge: str,
    from_ports: tuple[str, ...],
    to_ports: tuple[str, ...],
) -> None:
    guests = {
        "n1": basic(),
        "port": replace(nic("port", "v30", number=7), ipv4_address=""),
        "away": replace(basic("away", number=8), host=HostId("h2")),
    }
    span = bare("span", NicKind.SPAN_DESTINATION)
    said = tuple(
        MirrorSource(virtual_switch=VirtualSwitchId(name), direction=direction)
        if name == "vs0"
        else MirrorSource(nic=NicId(name), direction=direction)
        for name, direction in sources
    )

    def taps(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(guests[name].tap_name if name in guests else name for name in names)

    found = assigned(basic_vlan(), vlan("v30", 30), *guests.values(), span, mirror(*said))
    assert found.mirrors == (
        Mirror(
            mirror_id="m1",
            bridge=bridge,
            from_ports=taps(from_ports),
            to_ports=taps(to_ports),
            destination_taps=(span.tap_name,),
        ),
    )
    destination = only(found, "span")
    assert (destination.bridge, destination.mirror_destination, destination.disconnected) == (
        bridge,
        True,
        False,
    )
    assert assigned(basic_vlan(), span, mirror(*said), *guests.values(), at="h2").mirrors == ()


@pytest.mark.parametrize("why", ["disabled", "none", "no source here", "elsewhere"])
def test_a_destination_without_a_mirror_is_plugged_nowhere(why: str) -> None:
    span = bare("span", NicKind.SPAN_DESTINATION)
    made = mirror(MirrorSource(nic=NicId("n1")))
    match why:
        case "disabled":
            made = replace(made, disabled=True)
        case "no source here":
            made = mirror(MirrorSource(nic=NicId("gone")))
        case "elsewhere":
            made = replace(made, host=HostId("h2"))
    mirrors = () if why == "none" else (made,)
    found = assigned(basic_vlan(), basic(), span, *mirrors)
    assert found.mirrors == ()
    assert only(found, "span").disconnected
    assert not only(
        assigned(basic_vlan(), basic(), span, mirror(MirrorSource(nic=NicId("n1")))), "span"
    ).disconnected
