"""Cluster, Host and VirtualSwitch between protobuf and model."""

from __future__ import annotations

from netctl.model.infra import (
    DEFAULT_MAC_PREFIX,
    DEFAULT_MTU_BYTES,
    BondMode,
    Cluster,
    Host,
    Uplink,
    VirtualSwitch,
)
from netctl.model.keys import ClusterId, HostId, Kind, VirtualSwitchId
from netctl.model.status import Status
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_enum,
    parse_name,
    parse_reference,
    render_name,
    status_to_proto,
)
from netctl.v1 import infra_pb2

_BOND_MODES = {infra_pb2.BOND_MODE_ACTIVE_BACKUP: BondMode.ACTIVE_BACKUP}
_BOND_MODE_VALUES = {mode: value for value, mode in _BOND_MODES.items()}
_BOND_MODE_NAMES = {value: name for name, value in infra_pb2.BondMode.items()}
# How filters spell what the model holds.
BOND_MODE_NAMES = {mode: _BOND_MODE_NAMES[value] for value, mode in _BOND_MODES.items()}


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
    )


def _uplink_from_proto(index: int, message: infra_pb2.Uplink) -> Uplink:
    switch = parse_name(f"uplinks[{index}].virtual_switch", message.virtual_switch, Kind.VIRTUAL_SWITCH)
    return Uplink(virtual_switch=VirtualSwitchId(switch), interfaces=tuple(message.interfaces))


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
            virtual_switch=f"virtualSwitches/{uplink.virtual_switch}", interfaces=uplink.interfaces
        )
    if status is not None:
        status_to_proto(status, message.status)
    return message


def virtual_switch_from_proto(message: infra_pb2.VirtualSwitch) -> VirtualSwitch:
    """Return the virtual switch that a request asks for."""
    # Unset is the default, active-backup.
    mode = message.bond_mode or infra_pb2.BOND_MODE_ACTIVE_BACKUP
    return VirtualSwitch(
        id=VirtualSwitchId(parse_name("name", message.name, Kind.VIRTUAL_SWITCH)),
        meta=meta_from_proto(message),
        cluster=ClusterId(parse_name("cluster", message.cluster, Kind.CLUSTER)),
        bridge=message.bridge,
        mtu_bytes=message.mtu_bytes or DEFAULT_MTU_BYTES,
        bond_mode=parse_enum("bond_mode", mode, _BOND_MODES, _BOND_MODE_NAMES),
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
    if status is not None:
        status_to_proto(status, message.status)
    return message
