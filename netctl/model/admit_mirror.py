"""Admission of TrafficMirror: sources on one bridge of its host, and destinations that only it copies to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.infra import Host
from netctl.model.intent import Intent
from netctl.model.keys import Kind, NicId
from netctl.model.lookups import Lookups
from netctl.model.mirror import MirrorSource, TrafficMirror
from netctl.model.nic import Nic, NicKind
from netctl.model.places import bridge_of_guest, is_moving
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, in_use, stamp
from netctl.model.subnet import Subnet


def admit_traffic_mirror(
    asked: TrafficMirror, before: TrafficMirror | None, draft: Draft, context: Context
) -> TrafficMirror:
    """Return the mirror to store. NICs that have left its host since they were named stay named."""
    if before is not None:
        check_kept("host", before.host, asked.host)
    host = draft.host(asked.host)
    if host is None:
        raise absent((Kind.HOST, asked.host), "host")
    kept = {source.nic for source in before.sources} if before is not None else set()
    for i, source in enumerate(asked.sources):
        if source.nic:
            _check_source(source.nic, host, f"sources[{i}].nic", draft, known=source.nic in kept)
        else:
            _check_uplink(source, host, f"sources[{i}].virtual_switch", draft)
    for i, id in enumerate(asked.destinations):
        known = before is not None and id in before.destinations
        _check_destination(asked, id, f"destinations[{i}]", draft, known=known)
    _check_one_bridge(asked, host, draft)
    return replace(asked, meta=stamp(asked.meta, before, context))


def check_mirrors(before: Intent | None, after: Intent | None, draft: Draft) -> None:
    """Refuse a change of a subnet or NIC, already in the draft, that would spread a mirror's sources over bridges."""
    match before, after:
        case Subnet(), Subnet():
            moving = before.kind is not after.kind
            if moving or _where(before) != _where(after):
                nics = (*draft.nics_of_subnet(after.id), *draft.trunks_of_subnet(after.id))
                field = (
                    "kind"
                    if moving
                    else "service_chain"
                    if before.service_chain != after.service_chain
                    else "virtual_switches"
                )
                _check_together(nics, draft, field, moving=moving)
        case Nic(), Nic() if before.trunk_vlans != after.trunk_vlans or before.basic is not after.basic:
            _check_together(
                (after,), draft, "trunk_vlans" if before.basic is after.basic else "nic", moving=False
            )


def _where(subnet: Subnet) -> tuple[str, tuple[str, ...]]:
    return subnet.service_chain, subnet.virtual_switches


def _check_together(nics: Iterable[Nic], draft: Draft, field: str, *, moving: bool) -> None:
    """Refuse when NICs share a mirror with sources on another bridge; while they move, with any other source."""
    guests = [nic for nic in nics if nic.kind is NicKind.NORMAL or not moving]
    mirrors = {mirror.id: mirror for nic in guests for mirror in draft.mirrors_of_nic(nic.id)}
    torn = [
        (Kind.TRAFFIC_MIRROR, mirror.id)
        for mirror in mirrors.values()
        if (moving and len(mirror.sources) > 1) or len(_bridges(mirror, draft.host(mirror.host), draft)) > 1
    ]
    if torn:
        raise in_use(
            "sources of a mirror are on one bridge, and some would go to another: they are used",
            torn,
            field=field,
        )


def _check_source(id: NicId, host: Host, field: str, draft: Draft, *, known: bool) -> None:
    nic = draft.nic(id)
    if nic is None:
        raise absent((Kind.NIC, id), field)
    if not nic.has_subnet:
        raise InvalidIntent(field, f"nics/{id} is of kind {nic.kind.name}: name a guest's, NORMAL or DIRECT")
    if not known:
        _check_here(nic, host, field)


def _check_here(nic: Nic, host: Host, field: str) -> None:
    if nic.host not in ("", host.id):
        raise InvalidIntent(
            field,
            f"nics/{nic.id} is on hosts/{nic.host}, this mirror on hosts/{host.id}: name a NIC that is there",
        )


def _check_uplink(source: MirrorSource, host: Host, field: str, draft: Draft) -> None:
    if draft.virtual_switch(source.virtual_switch) is None:
        raise absent((Kind.VIRTUAL_SWITCH, source.virtual_switch), field)
    if all(uplink.virtual_switch != source.virtual_switch for uplink in host.uplinks):
        raise InvalidIntent(
            field,
            f"hosts/{host.id} has no uplink of virtualSwitches/{source.virtual_switch}: name one of its own",
        )


def _check_destination(mirror: TrafficMirror, id: NicId, field: str, draft: Draft, *, known: bool) -> None:
    nic, host = draft.nic(id), draft.host(mirror.host)
    if nic is None:
        raise absent((Kind.NIC, id), field)
    if nic.kind is not NicKind.SPAN_DESTINATION:
        raise InvalidIntent(field, f"nics/{id} is not of kind SPAN_DESTINATION: name one that is")
    for other in draft.mirrors_of_nic(id):
        if other.id != mirror.id:
            raise AlreadyExists(
                f"nics/{id} gets the copies of trafficMirrors/{other.id}: a destination is in one mirror",
                field=field,
            )
    if host is not None and not known:
        _check_here(nic, host, field)


def _check_one_bridge(mirror: TrafficMirror, host: Host, draft: Draft) -> None:
    bridges = _bridges(mirror, host, draft)
    for i, source in enumerate(mirror.sources):
        nic = draft.nic(source.nic) if source.nic and len(mirror.sources) > 1 else None
        if nic is not None and is_moving(draft, nic):
            raise InvalidIntent(
                f"sources[{i}].nic",
                f"nics/{nic.id} is still to move between VLAN_BASIC and VLAN, to another bridge: use a mirror for it"
                " alone, or wait until it has (the `migration` of its subnet)",
            )
    if len(bridges) > 1:
        places = ", ".join(f"{who} on {bridge or 'brAtlas'}" for bridge, who in bridges.items())
        raise InvalidIntent(
            "sources", f"are on several bridges ({places}), and copies are made on one: use a mirror for each"
        )


def _bridges(mirror: TrafficMirror, host: Host | None, lookups: Lookups) -> dict[str, str]:
    """Return the bridges that sources are on, each with a source for an example; "" is brAtlas."""
    found: dict[str, str] = {}
    for source in mirror.sources if host is not None else ():
        assert host is not None
        nic = lookups.nic(source.nic) if source.nic else None
        switch = lookups.virtual_switch(source.virtual_switch) if not source.nic else None
        if nic is not None:
            found.setdefault(bridge_of_guest(lookups, nic, host.cluster), f"nics/{nic.id}")
        elif switch is not None:
            found.setdefault(switch.bridge, f"virtualSwitches/{switch.id}")
    return found
