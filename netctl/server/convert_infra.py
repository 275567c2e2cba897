"""Cluster, Host and VirtualSwitch between protobuf and model."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.model.infra import (
    DEFAULT_MAC_PREFIX,
    DEFAULT_MCAST_TIMEOUT_S,
    DEFAULT_MTU_BYTES,
    BondMode,
    Cluster,
    Host,
    IgmpSnooping,
    InternalBridge,
    InternalPort,
    LacpMode,
    LacpTimeout,
    Rollout,
    Uplink,
    VirtualSwitch,
)
from netctl.model.keys import ClusterId, HostId, Kind, VirtualSwitchId
from netctl.model.status import Status
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_categories,
    parse_enum,
    parse_name,
    parse_reference,
    render_categories,
    render_name,
    status_to_proto,
)
from netctl.v1 import infra_pb2

_INTERNAL_BRIDGE = "virbr0"
_BOND_MODES = {
    infra_pb2.BOND_MODE_ACTIVE_BACKUP: BondMode.ACTIVE_BACKUP,
    infra_pb2.BOND_MODE_BALANCE_SLB: BondMode.BALANCE_SLB,
    infra_pb2.BOND_MODE_BALANCE_TCP: BondMode.BALANCE_TCP,
    infra_pb2.BOND_MODE_NONE: BondMode.NONE,
}
_BOND_MODE_VALUES = {mode: value for value, mode in _BOND_MODES.items()}
_BOND_MODE_NAMES = {value: name for name, value in infra_pb2.BondMode.items()}
_LACP_MODES = {
    infra_pb2.LACP_MODE_UNSPECIFIED: LacpMode.AUTO,
    infra_pb2.LACP_MODE_OFF: LacpMode.OFF,
    infra_pb2.LACP_MODE_ACTIVE: LacpMode.ACTIVE,
}
_LACP_MODE_VALUES = {mode: value for value, mode in _LACP_MODES.items()}
_LACP_MODE_NAMES = {value: name for name, value in infra_pb2.LacpMode.items()}
_LACP_TIMEOUTS = {
    infra_pb2.LACP_TIMEOUT_FAST: LacpTimeout.FAST,
    infra_pb2.LACP_TIMEOUT_SLOW: LacpTimeout.SLOW,
}
_LACP_TIMEOUT_VALUES = {timeout: value for value, timeout in _LACP_TIMEOUTS.items()}
_LACP_TIMEOUT_NAMES = {value: name for name, value in infra_pb2.LacpTimeout.items()}
_ROLLOUTS = {infra_pb2.ROLLOUT_ROLLING: Rollout.ROLLING, infra_pb2.ROLLOUT_QUICK: Rollout.QUICK}
_ROLLOUT_VALUES = {rollout: value for value, rollout in _ROLLOUTS.items()}
_ROLLOUT_NAMES = {value: name for name, value in infra_pb2.Rollout.items()}
# How filters spell what the model holds.
BOND_MODE_NAMES = {mode: _BOND_MODE_NAMES[value] for value, mode in _BOND_MODES.items()}
LACP_MODE_NAMES = {mode: _LACP_MODE_NAMES[value] for value, mode in _LACP_MODES.items()}
LACP_TIMEOUT_NAMES = {timeout: _LACP_TIMEOUT_NAMES[value] for value, timeout in _LACP_TIMEOUTS.items()}
ROLLOUT_NAMES = {rollout: _ROLLOUT_NAMES[value] for value, rollout in _ROLLOUTS.items()}


def cluster_from_proto(message: infra_pb2.Cluster) -> Cluster:
    """Return the cluster that a request asks for."""
    return Cluster(
        id=ClusterId(parse_name("name", message.name, Kind.CLUSTER)),
        meta=meta_from_proto(message),
        mac_prefix=message.mac_prefix or DEFAULT_MAC_PREFIX,
        underlay_mtu_bytes=message.underlay_mtu_bytes or DEFAULT_MTU_BYTES,
    )


def cluster_to_proto(cluster: Cluster, status: Status | None) -> infra_pb2.Cluster:
    """Return the message of a cluster."""
    message = infra_pb2.Cluster()
    message.name = f"clusters/{cluster.id}"
    meta_to_proto(cluster.meta, message)
    message.mac_prefix = cluster.mac_prefix
    message.underlay_mtu_bytes = cluster.underlay_mtu_bytes
    if status is not None:
        status_to_proto(status, message.status)
    return message


def host_from_proto(message: infra_pb2.Host) -> Host:
    """Return the host that a request asks for."""
    tunnel = parse_reference("tunnel_virtual_switch", message.tunnel_virtual_switch, Kind.VIRTUAL_SWITCH)
    return Host(
        id=HostId(parse_name("name", message.name, Kind.HOST)),
        meta=meta_from_proto(message),
        cluster=ClusterId(parse_name("cluster", message.cluster, Kind.CLUSTER)),
        tunnel_address=message.tunnel_address,
        tunnel_virtual_switch=VirtualSwitchId(tunnel),
        uplinks=tuple(_uplink_from_proto(i, uplink) for i, uplink in enumerate(message.uplinks)),
        internal_ports=_internal_ports_from_proto(message.internal_ports),
        internal_bridge=(
            _internal_bridge_from_proto(message.internal_bridge)
            if message.HasField("internal_bridge")
            else None
        ),
        categories=parse_categories(message.categories),
        maintenance=message.maintenance,
    )


def _uplink_from_proto(index: int, message: infra_pb2.Uplink) -> Uplink:
    switch = parse_name(f"uplinks[{index}].virtual_switch", message.virtual_switch, Kind.VIRTUAL_SWITCH)
    return Uplink(
        virtual_switch=VirtualSwitchId(switch),
        interfaces=tuple(message.interfaces),
        active_interface=message.active_interface,
        addresses=tuple(message.addresses),
    )


def _internal_ports_from_proto(messages: Sequence[infra_pb2.InternalPort]) -> tuple[InternalPort, ...]:
    return tuple(
        InternalPort(
            name=message.name,
            virtual_switch=VirtualSwitchId(
                parse_name(f"internal_ports[{i}].virtual_switch", message.virtual_switch, Kind.VIRTUAL_SWITCH)
            ),
            vlan_id=message.vlan_id,
            addresses=tuple(message.addresses),
            mtu_bytes=message.mtu_bytes,
        )
        for i, message in enumerate(messages)
    )


def _internal_bridge_from_proto(message: infra_pb2.InternalBridge) -> InternalBridge:
    return InternalBridge(
        name=message.name or _INTERNAL_BRIDGE,
        addresses=tuple(message.addresses),
        interfaces=tuple(message.interfaces),
    )


def host_to_proto(host: Host, status: Status | None) -> infra_pb2.Host:
    """Return the message of a host."""
    message = infra_pb2.Host()
    message.name = f"hosts/{host.id}"
    meta_to_proto(host.meta, message)
    message.cluster = f"clusters/{host.cluster}"
    message.tunnel_address = host.tunnel_address
    message.tunnel_virtual_switch = render_name(Kind.VIRTUAL_SWITCH, host.tunnel_virtual_switch)
    for uplink in host.uplinks:
        message.uplinks.add(
            virtual_switch=f"virtualSwitches/{uplink.virtual_switch}",
            interfaces=uplink.interfaces,
            active_interface=uplink.active_interface,
            addresses=uplink.addresses,
        )
    for port in host.internal_ports:
        message.internal_ports.add(
            name=port.name,
            virtual_switch=f"virtualSwitches/{port.virtual_switch}",
            vlan_id=port.vlan_id,
            addresses=port.addresses,
            mtu_bytes=port.mtu_bytes,
        )
    if host.internal_bridge is not None:
        message.internal_bridge.name = host.internal_bridge.name
        message.internal_bridge.addresses.extend(host.internal_bridge.addresses)
        message.internal_bridge.interfaces.extend(host.internal_bridge.interfaces)
    message.categories.extend(render_categories(host.categories))
    message.maintenance = host.maintenance
    if status is not None:
        status_to_proto(status, message.status)
    return message


def virtual_switch_from_proto(message: infra_pb2.VirtualSwitch) -> VirtualSwitch:
    """Return the virtual switch that a request asks for."""
    mode = message.bond_mode or infra_pb2.BOND_MODE_ACTIVE_BACKUP
    timeout = message.lacp_timeout or infra_pb2.LACP_TIMEOUT_FAST
    rollout = message.rollout or infra_pb2.ROLLOUT_ROLLING
    return VirtualSwitch(
        id=VirtualSwitchId(parse_name("name", message.name, Kind.VIRTUAL_SWITCH)),
        meta=meta_from_proto(message),
        cluster=ClusterId(parse_name("cluster", message.cluster, Kind.CLUSTER)),
        bridge=message.bridge,
        mtu_bytes=message.mtu_bytes or DEFAULT_MTU_BYTES,
        bond_mode=parse_enum("bond_mode", mode, _BOND_MODES, _BOND_MODE_NAMES),
        lacp_mode=parse_enum("lacp_mode", message.lacp_mode, _LACP_MODES, _LACP_MODE_NAMES),
        lacp_timeout=parse_enum("lacp_timeout", timeout, _LACP_TIMEOUTS, _LACP_TIMEOUT_NAMES),
        lacp_fallback=message.lacp_fallback if message.HasField("lacp_fallback") else True,
        igmp_snooping=IgmpSnooping(
            enabled=message.igmp_snooping.enabled,
            timeout_s=message.igmp_snooping.timeout_s or DEFAULT_MCAST_TIMEOUT_S,
            querier=message.igmp_snooping.querier,
            querier_vlan_ids=tuple(message.igmp_snooping.querier_vlan_ids),
        ),
        rollout=parse_enum("rollout", rollout, _ROLLOUTS, _ROLLOUT_NAMES),
    )


def virtual_switch_to_proto(switch: VirtualSwitch, status: Status | None) -> infra_pb2.VirtualSwitch:
    """Return the message of a virtual switch."""
    message = infra_pb2.VirtualSwitch()
    message.name = f"virtualSwitches/{switch.id}"
    meta_to_proto(switch.meta, message)
    message.cluster = f"clusters/{switch.cluster}"
    message.bridge = switch.bridge
    message.mtu_bytes = switch.mtu_bytes
    message.bond_mode = _BOND_MODE_VALUES[switch.bond_mode]
    message.lacp_mode = _LACP_MODE_VALUES[switch.lacp_mode]
    message.lacp_timeout = _LACP_TIMEOUT_VALUES[switch.lacp_timeout]
    message.lacp_fallback = switch.lacp_fallback
    snooping = switch.igmp_snooping
    message.igmp_snooping.enabled = snooping.enabled
    message.igmp_snooping.timeout_s = snooping.timeout_s
    message.igmp_snooping.querier = snooping.querier
    message.igmp_snooping.querier_vlan_ids.extend(snooping.querier_vlan_ids)
    message.rollout = _ROLLOUT_VALUES[switch.rollout]
    if status is not None:
        status_to_proto(status, message.status)
    return message


def virtual_switch_to_request(switch: VirtualSwitch) -> infra_pb2.VirtualSwitch:
    """Return the message by which a client would ask for this switch: LACP that follows the bond mode is unset."""
    message = virtual_switch_to_proto(switch, None)
    follows = LacpMode.ACTIVE if switch.bond_mode is BondMode.BALANCE_TCP else LacpMode.OFF
    if switch.lacp_mode is follows:
        message.lacp_mode = infra_pb2.LACP_MODE_UNSPECIFIED
    return message
