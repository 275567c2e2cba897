"""Traffic mirrors of a host to OVS ports. Pure; a part of `assignment.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netctl.compiler.assignment_places import bridge_of_nic
from netctl.compiler.assignment_uplinks import bond_name, bridge_of
from netctl.model.assignment_chains import Mirror
from netctl.model.infra import Host
from netctl.model.keys import Kind, NicId
from netctl.model.mirror import MirrorDirection, MirrorSource, TrafficMirror
from netctl.model.nic import Nic, NicKind
from netctl.model.snapshot import Snapshot

# Where the copies for a NIC come from: a bridge, "" for brAtlas.
Mirrored = Mapping[NicId, str]
_GUESTS = frozenset({NicKind.NORMAL, NicKind.DIRECT})


def compile_mirrors(snapshot: Snapshot, host: Host) -> tuple[Mirror, ...]:
    """Return the mirrors of a host that have a source and a destination there, ordered by id."""
    return tuple(
        Mirror(
            mirror_id=mirror.id,
            bridge=bridge,
            from_ports=_ports(snapshot, host, mirror, bridge, MirrorDirection.EGRESS),
            to_ports=_ports(snapshot, host, mirror, bridge, MirrorDirection.INGRESS),
            destination_taps=taps,
        )
        for mirror, bridge in mirrors_of(snapshot, host)
        if (taps := tuple(nic.tap_name for nic in destinations_of(snapshot, host, mirror) if nic.connected))
    )


def mirrored_to(snapshot: Snapshot, host: Host) -> Mirrored:
    """Return the NICs of a host that get copies there, each with the bridge that these come from."""
    return {
        nic.id: bridge
        for mirror, bridge in mirrors_of(snapshot, host)
        for nic in destinations_of(snapshot, host, mirror)
    }


def mirrors_of(snapshot: Snapshot, host: Host) -> Iterator[tuple[TrafficMirror, str]]:
    """Yield the mirrors of a host that copy something there, each with its bridge: that of its first source."""
    if not snapshot.count(Kind.TRAFFIC_MIRROR):
        return
    for id in snapshot.ids(Kind.TRAFFIC_MIRROR):
        mirror = snapshot.get((Kind.TRAFFIC_MIRROR, id))
        if not isinstance(mirror, TrafficMirror) or mirror.host != host.id or mirror.disabled:
            continue
        bridges = (_source(snapshot, host, source) for source in mirror.sources)
        first = next((found for found in bridges if found is not None), None)
        if first is not None:
            yield mirror, first[0]


def destinations_of(snapshot: Snapshot, host: Host, mirror: TrafficMirror) -> Iterator[Nic]:
    """Yield the destinations of a mirror that are on a host."""
    for id in mirror.destinations:
        nic = snapshot.nic(id)
        if nic is not None and nic.host == host.id and nic.kind is NicKind.SPAN_DESTINATION:
            yield nic


def _ports(
    snapshot: Snapshot, host: Host, mirror: TrafficMirror, bridge: str, direction: MirrorDirection
) -> tuple[str, ...]:
    """Return the ports of a bridge by which guests send (EGRESS) or get (INGRESS) what is copied.

    Of an uplink it is the other way round: what it gets from the wire comes into the bridge.
    """
    found: dict[str, None] = {}
    for source in mirror.sources:
        place = _source(snapshot, host, source)
        wanted = direction if source.nic else _turned(direction)
        if place is not None and place[0] == bridge and source.direction in (wanted, MirrorDirection.BOTH):
            found[place[1]] = None
    return tuple(found)


def _turned(direction: MirrorDirection) -> MirrorDirection:
    return MirrorDirection.EGRESS if direction is MirrorDirection.INGRESS else MirrorDirection.INGRESS


def _source(snapshot: Snapshot, host: Host, source: MirrorSource) -> tuple[str, str] | None:
    """Return (bridge, port) of a source, None when it is not on this host."""
    if source.virtual_switch:
        switch = bridge_of(snapshot, host, (source.virtual_switch,))
        return (switch.bridge, bond_name(switch)) if switch is not None else None
    nic = snapshot.nic(source.nic)
    if nic is None or nic.host != host.id or nic.kind not in _GUESTS:
        return None
    bridge = bridge_of_nic(snapshot, host, nic)
    return (bridge, nic.tap_name) if bridge is not None else None
