"""HostReport: what a host tells its controller, as plain values; `report.py` makes it, `convert.py` sends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from netctl_host.state import FunctionReport as FunctionReport
from netctl_host.state import LearnedAddress, LldpNeighbor
from netctl_host.state import PairReport as PairReport


@dataclass(frozen=True, slots=True, kw_only=True)
class NicReport:
    """A NIC of the assignment; `learned_addresses` sorted. `resumed`: a migration brought its guest."""

    iface_id: str
    tap_present: bool
    plugged: bool
    ovn_installed: bool
    learned_addresses: tuple[LearnedAddress, ...] = ()
    guarded: bool = False
    resumed: bool = False
    announce_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """An interface that serves an uplink, or could; `up`: carrier is on, `bridge`: that has it as a port."""

    interface: str
    present: bool
    up: bool
    mtu_bytes: int
    uplink: bool = False
    mac_address: str = ""
    speed_mbps: int = 0
    full_duplex: bool = False
    driver: str = ""
    bridge: str = ""
    addresses: tuple[str, ...] = ()
    neighbor: LldpNeighbor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BondReport:
    """An uplink's bond; a bond of one interface is active while it has carrier."""

    bond: str
    active_interface: str
    up_interfaces: tuple[str, ...]
    bond_mode: str = ""
    lacp_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeReport:
    """An uplink bridge; `up`: it exists, with an interface that has carrier.

    `settings_id`: of the settings that it has and that were confirmed, `rolled_back_settings_id`: of those undone.
    """

    bridge: str
    physnet: str
    up: bool
    settings_id: str = ""
    rolled_back_settings_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelReport:
    """A tunnel to another chassis; `bfd`: OVN watches it by BFD, `bfd_up`: which hears the other host."""

    remote_ip: str
    up: bool
    bfd: bool = False
    bfd_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversion:
    """An edit by somebody else that was undone; `time` in UTC."""

    time: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """Everything that the host has; `problems` one sentence each."""

    host_id: str
    assignment_revision: int = 0
    nb_cfg: int = 0
    ovn_controller_connected: bool = False
    nics: tuple[NicReport, ...] = ()
    links: tuple[LinkReport, ...] = ()
    bonds: tuple[BondReport, ...] = ()
    bridges: tuple[BridgeReport, ...] = ()
    tunnels: tuple[TunnelReport, ...] = ()
    problems: tuple[str, ...] = ()
    functions: tuple[FunctionReport, ...] = ()
    reversions: tuple[Reversion, ...] = ()
