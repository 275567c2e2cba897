"""Admission of Subnet: references, overlaps, VNI, MTU, the DHCP server, and the addresses that NICs already have."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model import mtu
from netctl.model.indexes import Relation, Space, spans_of
from netctl.model.infra import Cluster
from netctl.model.ipam import allocate_mac, allocate_vni, make_plan
from netctl.model.keys import Key, Kind, SubnetId, resource_name
from netctl.model.numbers import address_number, address_text
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, in_use, is_nic, stamp
from netctl.model.subnet import DhcpOptions, IpConfig, Subnet


def admit_subnet(asked: Subnet, before: Subnet | None, draft: Draft, context: Context) -> Subnet:
    """Return the subnet to store; `cluster`, `vni`, `mtu_bytes` and the DHCP server are decided here."""
    if before is not None:
        _check_unchanged(asked, before)
    clusters, limit = _below(asked, draft)
    _check_overlap(asked, draft)
    mtu_bytes, auto_mtu = mtu.fit(asked, before, limit)
    subnet = replace(
        asked,
        meta=stamp(asked.meta, before, context),
        clusters=tuple(cluster.id for cluster in clusters),
        vni=before.vni if before is not None else allocate_vni(draft),
        mtu_bytes=mtu_bytes,
        auto_mtu=auto_mtu,
        dhcp=_dhcp(asked, before, draft, clusters[0]),
    )
    if before is not None and draft.related(Relation.NICS_OF_SUBNET, asked.id):
        for version in (4, 6):
            _check_addresses_kept(subnet, before, draft, version)
    return subnet


def _check_unchanged(asked: Subnet, before: Subnet) -> None:
    check_kept("kind", before.kind.value, asked.kind.value)
    check_kept("virtual_switches", " ".join(before.virtual_switches), " ".join(asked.virtual_switches))
    if not asked.has_vlan:
        check_kept("clusters", " ".join(before.clusters), " ".join(asked.clusters))
    check_kept("vpc", before.vpc, asked.vpc)
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


def _check_overlap(asked: Subnet, draft: Draft) -> None:
    """Refuse a CIDR that overlaps with another of the same VPC.

    Two subnets on one VLAN of one virtual switch could overlap too, but `_below` refuses the second outright.
    """
    for (vpc, version), (low, high, _) in spans_of(asked):
        spans = draft.spans((vpc, version))
        # Spans do not overlap with each other, so that only the last one to begin at or before our end can reach us.
        # When that is our own, from before, no other does.
        found = spans.floor((high, high, "~"))
        if found is not None and found[2] != asked.id and found[1] >= low:
            other = draft.subnet(SubnetId(found[2]))
            config = other and (other.ipv4 if version == 4 else other.ipv6)
            mine = asked.ipv4 if version == 4 else asked.ipv6
            raise InvalidIntent(
                f"ipv{version}.cidr",
                f"{mine.cidr if mine else ''} overlaps with {config.cidr if config else ''} of"
                f" subnets/{found[2]} in vpcs/{vpc}: use another network",
            )


def _dhcp(asked: Subnet, before: Subnet | None, draft: Draft, cluster: Cluster) -> DhcpOptions | None:
    """Return the DHCP options with the server's addresses; without DHCP no address is reserved for one."""
    options = asked.dhcp
    if asked.ipv4 is None or (options is not None and options.disabled):
        return options and replace(options, server_address="", server_mac_address="")
    options = options or DhcpOptions()
    stored = before.dhcp if before is not None else None
    address, mac = options.server_address, ""
    if stored is not None and not stored.disabled:
        mac = stored.server_mac_address
        if stored.server_address != asked.ipv4.gateway:
            address = address or stored.server_address
    return replace(
        options,
        server_address=address or _last_address(asked.ipv4),
        server_mac_address=mac or allocate_mac(draft, cluster.id, cluster.mac_prefix),
    )


def _last_address(config: IpConfig) -> str:
    """Return where AHV puts the DHCP server: the last host address, or the one before when that is the gateway."""
    last = address_text(4, make_plan(config).high - 1)
    return last if last != config.gateway else address_text(4, make_plan(config).high - 2)


def _check_addresses_kept(subnet: Subnet, before: Subnet, draft: Draft, version: int) -> None:
    """Refuse to strand NICs: their addresses stay inside the CIDR and apart from the gateway and the DHCP server."""
    family = f"ipv{version}"
    new, old = (subnet.ipv4, before.ipv4) if version == 4 else (subnet.ipv6, before.ipv6)
    if new is None and old is not None:
        holders = [key for key, number in _addresses(draft, subnet, version)]
        if holders:
            raise in_use(f"{family} addresses are held", holders, field=family)
    if new is None:
        return
    reserved = [(f"{family}.gateway", "the gateway", new.gateway)]
    if version == 4 and subnet.dhcp is not None:
        reserved.append(("dhcp.server_address", "the DHCP server's address", subnet.dhcp.server_address))
    for field, role, text in reserved:
        owner = draft.owner(((family, subnet.id), address_number(version, text))) if text else None
        if owner is not None and is_nic(owner):
            raise in_use(f"{text}, {role}, is held", [owner], field=field)
    if old is None:
        plan = make_plan(new)
        low, high = plan.low + 1, plan.high - (version == 4)
        outside = [key for key, number in _addresses(draft, subnet, version) if not low <= number <= high]
        if outside:
            raise in_use(f"addresses outside {new.cidr} are held", outside, field=f"{family}.cidr")


def _addresses(draft: Draft, subnet: Subnet, version: int) -> list[tuple[Key, int]]:
    """Return the NICs of a subnet that have an address, with its number."""
    found: list[tuple[Key, int]] = []
    for nic in draft.nics_of_subnet(subnet.id):
        text = nic.ipv4_address if version == 4 else nic.ipv6_address
        if text:
            found.append(((Kind.NIC, nic.id), address_number(version, text)))
    return found
