"""FakeHost: a host in memory that does the agent's actions as OVS and Linux do.

`tests/functional/host/test_contract.py` runs the same actions over it and over a real namespace. Beside the agent's
own `read_state` and `apply` it has what the world does: links come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from netctl_host.actions import (
    Action,
    AddAddress,
    AddBond,
    AddBridge,
    AddPatch,
    AttachGuard,
    DetachGuard,
    DisableChecksumOffload,
    LinkAction,
    PlugTap,
    RemoveBridge,
    RemoveMirror,
    RemovePort,
    SetBond,
    SetBridge,
    SetChassis,
    SetInternalMtu,
    SetLinkUp,
    SetMirror,
    SetMtu,
    SwitchAction,
    UnplugTap,
)
from netctl_host.actions_uplinks import AddInternalPort, SetMulticast, SetPortTag, UplinkLinkAction
from netctl_host.announce import Announcement
from netctl_host.assignment import Assignment
from netctl_host.learned import Tap
from netctl_host.settings import Settings
from netctl_host.state import (
    OWNER,
    OWNER_KEY,
    Bridge,
    HostState,
    Interface,
    Link,
    OpenVSwitchState,
    Port,
    SwitchMirror,
    Xdp,
    port_holders,
)

from tests.fakes.links import change_links


class FakeHost:
    """Starts as `state`; `ovs-vswitchd` is always done at once."""

    def __init__(self, state: HostState) -> None:
        self._external_ids = dict(state.switch.external_ids)
        self._other_config = dict(state.switch.other_config)
        self._bridges = dict(state.switch.bridges)
        self._interfaces = dict(state.switch.interfaces)
        self._links = {name: Link(name=name) for name in state.switch.bridges} | dict(state.links)
        self._kernel_datapath = state.kernel_datapath
        self._guard_problem = state.guard_problem
        self.announced: list[Announcement] = []
        self.heard: frozenset[Tap] = frozenset()
        self.served: Assignment | None = None
        self._due: frozenset[Announcement] = frozenset()

    def add_link(self, name: str, *, mtu_bytes: int = 1500) -> None:
        """A veth appears, down and with checksum offload."""
        self._links[name] = Link(name=name, mtu_bytes=mtu_bytes, tx_checksum_offload=True)

    def remove_link(self, name: str) -> None:
        """A link vanishes."""
        del self._links[name]

    def add_address(self, name: str, address: str) -> None:
        """Somebody gives a link an address."""
        link = self._links[name]
        self._links[name] = replace(link, addresses=tuple(sorted({*link.addresses, address})))

    def delete_bridge(self, name: str) -> None:
        """Somebody deletes a bridge."""
        del self._bridges[name]
        self._collect_garbage()

    def change_link(self, name: str, *, mac_address: str = "", carrier: bool = True) -> None:
        """A link gets another MAC, or loses or gets carrier."""
        link = self._links[name]
        self._links[name] = replace(link, mac_address=mac_address or link.mac_address, carrier=carrier)

    def set_xdp(self, name: str, xdp: Xdp) -> None:
        """Somebody changes what looks at a link's frames."""
        self._links[name] = replace(self._links[name], xdp=xdp)

    def announce(self, due: frozenset[Announcement]) -> None:
        """Note what is new."""
        self.announced.extend(due - self._due)
        self._due = due

    def listen(self, taps: frozenset[Tap]) -> tuple[str, ...]:
        """Note who is listened to."""
        self.heard = taps
        return ()

    def serve(self, assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
        """Note what is served."""
        self.served = assignment
        return ()

    def take_reversions(self) -> tuple[str, ...]:
        """Return nothing: nobody changes flows here."""
        return ()

    def read_state(self) -> HostState:
        """Return everything the host has."""
        switch = OpenVSwitchState(
            external_ids=dict(self._external_ids),
            other_config=dict(self._other_config),
            bridges=dict(self._bridges),
            interfaces={name: self._switched(interface) for name, interface in self._interfaces.items()},
        )
        return HostState(
            switch=switch,
            links=dict(self._links),
            kernel_datapath=self._kernel_datapath,
            guard_problem=self._guard_problem,
        )

    def apply(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """Do `actions`; those on links that are not there are returned as problems."""
        problems: list[str] = []
        for action in actions:
            if isinstance(action, LinkAction):
                if isinstance(action, UplinkLinkAction):
                    self._links = change_links(self._links, action)
                elif action.link in self._links:
                    self._links[action.link] = _changed_link(self._links[action.link], action)
                else:
                    problems.append(f"{action}: no such device")
            else:
                self._apply_on_switch(action)
        self._collect_garbage()
        return tuple(problems)

    def _apply_on_switch(self, action: SwitchAction) -> None:
        match action:
            case AddBridge(bridge=name, datapath_type=datapath_type, fail_mode=fail_mode):
                assert name not in self._bridges, f"bridge {name} exists"
                self._bridges[name] = Bridge(
                    name=name,
                    datapath_type=datapath_type,
                    fail_mode=fail_mode,
                    external_ids={OWNER_KEY: OWNER},
                )
                self._put_port(name, Port(name=name, interfaces=(name,)))
                self._interfaces[name] = Interface(name=name, type="internal")
                self._links[name] = Link(name=name)
            case SetBridge(bridge=name, datapath_type=datapath_type, fail_mode=fail_mode):
                self._bridges[name] = replace(
                    self._bridges[name], datapath_type=datapath_type, fail_mode=fail_mode
                )
            case RemoveBridge(bridge=name):
                del self._bridges[name]
            case AddBond(bridge=bridge):
                self._put_port(bridge, Port(name=action.bond, interfaces=()))
                self._set_bond(bridge, action)
            case SetBond(bond=bond):
                self._set_bond(next(n for n, b in self._bridges.items() if bond in b.ports), action)
            case RemovePort(bridge=bridge, port=port) | UnplugTap(bridge=bridge, tap=port):
                left = {name: value for name, value in self._bridges[bridge].ports.items() if name != port}
                self._bridges[bridge] = replace(self._bridges[bridge], ports=left)
            case SetInternalMtu(bridge=name, mtu_bytes=mtu_bytes):
                self._interfaces[name] = replace(self._interfaces[name], mtu_request=mtu_bytes)
                self._links[name] = replace(self._links[name], mtu_bytes=mtu_bytes)
            case SetChassis(external_ids=external_ids, other_config=other_config):
                self._external_ids = _without_empty({**self._external_ids, **dict(external_ids)})
                self._other_config = _without_empty({**self._other_config, **dict(other_config)})
            case PlugTap():
                self._plug_tap(action)
            case AddPatch(bridge=bridge, port=port, peer=peer):
                self._put_port(bridge, Port(name=port, interfaces=(port,)))
                ids = {OWNER_KEY: OWNER}
                self._interfaces[port] = Interface(name=port, type="patch", external_ids=ids, peer=peer)
            case SetMirror() | RemoveMirror():
                self._set_mirror(action)
            case SetMulticast(bridge=name):
                aging_s = action.aging_s
                self._bridges[name] = replace(
                    self._bridges[name], mcast_snooping=action.snooping, mcast_timeout_s=aging_s
                )
            case AddInternalPort(bridge=bridge, port=port, tag=tag):
                self._put_port(bridge, Port(name=port, interfaces=(port,), tag=tag))
                ids = {OWNER_KEY: OWNER}
                self._interfaces[port] = Interface(name=port, type="internal", external_ids=ids)
                self._links[port] = Link(name=port, kind="tun")
            case SetPortTag(port=name, tag=tag):
                holder = next(n for n, b in self._bridges.items() if name in b.ports)
                self._put_port(holder, replace(self._bridges[holder].ports[name], tag=tag))
            case _:
                assert_never(action)

    def _set_bond(self, bridge: str, action: AddBond | SetBond) -> None:
        port = replace(
            self._bridges[bridge].ports[action.bond],
            interfaces=tuple(sorted(action.interfaces)),
            bond_mode=action.bond_mode,
            bond_primary=action.primary,
            lacp=action.lacp,
            lacp_time=action.lacp_time,
            lacp_fallback=action.lacp_fallback,
        )
        self._put_port(bridge, port)
        for name in action.interfaces:
            self._interfaces.setdefault(name, Interface(name=name))

    def _plug_tap(self, action: PlugTap) -> None:
        if action.leaves in self._bridges:
            self._apply_on_switch(UnplugTap(bridge=action.leaves, tap=action.tap))
        port = Port(
            name=action.tap,
            interfaces=(action.tap,),
            vlan_mode=action.vlan_mode,
            tag=action.tag,
            trunks=action.trunks,
        )
        self._put_port(action.bridge, port)
        there = self._interfaces.get(action.tap, Interface(name=action.tap))
        ids = {"iface-id": action.iface_id, "attached-mac": action.mac_address, OWNER_KEY: OWNER}
        self._interfaces[action.tap] = replace(
            there, external_ids=_without_empty({**there.external_ids, **ids})
        )

    def _set_mirror(self, action: SetMirror | RemoveMirror) -> None:
        there = self._bridges[action.bridge]
        mirrors = {name: mirror for name, mirror in there.mirrors.items() if name != action.mirror}
        if isinstance(action, SetMirror):
            mirrors[action.mirror] = SwitchMirror(
                name=action.mirror,
                from_ports=action.from_ports,
                to_ports=action.to_ports,
                output_port=action.output_port,
                is_ours=True,
            )
        self._bridges[action.bridge] = replace(there, mirrors=mirrors)

    def _put_port(self, bridge: str, port: Port) -> None:
        there = self._bridges[bridge]
        self._bridges[bridge] = replace(there, ports={**there.ports, port.name: port})

    def _collect_garbage(self) -> None:
        """Drop interfaces of no port, as ovsdb-server does; one in two ports would violate its index."""
        state = HostState(switch=OpenVSwitchState(bridges=self._bridges))
        held = [
            i for bridge in self._bridges.values() for port in bridge.ports.values() for i in port.interfaces
        ]
        assert len(held) == len(set(held)), f"an interface is in two ports: {sorted(held)}"
        holders = port_holders(state)
        for name, interface in self._interfaces.items():
            if name not in holders and interface.type == "internal":
                self._links.pop(name, None)
        self._interfaces = {
            name: interface for name, interface in self._interfaces.items() if name in holders
        }

    def _switched(self, interface: Interface) -> Interface:
        """Return the interface as ovs-vswitchd leaves it."""
        if interface.name in self._links or interface.type == "patch":
            return replace(interface, ofport=65534 if interface.type == "internal" else 1, error="")
        error = f"could not open network device {interface.name} (No such device)"
        return replace(interface, ofport=0, error=error)


def _changed_link(
    link: Link, action: SetMtu | SetLinkUp | AddAddress | DisableChecksumOffload | AttachGuard | DetachGuard
) -> Link:
    match action:
        case SetMtu(mtu_bytes=mtu_bytes):
            return replace(link, mtu_bytes=mtu_bytes)
        case SetLinkUp():
            return replace(link, up=True)
        case AddAddress(address=address):
            return replace(link, addresses=tuple(sorted({*link.addresses, address})))
        case DisableChecksumOffload():
            return replace(link, tx_checksum_offload=False)
        case AttachGuard(replace=is_old):
            assert link.xdp is (Xdp.OLD_GUARD if is_old else Xdp.NONE), f"{link.name} has {link.xdp}"
            return replace(link, xdp=Xdp.GUARD)
        case DetachGuard():
            return replace(link, xdp=Xdp.NONE)
        case _:
            assert_never(action)


def _without_empty(keys: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in keys.items() if value}
