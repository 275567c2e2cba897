"""Actions: the steps that turn a host into what its assignment says.

`plan.py` makes them; `openvswitch.py` does the `SwitchAction`s, all of a pass in one transaction, `links.py` the
`LinkAction`s. Each may be done again without harm.
"""

from __future__ import annotations

from dataclasses import dataclass

from netctl_host.actions_uplinks import UplinkLinkAction, UplinkSwitchAction


@dataclass(frozen=True, slots=True, kw_only=True)
class AddBridge:
    """Make a bridge of ours with its internal port."""

    bridge: str
    datapath_type: str
    fail_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBridge:
    """Correct a bridge that exists."""

    bridge: str
    datapath_type: str
    fail_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveBridge:
    """Remove a bridge of ours with its ports."""

    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddBond:
    """Make the uplink's port; with one interface it is a plain port, `bond_mode` and `primary` are "" then.

    `lacp` and `lacp_time` as OVS spells them, "" unset.
    """

    bridge: str
    bond: str
    interfaces: tuple[str, ...]
    bond_mode: str
    primary: str
    lacp: str = ""
    lacp_time: str = ""
    lacp_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBond:
    """Correct the members or the mode of a port that exists; members that stay are not touched."""

    bond: str
    interfaces: tuple[str, ...]
    bond_mode: str
    primary: str
    lacp: str = ""
    lacp_time: str = ""
    lacp_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePort:
    """Remove a port, because its interfaces belong into another one of the same bridge."""

    bridge: str
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInternalMtu:
    """Ask ovs-vswitchd for the MTU of an internal port (it undoes what netlink sets); 0 asks for none."""

    bridge: str
    mtu_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChassis:
    """Set keys of the Open_vSwitch record's columns; a value of "" removes the key. Keys that are not named stay."""

    external_ids: tuple[tuple[str, str], ...] = ()
    other_config: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlugTap:
    """Make a tap a port of ours of a bridge, take it there from the bridge `leaves`, or correct one that is a port.

    `iface_id` "" outside of brAtlas. `vlan_mode`, `tag` and `trunks` as the Port's columns, "" and None for empty.
    """

    bridge: str
    tap: str
    iface_id: str
    mac_address: str
    leaves: str = ""
    vlan_mode: str = ""
    tag: int | None = None
    trunks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnplugTap:
    """Remove a port of ours from its bridge."""

    bridge: str
    tap: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPatch:
    """Make a patch port of ours, or correct it; `peer` is the port at its other end."""

    bridge: str
    port: str
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMirror:
    """Make a mirror of ours, or correct it: copies of what comes from and goes to these ports, into `output_port`."""

    bridge: str
    mirror: str
    from_ports: tuple[str, ...]
    to_ports: tuple[str, ...]
    output_port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMirror:
    """Remove a mirror of ours."""

    bridge: str
    mirror: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMtu:
    """Set a link's MTU."""

    link: str
    mtu_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLinkUp:
    """Set a link administratively up."""

    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress:
    """Add an address (with prefix length) to a link; its other addresses stay."""

    link: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableChecksumOffload:
    """Make the kernel complete checksums itself: the userspace datapath reads frames as they are."""

    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachGuard:
    """Put our guard on a tap; `replace` another version of it, in one step."""

    link: str
    replace: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachGuard:
    """Take our guard off a link."""

    link: str


SwitchAction = (
    AddBridge
    | SetBridge
    | RemoveBridge
    | AddBond
    | SetBond
    | RemovePort
    | SetInternalMtu
    | SetChassis
    | PlugTap
    | UnplugTap
    | AddPatch
    | SetMirror
    | RemoveMirror
    | UplinkSwitchAction
)
LinkAction = (
    SetMtu | SetLinkUp | AddAddress | DisableChecksumOffload | AttachGuard | DetachGuard | UplinkLinkAction
)
Action = SwitchAction | LinkAction
