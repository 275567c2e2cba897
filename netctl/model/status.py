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
    """

    iface_id: str
    tap_present: bool
    plugged: bool
    ovn_installed: bool
    learned_addresses: tuple[tuple[int, str], ...] = ()
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeReport:
    """An uplink bridge; `up` when at least one of its uplink interfaces has carrier."""

    bridge: str
    physnet: str
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """A Linux interface that serves an uplink."""

    interface: str
    present: bool
    up: bool
    mtu_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BondReport:
    """An uplink bond."""

    bond: str
    active_interface: str
    up_interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelReport:
    """A tunnel to another chassis; `bfd_up` says something only while OVN watches it by `bfd`."""

    remote_ip: str
    up: bool
    bfd: bool = False
    bfd_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """Everything that a host has, as its agent last said; `nb_cfg` up to which its flows are installed."""

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
