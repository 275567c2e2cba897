"""Intents to store: one of each kind, with every field set, and NICs in any number."""

from __future__ import annotations

from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import (
    BondMode,
    Cluster,
    Host,
    IgmpSnooping,
    InternalBridge,
    InternalPort,
    LacpMode,
    LacpTimeout,
    Meta,
    Rollout,
    Uplink,
    VirtualSwitch,
)
from netctl.model.intent import Change, Intent, key_of
from netctl.model.keys import (
    AddressReservationId,
    ClusterId,
    FloatingIpId,
    HostId,
    NicId,
    RouteId,
    RoutingPolicyId,
    SubnetId,
    Uid,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.reservation import AddressReservation
from netctl.model.route import Bfd, NextHop, Route
from netctl.model.routing_policy import (
    Endpoint,
    Fallback,
    PolicyAction,
    PortRange,
    Protocol,
    RoutingPolicy,
)
from netctl.model.subnet import (
    AddressRange,
    DhcpOptions,
    IpConfig,
    Ipv6Mode,
    StaticRoute,
    Subnet,
    SubnetKind,
)
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.unit.store.chain_samples import CHAINING_BARE, CHAINING_OF_EACH, INSPECTION
from tests.unit.store.compute_samples import COMPUTE_BARE, COMPUTE_OF_EACH
from tests.unit.store.security_samples import SECURITY_BARE, SECURITY_OF_EACH, WEB

C1, VS0, H1 = ClusterId("c1"), VirtualSwitchId("vs0"), HostId("h1")
META = Meta(
    uid=Uid("0d5c7c1e-3b1f-4f44-9d5a-6a6a8f9f2f10"),
    display_name='emoji 🎉, "quotes", $ and @',
    labels={"tier": "web", "example.com/owner": "Zoë"},
    revision=7,
    create_time_s=1_700_000_000.125,
    update_time_s=1_700_000_001.5,
)
CLUSTER = Cluster(id=C1, meta=META, mac_prefix="52:54:00", underlay_mtu_bytes=9000)
VIRTUAL_SWITCH = VirtualSwitch(
    id=VS0,
    meta=META,
    cluster=C1,
    bridge="br0",
    mtu_bytes=9000,
    bond_mode=BondMode.BALANCE_TCP,
    lacp_mode=LacpMode.ACTIVE,
    lacp_timeout=LacpTimeout.SLOW,
    lacp_fallback=False,
    igmp_snooping=IgmpSnooping(enabled=True, timeout_s=60, querier=True, querier_vlan_ids=(0, 12)),
    rollout=Rollout.QUICK,
)
HOST = Host(
    id=H1,
    meta=META,
    cluster=C1,
    tunnel_address="192.0.2.11/24",
    tunnel_virtual_switch=VS0,
    uplinks=(
        Uplink(
            virtual_switch=VS0,
            interfaces=("eth1", "eth2"),
            active_interface="eth2",
            addresses=("192.0.2.11/24",),
        ),
    ),
    internal_ports=(
        InternalPort(
            name="storage", virtual_switch=VS0, vlan_id=7, addresses=("10.7.0.1/24",), mtu_bytes=9000
        ),
    ),
    internal_bridge=InternalBridge(name="virbr1", addresses=("192.168.5.1/24",), interfaces=("vnet0",)),
    categories=(WEB,),
    maintenance=True,
)
SUBNET = Subnet(
    id=SubnetId("web"),
    meta=META,
    kind=SubnetKind.VLAN,
    virtual_switches=(VS0,),
    vlan_id=12,
    clusters=(C1,),
    vni=17,
    mtu_bytes=1500,
    auto_mtu=True,
    ipv4=IpConfig(
        version=4,
        cidr="10.0.0.0/16",
        gateway="10.0.0.1",
        pools=(AddressRange(start="10.0.0.10", end="10.0.255.200"),),
        exclusions=(AddressRange(start="10.0.0.20", end="10.0.0.29"),),
    ),
    ipv6=IpConfig(version=6, cidr="fd00::/64", gateway="fd00::1"),
    service_chain=INSPECTION,
    dhcp=DhcpOptions(
        server_address="10.0.0.2",
        server_mac_address="52:54:00:00:00:01",
        lease_s=3600,
        dns_servers=("192.0.2.53", "192.0.2.54"),
        domain_name="example.com",
        domain_search=("example.com", "example.net"),
        ntp_servers=("192.0.2.123",),
        tftp_server="192.0.2.69",
        bootfile_name="pxelinux.0",
        static_routes=(StaticRoute(destination="198.51.100.0/24", next_hop="10.0.0.254"),),
    ),
)
NIC = Nic(
    id=NicId("web-1"),
    meta=META,
    subnet=SUBNET.id,
    host=H1,
    mac_address="52:54:00:00:00:02",
    ipv4_address="10.0.0.10",
    ipv6_address="fd00::10",
    connected=False,
    port_security=False,
    allow_unknown_macs=True,
    tap_name="tap0",
    mode=NicMode.TRUNK,
    trunk_vlans=(
        TrunkVlan(vlan_id=30, subnet=SubnetId("db"), ipv4_address="10.30.0.9", ipv6_address="fd00:30::9"),
    ),
    categories=(WEB,),
)
V1 = VpcId("v1")
EXTERNAL = Subnet(
    id=SubnetId("internet"),
    meta=META,
    kind=SubnetKind.EXTERNAL,
    clusters=(C1,),
    vni=18,
    vpc=VpcId("hub"),
    mtu_bytes=8942,
    auto_mtu=True,
    ipv4=IpConfig(version=4, cidr="203.0.113.0/24", gateway="203.0.113.1"),
    nat=True,
    gateway_mac_address="52:54:00:00:00:03",
    categories=(WEB,),
)
ROUTED = Subnet(
    id=SubnetId("app"),
    kind=SubnetKind.OVERLAY,
    clusters=(C1, ClusterId("c2")),
    vpc=V1,
    ipv6=IpConfig(version=6, cidr="fd00:1::/64", gateway="fd00:1::1"),
    ipv6_mode=Ipv6Mode.SLAAC,
)
VPC = Vpc(
    id=V1,
    meta=META,
    kind=VpcKind.TRANSIT,
    dns_servers=("192.0.2.53", "2001:db8::53"),
    external_connections=(
        ExternalConnection(
            subnet=EXTERNAL.id,
            ipv4_address="203.0.113.2",
            ipv6_address="2001:db8::2",
            gateway_hosts=(H1,),
            gateway_host_count=3,
            gateways=(H1,),
            mac_address="52:54:00:00:00:04",
        ),
    ),
    externally_routable_prefixes=("198.51.100.0/24", "2001:db8:1::/64"),
    vni=19,
    categories=(WEB,),
)
FLOATING_IP = FloatingIp(
    id=FloatingIpId("www"),
    meta=META,
    external_subnet=EXTERNAL.id,
    address="203.0.113.7",
    nic=NIC.id,
    mac_address="52:54:00:00:00:05",
)
PRIVATE_FLOATING_IP = FloatingIp(
    id=FloatingIpId("vip"),
    external_subnet=EXTERNAL.id,
    address="203.0.113.8",
    vpc=V1,
    private_address="10.0.0.77",
)
ROUTE = Route(
    id=RouteId("default"),
    meta=META,
    vpc=V1,
    destination="0.0.0.0/0",
    next_hops=(NextHop(ip_address="203.0.113.9"), NextHop(external_subnet=EXTERNAL.id)),
    priority=200,
    bfd=Bfd(min_rx_ms=300, min_tx_ms=400, multiplier=5),
)
ROUTING_POLICY = RoutingPolicy(
    id=RoutingPolicyId("inspect"),
    meta=META,
    vpc=V1,
    priority=500,
    source=Endpoint(cidr="10.0.0.0/24"),
    destination=Endpoint(external=True),
    protocol=Protocol.TCP,
    source_ports=(PortRange(first=1024, last=65535),),
    destination_ports=(PortRange(first=80, last=80), PortRange(first=443, last=443)),
    action=PolicyAction.REROUTE,
    service_ips=("10.0.0.9", "10.0.0.10"),
    fallback=Fallback.DROP,
    bidirectional=True,
)
NUMBERED_POLICY = RoutingPolicy(
    id=RoutingPolicyId("no-gre"),
    vpc=V1,
    priority=10,
    protocol=Protocol.NUMBER,
    protocol_number=47,
    action=PolicyAction.DENY,
)
RESERVATION = AddressReservation(
    id=AddressReservationId("printers"),
    meta=META,
    subnet=SUBNET.id,
    ip_version=6,
    count=3,
    reserved=(AddressRange(start="fd00::5", end="fd00::7"),),
    client_context="floor 3",
)
NAMED_RESERVATION = AddressReservation(
    id=AddressReservationId("old"),
    subnet=SUBNET.id,
    ranges=(AddressRange(start="10.0.0.5", end="10.0.0.7"),),
)
ONE_OF_EACH: tuple[Intent, ...] = (
    CLUSTER,
    VIRTUAL_SWITCH,
    HOST,
    SUBNET,
    EXTERNAL,
    ROUTED,
    NIC,
    VPC,
    FLOATING_IP,
    PRIVATE_FLOATING_IP,
    ROUTE,
    ROUTING_POLICY,
    NUMBERED_POLICY,
    RESERVATION,
    NAMED_RESERVATION,
    *SECURITY_OF_EACH,
    *CHAINING_OF_EACH,
    *COMPUTE_OF_EACH,
)
BARE: tuple[Intent, ...] = (
    Cluster(id=C1),
    VirtualSwitch(id=VS0, cluster=C1),
    Host(id=H1, cluster=C1, tunnel_address="192.0.2.11/24"),
    Subnet(id=SubnetId("blue"), kind=SubnetKind.OVERLAY, clusters=(C1,)),
    Nic(id=NicId("blue-1"), subnet=SubnetId("blue")),
    Vpc(id=V1),
    FloatingIp(id=FloatingIpId("www"), external_subnet=EXTERNAL.id),
    Route(id=RouteId("r1"), vpc=V1, destination="::/0", next_hops=(NextHop(ip_address="2001:db8::1"),)),
    RoutingPolicy(id=RoutingPolicyId("p1"), vpc=V1, priority=10, action=PolicyAction.PERMIT),
    AddressReservation(id=AddressReservationId("a1"), subnet=SUBNET.id, count=1),
    *SECURITY_BARE,
    *CHAINING_BARE,
    *COMPUTE_BARE,
)


def nic(number: int, *, revision: int = 0) -> Nic:
    """Return a stored NIC as admission makes them."""
    return Nic(
        id=NicId(f"web-{number}"),
        meta=Meta(
            uid=Uid(f"00000000-0000-4000-8000-{number:012x}"),
            revision=revision,
            create_time_s=1_700_000_000.5,
        ),
        subnet=SUBNET.id,
        host=H1,
        mac_address=f"50:6b:8d:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
        ipv4_address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        tap_name=f"tap{number:08x}",
    )


def change(
    before: Intent | None, after: Intent | None, *, revision: int, index: int = 0, **more: str
) -> Change:
    """Return a log entry; `more` may have actor, request_id and reason."""
    some = after or before
    assert some is not None
    return Change(
        revision=revision,
        index=index,
        time_s=1_700_000_000.0 + revision,
        actor=more.get("actor", "local"),
        request_id=more.get("request_id", ""),
        reason=more.get("reason", ""),
        key=key_of(some),
        before=before,
        after=after,
    )
