"""Rows in words: of which intent a switch, router or Port_Group is, and which line of a policy an ACL is. Pure.

Rows are named by uuids of uids; nothing in a row says in words what it is. So what wrote it is asked, as it is after
the change, else as it was: no answer costs more than to compile that intent once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from netctl.analysis.wording import full_name, line_of
from netctl.compiler.acl_match import uid_of_term
from netctl.compiler.clause import VLANS, Realm
from netctl.compiler.identity import dhcp_acl_uuid, port_group_uuid, router_uuid, switch_uuid
from netctl.compiler.membership import ports_of, terms_of_port
from netctl.compiler.observed import Observed
from netctl.compiler.realms import coverage_of, realms_in, uid_of_realm
from netctl.compiler.security_policy import Acl, acls_of
from netctl.model.category import Category
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import EntityGroup, Term
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from netctl.nb.rows import FactKey, Member, RowKey, Rows


class RowName(NamedTuple):
    """The intent that a row is of, "" when it is of none, and the row in words, "" when none tell it from others."""

    of: str
    words: str


_Named = Iterator[tuple[RowKey, RowName]]
_UNKNOWN = RowName("", "")


class RowNames:
    """Names rows of two compilations, `sides`, the later first; `keys` says which intent wrote each fact."""

    def __init__(
        self, keys: Mapping[FactKey, Key], sides: Sequence[tuple[Snapshot, Rows]], observed: Observed
    ) -> None:
        self._keys, self._sides, self._observed = keys, sides, observed
        self._known: dict[RowKey, RowName] = {}
        self._asked: set[tuple[Key, str]] = set()
        self._counts: list[Counter[tuple[Key, str]]] = []

    def of_row(self, row: RowKey) -> RowName:
        """Return what a row is; its intent's name says it when that has one such row."""
        key = self._keys[row]
        of = resource_name(key)
        return self._ask(row, key) or RowName(of, of if self._is_single(row, key) else "")

    def of_parent(self, member: Member) -> RowName:
        """Return what the row is that a member comes to or goes from."""
        row = (member.table, member.parent)
        known = self._ask(row, self._keys[member.key])
        return known or (self.of_row(row) if row in self._keys else _UNKNOWN)

    def _ask(self, row: RowKey, key: Key) -> RowName | None:
        asked = (key, "" if key[0] is Kind.SECURITY_POLICY else row[0])
        if row not in self._known and asked not in self._asked:
            self._asked.add(asked)
            for snapshot, _ in self._sides:
                for found, name in _named(snapshot, self._observed, key, row[0]):
                    self._known.setdefault(found, name)
        return self._known.get(row)

    def _is_single(self, row: RowKey, key: Key) -> bool:
        if not self._counts:
            self._counts = [Counter((self._keys[fact], fact[0]) for fact in rows) for _, rows in self._sides]
        sides = zip(self._counts, self._sides, strict=True)
        return next(counts[key, row[0]] == 1 for counts, (_, rows) in sides if row in rows)


def _named(snapshot: Snapshot, observed: Observed, key: Key, table: str) -> _Named:
    """Yield the rows of a table that an intent writes, or writes members of, as far as there are words for them."""
    name = resource_name(key)
    match table, snapshot.get(key):
        case (("Logical_Switch" | "Logical_Router"), _):
            yield from _places(snapshot, key)
        case "Logical_Switch_Port", Nic() as nic:
            for port in ports_of(snapshot, nic):
                tag = f" VLAN {port.vlan_id}" if port.vlan_id else ""
                yield (table, port.uuid), RowName(name, f"{name}{tag}")
        case "Port_Group", Nic() as nic:
            yield from _groups_of_nic(snapshot, nic)
        case "Port_Group", (Category() | EntityGroup()) as term:
            for realm, uid in realms_in(snapshot, coverage_of(snapshot, name)):
                yield (table, port_group_uuid(term.meta.uid, uid)), _group(name, realm)
        case _, SecurityPolicy() as policy:  # both of its tables at once: they cost the most
            yield from _acls(name, acls_of(snapshot, observed, policy))
        case "ACL", Subnet() as subnet:
            for direction, way in (("from-lport", "out"), ("to-lport", "in")):
                uuid = dhcp_acl_uuid(subnet.meta.uid, direction)
                yield (table, uuid), RowName(name, f"DHCP questions, {way}")


def _groups_of_nic(snapshot: Snapshot, nic: Nic) -> _Named:
    for port in ports_of(snapshot, nic):
        realm = uid_of_realm(snapshot, port.realm)
        for term in terms_of_port(snapshot, port) if realm is not None else ():
            uid = uid_of_term(snapshot, term)
            if uid is not None and realm is not None:
                yield ("Port_Group", port_group_uuid(uid, realm)), _group(term, port.realm)


def _group(term: Term, realm: Realm) -> RowName:
    """Return a Port_Group in words: `categories/web`, `categories/web in vpcs/blue`."""
    return RowName(term, term if realm == VLANS else f"{term} in {Kind.VPC.value}/{realm}")


def _acls(policy: str, acls: Sequence[Acl]) -> _Named:
    """Yield ACLs by their lines, where a line has several with whose ports they are about; and those ports' groups."""
    lines = [_line(acl) for acl in acls]
    counts = Counter(lines)
    for acl, line in zip(acls, lines, strict=True):
        group = _group(acl.clause.subject, acl.realm)
        at = f", at {group.words}" if counts[line] > 1 else ""
        yield ("Port_Group", acl.group), group
        yield ("ACL", acl.uuid), RowName(policy, f"{line}{at}")


def _line(acl: Acl) -> str:
    front = f"{full_name(acl.front)} in front of " if acl.front is not None else ""
    return f"{front}{line_of(acl.clause)}, {acl.clause.direction.value}"


def _places(snapshot: Snapshot, key: Key) -> _Named:
    """Yield the switches and routers that an intent's rows may be on: its subnets', their VPCs', the ways out."""
    waiting: list[Key] = [key]
    seen: set[Key] = set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        id = resource_name(current)
        name = RowName(id, id)
        match snapshot.get(current):
            case Subnet() as subnet:
                yield ("Logical_Switch", switch_uuid(subnet.meta.uid)), name
                waiting.append((Kind.VPC, subnet.vpc))
            case Vpc() as vpc:
                yield ("Logical_Router", router_uuid(vpc.meta.uid)), name
                waiting += ((Kind.SUBNET, exit.subnet) for exit in vpc.external_connections)
            case Nic() as nic:
                waiting.append((Kind.SUBNET, nic.subnet))
                waiting += ((Kind.SUBNET, vlan.subnet) for vlan in nic.trunk_vlans)
            case (Route() | RoutingPolicy()) as way:
                waiting.append((Kind.VPC, way.vpc))
            case FloatingIp() as floating:
                waiting += ((Kind.VPC, floating.vpc), (Kind.NIC, floating.nic))
