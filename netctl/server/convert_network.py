"""Subnet and Nic between protobuf and model."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.errors import InvalidIntent
from netctl.model.keys import (
    ClusterId,
    HostId,
    Kind,
    NicId,
    ServiceChainId,
    SubnetId,
    VirtualSwitchId,
    VmId,
    VpcId,
)
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode, NicModel, TrunkVlan
from netctl.model.status import Status
from netctl.model.subnet import (
    DEFAULT_LEASE_S,
    AddressRange,
    DhcpOptions,
    IpConfig,
    Ipv6Mode,
    StaticRoute,
    Subnet,
    SubnetKind,
)
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
from netctl.v1 import network_pb2

_SUBNET_KINDS = {
    network_pb2.SUBNET_KIND_VLAN: SubnetKind.VLAN,
    network_pb2.SUBNET_KIND_OVERLAY: SubnetKind.OVERLAY,
    network_pb2.SUBNET_KIND_EXTERNAL: SubnetKind.EXTERNAL,
    network_pb2.SUBNET_KIND_VLAN_BASIC: SubnetKind.VLAN_BASIC,
}
_SUBNET_KIND_VALUES = {kind: value for value, kind in _SUBNET_KINDS.items()}
_SUBNET_KIND_NAMES = {value: name for name, value in network_pb2.SubnetKind.items()}
# How filters spell what the model holds.
SUBNET_KIND_NAMES = {kind: _SUBNET_KIND_NAMES[value] for value, kind in _SUBNET_KINDS.items()}
_IPV6_MODES = {
    network_pb2.IPV6_MODE_UNSPECIFIED: Ipv6Mode.AUTO,
    network_pb2.IPV6_MODE_STATIC: Ipv6Mode.STATIC,
    network_pb2.IPV6_MODE_SLAAC: Ipv6Mode.SLAAC,
    network_pb2.IPV6_MODE_DHCPV6_STATELESS: Ipv6Mode.DHCPV6_STATELESS,
    network_pb2.IPV6_MODE_DHCPV6_STATEFUL: Ipv6Mode.DHCPV6_STATEFUL,
}
_IPV6_MODE_VALUES = {mode: value for value, mode in _IPV6_MODES.items()}
_IPV6_MODE_NAMES = {value: name for name, value in network_pb2.Ipv6Mode.items()}
IPV6_MODE_NAMES = {mode: _IPV6_MODE_NAMES[value] for value, mode in _IPV6_MODES.items()}
_NIC_MODES = {network_pb2.NIC_MODE_ACCESS: NicMode.ACCESS, network_pb2.NIC_MODE_TRUNK: NicMode.TRUNK}
_NIC_MODE_VALUES = {mode: value for value, mode in _NIC_MODES.items()}
_NIC_MODE_NAMES = {value: name for name, value in network_pb2.NicMode.items()}
NIC_MODE_NAMES = {mode: _NIC_MODE_NAMES[value] for value, mode in _NIC_MODES.items()}
_NIC_KINDS = {
    network_pb2.NIC_KIND_NORMAL: NicKind.NORMAL,
    network_pb2.NIC_KIND_DIRECT: NicKind.DIRECT,
    network_pb2.NIC_KIND_NETWORK_FUNCTION: NicKind.NETWORK_FUNCTION,
    network_pb2.NIC_KIND_SPAN_DESTINATION: NicKind.SPAN_DESTINATION,
}
_NIC_KIND_VALUES = {kind: value for value, kind in _NIC_KINDS.items()}
_NIC_KIND_NAMES = {value: name for name, value in network_pb2.NicKind.items()}
NIC_KIND_NAMES = {kind: _NIC_KIND_NAMES[value] for value, kind in _NIC_KINDS.items()}
_SIDES = {
    network_pb2.NETWORK_FUNCTION_SIDE_UNSPECIFIED: FunctionSide.NONE,
    network_pb2.NETWORK_FUNCTION_SIDE_INGRESS: FunctionSide.INGRESS,
    network_pb2.NETWORK_FUNCTION_SIDE_EGRESS: FunctionSide.EGRESS,
    network_pb2.NETWORK_FUNCTION_SIDE_TAP: FunctionSide.TAP,
}
_SIDE_VALUES = {side: value for value, side in _SIDES.items()}
_SIDE_NAMES = {value: name for name, value in network_pb2.NetworkFunctionSide.items()}
SIDE_NAMES = {side: _SIDE_NAMES[value] for value, side in _SIDES.items()}
_NIC_MODELS = {network_pb2.NIC_MODEL_VIRTIO: NicModel.VIRTIO, network_pb2.NIC_MODEL_E1000: NicModel.E1000}
_NIC_MODEL_VALUES = {model: value for value, model in _NIC_MODELS.items()}
_NIC_MODEL_NAMES = {value: name for name, value in network_pb2.NicModel.items()}
NIC_MODEL_NAMES = {model: _NIC_MODEL_NAMES[value] for value, model in _NIC_MODELS.items()}


def subnet_from_proto(message: network_pb2.Subnet) -> Subnet:
    """Return the subnet that a request asks for; where virtual switches are, the clusters are output only."""
    kind = parse_enum("kind", message.kind, _SUBNET_KINDS, _SUBNET_KIND_NAMES)
    external = kind is SubnetKind.EXTERNAL
    has_switches = kind in (SubnetKind.VLAN, SubnetKind.VLAN_BASIC) or (external and not message.vpc)
    if has_switches and message.virtual_switches and not message.HasField("vlan_id"):
        raise InvalidIntent("vlan_id", "is not set; name 1 to 4094, or 0 for an untagged network")
    if message.HasField("nat") and not external:
        raise InvalidIntent("nat", "goes with kind EXTERNAL only")
    return Subnet(
        id=SubnetId(parse_name("name", message.name, Kind.SUBNET)),
        meta=meta_from_proto(message),
        kind=kind,
        virtual_switches=tuple(
            VirtualSwitchId(parse_name(f"virtual_switches[{i}]", name, Kind.VIRTUAL_SWITCH))
            for i, name in enumerate(message.virtual_switches)
        ),
        vlan_id=message.vlan_id,
        clusters=tuple(
            ClusterId(parse_name(f"clusters[{i}]", name, Kind.CLUSTER))
            for i, name in enumerate(() if has_switches else message.clusters)
        ),
        vpc=VpcId(parse_reference("vpc", message.vpc, Kind.VPC)),
        mtu_bytes=message.mtu_bytes,
        ipv4=_ip_config_from_proto(4, message.ipv4) if message.HasField("ipv4") else None,
        ipv6=_ip_config_from_proto(6, message.ipv6) if message.HasField("ipv6") else None,
        dhcp=_dhcp_from_proto(message.dhcp) if message.HasField("dhcp") else None,
        nat=message.nat if message.HasField("nat") else external and has_switches,
        ipv6_mode=parse_enum("ipv6_mode", message.ipv6_mode, _IPV6_MODES, _IPV6_MODE_NAMES),
        categories=parse_categories(message.categories),
        service_chain=ServiceChainId(
            parse_reference("service_chain", message.service_chain, Kind.SERVICE_CHAIN)
        ),
    )


def _ip_config_from_proto(version: int, message: network_pb2.IpConfig) -> IpConfig:
    return IpConfig(
        version=version,
        cidr=message.cidr,
        gateway=message.gateway,
        pools=_ranges_from_proto(message.pools),
        exclusions=_ranges_from_proto(message.exclusions),
    )


def _ranges_from_proto(messages: Sequence[network_pb2.AddressRange]) -> tuple[AddressRange, ...]:
    return tuple(AddressRange(start=message.start, end=message.end) for message in messages)


def _dhcp_from_proto(message: network_pb2.DhcpOptions) -> DhcpOptions:
    routes = message.static_routes
    return DhcpOptions(
        disabled=message.disabled,
        server_address=message.server_address,
        lease_s=message.lease_s or DEFAULT_LEASE_S,
        dns_servers=tuple(message.dns_servers),
        domain_name=message.domain_name,
        domain_search=tuple(message.domain_search),
        ntp_servers=tuple(message.ntp_servers),
        tftp_server=message.tftp_server,
        bootfile_name=message.bootfile_name,
        static_routes=tuple(StaticRoute(destination=r.destination, next_hop=r.next_hop) for r in routes),
    )


def subnet_to_proto(subnet: Subnet, status: Status | None) -> network_pb2.Subnet:
    """Return the message of a subnet."""
    message = network_pb2.Subnet()
    message.name = f"subnets/{subnet.id}"
    meta_to_proto(subnet.meta, message)
    message.kind = _SUBNET_KIND_VALUES[subnet.kind]
    message.virtual_switches.extend(render_name(Kind.VIRTUAL_SWITCH, id) for id in subnet.virtual_switches)
    if subnet.virtual_switches:
        message.vlan_id = subnet.vlan_id
    message.clusters.extend(render_name(Kind.CLUSTER, id) for id in subnet.clusters)
    message.vni = subnet.vni
    message.vpc = render_name(Kind.VPC, subnet.vpc)
    message.mtu_bytes = subnet.mtu_bytes
    if subnet.ipv4 is not None:
        _ip_config_to_proto(subnet.ipv4, message.ipv4)
    if subnet.ipv6 is not None:
        _ip_config_to_proto(subnet.ipv6, message.ipv6)
    if subnet.dhcp is not None:
        _dhcp_to_proto(subnet.dhcp, message.dhcp)
    if subnet.kind is SubnetKind.EXTERNAL:
        message.nat = subnet.nat
    message.gateway_mac_address = subnet.gateway_mac_address
    message.ipv6_mode = _IPV6_MODE_VALUES[subnet.ipv6_mode]
    message.categories.extend(render_categories(subnet.categories))
    message.service_chain = render_name(Kind.SERVICE_CHAIN, subnet.service_chain)
    if status is not None:
        status_to_proto(status, message.status)
    return message


def subnet_to_request(subnet: Subnet) -> network_pb2.Subnet:
    """Return the message by which a client would ask for this subnet: an MTU that follows the underlay is unset."""
    message = subnet_to_proto(subnet, None)
    if subnet.auto_mtu:
        message.mtu_bytes = 0
    return message


def _ip_config_to_proto(config: IpConfig, message: network_pb2.IpConfig) -> None:
    message.cidr = config.cidr
    message.gateway = config.gateway
    for range_ in config.pools:
        message.pools.add(start=range_.start, end=range_.end)
    for range_ in config.exclusions:
        message.exclusions.add(start=range_.start, end=range_.end)


def _dhcp_to_proto(dhcp: DhcpOptions, message: network_pb2.DhcpOptions) -> None:
    message.SetInParent()
    message.disabled = dhcp.disabled
    message.server_address = dhcp.server_address
    message.server_mac_address = dhcp.server_mac_address
    message.lease_s = dhcp.lease_s
    message.dns_servers.extend(dhcp.dns_servers)
    message.domain_name = dhcp.domain_name
    message.domain_search.extend(dhcp.domain_search)
    message.ntp_servers.extend(dhcp.ntp_servers)
    message.tftp_server = dhcp.tftp_server
    message.bootfile_name = dhcp.bootfile_name
    for route in dhcp.static_routes:
        message.static_routes.add(destination=route.destination, next_hop=route.next_hop)


def nic_from_proto(message: network_pb2.Nic) -> Nic:
    """Return the NIC that a request asks for."""
    host = message.host
    mode = message.mode or network_pb2.NIC_MODE_ACCESS
    kind = parse_enum("kind", message.kind or network_pb2.NIC_KIND_NORMAL, _NIC_KINDS, _NIC_KIND_NAMES)
    # Whether this kind of NIC may have a subnet at all is for the model to say.
    wants_subnet = kind in (NicKind.NORMAL, NicKind.DIRECT)
    parse_subnet = parse_name if wants_subnet else parse_reference
    return Nic(
        id=NicId(parse_name("name", message.name, Kind.NIC)),
        meta=meta_from_proto(message),
        subnet=SubnetId(parse_subnet("subnet", message.subnet, Kind.SUBNET)),
        host=HostId(parse_name("host", host, Kind.HOST) if host else ""),
        mac_address=message.mac_address,
        ipv4_address=message.ipv4_address,
        ipv6_address=message.ipv6_address,
        connected=message.connected if message.HasField("connected") else True,
        port_security=message.port_security if message.HasField("port_security") else True,
        allow_unknown_macs=message.allow_unknown_macs,
        mode=parse_enum("mode", mode, _NIC_MODES, _NIC_MODE_NAMES),
        trunk_vlans=_vlans_from_proto(message.trunk_vlans) if message.trunk_vlans else (),
        categories=parse_categories(message.categories) if message.categories else (),
        kind=kind,
        function_side=parse_enum("network_function_side", message.network_function_side, _SIDES, _SIDE_NAMES),
        model=parse_enum(
            "model", message.model or network_pb2.NIC_MODEL_VIRTIO, _NIC_MODELS, _NIC_MODEL_NAMES
        ),
        queues=message.queues or 1,
        vm=VmId(parse_reference("vm", message.vm, Kind.VM)),
    )


def _vlans_from_proto(messages: Sequence[network_pb2.TrunkVlan]) -> tuple[TrunkVlan, ...]:
    return tuple(
        TrunkVlan(
            vlan_id=vlan.vlan_id,
            subnet=SubnetId(parse_reference(f"trunk_vlans[{i}].subnet", vlan.subnet, Kind.SUBNET)),
            ipv4_address=vlan.ipv4_address,
            ipv6_address=vlan.ipv6_address,
        )
        for i, vlan in enumerate(messages)
    )


def nic_to_proto(nic: Nic, status: Status | None) -> network_pb2.Nic:
    """Return the message of a NIC."""
    message = network_pb2.Nic()
    message.name = f"nics/{nic.id}"
    meta_to_proto(nic.meta, message)
    message.subnet = render_name(Kind.SUBNET, nic.subnet)
    if nic.host:
        message.host = f"hosts/{nic.host}"
    message.mac_address = nic.mac_address
    if nic.ipv4_address:
        message.ipv4_address = nic.ipv4_address
    if nic.ipv6_address:
        message.ipv6_address = nic.ipv6_address
    message.connected = nic.connected
    message.port_security = nic.port_security
    if nic.allow_unknown_macs:
        message.allow_unknown_macs = True
    message.tap_name = nic.tap_name
    message.mode = _NIC_MODE_VALUES[nic.mode]
    for vlan in nic.trunk_vlans:
        message.trunk_vlans.add(
            vlan_id=vlan.vlan_id,
            subnet=render_name(Kind.SUBNET, vlan.subnet),
            ipv4_address=vlan.ipv4_address,
            ipv6_address=vlan.ipv6_address,
        )
    if nic.categories:
        message.categories.extend(render_categories(nic.categories))
    message.kind = _NIC_KIND_VALUES[nic.kind]
    if nic.function_side:
        message.network_function_side = _SIDE_VALUES[nic.function_side]
    message.model = _NIC_MODEL_VALUES[nic.model]
    message.queues = nic.queues
    message.basic = nic.basic
    if nic.vm:
        message.vm = f"vms/{nic.vm}"
    if status is not None:
        status_to_proto(status, message.status)
    return message


def nic_to_request(nic: Nic) -> network_pb2.Nic:
    """Return the message by which a client would ask for this NIC: a virtual machine's is where that is."""
    message = nic_to_proto(nic, None)
    if nic.vm:
        message.host = ""
    return message
