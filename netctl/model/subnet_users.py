"""What others have in a subnet that is changed: their addresses, their clusters, their VLANs stay theirs."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.model.ipam import make_plan
from netctl.model.keys import ClusterId, HostId, Key, Kind
from netctl.model.networks import users_inside
from netctl.model.nic import Nic, NicKind
from netctl.model.nic_users import private_claim
from netctl.model.numbers import address_number, eui64_number, version_of
from netctl.model.snapshot import Draft
from netctl.model.stamp import in_use
from netctl.model.subnet import Subnet, SubnetKind

Holder = tuple[Key, str, str]  # who, its address and its MAC address


def check_users(subnet: Subnet, before: Subnet, draft: Draft) -> None:
    """Refuse a change that NICs, routers, floating IPs, routes or reservations could not live with."""
    _check_clusters(subnet, before, draft)
    if before.vlan_id == 0 and subnet.vlan_id:
        _check_untagged(subnet, draft)
    for version in (4, 6):
        _check_addresses(subnet, before, draft, version)
    if subnet.ipv6_mode.from_mac and subnet.ipv6_mode is not before.ipv6_mode:
        _check_from_mac(subnet, draft)


def _check_clusters(subnet: Subnet, before: Subnet, draft: Draft) -> None:
    """Refuse to leave a cluster in which a NIC, its virtual machine or a gateway of the subnet is."""
    gone: set[ClusterId] = set(before.clusters) - set(subnet.clusters)
    field = "clusters"
    if subnet.has_vlan:
        field = "virtual_switches"
        pairs = zip(before.clusters, before.virtual_switches, strict=True)
        gone = {cluster for cluster, switch in pairs if switch not in subnet.virtual_switches}
    if not gone:
        return
    users: list[Key] = []
    for nic in (*draft.nics_of_subnet(subnet.id), *draft.trunks_of_subnet(subnet.id)):
        if not gone.isdisjoint(_clusters_of(nic, draft)):
            users.append((Kind.NIC, nic.id))
    for vpc in draft.vpcs_of_subnet(subnet.id):
        connection = vpc.connection(subnet.id)
        hosts = [draft.host(id) for id in connection.gateways] if connection is not None else []
        if any(host is not None and host.cluster in gone for host in hosts):
            users.append((Kind.VPC, vpc.id))
    if users:
        names = ", ".join(f"clusters/{id}" for id in sorted(gone))
        raise in_use(f"subnets/{subnet.id} in {names} is used", dict.fromkeys(users), field=field)


def _clusters_of(nic: Nic, draft: Draft) -> Iterator[ClusterId]:
    """Yield the cluster that a NIC is in, and the one that it is on its way to."""
    vm = draft.vm(nic.vm) if nic.vm else None
    if vm is not None:  # it has a cluster before it has a host
        yield vm.cluster
    migration = draft.active_migration_of(vm.id) if vm is not None else None
    for id in (nic.host, migration.destination if migration is not None else ""):
        host = draft.host(HostId(id)) if id else None
        if host is not None:
            yield host.cluster


def _check_untagged(subnet: Subnet, draft: Draft) -> None:
    trunks = [
        (Kind.NIC, nic.id)
        for nic in draft.nics_of_subnet(subnet.id)
        if nic.trunks_all
        and (nic.has_port or (nic.kind is NicKind.NORMAL and subnet.kind is SubnetKind.VLAN))
    ]
    if trunks:
        raise in_use("the untagged VLAN is needed for all VLANs", trunks, field="vlan_id")


def _check_addresses(subnet: Subnet, before: Subnet, draft: Draft, version: int) -> None:
    """Refuse to strand anyone: addresses stay inside the CIDR and apart from the gateway and the DHCP server."""
    family = f"ipv{version}"
    new, old = subnet.config(version), before.config(version)
    if new is None:
        users = _users_of_family(before, draft, version) if old is not None else []
        if users:
            raise in_use(f"{family} addresses are held", dict.fromkeys(users), field=family)
        return
    for field, role, text in _own_addresses(subnet, version):
        users = _users_of_own(subnet, text, draft) if text else []
        if users:
            raise in_use(f"{text}, {role}, is held", users, field=field)
    if old is None:
        plan = make_plan(new)
        low, high = plan.low + 1, plan.high - (version == 4)
        outside = [
            key
            for key, text, _ in _holders(subnet, draft, version)
            if not low <= address_number(version, text) <= high
        ]
        if outside:
            raise in_use(f"addresses outside {new.cidr} are held", outside, field=f"{family}.cidr")


def _own_addresses(subnet: Subnet, version: int) -> Iterator[tuple[str, str, str]]:
    config = subnet.config(version)
    if config is not None:
        yield f"ipv{version}.gateway", "the gateway", config.gateway
    if version == 4 and subnet.dhcp is not None:
        yield "dhcp.server_address", "the DHCP server's address", subnet.dhcp.server_address


def _users_of_own(subnet: Subnet, text: str, draft: Draft) -> list[Key]:
    """Return who else has an address that is to be the subnet's own."""
    version = version_of(text)
    owner = draft.owner(((f"ipv{version}", subnet.id), address_number(version, text)))
    users = [owner] if owner not in (None, (Kind.SUBNET, subnet.id)) else []
    floating = draft.owner(private_claim(subnet.vpc, text)) if subnet.vpc else None
    if subnet.vpc and subnet.kind is not SubnetKind.EXTERNAL:
        users += users_inside(draft, subnet.vpc, text)
    elif floating is not None:
        users.append(floating)
    return [user for user in users if user is not None]


def _users_of_family(before: Subnet, draft: Draft, version: int) -> list[Key]:
    config = before.config(version)
    users = [key for key, _, _ in _holders(before, draft, version)]
    if before.vpc and config is not None:
        users += users_inside(draft, before.vpc, config.cidr)
    users += (
        (Kind.ADDRESS_RESERVATION, one.id)
        for one in draft.reservations_of_subnet(before.id)
        if one.ip_version == version
    )
    return users


def _holders(subnet: Subnet, draft: Draft, version: int) -> Iterator[Holder]:
    """Yield who holds an address of the subnet."""
    for nic in draft.nics_of_subnet(subnet.id):
        text = nic.ipv4_address if version == 4 else nic.ipv6_address
        if text:
            yield (Kind.NIC, nic.id), text, nic.mac_address
    for nic in draft.trunks_of_subnet(subnet.id):
        for vlan in nic.trunk_vlans:
            text = vlan.ipv4_address if version == 4 else vlan.ipv6_address
            if text and vlan.subnet == subnet.id:
                yield (Kind.NIC, nic.id), text, nic.mac_address
    for vpc in draft.vpcs_of_subnet(subnet.id):
        connection = vpc.connection(subnet.id)
        text = (
            "" if connection is None else connection.ipv4_address if version == 4 else connection.ipv6_address
        )
        if text:
            yield (Kind.VPC, vpc.id), text, ""
    for floating in draft.floating_ips_of_subnet(subnet.id):
        if version_of(floating.address) == version:
            yield (Kind.FLOATING_IP, floating.id), floating.address, ""


def _check_from_mac(subnet: Subnet, draft: Draft) -> None:
    """Refuse a mode in which guests make their addresses themselves while NICs have others."""
    if subnet.ipv6 is None:
        return
    low = make_plan(subnet.ipv6).low
    others = [
        key
        for key, text, mac in _holders(subnet, draft, 6)
        if address_number(6, text) != eui64_number(low, mac)
    ]
    if others:
        raise in_use("addresses that do not follow from the MAC address are held", others, field="ipv6_mode")
