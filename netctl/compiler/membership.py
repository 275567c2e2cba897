"""Membership: the ports of a NIC, their realms, and which terms they are in. Pure, by the indexes.

What it costs follows from what names the NIC and its categories, subnet and VPC; other groups are never looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from netctl.compiler import identity
from netctl.compiler.clause import Realm
from netctl.compiler.observed import Observed
from netctl.model.groups import EntityGroup, EntitySelector, Term, term_key
from netctl.model.keys import CategoryId, EntityGroupId, Kind, NicId, SubnetId, VpcId
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic
from netctl.model.subnet import Subnet, SubnetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A NIC on its subnet (`vlan_id` 0), or one VLAN of a trunk NIC; `given` are the addresses that it got from us.

    `uuid` and `name` are those of its Logical_Switch_Port.
    """

    nic: Nic
    vlan_id: int
    subnet: Subnet
    given: tuple[str, ...]
    uuid: str
    name: str

    @property
    def realm(self) -> Realm:
        """Where its addresses mean one thing."""
        return realm_of(self.subnet)

    def addresses(self, observed: Observed) -> tuple[str, ...]:
        """Return what it is recognised by: the addresses that it got and those that its guest uses beside them."""
        return (*self.given, *observed.learned.get(self.name, ()))


def realm_of(subnet: Subnet) -> Realm:
    """Return the realm of a subnet: its VPC, or VLANS."""
    return Realm(subnet.vpc)


def ports_of(snapshot: Lookups, nic: Nic) -> Iterator[Port]:
    """Yield the ports of a NIC: itself, then its VLANs; none beside OVN, nor where the subnet is missing."""
    if not nic.has_port:
        return
    uid = nic.meta.uid
    subnet = snapshot.subnet(nic.subnet)
    if subnet is not None:
        yield Port(
            nic=nic,
            vlan_id=0,
            subnet=subnet,
            given=given_to(nic, nic.ipv4_address, nic.ipv6_address),
            uuid=identity.port_uuid(uid),
            name=uid,
        )
    for vlan in nic.trunk_vlans:
        subnet = snapshot.subnet(vlan.subnet)
        if subnet is not None:
            yield Port(
                nic=nic,
                vlan_id=vlan.vlan_id,
                subnet=subnet,
                given=given_to(nic, vlan.ipv4_address, vlan.ipv6_address),
                uuid=identity.child_uuid(uid, vlan.vlan_id),
                name=identity.child_name(uid, vlan.vlan_id),
            )


def has_switch(snapshot: Lookups, subnet: Subnet) -> bool:
    """Is a subnet a network of OVN: by its kind, or for as long as a NIC or a trunk's VLAN on it has a port?"""
    if subnet.kind is not SubnetKind.VLAN_BASIC:
        return True
    nics = (snapshot.nics_of_subnet(subnet.id), snapshot.trunks_of_subnet(subnet.id))
    return any(nic.has_port for nic in chain.from_iterable(nics))


def categories_of(snapshot: Lookups, port: Port) -> dict[CategoryId, None]:
    """Return the categories of a port that exist: of its NIC, its virtual machine, its subnet and its VPC."""
    found = dict.fromkeys((*port.nic.categories, *port.subnet.categories))
    vm = snapshot.vm(port.nic.vm) if port.nic.vm else None
    if vm is not None:
        found.update(dict.fromkeys(vm.categories))
    vpc = snapshot.vpc(port.subnet.vpc) if port.subnet.vpc else None
    if vpc is not None:
        found.update(dict.fromkeys(vpc.categories))
    return {id: None for id in found if snapshot.category(id) is not None}


def terms_of_port(snapshot: Lookups, port: Port) -> tuple[Term, ...]:
    """Return every category and entity group that a port is in, sorted."""
    at = _At(snapshot, port)
    found: dict[Term, None] = {}
    waiting = at.direct
    seen: set[EntityGroupId] = set()
    while waiting:
        above: list[Term] = []
        for term in waiting:
            if term.startswith(_SECURABLE):
                found[term] = None
            for group in snapshot.groups_naming(term):
                if group.id not in seen:
                    seen.add(group.id)
                    # What names a term may be in by it, or be kept out by it.
                    if at.is_in_group(group):
                        above.append(f"{Kind.ENTITY_GROUP.value}/{group.id}")
        waiting = above
    return tuple(sorted(found))


def in_term(snapshot: Lookups, port: Port, term: Term) -> bool:
    """Is a port in a category, entity group, subnet, VPC, or is it the NIC? In what does not exist nothing is."""
    return _At(snapshot, port).is_in(term)


def nics_of_term(snapshot: Lookups, term: Term) -> set[NicId]:
    """Return NICs that may have a port in a term, all that do among them."""
    return _nics_of(snapshot, term, {})


_SECURABLE = (f"{Kind.CATEGORY.value}/", f"{Kind.ENTITY_GROUP.value}/")


def given_to(nic: Nic, ipv4_address: str, ipv6_address: str) -> tuple[str, ...]:
    """Return the addresses that a port has from us; with one of IPv6 the link-local one follows from its MAC."""
    if not ipv6_address:  # most have none, and every NIC is asked for
        return (ipv4_address,) if ipv4_address else ()
    addresses = (ipv4_address, ipv6_address, link_local(nic.mac_address))
    return tuple(dict.fromkeys(text for text in addresses if text))


def link_local(mac_address: str) -> str:
    """Return the link-local address that a guest with IPv6 makes of its MAC (RFC 4291, appendix A)."""
    raw = bytes.fromhex(mac_address.replace(":", ""))
    low = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + low))


class _At:
    """One port's answers. `direct` are the terms that it is in by itself."""

    def __init__(self, snapshot: Lookups, port: Port) -> None:
        self._snapshot = snapshot
        self.direct = [
            *(f"{Kind.CATEGORY.value}/{id}" for id in categories_of(snapshot, port)),
            f"{Kind.NIC.value}/{port.nic.id}",
            f"{Kind.SUBNET.value}/{port.subnet.id}",
        ]
        if port.subnet.vpc:
            self.direct.append(f"{Kind.VPC.value}/{port.subnet.vpc}")
        self._known: dict[EntityGroupId, bool] = {}
        self._path: list[EntityGroupId] = []  # the groups that are being looked into
        self._circles = 0

    def is_in(self, term: Term) -> bool:
        kind, id = term_key(term)
        if kind is not Kind.ENTITY_GROUP:
            return term in self.direct
        group = self._snapshot.entity_group(EntityGroupId(id))
        return group is not None and self.is_in_group(group)

    def is_in_group(self, group: EntityGroup) -> bool:
        known = self._known.get(group.id)
        if known is not None:
            return known
        if group.id in self._path:  # admission refuses circles; in a store edited by hand one adds nothing
            self._circles += 1
            return False
        circles = self._circles
        self._path.append(group.id)
        inside = self._selected(group.include) and not self._selected(group.except_)
        self._path.pop()
        if circles == self._circles:  # what is cut short in a circle depends on where one enters it
            self._known[group.id] = inside
        return inside

    def _selected(self, selectors: Iterable[EntitySelector]) -> bool:
        return any(all(self.is_in(term) for term in selector.all_of) for selector in selectors)


def _nics_of(snapshot: Lookups, term: Term, known: dict[str, set[NicId]]) -> set[NicId]:
    """Each group is looked into once, however many ways lead to it: there may be a million of them."""
    kind, id = term_key(term)
    match kind:
        case Kind.NIC:
            return {NicId(id)} if snapshot.nic(NicId(id)) is not None else set()
        case Kind.SUBNET:
            return _nics_on(snapshot, SubnetId(id))
        case Kind.VPC:
            return _nics_in(snapshot, VpcId(id))
        case Kind.CATEGORY:
            category = CategoryId(id)
            found = {nic.id for nic in snapshot.nics_of_category(category)}
            for vm in snapshot.vms_of_category(category):
                found |= {nic.id for nic in snapshot.nics_of_vm(vm.id)}
            for subnet in snapshot.subnets_of_category(category):
                found |= _nics_on(snapshot, subnet.id)
            for vpc in snapshot.vpcs_of_category(category):
                found |= _nics_in(snapshot, vpc.id)
            return found
        case Kind.ENTITY_GROUP:
            group = snapshot.entity_group(EntityGroupId(id))
            if group is not None and id not in known:
                known[id] = set()  # admission refuses circles; in a store edited by hand one adds nothing
                known[id] = set().union(*(_selected_by(snapshot, one, known) for one in group.include))
            return known.get(id, set())
    return set()


def _selected_by(snapshot: Lookups, selector: EntitySelector, known: dict[str, set[NicId]]) -> set[NicId]:
    """Return NICs that are in all terms of a selector."""
    found: set[NicId] | None = None
    for term in selector.all_of:
        nics = _nics_of(snapshot, term, known)
        found = nics if found is None else found & nics
        if not found:
            break
    return found or set()


def _nics_on(snapshot: Lookups, subnet: SubnetId) -> set[NicId]:
    return {
        nic.id
        for nics in (snapshot.nics_of_subnet(subnet), snapshot.trunks_of_subnet(subnet))
        for nic in nics
    }


def _nics_in(snapshot: Lookups, vpc: VpcId) -> set[NicId]:
    return {id for subnet in snapshot.subnets_of_vpc(vpc) for id in _nics_on(snapshot, subnet.id)}
