"""Status of an intent and what hosts report: the values from which `reconciler/status.py` computes it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.model.keys import HostId


class Phase(enum.StrEnum):
    """Is an intent in the network?"""

    PENDING = "PENDING"
    PROGRAMMED = "PROGRAMMED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Gate 3's answer: `reason` for programs, `message` for people, `revision` of the intent that it speaks of."""

    phase: Phase
    reason: str = ""
    message: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NicReport:
    """A NIC of the assignment as the host sees it.

    `learned_addresses`: (VLAN id, address) that its guest uses, sorted. `guarded`: its IPv6 guard stands.
    `resumed`: the guest that a migration brings went on here, and `announce_ms` later its frames passed.
    """

    iface_id: str
    tap_present: bool
    plugged: bool
    ovn_installed: bool
    learned_addresses: tuple[tuple[int, str], ...] = ()
    guarded: bool = False
    resumed: bool = False
    announce_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeReport:
    """An uplink bridge; `up` when at least one of its uplink interfaces has carrier."""

    bridge: str
    physnet: str
    up: bool
    settings_id: str = ""
    rolled_back_settings_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LldpNeighbor:
    """What is at the other end of a cable, as far as it says; `port_vlan_id` 0 is unknown."""

    chassis_id: str
    port_id: str
    port_description: str = ""
    system_name: str = ""
    system_description: str = ""
    port_vlan_id: int = 0
    management_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """A Linux interface that serves an uplink (`uplink`), or could; `speed_mbps` 0 is unknown."""

    interface: str
    present: bool
    up: bool
    mtu_bytes: int
    uplink: bool = True
    mac_address: str = ""
    speed_mbps: int = 0
    full_duplex: bool = False
    driver: str = ""
    bridge: str = ""
    addresses: tuple[str, ...] = ()
    neighbor: LldpNeighbor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BondReport:
    """An uplink bond; `lacp_status` is `off`, `configured` (not spoken by the other side) or `negotiated`."""

    bond: str
    active_interface: str
    up_interfaces: tuple[str, ...]
    bond_mode: str = ""
    lacp_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """One pair of NICs of a network function; `reason` says why it is not healthy, for people.

    `undecided`: only because too few probes went through it yet.
    """

    ingress_tap: str
    healthy: bool
    reason: str = ""
    undecided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReport:
    """A network function on a host; `active_ingress_tap` "": none of its pairs works."""

    function_id: str
    active_ingress_tap: str = ""
    pairs: tuple[PairReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversion:
    """An edit by somebody else that the agent undid; the time in seconds since the epoch."""

    time_s: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelReport:
    """A tunnel to another chassis; `bfd_up` says something only while OVN watches it by `bfd`."""

    remote_ip: str
    up: bool
    bfd: bool = False
    bfd_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """Everything that a host has, as its agent last said; `nb_cfg` up to which its flows are installed.

    `time_s` is the host's clock, in seconds since the epoch.
    """

    host: HostId
    agent_version: str = ""
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
    time_s: float = 0.0
