"""Admission of Cluster, VirtualSwitch and Host: references, defaults, what cannot change and what is still needed."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model import mtu
from netctl.model.indexes import Space
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.ipam import lowest_bridge
from netctl.model.keys import Kind, SubnetId, VirtualSwitchId, resource_name
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
    return replace(asked, meta=stamp(asked.meta, before, context), bridge=bridge)


def admit_host(asked: Host, before: Host | None, draft: Draft, context: Context) -> Host:
    """Return the host to store; its tunnels use the first uplink where no virtual switch was asked for."""
    if before is not None:
        check_kept("cluster", before.cluster, asked.cluster)
    cluster = draft.cluster(asked.cluster)
    if cluster is None:
        raise absent((Kind.CLUSTER, asked.cluster), "cluster")
    _check_uplinks(asked, draft)
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


def _check_uplinks_unused(asked: Host, before: Host, draft: Draft) -> None:
    """Refuse to take away the uplink of a NIC on this host."""
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
    if users:
        names = ", ".join(f"virtualSwitches/{id}" for id in sorted(gone))
        raise in_use(
            f"the uplink of {names} is used on this host",
            [(Kind.NIC, nic.id) for nic in users],
            field="uplinks",
        )


def _virtual_switches_of(subnet: SubnetId, draft: Draft) -> tuple[VirtualSwitchId, ...]:
    found = draft.subnet(subnet)
    return found.virtual_switches if found is not None else ()
