"""Actions: the steps that turn a host into what its assignment says.

`plan.py` makes them; `openvswitch.py` does the `SwitchAction`s, all of a pass in one transaction, `links.py` the
`LinkAction`s. Each may be done again without harm.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """Make the uplink's port; with one interface it is a plain port, `bond_mode` and `primary` are "" then."""

    bridge: str
    bond: str
    interfaces: tuple[str, ...]
    bond_mode: str
    primary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBond:
    """Correct the members or the mode of a port that exists; members that stay are not touched."""

    bond: str
    interfaces: tuple[str, ...]
    bond_mode: str
    primary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePort:
    """Remove a port, because its interfaces belong into another one of the same bridge."""

    bridge: str
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInternalMtu:
    """Ask ovs-vswitchd for the MTU of a bridge's internal port (it undoes what netlink sets)."""

    bridge: str
    mtu_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChassis:
    """Set keys of the Open_vSwitch record's columns; a value of "" removes the key. Keys that are not named stay."""

    external_ids: tuple[tuple[str, str], ...] = ()
    other_config: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlugTap:
    """Make a tap a port of ours of the integration bridge, or correct the ids of one that is a port."""

    bridge: str
    tap: str
    iface_id: str
    mac_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnplugTap:
    """Remove a port of ours from the integration bridge."""

    bridge: str
    tap: str


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
)
LinkAction = SetMtu | SetLinkUp | AddAddress | DisableChecksumOffload | AttachGuard | DetachGuard
Action = SwitchAction | LinkAction
