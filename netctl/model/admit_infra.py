"""Admission of Cluster, VirtualSwitch and Host: references, defaults, what cannot change and what is still needed."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent
from netctl.model import mtu
from netctl.model.admit_security import check_categories_exist
from netctl.model.indexes import Relation, Space
from netctl.model.infra import HOSTS_OF_CLUSTER_MAX, BondMode, Cluster, Host, LacpMode, VirtualSwitch
from netctl.model.ipam import lowest_bridge
from netctl.model.keys import Key, Kind, SubnetId, VirtualSwitchId, resource_name
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, in_use, stamp


def admit_cluster(asked: Cluster, before: Cluster | None, draft: Draft, context: Context) -> Cluster:
    """Return the cluster to store. A new MAC prefix serves new NICs; those that have an address keep it."""
    if before is not None and asked.underlay_mtu_bytes > before.underlay_mtu_bytes:
        for switch in draft.virtual_switches_of_cluster(asked.id):
            mtu.check_tunnels_fit(draft, switch, asked, "underlay_mtu_bytes")
    return replace(asked, meta=stamp(asked.meta, before, context))


def admit_virtual_switch(
    asked: VirtualSwitch, before: VirtualSwitch | None, draft: Draft, context: Context
) -> VirtualSwitch:
    """Return the virtual switch to store, with the lowest free uplink bridge where none was asked for."""
    if before is not None:
        check_kept("cluster", before.cluster, asked.cluster)
        if asked.bridge:
            check_kept("bridge", before.bridge, asked.bridge)
        bridge = before.bridge
        cluster = draft.cluster(asked.cluster)
        if cluster is not None and asked.mtu_bytes < before.mtu_bytes:
            mtu.check_tunnels_fit(draft, asked, cluster, "mtu_bytes")
            mtu.check_ports_fit(draft, asked)
        if asked.bond_mode is BondMode.NONE and before.bond_mode is not BondMode.NONE:
            _check_no_bond(asked, draft)
    else:
        if draft.cluster(asked.cluster) is None:
            raise absent((Kind.CLUSTER, asked.cluster), "cluster")
        bridge = asked.bridge or lowest_bridge(draft, asked.cluster)
        owner = draft.owner(((Space.BRIDGE, asked.cluster), int(bridge[2:])))
        if owner is not None:
            raise AlreadyExists(
                f"{bridge} of clusters/{asked.cluster} belongs to {resource_name(owner)}: use another bridge",
                field="bridge",
            )
    return replace(asked, meta=stamp(asked.meta, before, context), bridge=bridge, lacp_mode=_lacp(asked))


def _lacp(asked: VirtualSwitch) -> LacpMode:
    if asked.lacp_mode is not LacpMode.AUTO:
        return asked.lacp_mode
    return LacpMode.ACTIVE if asked.bond_mode is BondMode.BALANCE_TCP else LacpMode.OFF


def _check_no_bond(switch: VirtualSwitch, draft: Draft) -> None:
    """Refuse to take the bond from hosts with several interfaces: without one they would be a loop."""
    hosts = [
        (Kind.HOST, host.id)
        for host in draft.hosts_of_virtual_switch(switch.id)
        for uplink in host.uplinks
        if uplink.virtual_switch == switch.id and len(uplink.interfaces) > 1
    ]
    if hosts:
        raise in_use(
            "bond_mode NONE is for one interface on each host, and several are used", hosts, field="bond_mode"
        )


def admit_host(asked: Host, before: Host | None, draft: Draft, context: Context) -> Host:
    """Return the host to store; its tunnels use the first uplink where no virtual switch was asked for."""
    if before is not None:
        check_kept("cluster", before.cluster, asked.cluster)
    cluster = draft.cluster(asked.cluster)
    if cluster is None:
        raise absent((Kind.CLUSTER, asked.cluster), "cluster")
    if (
        before is None
        and len(draft.related(Relation.HOSTS_OF_CLUSTER, asked.cluster)) >= HOSTS_OF_CLUSTER_MAX
    ):
        raise Exhausted(
            f"clusters/{asked.cluster} has {HOSTS_OF_CLUSTER_MAX} hosts, as many as one can: use another cluster",
            field="cluster",
        )
    check_categories_exist(asked.categories, draft)
    _check_uplinks(asked, draft)
    _check_ports(asked, draft)
    _check_taps(asked, draft)
    owner = draft.owner(((Space.TUNNEL, asked.cluster), asked.tunnel_ip))
    if owner not in (None, (Kind.HOST, asked.id)):
        raise AlreadyExists(
            f"{asked.tunnel_ip} is the tunnel address of {resource_name(owner)}: use another address",
            field="tunnel_address",
        )
    if before is not None:
        _check_uplinks_unused(asked, before, draft)
    first = asked.uplinks[0].virtual_switch if asked.uplinks else VirtualSwitchId("")
    tunnels = asked.tunnel_virtual_switch or first
    switch = draft.virtual_switch(tunnels)
    if switch is not None and (before is None or before.tunnel_virtual_switch != tunnels):
        mtu.check_tunnel_fits(switch, cluster, "tunnel_virtual_switch")
    return replace(asked, meta=stamp(asked.meta, before, context), tunnel_virtual_switch=tunnels)


def _check_uplinks(host: Host, draft: Draft) -> None:
    for i, uplink in enumerate(host.uplinks):
        field = f"uplinks[{i}].virtual_switch"
        switch = draft.virtual_switch(uplink.virtual_switch)
        if switch is None:
            raise absent((Kind.VIRTUAL_SWITCH, uplink.virtual_switch), field)
        if switch.cluster != host.cluster:
            raise InvalidIntent(
                field,
                f"virtualSwitches/{switch.id} is in clusters/{switch.cluster}, this host in clusters/{host.cluster}:"
                " use a virtual switch of the same cluster",
            )
        if switch.bond_mode is BondMode.NONE and len(uplink.interfaces) > 1:
            raise InvalidIntent(
                f"uplinks[{i}].interfaces",
                f"hosts/{host.id} has {len(uplink.interfaces)} interfaces ({', '.join(uplink.interfaces)[:80]}) for"
                f" virtualSwitches/{switch.id}, whose bond_mode is NONE: name one, or give that another bond_mode",
            )


def _check_ports(host: Host, draft: Draft) -> None:
    for i, port in enumerate(host.internal_ports):
        switch = draft.virtual_switch(port.virtual_switch)
        if switch is not None:
            mtu.check_port_fits(port, switch, f"internal_ports[{i}].mtu_bytes")


def _check_taps(host: Host, draft: Draft) -> None:
    """Refuse an interface name that is that of a NIC's tap."""
    named = [(f"internal_ports[{i}].name", port.name) for i, port in enumerate(host.internal_ports)]
    bridge = host.internal_bridge
    named += [
        (f"internal_bridge.interfaces[{i}]", name)
        for i, name in enumerate(bridge.interfaces if bridge else ())
    ]
    named += [
        (f"uplinks[{i}].interfaces", name)
        for i, uplink in enumerate(host.uplinks)
        for name in uplink.interfaces
    ]
    for field, name in named:
        owner = draft.owner(((Space.TAP, ""), name))
        if owner is not None:
            raise AlreadyExists(
                f"{name} is the tap of {resource_name(owner)}: use another interface", field=field
            )


def _check_uplinks_unused(asked: Host, before: Host, draft: Draft) -> None:
    """Refuse to take away the uplink of a NIC or mirror on this host."""
    kept = {uplink.virtual_switch for uplink in asked.uplinks}
    gone = {uplink.virtual_switch for uplink in before.uplinks} - kept
    if not gone:
        return
    users = [
        nic
        for nic in draft.nics_of_host(asked.id)
        if any(
            not gone.isdisjoint(_virtual_switches_of(subnet, draft))
            for subnet in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans))
        )
    ]
    keys: list[Key] = [(Kind.NIC, nic.id) for nic in users]
    keys += [
        (Kind.TRAFFIC_MIRROR, mirror.id)
        for mirror in draft.mirrors_of_host(asked.id)
        if any(source.virtual_switch in gone for source in mirror.sources)
    ]
    if keys:
        names = ", ".join(f"virtualSwitches/{id}" for id in sorted(gone))
        raise in_use(f"the uplink of {names} is used on this host", keys, field="uplinks")


def _virtual_switches_of(subnet: SubnetId, draft: Draft) -> tuple[VirtualSwitchId, ...]:
    found = draft.subnet(subnet)
    return found.virtual_switches if found is not None else ()
