"""Hypothesis strategies for the nouns of hosts and guests, as a client could ask for them."""

from __future__ import annotations

import ipaddress

from hypothesis import strategies as st

from netctl.model.infra import (
    BondMode,
    Cluster,
    Host,
    IgmpSnooping,
    InternalBridge,
    InternalPort,
    LacpTimeout,
    Meta,
    Rollout,
    Uplink,
    VirtualSwitch,
)
from netctl.model.keys import (
    CategoryId,
    ClusterId,
    HostId,
    NicId,
    ServiceChainId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode, NicModel, TrunkVlan
from netctl.model.subnet import AddressRange, DhcpOptions, IpConfig, Ipv6Mode, StaticRoute, Subnet, SubnetKind

ids = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
text = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters=_TURNING), max_size=20
)
labels = st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9./_-]{0,10}", fullmatch=True), text, max_size=3)
metas = st.builds(Meta, display_name=text, labels=labels)
category_lists = st.lists(ids.map(CategoryId), max_size=3, unique=True).map(tuple)
macs = st.binary(min_size=5, max_size=5).map(lambda raw: "52:" + raw.hex(":"))
mtus = st.integers(1280, 9216)
ipv4 = st.ip_addresses(network="10.0.0.0/9").map(str)
ipv6 = st.ip_addresses(network="fd00::/16").map(str)

clusters = st.builds(
    Cluster,
    id=ids.map(ClusterId),
    meta=metas,
    mac_prefix=macs.map(lambda mac: mac[:8]),
    underlay_mtu_bytes=mtus,
)
virtual_switches = st.builds(
    VirtualSwitch,
    id=ids.map(VirtualSwitchId),
    meta=metas,
    cluster=ids.map(ClusterId),
    bridge=st.one_of(st.just(""), st.integers(0, 99).map(lambda n: f"br{n}")),
    mtu_bytes=mtus,
    bond_mode=st.sampled_from(BondMode),
    lacp_timeout=st.sampled_from(LacpTimeout),
    lacp_fallback=st.booleans(),
    igmp_snooping=st.just(IgmpSnooping())
    | st.builds(
        IgmpSnooping,
        enabled=st.just(True),
        timeout_s=st.integers(15, 3600),
        querier=st.just(True),
        querier_vlan_ids=st.lists(st.integers(0, 4094), min_size=1, max_size=3, unique=True).map(tuple),
    ),
    rollout=st.sampled_from(Rollout),
)


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    switches = draw(st.lists(ids, max_size=3, unique=True))
    uplinks = tuple(
        Uplink(
            virtual_switch=VirtualSwitchId(switch),
            interfaces=(interfaces := tuple(f"eth{index}{i}" for i in range(draw(st.integers(1, 3))))),
            active_interface=draw(st.sampled_from(["", *interfaces])),
            addresses=tuple(f"198.51.{index}.{n}/24" for n in range(1, draw(st.integers(1, 3)))),
        )
        for index, switch in enumerate(switches)
    )
    ports = tuple(
        InternalPort(
            name=f"int{index}",
            virtual_switch=VirtualSwitchId(switch),
            vlan_id=draw(st.integers(0, 4094)),
            addresses=(f"203.0.{index}.1/24",),
            mtu_bytes=draw(st.just(0) | mtus),
        )
        for index, switch in enumerate(switches)
    )
    bridge = InternalBridge(name="virbr1", addresses=("192.168.5.1/24",), interfaces=("vnet0",))
    return Host(
        id=HostId(draw(ids)),
        meta=draw(metas),
        cluster=ClusterId(draw(ids)),
        tunnel_address=f"{draw(ipv4)}/32",  # a shorter prefix makes some of them a network's own
        tunnel_virtual_switch=VirtualSwitchId(draw(st.sampled_from(["", *switches]))),
        uplinks=uplinks,
        internal_ports=ports if draw(st.booleans()) else (),
        internal_bridge=draw(st.sampled_from([None, InternalBridge(), bridge])),
        categories=draw(category_lists),
        maintenance=draw(st.booleans()),
    )


@st.composite
def ip_configs(draw: st.DrawFn, version: int, *, with_gateway: bool = False) -> IpConfig:
    cidr = (
        f"10.{draw(st.integers(0, 255))}.0.0/16"
        if version == 4
        else f"fd00:{draw(st.integers(1, 9999))}::/64"
    )
    first = ipaddress.ip_network(cidr).network_address

    def address() -> str:
        return str(first + draw(st.integers(1, 1000)))

    start = draw(st.integers(1, 100))
    pools = tuple(
        AddressRange(
            start=str(first + start + 100 * i), end=str(first + start + 100 * i + draw(st.integers(0, 99)))
        )
        for i in range(draw(st.integers(0, 3)))
    )
    return IpConfig(
        version=version,
        cidr=cidr,
        gateway=address() if with_gateway or draw(st.booleans()) else "",
        pools=pools,
        exclusions=pools[:1],
    )


@st.composite
def dhcps(draw: st.DrawFn, ip: IpConfig) -> DhcpOptions:
    words = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
    first = ipaddress.ip_network(ip.cidr).network_address
    return DhcpOptions(
        disabled=draw(st.booleans()),
        server_address=draw(st.sampled_from(["", str(first + 7)])),
        lease_s=draw(st.integers(60, 2**31 - 1)),
        dns_servers=tuple(draw(st.lists(ipv4, max_size=2))),
        domain_name=draw(st.sampled_from(["", "example.com"])),
        domain_search=tuple(draw(st.lists(words, max_size=2))),
        ntp_servers=tuple(draw(st.lists(ipv4, max_size=2))),
        tftp_server=draw(words),
        bootfile_name=draw(words),
        static_routes=tuple(
            StaticRoute(destination=f"10.{n}.0.0/16", next_hop=draw(ipv4))
            for n in range(draw(st.integers(0, 2)))
        ),
    )


@st.composite
def subnets(draw: st.DrawFn) -> Subnet:
    kind = draw(st.sampled_from(SubnetKind))
    external, basic = kind is SubnetKind.EXTERNAL, kind is SubnetKind.VLAN_BASIC
    vlan = basic or kind is SubnetKind.VLAN
    vpc = draw(ids) if not vlan and draw(st.booleans()) else ""
    has_vlan = vlan or (external and not vpc)
    v4, v6 = (ip_configs(version, with_gateway=external and not vpc) for version in (4, 6))
    ipv4, ipv6 = draw(v4 if vpc or external else st.none() | v4), draw(st.none() | v6)
    dhcp = draw(st.none() | dhcps(ipv4)) if ipv4 is not None and not external else None
    modes = [Ipv6Mode.AUTO, *((Ipv6Mode.STATIC, Ipv6Mode.SLAAC) if ipv6 is not None and not external else ())]
    if basic:
        modes = modes[:2]  # nobody tells guests
    elif len(modes) > 1 and (dhcp is None or not dhcp.disabled):
        modes = list(Ipv6Mode)
    several = tuple(draw(st.lists(ids, min_size=1, max_size=3, unique=True)))
    return Subnet(
        id=SubnetId(draw(ids)),
        meta=draw(metas),
        kind=kind,
        virtual_switches=tuple(map(VirtualSwitchId, several)) if has_vlan else (),
        vlan_id=draw(st.integers(0, 4094)) if has_vlan else 0,
        clusters=() if has_vlan else tuple(map(ClusterId, several)),
        vpc=VpcId(vpc),
        mtu_bytes=draw(st.just(0) | mtus),
        ipv4=ipv4,
        ipv6=ipv6,
        dhcp=dhcp,
        nat=external and draw(st.booleans()),
        ipv6_mode=draw(st.sampled_from(modes)),
        categories=draw(category_lists),
        service_chain=ServiceChainId("" if external else draw(st.just("") | ids)),
    )


trunk_vlans = st.builds(
    TrunkVlan,
    vlan_id=st.integers(1, 4094),
    subnet=(st.just("") | ids).map(SubnetId),
    ipv4_address=st.just("") | ipv4,
    ipv6_address=st.just("") | ipv6,
)


@st.composite
def nics(draw: st.DrawFn) -> Nic:
    kind = draw(st.sampled_from(NicKind))
    if kind in (NicKind.NETWORK_FUNCTION, NicKind.SPAN_DESTINATION):
        return draw(nics_without_subnet(kind))
    model, queues = draw(devices)
    port_security = draw(st.booleans())
    mode = draw(st.sampled_from(NicMode))
    vlans = st.lists(trunk_vlans, max_size=3, unique_by=lambda vlan: vlan.vlan_id).map(tuple)
    return Nic(
        id=NicId(draw(ids)),
        meta=draw(metas),
        subnet=SubnetId(draw(ids)),
        host=HostId(draw(st.just("") | ids)),
        mac_address=draw(st.just("") | macs),
        ipv4_address=draw(st.just("") | ipv4),
        ipv6_address=draw(st.just("") | ipv6),
        connected=draw(st.booleans()),
        port_security=port_security,
        allow_unknown_macs=not port_security and draw(st.booleans()),
        mode=mode,
        trunk_vlans=draw(vlans) if mode is NicMode.TRUNK else (),
        categories=draw(category_lists),
        kind=kind,
        model=model,
        queues=queues,
    )


devices = st.sampled_from([(NicModel.VIRTIO, 1), (NicModel.VIRTIO, 16), (NicModel.E1000, 1)])


@st.composite
def nics_without_subnet(draw: st.DrawFn, kind: NicKind) -> Nic:
    sides = [side for side in FunctionSide if side]
    model, queues = draw(devices)
    return Nic(
        id=NicId(draw(ids)),
        meta=draw(metas),
        host=HostId(draw(st.just("") | ids)),
        mac_address=draw(st.just("") | macs),
        connected=draw(st.booleans()),
        kind=kind,
        function_side=draw(st.sampled_from(sides)) if kind is NicKind.NETWORK_FUNCTION else FunctionSide.NONE,
        model=model,
        queues=queues,
    )
