"""MTU: what a subnet may carry, and what follows when the network below changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from netctl.errors import InvalidIntent
from netctl.model.indexes import Relation
from netctl.model.infra import MTU_MIN_BYTES, Cluster, Host, InternalPort, VirtualSwitch
from netctl.model.intent import Intent, key_of
from netctl.model.keys import ClusterId
from netctl.model.snapshot import Draft
from netctl.model.stamp import Admitted, Context, updated
from netctl.model.subnet import IPV6_MIN_MTU_BYTES, Subnet

# RFC 8926 with the one option that OVN sends: Ethernet 14 + Geneve 8 + option 8 + UDP 8 + IPv4 20 (IPv6 40).
GENEVE_IPV4_BYTES = 58
GENEVE_IPV6_BYTES = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The largest MTU of a subnet, and why."""

    mtu_bytes: int
    reason: str


def overlay_limit(draft: Draft, cluster: Cluster) -> Limit:
    """Return the limit of the overlay subnets of a cluster."""
    ipv6 = bool(draft.related(Relation.IPV6_HOSTS_OF_CLUSTER, cluster.id))
    encapsulation = GENEVE_IPV6_BYTES if ipv6 else GENEVE_IPV4_BYTES
    limit = cluster.underlay_mtu_bytes - encapsulation
    return Limit(
        mtu_bytes=limit,
        reason=f"clusters/{cluster.id} carries {cluster.underlay_mtu_bytes} bytes, less {encapsulation} for Geneve"
        f" over {'IPv6' if ipv6 else 'IPv4'} leaves {limit}",
    )


def vlan_limit(switch: VirtualSwitch) -> Limit:
    """Return the limit of the VLAN subnets of a virtual switch."""
    return Limit(
        mtu_bytes=switch.mtu_bytes, reason=f"virtualSwitches/{switch.id} carries {switch.mtu_bytes} bytes"
    )


def limit_of(subnet: Subnet, draft: Draft) -> Limit:
    """Return the limit of a subnet: the least of its clusters' or virtual switches'; they exist."""
    switches = (draft.virtual_switch(id) for id in subnet.virtual_switches)
    limits = [vlan_limit(switch) for switch in switches if switch is not None]
    if not subnet.has_vlan:
        clusters = (draft.cluster(id) for id in subnet.clusters)
        limits = [overlay_limit(draft, cluster) for cluster in clusters if cluster is not None]
    return min(limits, key=lambda limit: limit.mtu_bytes)


def fit(asked: Subnet, before: Subnet | None, limit: Limit) -> tuple[int, bool]:
    """Return (MTU, whether it follows the limit) of a subnet as asked for; InvalidIntent when it does not fit.

    An automatic MTU that is written back as it was read stays automatic.
    """
    kept = before is not None and before.auto_mtu and asked.mtu_bytes == before.mtu_bytes
    if asked.mtu_bytes and not kept:
        if asked.mtu_bytes > limit.mtu_bytes:
            raise InvalidIntent(
                "mtu_bytes",
                f"{asked.mtu_bytes} is above {limit.mtu_bytes}: {limit.reason}; ask for less or raise that",
            )
        return asked.mtu_bytes, False
    _check_least(asked, limit, "mtu_bytes")
    return limit.mtu_bytes, True


def check_tunnels_fit(draft: Draft, switch: VirtualSwitch, cluster: Cluster, field: str) -> None:
    """Refuse a virtual switch that carries less than its cluster's underlay while tunnels go through it."""
    if draft.related(Relation.TUNNELS_OF_VIRTUAL_SWITCH, switch.id):
        check_tunnel_fits(switch, cluster, field)


def check_tunnel_fits(switch: VirtualSwitch, cluster: Cluster, field: str) -> None:
    """Refuse a virtual switch as the way of tunnels when it carries less than its cluster's underlay."""
    if switch.mtu_bytes < cluster.underlay_mtu_bytes:
        raise InvalidIntent(
            field,
            f"virtualSwitches/{switch.id}, the way of tunnels, would carry {switch.mtu_bytes} bytes, less than the"
            f" underlay_mtu_bytes {cluster.underlay_mtu_bytes} of clusters/{cluster.id}: raise the one or lower the"
            " other first",
        )


def check_ports_fit(draft: Draft, switch: VirtualSwitch) -> None:
    """Refuse a virtual switch that carries less than an interface of a host on it is to."""
    for host in sorted(draft.hosts_of_virtual_switch(switch.id), key=lambda host: host.id):
        for port in host.internal_ports:
            if port.virtual_switch == switch.id and port.mtu_bytes > switch.mtu_bytes:
                raise InvalidIntent(
                    "mtu_bytes",
                    f"{port.name} of hosts/{host.id} has an MTU of {port.mtu_bytes} bytes:"
                    f" {vlan_limit(switch).reason}; lower its mtu_bytes first",
                )


def check_port_fits(port: InternalPort, switch: VirtualSwitch, field: str) -> None:
    """Refuse an interface of a host with a larger MTU than its virtual switch has."""
    if port.mtu_bytes > switch.mtu_bytes:
        raise InvalidIntent(
            field,
            f"{port.mtu_bytes} is above {switch.mtu_bytes}: {vlan_limit(switch).reason}; ask for less or raise that",
        )


def refit(
    draft: Draft, before: Intent | None, after: Intent | None, context: Context
) -> tuple[Admitted, ...]:
    """Bring the MTUs of subnets in line with a changed cluster, virtual switch or host, already in the draft."""
    match before or after:
        case Cluster() as some:
            return _refit_overlays(draft, some.id, "underlay_mtu_bytes", context)
        case VirtualSwitch() as some:
            return _refit(draft, draft.subnets_of_virtual_switch(some.id), "mtu_bytes", context)
        case Host() as some:
            return _refit_overlays(draft, some.cluster, "tunnel_address", context)
    return ()


def needs_refit(draft: Draft, before: Intent | None, after: Intent | None) -> bool:
    """Tell whether a change, already in the draft, moved a limit."""
    match before, after:
        case (Cluster(), Cluster()):
            return before.underlay_mtu_bytes != after.underlay_mtu_bytes
        case (VirtualSwitch(), VirtualSwitch()):
            return before.mtu_bytes != after.mtu_bytes
        case (Host() | None, Host() | None):
            was, now = _has_ipv6_tunnel(before), _has_ipv6_tunnel(after)
            host = after or before
            assert isinstance(host, Host)
            with_ipv6 = len(draft.related(Relation.IPV6_HOSTS_OF_CLUSTER, host.cluster))
            return was != now and with_ipv6 == (1 if now else 0)
    return False


def _has_ipv6_tunnel(host: Intent | None) -> bool:
    return isinstance(host, Host) and ":" in host.tunnel_address


def _refit_overlays(draft: Draft, id: ClusterId, field: str, context: Context) -> tuple[Admitted, ...]:
    return _refit(draft, draft.overlays_of_cluster(id), field, context)


def _refit(draft: Draft, subnets: Iterable[Subnet], field: str, context: Context) -> tuple[Admitted, ...]:
    changes: list[Admitted] = []
    for subnet in sorted(subnets, key=lambda subnet: subnet.id):
        limit = limit_of(subnet, draft)
        if subnet.auto_mtu:
            _check_least(subnet, limit, field)
            if subnet.mtu_bytes != limit.mtu_bytes:
                after = updated(replace(subnet, mtu_bytes=limit.mtu_bytes), context)
                draft.put(after)
                changes.append(Admitted(key=key_of(subnet), before=subnet, after=after))
        elif subnet.mtu_bytes > limit.mtu_bytes:
            raise InvalidIntent(
                field,
                f"subnets/{subnet.id} has an MTU of {subnet.mtu_bytes} bytes: {limit.reason};"
                " lower its mtu_bytes first",
            )
    return tuple(changes)


def _check_least(subnet: Subnet, limit: Limit, field: str) -> None:
    least, family = (MTU_MIN_BYTES, "IPv4") if subnet.ipv6 is None else (IPV6_MIN_MTU_BYTES, "IPv6")
    if limit.mtu_bytes < least:
        raise InvalidIntent(
            field,
            f"{limit.reason}: less than the {least} that subnets/{subnet.id} needs for {family}; raise that",
        )
