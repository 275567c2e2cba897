"""Assignments and hosts for the agent's tests: `host h1 with br0 over eth1 and eth2, and two NICs`."""

from __future__ import annotations

from netctl_host.assignment import Assignment, Chassis, NicAssignment, UplinkBridge
from netctl_host.state import Bridge, HostState, Interface, Link, OpenVSwitchState, Port

from tests.fakes.host import FakeHost

CHASSIS = Chassis(system_id="h1", ovn_remote="tcp:192.0.2.1:6642", encap_type="geneve", encap_ip="192.0.2.11")
EMPTY_SWITCH = OpenVSwitchState()


def uplink(number: int = 0, *interfaces: str, address: str = "") -> UplinkBridge:
    """Return br{number} over `interfaces`."""
    return UplinkBridge(
        bridge=f"br{number}",
        physnet=f"physnet-vs{number}",
        bond=f"br{number}-up",
        interfaces=interfaces,
        bond_mode="active-backup",
        mtu_bytes=9000,
        address=address,
    )


def nic(number: int, *, tap: str = "", localnet: str = "") -> NicAssignment:
    """Return NIC n{number} with tap{number}."""
    return NicAssignment(
        nic_id=f"n{number}",
        iface_id=f"00000000-0000-0000-0000-{number:012}",
        tap_name=tap or f"tap{number}",
        mac_address=f"50:6b:8d:00:00:{number:02x}",
        mtu_bytes=1442,
        localnet=localnet,
    )


def assign(
    *uplinks: UplinkBridge, nics: tuple[NicAssignment, ...] = (), revision: int = 1, epoch: int = 1
) -> Assignment:
    """Return an assignment of h1."""
    return Assignment(
        host_id="h1",
        revision=revision,
        epoch=epoch,
        chassis=CHASSIS,
        uplink_bridges=uplinks,
        nics=nics,
    )


def host_with(*links: str, switch: OpenVSwitchState = EMPTY_SWITCH) -> FakeHost:
    """Return a host with these links, down."""
    host = FakeHost(HostState(switch=switch))
    for link in links:
        host.add_link(link)
    return host


def switch_with(
    *bridges: Bridge, external_ids: dict[str, str] | None = None, interfaces: tuple[Interface, ...] = ()
) -> OpenVSwitchState:
    """Return a switch that somebody else set up; interfaces not given are as they come."""
    given = {interface.name: interface for interface in interfaces}
    names = [name for bridge in bridges for port in bridge.ports.values() for name in port.interfaces]
    return OpenVSwitchState(
        external_ids=external_ids or {},
        bridges={bridge.name: bridge for bridge in bridges},
        interfaces={name: given.get(name, Interface(name=name)) for name in names},
    )


def bridge_with(name: str, *ports: Port, fail_mode: str = "") -> Bridge:
    """Return a foreign userspace bridge with `ports` beside its internal one."""
    all_ports = (Port(name=name, interfaces=(name,)), *ports)
    return Bridge(
        name=name, datapath_type="netdev", fail_mode=fail_mode, ports={port.name: port for port in all_ports}
    )


def plain_port(name: str) -> Port:
    """Return a port of one interface of the same name."""
    return Port(name=name, interfaces=(name,))


UP_LINK = Link(name="eth1", up=True, carrier=True, mtu_bytes=9000, mac_address="02:00:00:00:00:01")
