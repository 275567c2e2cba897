"""The words of the oracle of security policies: a packet, an end, a world. Intents are read as data."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup
from netctl.model.intent import Intent
from netctl.model.nic import Nic
from netctl.model.security_policy import SecurityPolicy
from netctl.model.service import ServiceGroup
from netctl.model.subnet import Ipv6Mode, Subnet
from netctl.model.vpc import Vpc

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
ARP = -1  # no protocol of IP
ECHO = {ICMP: 8, ICMPV6: 128}
ANSWERS = {8: 0, 128: 129, 135: 136}  # echo, and who has an address
UNREACHABLE = {4: (ICMP, 3, 1), 6: (ICMPV6, 1, 3)}  # protocol, type, code
# ICMPv6 that no policy looks at: RS, RA, NS, NA, and multicast listener discovery.
NEIGHBOURHOOD = frozenset({133, 134, 135, 136, 130, 131, 132, 143})
VLANS = ""  # the realm of all subnets outside VPCs


class State(enum.Enum):
    """What a packet is to the connections of the port that it passes."""

    FIRST = "first"
    ANSWER = "answer"
    RELATED = "related"


@lru_cache(maxsize=4096)
def number_of(address: str) -> int:
    """Return an address as a number."""
    return int(ipaddress.ip_address(address))


@lru_cache(maxsize=4096)
def _is_group(address: str) -> bool:
    return ipaddress.ip_address(address).is_multicast or address == "255.255.255.255"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet; ports with TCP and UDP, `icmp_type` and `icmp_code` with ICMP and ICMPv6."""

    source: str
    destination: str
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 0
    icmp_code: int = 0

    @property
    def version(self) -> int:
        """The IP version."""
        return 6 if ":" in self.destination else 4

    @property
    def is_judged(self) -> bool:
        """Is it subject to policies?"""
        if self.protocol == ARP:
            return False
        return self.protocol != ICMPV6 or self.icmp_type not in NEIGHBOURHOOD

    @property
    def is_multicast(self) -> bool:
        """Does it go to several at once?"""
        return _is_group(self.destination)

    @property
    def is_local(self) -> bool:
        """Do its addresses mean one link alone, which no router leaves with it?"""
        return any(address.startswith("fe80:") for address in (self.source, self.destination))

    def answer(self) -> Packet:
        """Return what comes back."""
        back = replace(self, source=self.destination, destination=self.source)
        if self.protocol in ECHO:
            return replace(back, icmp_type=ANSWERS.get(self.icmp_type, self.icmp_type))
        return replace(back, source_port=self.destination_port, destination_port=self.source_port)

    def error(self, teller: str = "") -> Packet:
        """Return the ICMP error that somebody (the addressee when nobody is named) answers with."""
        protocol, kind, code = UNREACHABLE[self.version]
        return Packet(teller or self.destination, self.source, protocol, icmp_type=kind, icmp_code=code)


@dataclass(frozen=True, slots=True)
class Port:
    """A NIC on its subnet (`vlan_id` 0), or one VLAN of a trunk NIC; `addresses` are given and learned ones."""

    nic: Nic
    vlan_id: int
    subnet: Subnet
    categories: frozenset[str]
    addresses: tuple[str, ...]

    @property
    def realm(self) -> str:
        """Where its addresses mean one thing."""
        return self.subnet.vpc

    @property
    def name(self) -> tuple[str, int]:
        """What tells it from all others."""
        return str(self.nic.id), self.vlan_id

    @property
    def given(self) -> tuple[str, ...]:
        """The addresses that admission gave it."""
        of = (
            self.nic
            if not self.vlan_id
            else next(v for v in self.nic.trunk_vlans if v.vlan_id == self.vlan_id)
        )
        return tuple(address for address in (of.ipv4_address, of.ipv6_address) if address)


@dataclass(frozen=True, slots=True)
class PolicyWorld:
    """All that decides who may talk to whom: intents by id, what was learned, what has expired.

    `learned` is by (NIC, VLAN id); `dhcpv6`: may OVN answer it?
    """

    vpcs: Mapping[str, Vpc]
    subnets: Mapping[str, Subnet]
    nics: Mapping[str, Nic]
    categories: Mapping[str, Category]
    groups: Mapping[str, EntityGroup]
    address_groups: Mapping[str, AddressGroup]
    service_groups: Mapping[str, ServiceGroup]
    policies: tuple[SecurityPolicy, ...]
    learned: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    expired: frozenset[tuple[str, str]] = frozenset()
    dhcpv6: bool = False

    @classmethod
    def of(
        cls,
        intents: Iterable[Intent],
        learned: Mapping[tuple[str, int], tuple[str, ...]] | None = None,
        expired: Iterable[tuple[str, str]] = (),
    ) -> PolicyWorld:
        """Sort intents."""
        every = list(intents)
        return cls(
            vpcs={found.id: found for found in every if isinstance(found, Vpc)},
            subnets={found.id: found for found in every if isinstance(found, Subnet)},
            nics={found.id: found for found in every if isinstance(found, Nic)},
            categories={found.id: found for found in every if isinstance(found, Category)},
            groups={found.id: found for found in every if isinstance(found, EntityGroup)},
            address_groups={found.id: found for found in every if isinstance(found, AddressGroup)},
            service_groups={found.id: found for found in every if isinstance(found, ServiceGroup)},
            policies=tuple(found for found in every if isinstance(found, SecurityPolicy)),
            learned=dict(learned or {}),
            expired=frozenset(expired),
        )

    def with_policies(self, policies: Iterable[SecurityPolicy]) -> PolicyWorld:
        """Return the same world with other policies."""
        return replace(self, policies=tuple(policies))

    def ports(self) -> list[Port]:
        """List every port that policies see."""
        found = []
        for nic in self.nics.values():
            found.append(self._port(nic, 0, nic.subnet, (nic.ipv4_address, nic.ipv6_address)))
            found += (
                self._port(nic, vlan.vlan_id, vlan.subnet, (vlan.ipv4_address, vlan.ipv6_address))
                for vlan in nic.trunk_vlans
            )
        return found

    def _port(self, nic: Nic, vlan_id: int, subnet: str, given: tuple[str, ...]) -> Port:
        place = self.subnets[subnet]
        categories = {*nic.categories, *place.categories}
        categories |= set(self.vpcs[place.vpc].categories) if place.vpc else set()
        # Who has an address of IPv6 has a link-local one as well, made of the MAC (RFC 4291, appendix A).
        local = link_local(nic.mac_address) if given[1] else ""
        addresses = dict.fromkeys((*given, local, *self.learned.get((nic.id, vlan_id), ())))
        return Port(nic, vlan_id, place, frozenset(categories), tuple(a for a in addresses if a))


def link_local(mac: str) -> str:
    """Return the EUI-64 address of a MAC in fe80::/64."""
    first, *rest = (int(part, 16) for part in mac.split(":"))
    octets = [first ^ 0x02, *rest[:2], 0xFF, 0xFE, *rest[2:]]
    groups = [f"{octets[i] << 8 | octets[i + 1]:x}" for i in range(0, 8, 2)]
    return str(ipaddress.ip_address("fe80::" + ":".join(groups)))


def serves_dhcp(subnet: Subnet) -> bool:
    """Does OVN answer DHCP on a subnet?"""
    return subnet.ipv4 is not None and subnet.dhcp is not None and not subnet.dhcp.disabled


def serves_dhcpv6(subnet: Subnet, world: PolicyWorld) -> bool:
    """Does OVN answer DHCPv6 on a subnet?"""
    modes = (Ipv6Mode.DHCPV6_STATELESS, Ipv6Mode.DHCPV6_STATEFUL)
    return world.dhcpv6 and subnet.ipv6 is not None and subnet.ipv6_mode in modes
