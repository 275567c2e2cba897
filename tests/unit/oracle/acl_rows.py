"""What our northbound rows do with a packet, as ovn-northd would make of them: ACLs read by tests/oracle/acl_match.py.

As northd(8) 23.03 says: ACLs of a switch are its own and those of the port groups that have a port on it; a group's
`$name_ip4` holds what the `addresses` of its ports name; one ACL with allow-related on a switch makes it stateful.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from netctl.model.security_policy import Direction
from netctl.nb.rows import Fact, FactKey, Member, Row, Value
from tests.oracle.acl_match import Names, Question, Seen, question
from tests.oracle.policy_words import ICMPV6, NEIGHBOURHOOD, Packet, State

LPORT = {Direction.IN: "to-lport", Direction.OUT: "from-lport"}
OTHER_WAY = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}
_PRIORITY_MAX = 32_767


@dataclass(frozen=True, slots=True)
class Acl:
    """One ACL with its match as a question."""

    row: Row
    asks: Question

    @property
    def action(self) -> str:
        """What it does."""
        return str(self.row.columns["action"])

    @property
    def order(self) -> tuple[int, int]:
        """Its place: what is sorted first is asked first."""
        tier, priority = self.row.columns.get("tier", 0), self.row.columns["priority"]
        assert isinstance(tier, int)
        assert isinstance(priority, int)
        assert 0 <= priority <= _PRIORITY_MAX
        return tier, -priority


class AclRows:
    """Answers for the rows of one snapshot."""

    def __init__(self, rows: Mapping[FactKey, Fact]) -> None:
        self._rows = {fact.uuid: fact for fact in rows.values() if isinstance(fact, Row)}
        self._members: dict[tuple[str, str], list[str]] = defaultdict(list)
        for fact in rows.values():
            if isinstance(fact, Member):
                self._members[fact.parent, fact.column].append(fact.member)
        self.of_port: dict[tuple[str, Direction], list[Acl]] = {}
        self.clashes: list[str] = []
        names = self._names()
        acls: dict[str, Acl] = {}
        for uuid, row in self._rows.items():
            if row.table == "ACL":
                match, direction = str(row.columns["match"]), str(row.columns["direction"])
                acls[uuid] = Acl(row, question(match, direction, names))
        for uuid, row in self._rows.items():
            if row.table == "Logical_Switch":
                self._switch(uuid, acls)

    def first(self, port: str, direction: Direction, packet: Packet) -> Acl | None:
        """Return the ACL that decides of a packet, None when none matches."""
        seen = Seen.of(port, packet)
        return next((acl for acl in self.of_port[port, direction] if acl.asks(seen)), None)

    def allows(self, port: str, direction: Direction, packet: Packet, state: State = State.FIRST) -> bool:
        """Does a packet pass a port?"""
        if packet.protocol == ICMPV6 and packet.icmp_type in NEIGHBOURHOOD:  # in front of every ACL
            return True
        if state is not State.FIRST and self.is_tracked(port, direction, packet):
            return True
        acl = self.first(port, direction, packet)
        return acl is None or acl.action.startswith("allow")

    def is_stateful(self, port: str) -> bool:
        """Has the switch of a port connections at all?"""
        acls = (acl for way in Direction if way is not Direction.IN_OUT for acl in self.of_port[port, way])
        return any(acl.action == "allow-related" for acl in acls)

    def is_tracked(self, port: str, direction: Direction, packet: Packet) -> bool:
        """Does conntrack see a packet?"""
        if packet.is_multicast or not self.is_stateful(port):
            return False
        seen = Seen.of(port, packet)
        mine = self.of_port[port, direction]
        return not any(acl.action == "allow-stateless" and acl.asks(seen) for acl in mine)

    def _names(self) -> Names:
        groups: dict[str, frozenset[str]] = {}
        sets: dict[str, frozenset[str]] = {}
        for uuid, row in self._rows.items():
            if row.table == "Address_Set":
                sets[str(row.columns["name"])] = frozenset(map(str, _set(row.columns["addresses"])))
            if row.table != "Port_Group":
                continue
            name = str(row.columns["name"])
            ports = [self._rows[port] for port in self._members[uuid, "ports"] if port in self._rows]
            groups[name] = frozenset(str(port.columns["name"]) for port in ports)
            addresses = {address for port in ports for address in _addresses(port)}
            for version in (4, 6):
                of_version = (one for one in addresses if ipaddress.ip_address(one).version == version)
                sets[f"{name}_ip{version}"] = frozenset(of_version)
        return Names(groups, sets)

    def _switch(self, uuid: str, acls: dict[str, Acl]) -> None:
        ports = {port for port in self._members[uuid, "ports"] if port in self._rows}
        mine = {id: acls[id] for id in self._members[uuid, "acls"]}
        for group, row in self._rows.items():
            if row.table == "Port_Group" and ports & set(self._members[group, "ports"]):
                mine |= {id: acls[id] for id in self._members[group, "acls"]}
        for direction, text in LPORT.items():
            found = [acl for acl in mine.values() if acl.row.columns["direction"] == text]
            found.sort(key=lambda acl: acl.order)
            orders = [acl.order for acl in found]
            self.clashes += [f"{text} {order}" for order in orders if orders.count(order) > 1]
            for port in ports:
                self.of_port[str(self._rows[port].columns["name"]), direction] = found


def _addresses(port: Row) -> list[str]:
    """Return the addresses in a port's `addresses`: each "MAC address address ...", or a word."""
    texts = (str(text).split() for text in _set(port.columns["addresses"]))
    return [
        address for text in texts for address in text[1:] if text[0] not in ("unknown", "router", "dynamic")
    ]


def _set(value: Value) -> frozenset[object]:
    assert isinstance(value, frozenset)
    return frozenset(value)
