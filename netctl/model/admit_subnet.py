"""Admission of Subnet: references, overlaps, VNI, MTU, router, IPv6 mode and DHCP server.

What others already have in a changed subnet is looked after in subnet_users.py.
"""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent, Unsupported
from netctl.model import mtu
from netctl.model.addresses import new_mac
from netctl.model.admit_security import check_categories_exist
from netctl.model.indexes import Space
from netctl.model.infra import Cluster
from netctl.model.ipam import allocate_vni, make_plan
from netctl.model.keys import Kind, resource_name
from netctl.model.networks import check_apart, check_unrouted
from netctl.model.numbers import address_text
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, stamp
from netctl.model.subnet import DhcpOptions, IpConfig, Ipv6Mode, Subnet, SubnetKind
from netctl.model.subnet_users import check_users
from netctl.model.vpc import VpcKind

# The advisory of 2026-04-20: a DHCPv6 client id with a false length reads ovn-controller's heap.
_DHCPV6_FIXED = "OVN 24.03.8, 25.03.3, 25.09.3 or 26.03.1"


def admit_subnet(asked: Subnet, before: Subnet | None, draft: Draft, context: Context) -> Subnet:
    """Return the subnet to store; clusters, `vni`, `mtu_bytes`, the router and the DHCP server are decided here."""
    if before is not None:
        _check_unchanged(asked, before)
    clusters, limit = _below(asked, draft)
    _check_vpc(asked, draft)
    check_categories_exist(asked.categories, draft)
    mtu_bytes, auto_mtu = mtu.fit(asked, before, limit)
    subnet = replace(
        asked,
        meta=stamp(asked.meta, before, context),
        clusters=tuple(cluster.id for cluster in clusters),
        vni=before.vni if before is not None else allocate_vni(draft),
        mtu_bytes=mtu_bytes,
        auto_mtu=auto_mtu,
        ipv4=_routed(4, asked, before),
        ipv6=_routed(6, asked, before),
        ipv6_mode=_ipv6_mode(asked, before, context),
        gateway_mac_address="",
    )
    if subnet.vpc:
        kept = before.gateway_mac_address if before is not None else ""
        subnet = replace(subnet, gateway_mac_address=kept or new_mac(draft, subnet))
    subnet = replace(subnet, dhcp=_dhcp(subnet, before, draft))
    _check_overlap(subnet, before, draft)
    if before is not None:
        check_users(subnet, before, draft)
    return subnet


def _check_unchanged(asked: Subnet, before: Subnet) -> None:
    if not {before.kind, asked.kind} <= {SubnetKind.VLAN, SubnetKind.VLAN_BASIC}:
        check_kept("kind", before.kind.value, asked.kind.value)
    elif before.kind is not asked.kind and (before.service_chain or asked.service_chain):
        raise InvalidIntent(
            "kind",
            f"cannot change with serviceChains/{before.service_chain or asked.service_chain}, which would be left out"
            " while NICs move: detach it first, and attach it again afterwards",
        )
    check_kept("vpc", before.vpc, asked.vpc)
    check_kept("nat", str(before.nat).lower(), str(asked.nat).lower())
    for field, old, new in (("ipv4", before.ipv4, asked.ipv4), ("ipv6", before.ipv6, asked.ipv6)):
        if old is not None and new is not None:
            check_kept(f"{field}.cidr", old.cidr, new.cidr)


def _below(asked: Subnet, draft: Draft) -> tuple[list[Cluster], mtu.Limit]:
    """Return the clusters of a subnet and the MTU that all carry; refuse a VLAN that is taken."""
    clusters: list[Cluster] = []
    if not asked.has_vlan:
        for i, id in enumerate(asked.clusters):
            cluster = draft.cluster(id)
            if cluster is None:
                raise absent((Kind.CLUSTER, id), f"clusters[{i}]")
            clusters.append(cluster)
        return clusters, mtu.limit_of(asked, draft)
    for i, switch_id in enumerate(asked.virtual_switches):
        switch = draft.virtual_switch(switch_id)
        cluster = draft.cluster(switch.cluster) if switch is not None else None
        if switch is None or cluster is None:
            raise absent((Kind.VIRTUAL_SWITCH, switch_id), f"virtual_switches[{i}]")
        if cluster in clusters:
            raise InvalidIntent(
                f"virtual_switches[{i}]",
                f"virtualSwitches/{switch.id} is of clusters/{cluster.id} like another: name one of each cluster",
            )
        owner = draft.owner(((Space.VLAN, switch.id), asked.vlan_id))
        if owner not in (None, (Kind.SUBNET, asked.id)):
            raise AlreadyExists(
                f"VLAN {asked.vlan_id} of virtualSwitches/{switch.id} is {resource_name(owner)}: use another vlan_id",
                field="vlan_id",
            )
        clusters.append(cluster)
    return clusters, mtu.limit_of(asked, draft)


def _check_vpc(asked: Subnet, draft: Draft) -> None:
    if not asked.vpc:
        return
    vpc = draft.vpc(asked.vpc)
    if vpc is None:
        raise absent((Kind.VPC, asked.vpc), "vpc")
    if asked.kind is SubnetKind.EXTERNAL and vpc.kind is not VpcKind.TRANSIT:
        raise InvalidIntent(
            "vpc",
            f"vpcs/{vpc.id} is not a transit VPC: an EXTERNAL subnet is inside one of kind TRANSIT or on"
            " virtual switches",
        )
    if asked.nat:
        # docs/design/vpc.md, "What OVN 23.03 cannot do": packets would be lost on some hosts, silently.
        raise Unsupported(
            f"OVN has no way back through NAT on a subnet without virtual switches, as in vpcs/{vpc.id}: set nat to"
            " false; the external connections of the transit VPC translate",
            field="nat",
        )


def _check_overlap(subnet: Subnet, before: Subnet | None, draft: Draft) -> None:
    """Refuse a CIDR that overlaps with what the routers that will be in it are connected to.

    Two subnets on one VLAN of one virtual switch could overlap too, but `_below` refuses the second outright.
    """
    mine = (Kind.SUBNET, subnet.id)
    own = draft.vpc(subnet.vpc) if subnet.vpc else None
    for version in (4, 6):
        config = subnet.config(version)
        if config is None or (before is not None and before.config(version) is not None):
            continue
        if own is not None:
            check_apart(draft, own, config.cidr, f"ipv{version}.cidr", mine)
        if before is not None:
            check_unrouted(draft, subnet.id, config.cidr, f"ipv{version}.cidr")
            for vpc in draft.vpcs_of_subnet(subnet.id):
                check_apart(draft, vpc, config.cidr, f"ipv{version}.cidr", mine)


def _routed(version: int, asked: Subnet, before: Subnet | None) -> IpConfig | None:
    """Return the addresses of a subnet with the router's: in a VPC the first one by default."""
    config = asked.config(version)
    if config is None or config.gateway or not asked.vpc:
        return config
    stored = before.config(version) if before is not None else None
    if stored is not None and stored.gateway:
        return replace(config, gateway=stored.gateway)
    return replace(config, gateway=address_text(config.version, make_plan(config).low + 1))


def _ipv6_mode(asked: Subnet, before: Subnet | None, context: Context) -> Ipv6Mode:
    stored = before.ipv6_mode if before is not None else Ipv6Mode.AUTO
    mode = asked.ipv6_mode
    if asked.ipv6 is None or asked.kind is SubnetKind.EXTERNAL:
        # The one that was decided goes with the addresses when they go.
        if mode not in (Ipv6Mode.AUTO, stored):
            raise InvalidIntent("ipv6_mode", "goes with ipv6 only; set ipv6.cidr or leave it unset")
        return Ipv6Mode.AUTO
    if mode is Ipv6Mode.AUTO:
        silent = asked.dhcp is not None and asked.dhcp.disabled
        kept = stored is not Ipv6Mode.AUTO and not (silent and stored.by_dhcp)
        mode = stored if kept else _default_ipv6_mode(asked, context)
    if asked.kind is SubnetKind.VLAN_BASIC and mode is not Ipv6Mode.STATIC:
        raise InvalidIntent(
            "ipv6_mode",
            f"{mode.value} is OVN's to tell guests, and a VLAN_BASIC subnet goes without OVN: set it to static",
        )
    if mode.by_dhcp and mode is not stored and not context.dhcpv6:
        raise Unsupported(
            f"{mode.value} is not safe with this OVN: a guest can read its memory by DHCPv6 (CVE-2026-5367);"
            f" {_DHCPV6_FIXED} and later could; use static, or slaac with a /64, or start the controller with"
            " --trust-dhcpv6 if this OVN has the fix by a backport",
            field="ipv6_mode",
        )
    return mode


def _default_ipv6_mode(asked: Subnet, context: Context) -> Ipv6Mode:
    if not asked.vpc or asked.ipv6 is None:
        return Ipv6Mode.STATIC
    if asked.ipv6.cidr.endswith("/64"):
        return Ipv6Mode.SLAAC
    answers = context.dhcpv6 and not (asked.dhcp is not None and asked.dhcp.disabled)
    return Ipv6Mode.DHCPV6_STATEFUL if answers else Ipv6Mode.STATIC


def _dhcp(subnet: Subnet, before: Subnet | None, draft: Draft) -> DhcpOptions | None:
    """Return the DHCP options with the server's addresses; without DHCP no address is reserved for one."""
    options = subnet.dhcp
    stored = before.dhcp if before is not None else None
    if options is not None and options.server_address and subnet.ipv4 is None:
        # The one that was decided goes with the addresses when they go.
        if stored is None or options.server_address != stored.server_address:
            raise InvalidIntent("dhcp.server_address", "goes with ipv4 only; set ipv4.cidr or leave it unset")
        options = replace(options, server_address="")
    silent = subnet.kind is SubnetKind.EXTERNAL or (options is not None and options.disabled)
    if silent or (subnet.ipv4 is None and not subnet.ipv6_mode.by_dhcp):
        return options and replace(options, server_address="", server_mac_address="")
    options = options or DhcpOptions()
    address, mac = options.server_address, stored.server_mac_address if stored is not None else ""
    if subnet.ipv4 is not None and not address:
        if stored is not None and stored.server_address != subnet.ipv4.gateway:
            address = stored.server_address
        address = address or _last_address(subnet.ipv4)
    return replace(options, server_address=address, server_mac_address=mac or new_mac(draft, subnet))


def _last_address(config: IpConfig) -> str:
    """Return where AHV puts the DHCP server: the last host address, or the one before when that is the gateway."""
    last = address_text(4, make_plan(config).high - 1)
    return last if last != config.gateway else address_text(4, make_plan(config).high - 2)
