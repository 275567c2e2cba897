"""Gate 1 of the host's network: bonds and LACP, queriers, names and addresses of a host, kinds of NICs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import InvalidIntent
from netctl.model.infra import (
    BondMode,
    Host,
    IgmpSnooping,
    InternalBridge,
    InternalPort,
    LacpMode,
    Uplink,
)
from netctl.model.keys import CategoryId, ServiceChainId, SubnetId, VirtualSwitchId
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode, NicModel, TrunkVlan
from netctl.model.subnet import Ipv6Mode
from tests.unit.model.chains import basic, side, span
from tests.unit.model.world import external, host, ipv6, nic, switch

VS0, VS1 = VirtualSwitchId("vs0"), VirtualSwitchId("vs1")


def refused(make: Any, field: str, *texts: str) -> None:
    with pytest.raises(InvalidIntent) as caught:
        make()
    assert caught.value.field == field, caught.value
    for text in texts:
        assert text in caught.value.message


@pytest.mark.parametrize("mode", BondMode)
def test_lacp_goes_with_balance_tcp_alone(mode: BondMode) -> None:
    tcp = mode is BondMode.BALANCE_TCP
    assert switch(bond_mode=mode).lacp_mode is LacpMode.AUTO
    good, bad = (LacpMode.ACTIVE, LacpMode.OFF) if tcp else (LacpMode.OFF, LacpMode.ACTIVE)
    assert switch(bond_mode=mode, lacp_mode=good).lacp_mode is good
    refused(
        lambda: switch(bond_mode=mode, lacp_mode=bad),
        "lacp_mode",
        f"{bad.name} does not go with bond_mode {mode.name}",
        "leave lacp_mode unset",
    )


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"querier": True}, "querier", "needs enabled"),
        ({"enabled": True, "querier": True}, "querier_vlan_ids", "is empty; name the VLANs"),
        ({"enabled": True, "querier_vlan_ids": (1,)}, "querier_vlan_ids", "goes with querier"),
        (
            {"enabled": True, "querier": True, "querier_vlan_ids": tuple(range(65))},
            "querier_vlan_ids",
            "has 65 VLANs; at most 64",
        ),
        (
            {"enabled": True, "querier": True, "querier_vlan_ids": (0, 4095)},
            "querier_vlan_ids[1]",
            "0 to 4094",
        ),
        (
            {"enabled": True, "querier": True, "querier_vlan_ids": (5, 5)},
            "querier_vlan_ids[1]",
            "listed twice",
        ),
        ({"timeout_s": 0}, "timeout_s", "0 is outside 1 to 3600 seconds"),
        ({"timeout_s": 3601}, "timeout_s", "3601 is outside"),
    ],
)
def test_igmp_snooping(fields: dict[str, Any], field: str, text: str) -> None:
    refused(lambda: IgmpSnooping(**fields), f"igmp_snooping.{field}", text)


def test_a_querier_asks_untagged_and_in_vlans() -> None:
    asking = IgmpSnooping(enabled=True, querier=True, querier_vlan_ids=(0, 4094))
    assert switch(igmp_snooping=asking).igmp_snooping is asking


def with_uplink(**fields: Any) -> Host:
    return replace(host(), uplinks=(Uplink(virtual_switch=VS0, **({"interfaces": ("eth0",)} | fields)),))


def with_port(*ports: InternalPort, **fields: Any) -> Host:
    return replace(with_uplink(), internal_ports=ports, **fields)


def port(name: str = "stor0", **fields: Any) -> InternalPort:
    return InternalPort(name=name, virtual_switch=fields.pop("virtual_switch", VS0), **fields)


OWN_NAMES = ("br0", "br17", "br0-up", "br0.local", "br.nf", "brAtlas", "virbr0", "ovs-system", "lo")


def test_the_preferred_interface_is_one_of_the_uplink() -> None:
    assert with_uplink(active_interface="eth0").uplinks[0].active_interface == "eth0"
    refused(
        lambda: with_uplink(active_interface="eth1"),
        "uplinks[0].active_interface",
        "eth1 is not among the interfaces: eth0",
    )


@pytest.mark.parametrize("name", OWN_NAMES)
def test_names_of_bridges_are_no_interfaces(name: str) -> None:
    refused(lambda: with_uplink(interfaces=(name,)), "uplinks[0].interfaces", f"{name} cannot be an uplink")
    text = f"{name} is a name of the host agent's"
    refused(lambda: with_port(port(name)), "internal_ports[0].name", text)
    bridge = InternalBridge(interfaces=(name,))
    refused(lambda: with_port(internal_bridge=bridge), "internal_bridge.interfaces[0]", text)
    if name != "virbr0":
        refused(lambda: with_port(internal_bridge=InternalBridge(name=name)), "internal_bridge.name", text)


@pytest.mark.parametrize("name", ["", "sixteen-letters-", "a/b", "a b", ".."])
def test_names_that_linux_would_not_take(name: str) -> None:
    refused(lambda: with_port(port(name)), "internal_ports[0].name", "is not an interface name")


def test_a_name_on_a_host_is_one_parts() -> None:
    refused(lambda: with_port(port("eth0")), "internal_ports[0].name", "eth0 is in uplinks[0].interfaces too")
    refused(lambda: with_port(port(), port()), "internal_ports[1].name", "stor0 is in internal_ports[0].name")
    bridge = InternalBridge(name="stor0")
    refused(
        lambda: with_port(port(), internal_bridge=bridge), "internal_bridge.name", "in internal_ports[0].name"
    )
    bridge = InternalBridge(interfaces=("vnet0", "vnet0"))
    refused(
        lambda: with_port(internal_bridge=bridge),
        "internal_bridge.interfaces[1]",
        "vnet0 is in internal_bridge.interfaces[0] too",
    )
    refused(lambda: with_uplink(interfaces=("eth0", "eth0")), "uplinks[0].interfaces", "eth0 is used twice")


def test_addresses_are_canonical_and_once_on_a_host() -> None:
    made = with_port(
        port(addresses=("FD00:0::7/64",)),
        internal_bridge=InternalBridge(addresses=("192.168.5.1/24",)),
        uplinks=(Uplink(virtual_switch=VS0, interfaces=("eth0",), addresses=("192.0.2.1/24",)),),
    )
    assert made.internal_ports[0].addresses == ("fd00::7/64",)
    assert made.tunnel_ip == "192.0.2.1"  # the tunnel may use the address of the bridge
    refused(
        lambda: replace(
            made, internal_ports=(port(addresses=("10.0.0.1/24",)), port("b", addresses=("10.0.0.1/16",)))
        ),
        "internal_ports[1].addresses[0]",
        "10.0.0.1 is in internal_ports[0].addresses[0] too",
    )
    refused(
        lambda: replace(made, internal_bridge=InternalBridge(addresses=("192.0.2.1/24",))),
        "internal_bridge.addresses[0]",
        "192.0.2.1 is in uplinks[0].addresses[0] too",
    )
    for bad in ("10.0.0.1", "10.0.0.0/24", "224.0.0.1/24", "fe80::1%eth0/64"):
        refused(lambda bad=bad: with_uplink(addresses=(bad,)), "uplinks[0].addresses[0]")


@pytest.mark.parametrize(
    ("made", "field", "text"),
    [
        ({"virtual_switch": VS1}, "virtual_switch", "vs1 is not among the uplinks"),
        ({"vlan_id": 4095}, "vlan_id", "0 to 4094"),
        ({"mtu_bytes": 500}, "mtu_bytes", "576 to 9216 bytes"),
    ],
)
def test_an_internal_port(made: dict[str, Any], field: str, text: str) -> None:
    refused(lambda: with_port(port(**made)), f"internal_ports[0].{field}", text)


def test_sides_go_with_network_functions() -> None:
    refused(
        lambda: Nic(id=side("f").id, kind=NicKind.NETWORK_FUNCTION),
        "network_function_side",
        "is not set; say which side of the function it is: INGRESS, EGRESS or TAP",
    )
    for kind in (NicKind.NORMAL, NicKind.DIRECT):
        refused(
            lambda kind=kind: replace(nic(), kind=kind, function_side=FunctionSide.TAP),
            "network_function_side",
            "goes with kind NETWORK_FUNCTION",
        )
    refused(lambda: span(function_side=FunctionSide.TAP), "network_function_side", "goes with kind")


@pytest.mark.parametrize("made", [side("f"), span("s")], ids=["function", "span"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subnet", SubnetId("app")),
        ("ipv4_address", "10.0.0.1"),
        ("ipv6_address", "fd00::1"),
        ("categories", (CategoryId("x"),)),
        ("trunk_vlans", (TrunkVlan(vlan_id=1),)),
        ("mode", NicMode.TRUNK),
    ],
)
def test_nics_without_a_guest_have_nothing_of_one(made: Nic, field: str, value: Any) -> None:
    refused(lambda: replace(made, **{field: value}), field, f"a NIC of kind {made.kind.name} has no")


def test_queues() -> None:
    assert nic(queues=16).queues == 16
    assert nic(model=NicModel.E1000).queues == 1
    refused(lambda: nic(queues=17), "queues", "17 is outside 1 to 16")
    refused(lambda: nic(queues=0), "queues", "0 is outside 1 to 16")
    refused(lambda: nic(queues=2, model=NicModel.E1000), "queues", "2 need model VIRTIO; E1000 has one")


def test_a_vlan_basic_subnet_tells_guests_nothing_by_ipv6() -> None:
    assert basic(ipv6=ipv6(), ipv6_mode=Ipv6Mode.STATIC)
    for mode in (Ipv6Mode.SLAAC, Ipv6Mode.DHCPV6_STATELESS, Ipv6Mode.DHCPV6_STATEFUL):
        refused(lambda mode=mode: basic(ipv6=ipv6(), ipv6_mode=mode), "ipv6_mode", "use static")


def test_external_subnets_have_no_chain() -> None:
    refused(
        lambda: replace(external(), service_chain=ServiceChainId("c")),
        "service_chain",
        "an EXTERNAL subnet has none: attach it to routing policies",
    )
