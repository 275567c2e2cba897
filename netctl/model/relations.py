"""Which others an intent belongs to. In goes an intent, out come sets; `Draft` keeps them, as it does indexes.py."""

from __future__ import annotations

from netctl.model.affinity import AffinityPolicy
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import EntityGroup
from netctl.model.image import Image
from netctl.model.indexes import Relation
from netctl.model.infra import Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.relations_compute import relations_of_compute
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.subnet import Subnet
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.model.vpc import Vpc


def relations_of(intent: Intent) -> tuple[tuple[Relation, str], ...]:
    """Return the sets that the intent's id is in, each with the id of whose set it is."""
    match intent:
        case Nic():
            return _relations_of_nic(intent)
        case Subnet():
            return _relations_of_subnet(intent)
        case Host():
            found = [(Relation.HOSTS_OF_CLUSTER, str(intent.cluster))]
            if ":" in intent.tunnel_address:
                found.append((Relation.IPV6_HOSTS_OF_CLUSTER, intent.cluster))
            found += ((Relation.HOSTS_OF_VIRTUAL_SWITCH, uplink.virtual_switch) for uplink in intent.uplinks)
            if intent.tunnel_virtual_switch:
                found.append((Relation.TUNNELS_OF_VIRTUAL_SWITCH, intent.tunnel_virtual_switch))
            found += ((Relation.HOSTS_OF_CATEGORY, id) for id in intent.categories)
            return tuple(found)
        case VirtualSwitch():
            return ((Relation.VIRTUAL_SWITCHES_OF_CLUSTER, intent.cluster),)
        case Vpc():
            return _relations_of_vpc(intent)
        case FloatingIp():
            found = [(Relation.FLOATING_IPS_OF_SUBNET, str(intent.external_subnet))]
            found += [(Relation.FLOATING_IPS_OF_NIC, str(intent.nic))] if intent.nic else []
            found += [(Relation.FLOATING_IPS_OF_VPC, str(intent.vpc))] if intent.vpc else []
            return tuple(found)
        case Route():
            return _relations_of_route(intent)
        case RoutingPolicy():
            found = [(Relation.POLICIES_OF_VPC, str(intent.vpc))]
            found += [(Relation.POLICIES_OF_CHAIN, str(intent.service_chain))] if intent.service_chain else []
            return tuple(found)
        case AddressReservation():
            return ((Relation.RESERVATIONS_OF_SUBNET, intent.subnet),)
        case EntityGroup():
            return _relations_of_group(intent)
        case SecurityPolicy():
            return _relations_of_security_policy(intent)
        case Vm() | Image() | VmTemplate() | AffinityPolicy() | VmMigration():
            return relations_of_compute(intent)
    return _relations_of_chaining(intent)


def _relations_of_chaining(intent: Intent) -> tuple[tuple[Relation, str], ...]:
    match intent:
        case NetworkFunction():
            return tuple((Relation.FUNCTIONS_OF_NIC, nic) for pair in intent.nic_pairs for nic in pair.nics)
        case ServiceChain():
            return tuple((Relation.CHAINS_OF_FUNCTION, id) for id in intent.functions)
        case TrafficMirror():
            return _relations_of_mirror(intent)
    return ()


def route_set(vpc: str, destination: str) -> str:
    """Return whose set Relation.ROUTES_TO is: the routes of a VPC to one destination."""
    return f"{vpc} {destination}"


def _relations_of_nic(nic: Nic) -> tuple[tuple[Relation, str], ...]:
    if nic.basic or not nic.has_subnet:
        return _relations_of_special_nic(nic)
    plain = not nic.trunk_vlans and not nic.categories and not nic.vm
    if plain and not nic.host:
        return ((Relation.NICS_OF_SUBNET, nic.subnet),)
    if plain:
        return ((Relation.NICS_OF_SUBNET, nic.subnet), (Relation.NICS_OF_HOST, nic.host))
    found = [(Relation.NICS_OF_SUBNET, str(nic.subnet))]
    found += [(Relation.NICS_OF_HOST, str(nic.host))] if nic.host else []
    found += ((Relation.TRUNKS_OF_SUBNET, vlan.subnet) for vlan in nic.trunk_vlans)
    found += ((Relation.NICS_OF_CATEGORY, id) for id in nic.categories)
    found += [(Relation.NICS_OF_VM, str(nic.vm))] if nic.vm else []
    return tuple(dict.fromkeys(found))


def _relations_of_special_nic(nic: Nic) -> tuple[tuple[Relation, str], ...]:
    subnets = dict.fromkeys((nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)))
    found = [(Relation.NICS_OF_SUBNET, str(nic.subnet))] if nic.subnet else []
    found += [(Relation.NICS_OF_HOST, str(nic.host))] if nic.host else []
    found += ((Relation.TRUNKS_OF_SUBNET, vlan.subnet) for vlan in nic.trunk_vlans if vlan.subnet)
    found += ((Relation.BASIC_NICS_OF_SUBNET, id) for id in subnets if id and nic.basic)
    found += ((Relation.NICS_OF_CATEGORY, id) for id in nic.categories)
    found += [(Relation.NICS_OF_VM, str(nic.vm))] if nic.vm else []
    return tuple(dict.fromkeys(found))


def _relations_of_mirror(mirror: TrafficMirror) -> tuple[tuple[Relation, str], ...]:
    found = [(Relation.MIRRORS_OF_HOST, str(mirror.host))]
    for source in mirror.sources:
        if source.nic:
            found.append((Relation.MIRRORS_OF_NIC, source.nic))
        else:
            found.append((Relation.MIRRORS_OF_VIRTUAL_SWITCH, source.virtual_switch))
    found += ((Relation.MIRRORS_OF_NIC, id) for id in mirror.destinations)
    return tuple(dict.fromkeys(found))


def _relations_of_subnet(subnet: Subnet) -> tuple[tuple[Relation, str], ...]:
    found: list[tuple[Relation, str]] = []
    for cluster in subnet.clusters:
        found.append((Relation.SUBNETS_OF_CLUSTER, cluster))
        if not subnet.has_vlan:
            found.append((Relation.OVERLAYS_OF_CLUSTER, cluster))
    found += ((Relation.SUBNETS_OF_VIRTUAL_SWITCH, switch) for switch in subnet.virtual_switches)
    if subnet.vpc:
        found.append((Relation.SUBNETS_OF_VPC, subnet.vpc))
    found += ((Relation.SUBNETS_OF_CATEGORY, id) for id in subnet.categories)
    if subnet.service_chain:
        found.append((Relation.SUBNETS_OF_CHAIN, subnet.service_chain))
    return tuple(found)


def _relations_of_vpc(vpc: Vpc) -> tuple[tuple[Relation, str], ...]:
    found: list[tuple[Relation, str]] = []
    for connection in vpc.external_connections:
        found.append((Relation.VPCS_OF_SUBNET, connection.subnet))
        found += ((Relation.VPCS_OF_GATEWAY, host) for host in connection.gateways)
    found += ((Relation.VPCS_OF_CATEGORY, id) for id in vpc.categories)
    return tuple(dict.fromkeys(found))


def _relations_of_route(route: Route) -> tuple[tuple[Relation, str], ...]:
    found = [
        (Relation.ROUTES_OF_VPC, str(route.vpc)),
        (Relation.ROUTES_TO, route_set(route.vpc, route.destination)),
    ]
    found += (
        (Relation.ROUTES_VIA_SUBNET, hop.external_subnet) for hop in route.next_hops if hop.external_subnet
    )
    return tuple(dict.fromkeys(found))


def _relations_of_group(group: EntityGroup) -> tuple[tuple[Relation, str], ...]:
    terms = (term for selector in (*group.include, *group.except_) for term in selector.all_of)
    return tuple((Relation.GROUPS_NAMING, term) for term in dict.fromkeys(terms))


def _relations_of_security_policy(policy: SecurityPolicy) -> tuple[tuple[Relation, str], ...]:
    names = dict.fromkeys(policy.secured)
    for rule in policy.rules:
        names.update(dict.fromkeys(rule.peers))
        names.update(dict.fromkeys(f"serviceGroups/{id}" for id in rule.service_groups))
        if rule.service_chain:
            names[f"serviceChains/{rule.service_chain}"] = None
    names.update(dict.fromkeys(f"vpcs/{id}" for id in policy.vpcs))
    found = [(Relation.SECURITY_POLICIES_NAMING, name) for name in names]
    return (*found, (Relation.SECURITY_POLICIES_OF_SCOPE, policy.scope.value))
