"""Service chains and mirrors as parts of a host's assignment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Taps of one virtual machine of a function; `egress_tap` "" for one that gets copies."""

    ingress_tap: str
    egress_tap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A network function on this host: its enabled pairs, the first preferred. `interval_ms` 0: no probes.

    `tap`: it gets copies. `fail_open`: packets go on while no pair works; else they are dropped.
    """

    function_id: str
    tap: bool
    fail_open: bool
    pairs: tuple[Pair, ...]
    interval_ms: int = 0
    timeout_ms: int = 0
    success_threshold: int = 1
    failure_threshold: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Functions in the order in which packets from guests meet them."""

    chain_id: str
    function_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpan:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringRule:
    """Which frames of a segment pass which chain, "" for none; the highest priority that matches decides.

    Said as the local side sends them; what it gets is matched with source and destination exchanged. Empty MACs and
    networks match all, `ip_version` 0 every frame, `protocol` None every one. `local_opens`: the local side opened the
    connection, and `destination_ports` are the peer's; else they are the local side's.
    """

    priority: int
    chain_id: str
    local_mac_addresses: tuple[str, ...] = ()
    local_networks: tuple[str, ...] = ()
    peer_networks: tuple[str, ...] = ()
    ip_version: int = 0
    protocol: int | None = None
    local_opens: bool = True
    source_ports: tuple[PortSpan, ...] = ()
    destination_ports: tuple[PortSpan, ...] = ()
    icmp_type: int | None = None
    icmp_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A subnet whose frames go through br.nf here: its `localnet` port's name, or `local_bridge` for VLAN basic."""

    subnet_id: str
    localnet: str = ""
    local_bridge: str = ""
    uplink_bridge: str
    vlan_id: int
    rules: tuple[SteeringRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChains:
    """What passes br.nf on this host."""

    functions: tuple[Function, ...] = ()
    chains: tuple[Chain, ...] = ()
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Copies of what ports of a bridge carry: `from_ports` what they send into it, `to_ports` what they get of it."""

    mirror_id: str
    bridge: str
    from_ports: tuple[str, ...] = ()
    to_ports: tuple[str, ...] = ()
    destination_taps: tuple[str, ...] = ()
