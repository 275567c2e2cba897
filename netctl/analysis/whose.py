"""Whose an address is in a realm: the ports that it was given to, or that were seen to use it. Pure."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping

from netctl.compiler.clause import Realm
from netctl.compiler.membership import Port, ports_of, realm_of
from netctl.compiler.observed import Observed
from netctl.model.indexes import Space
from netctl.model.keys import Kind, NicId
from netctl.model.numbers import address_number, version_of
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

_LINK_LOCAL = b"\xfe\x80" + bytes(6)
_SPACES = {4: Space.IPV4, 6: Space.IPV6}


class Whose:
    """Answers for one snapshot; no answer walks all NICs, but once for the learned addresses."""

    def __init__(self, snapshot: Snapshot, observed: Observed) -> None:
        self._snapshot, self._observed = snapshot, observed
        self._subnets: dict[Realm, list[Subnet]] | None = None
        self._learned: Mapping[tuple[Realm, str], list[Port]] | None = None

    def ports(self, realm: Realm, address: str) -> list[Port]:
        """Return the ports that are recognised by an address in a realm; subnets outside VPCs may overlap."""
        version = version_of(address)
        number = address_number(version, address)
        found: dict[str, Port] = {}
        for subnet in self._subnets_of(realm):
            owner = self._snapshot.owner(((_SPACES[version], subnet.id), number))
            nic = self._snapshot.nic(NicId(owner[1])) if owner is not None and owner[0] is Kind.NIC else None
            for port in ports_of(self._snapshot, nic) if nic is not None else ():
                if port.subnet.id == subnet.id and address in port.given:
                    found[port.name] = port
        for port in self._by_mac(address):
            if port.realm == realm and address in port.given:
                found[port.name] = port
        for port in self._learned_ports().get((realm, address), ()):
            found[port.name] = port
        return list(found.values())

    def _by_mac(self, address: str) -> Iterator[Port]:
        """Yield the ports of the NIC of whose MAC a link-local address is made."""
        text = ipaddress.ip_address(address).packed
        if len(text) == 16 and text[:8] == _LINK_LOCAL and text[11:13] == b"\xff\xfe":
            mac = int.from_bytes(bytes([text[8] ^ 2]) + text[9:11] + text[13:], "big")
            owner = self._snapshot.owner(((Space.MAC, ""), mac))
            nic = self._snapshot.nic(NicId(owner[1])) if owner is not None and owner[0] is Kind.NIC else None
            yield from ports_of(self._snapshot, nic) if nic is not None else ()

    def _subnets_of(self, realm: Realm) -> list[Subnet]:
        if self._subnets is None:
            self._subnets = defaultdict(list)
            for subnet in self._snapshot.table(Kind.SUBNET).values():
                self._subnets[realm_of(subnet)].append(subnet)
        return self._subnets.get(realm, [])

    def _learned_ports(self) -> Mapping[tuple[Realm, str], list[Port]]:
        if self._learned is None:
            self._learned = found = defaultdict(list)
            nics = self._snapshot.table(Kind.NIC).values() if self._observed.learned else ()
            for nic in nics:
                for port in ports_of(self._snapshot, nic):
                    for address in self._observed.learned.get(port.name, ()):
                        found[port.realm, address].append(port)
        return self._learned
