"""Actions on uplink bridges, internal ports and the Linux bridge; a part of `actions.py`."""

from __future__ import annotations

from dataclasses import dataclass

from netctl_host.state import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMulticast:
    """Switch a bridge's IGMP and MLD snooping on or off; `aging_s` 0 leaves OVS' own time."""

    bridge: str
    snooping: bool
    aging_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddInternalPort:
    """Make an internal port of ours; `tag` None is every VLAN, untagged its own."""

    bridge: str
    port: str
    tag: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPortTag:
    """Correct the VLAN of an internal port."""

    port: str
    tag: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAddress:
    """Remove an address from a link; one that is not there is no error."""

    link: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAddresses:
    """Have `addresses` on the link `to`, lead the routes over `link` there, then take `leaving` from `link`."""

    link: str
    to: str
    addresses: tuple[str, ...]
    leaving: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoute:
    """Make a route lead over a link."""

    link: str
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLinuxBridge:
    """Make a Linux bridge of ours, up."""

    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLinuxBridge:
    """Remove a Linux bridge of ours; its ports stay."""

    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMaster:
    """Make a link a port of a Linux bridge; `master` "" takes it out."""

    link: str
    master: str


UplinkSwitchAction = SetMulticast | AddInternalPort | SetPortTag
UplinkLinkAction = RemoveAddress | MoveAddresses | AddRoute | AddLinuxBridge | RemoveLinuxBridge | SetMaster
