"""Who reads whom, and whose rows hang on whose: the two relations between intents that incremental work needs.

`dependents` must name every intent whose facts read another; a property test holds that against full compilation.
It is asked of the snapshot before a change and of the one after it: what read an intent that is gone is found in the
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from netctl.compiler.native_chain_readers import readers_of_native
from netctl.compiler.observed import Observed
from netctl.compiler.security_readers import policies_behind, readers_of_security
from netctl.compiler.steering_attached import readers_of_chains, readers_of_expired_chains
from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup
from netctl.model.indexes import Relation
from netctl.model.infra import Host
from netctl.model.intent import key_of
from netctl.model.keys import Key, Kind, SubnetId, VpcId, resource_name
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vm import Vm
from netctl.model.vm_migration import ON_BOTH, VmMigration
from netctl.model.vpc import Vpc


def dependents(snapshot: Snapshot, key: Key) -> Iterator[Key]:
    """Yield the intents whose facts read intent `key` in this snapshot, itself first; some more than once."""
    yield key
    match snapshot.get(key):
        case Nic() as nic:
            yield from _floating_ips_of(snapshot, nic)
            if nic.trunks_all:
                yield Kind.SUBNET, nic.subnet
            if nic.has_port:
                yield from _kept_by(snapshot, nic)
        case Subnet() as subnet:
            yield from _readers_of_subnet(snapshot, subnet)
        case Vpc() as vpc:
            yield from _readers_of_vpc(snapshot, vpc)
        case Route() as route:
            yield from map(key_of, snapshot.routes_to(route.vpc, route.destination))
            if route.bfd is not None:  # who writes a session that several routes share
                yield from _watching(snapshot, route.vpc)
        case Vm() as vm if vm.categories:  # its NICs have them, too
            yield from map(key_of, snapshot.nics_of_vm(vm.id))
        case VmMigration() as migration if migration.stage in ON_BOTH:
            yield from map(key_of, snapshot.nics_of_vm(migration.vm))
        case Host() as host:  # its uplinks decide which floating IPs it can serve
            for nic in snapshot.nics_of_host(host.id):
                yield from _floating_ips_of(snapshot, nic)


def readers_between(before: Snapshot, after: Snapshot, changed: frozenset[Key]) -> set[Key]:
    """Return the intents whose facts read what changed between two snapshots, those that changed too."""
    readers: set[Key] = set()
    for snapshot in (before, after):
        for key in changed:
            readers.update(dependents(snapshot, key))
    readers.update(readers_of_security(before, after, changed))
    readers.update(readers_of_chains(before, after))
    readers.update(readers_of_native(before, after, changed))
    return readers


def readers_of_observed(snapshot: Snapshot, before: Observed, after: Observed) -> Iterator[Key] | None:
    """Yield the intents whose facts read what changed between two observations; None when all may."""
    if _can(before) != _can(after):
        return None
    return chain(
        _readers_of_dead(
            snapshot, {vpc for vpc, _ in (before.dead ^ after.dead) | (before.unheard ^ after.unheard)}
        ),
        _readers_of_order(snapshot, before, after),
        _readers_of_expiry(snapshot, before, after),
    )


def _can(observed: Observed) -> tuple[bool, ...]:
    return (
        observed.dhcpv6,
        observed.nat_gateway_port,
        observed.reject,
        observed.acl_tiers,
        observed.network_functions,
    )


def _readers_of_expiry(snapshot: Snapshot, before: Observed, after: Observed) -> Iterator[Key]:
    """Yield the policies with rules whose time is over now, and those that have them in MONITOR in front."""
    policies = {policy for policy, _ in before.expired ^ after.expired}
    if policies:
        yield from ((Kind.SECURITY_POLICY, id) for id in policies)
        yield from policies_behind(snapshot, policies)
        yield from readers_of_expired_chains(snapshot, before.expired ^ after.expired)


def _readers_of_order(snapshot: Snapshot, before: Observed, after: Observed) -> Iterator[Key]:
    """Yield the VPCs that have other gateways in front."""
    if before.fallen == after.fallen:
        return
    for vpc in snapshot.of_kind(Kind.VPC):
        if isinstance(vpc, Vpc) and any(
            before.preferred(way.gateways) != after.preferred(way.gateways)
            for way in vpc.external_connections
        ):
            yield key_of(vpc)


def hanging_on(snapshot: Snapshot, key: Key) -> Iterator[Key]:
    """Yield the intents whose rows stand in, or refer to, rows of intent `key` or of those, itself first.

    What OVN refuses takes these with it: a port without its switch would vanish without a word.
    """
    seen: set[Key] = set()
    waiting = [key]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            yield current
            waiting += _hanging_directly(snapshot, current)


def depth(snapshot: Snapshot, key: Key) -> int:
    """Return how many others' rows stand below an intent's: what hangs on others is written after them."""
    match snapshot.get(key):
        case Subnet() as subnet:
            return _depth_of_vpc(snapshot, subnet.vpc, frozenset()) + 1
        case Vpc() as vpc:
            return _depth_of_vpc(snapshot, vpc.id, frozenset())
        case Category() | EntityGroup() | AddressGroup():
            return 1
    return _DEEPEST


_DEEPEST = 1_000


def _depth_of_vpc(snapshot: Snapshot, id: VpcId, above: frozenset[VpcId]) -> int:
    vpc = snapshot.vpc(id) if id and id not in above else None
    if vpc is None:
        return 0
    below = 0
    for connection in vpc.external_connections:
        external = snapshot.subnet(connection.subnet)
        if external is not None:
            below = max(below, _depth_of_vpc(snapshot, external.vpc, above | {id}) + 1)
    return below + 1


def _hanging_directly(snapshot: Snapshot, key: Key) -> Iterator[Key]:
    match snapshot.get(key):
        case Subnet() as subnet:
            yield from _ports_of(snapshot, subnet)
            yield from map(key_of, snapshot.vpcs_of_subnet(subnet.id))
        case Vpc() as vpc:
            yield from map(key_of, snapshot.subnets_of_vpc(vpc.id))
            yield from _things_of_vpc(snapshot, vpc)
            yield from _spokes_of(snapshot, vpc)
        case Category() | EntityGroup() | AddressGroup():
            yield from map(key_of, snapshot.security_policies_naming(resource_name(key)))


def _readers_of_subnet(snapshot: Snapshot, subnet: Subnet) -> Iterator[Key]:
    yield from _ports_of(snapshot, subnet)
    for vpc in snapshot.vpcs_of_subnet(subnet.id):
        yield Kind.VPC, vpc.id
        yield from _readers_of_vpc(snapshot, vpc)
    vpc_inside = snapshot.vpc(subnet.vpc) if subnet.vpc else None
    if vpc_inside is None:
        return
    yield Kind.VPC, vpc_inside.id  # the largest MTU
    for other in snapshot.subnets_of_vpc(vpc_inside.id):
        if other.mtu_bytes < subnet.mtu_bytes:
            yield Kind.SUBNET, other.id
    yield from map(key_of, snapshot.routes_of_vpc(vpc_inside.id))
    yield from map(key_of, snapshot.policies_of_vpc(vpc_inside.id))
    for nic in snapshot.nics_of_subnet(subnet.id):
        yield from _floating_ips_of(snapshot, nic)


def _readers_of_vpc(snapshot: Snapshot, vpc: Vpc) -> Iterator[Key]:
    yield from map(key_of, snapshot.subnets_of_vpc(vpc.id))
    yield from _things_of_vpc(snapshot, vpc)
    yield from _spokes_of(snapshot, vpc)


def _things_of_vpc(snapshot: Snapshot, vpc: Vpc) -> Iterator[Key]:
    """Yield routes, policies and floating IPs of a VPC."""
    yield from map(key_of, snapshot.routes_of_vpc(vpc.id))
    yield from map(key_of, snapshot.policies_of_vpc(vpc.id))
    yield from map(key_of, snapshot.floating_ips_of_vpc(vpc.id))
    yield from _floating_ips_of_nics_in(snapshot, vpc)


def _floating_ips_of_nics_in(snapshot: Snapshot, vpc: Vpc) -> Iterator[Key]:
    """Yield the floating IPs of a VPC's NICs, found by its NICs or by its external subnets, whichever are fewer.

    An external subnet serves many VPCs: by it alone, what a thousand of them cost would be a thousand times a thousand.
    """
    inside = [subnet.id for subnet in snapshot.subnets_of_vpc(vpc.id)]
    outside = [connection.subnet for connection in vpc.external_connections]
    nics = sum(len(snapshot.related(Relation.NICS_OF_SUBNET, id)) for id in inside)
    if nics < sum(len(snapshot.related(Relation.FLOATING_IPS_OF_SUBNET, id)) for id in outside):
        for id in inside:
            for nic in snapshot.nics_of_subnet(id):
                yield from _floating_ips_of(snapshot, nic)
        return
    for connection in vpc.external_connections:
        for floating in snapshot.floating_ips_of_subnet(connection.subnet):
            holder = snapshot.nic(floating.nic) if floating.nic else None
            subnet = snapshot.subnet(holder.subnet) if holder is not None else None
            if subnet is not None and subnet.vpc == vpc.id:
                yield Kind.FLOATING_IP, floating.id


def _spokes_of(snapshot: Snapshot, vpc: Vpc) -> Iterator[Key]:
    for subnet in snapshot.subnets_of_vpc(vpc.id):
        if subnet.kind is SubnetKind.EXTERNAL:
            yield from map(key_of, snapshot.vpcs_of_subnet(subnet.id))


def _ports_of(snapshot: Snapshot, subnet: Subnet) -> Iterator[Key]:
    for nic in snapshot.nics_of_subnet(SubnetId(subnet.id)):
        yield Kind.NIC, nic.id
    for nic in snapshot.trunks_of_subnet(subnet.id):
        yield Kind.NIC, nic.id


def _kept_by(snapshot: Snapshot, nic: Nic) -> Iterator[Key]:
    """Yield the subnets that are networks of OVN for as long as such NICs have ports."""
    for id in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)):
        subnet = snapshot.subnet(id)
        if subnet is not None and subnet.kind is SubnetKind.VLAN_BASIC:
            yield Kind.SUBNET, id


def _floating_ips_of(snapshot: Snapshot, nic: Nic) -> Iterator[Key]:
    for floating in snapshot.floating_ips_of_nic(nic.id):
        yield Kind.FLOATING_IP, floating.id


def _watching(snapshot: Snapshot, vpc: VpcId) -> Iterator[Key]:
    return (key_of(route) for route in snapshot.routes_of_vpc(vpc) if route.bfd is not None)


def _readers_of_dead(snapshot: Snapshot, vpcs: set[VpcId]) -> Iterator[Key]:
    for vpc in vpcs:
        yield from map(key_of, snapshot.routes_of_vpc(vpc))
        yield from map(key_of, snapshot.policies_of_vpc(vpc))
