"""Random small worlds of security policies, made of intents that the real admission lets in.

VLAN subnets and two VPCs that share their networks; NICs with one IP version or both, trunks, and guests that chose
their own address; categories on everything that may have them; groups in groups with exceptions; policies of every
kind, mode and scope. Host numbers are the same everywhere, so that an address of one realm is somebody's in another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup, EntitySelector
from netctl.model.keys import (
    AddressGroupId,
    CategoryId,
    EntityGroupId,
    HostId,
    Kind,
    NicId,
    SecurityPolicyId,
    ServiceGroupId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceGroup, ServiceProtocol
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import DhcpOptions, IpConfig, Ipv6Mode, Subnet, SubnetKind
from netctl.model.vpc import Vpc
from tests.oracle.layouts import CLUSTER, Builder, infra
from tests.oracle.policy_words import PolicyWorld

NETWORKS = tuple((f"10.0.{number}.0/24", f"fd00:0:0:{number}::/64") for number in range(2))
OUTSIDE = ("192.0.2.80", "2001:db8:ffff::80")
PORTS = (
    PortRange(first=80, last=80),
    PortRange(first=443, last=445),
    PortRange(first=0, last=1023),
    PortRange(first=50_000, last=65_535),
)
CATEGORIES = 3  # few, that policies meet
FIRST_GUEST = 11  # host number
EXPIRED = ("gone",)  # the name of rules whose time is over

_APPLICATIONS = (PolicyKind.APPLICATION, PolicyKind.VDI)
_ALLOWING = (PolicyKind.QUARANTINE, PolicyKind.SHARED_SERVICE)


@dataclass(frozen=True, slots=True)
class MadeWorld:
    """A world as it was made: what admission stored, and what hosts learned."""

    snapshot: Snapshot
    learned: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    dhcpv6: bool = False

    @property
    def world(self) -> PolicyWorld:
        """The oracle's view of it."""
        intents = [intent for kind in Kind for intent in self.snapshot.of_kind(kind)]
        policies = [intent for intent in intents if isinstance(intent, SecurityPolicy)]
        expired = [(p.id, rule.name) for p in policies for rule in p.rules if rule.name in EXPIRED]
        return replace(PolicyWorld.of(intents, self.learned, expired), dhcpv6=self.dhcpv6)


def policy_worlds(*, live: bool = False) -> st.SearchStrategy[MadeWorld]:
    """Whole worlds; `live`: for a lab, where no NIC trunks, all have addresses of ours, and no rule has expired.

    All but their sizes comes from a seed: what hypothesis varies piece by piece is too much alike, and policies that
    do not meet show nothing. A world that fails is made smaller by its last NICs and policies.
    """
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(made_of, seeds, st.integers(5, 8), st.integers(3, 8), st.just(live))


def made_of(seed: int, nics: int, policies: int, live: bool) -> MadeWorld:
    """Return the world of a seed, with so many NICs and policies."""
    maker = _Maker(seed, live)
    maker.places()
    for number in range(nics):
        maker.nic(number)
    maker.named()
    for number in range(policies):
        maker.policy(f"p{number}")
    return MadeWorld(maker.builder.made().snapshot, maker.learned, maker.maybe())


class _Maker:
    """Makes a world, piece by piece."""

    def __init__(self, seed: int, live: bool) -> None:
        self.seed = seed
        self.live = live
        self.luck = random.Random(seed)
        self.builder = Builder()
        self.scope = self.luck.choice(list(PolicyScope))  # of most
        self.learned: dict[tuple[str, int], tuple[str, ...]] = {}
        self.subnets: list[Subnet] = []
        self.vpcs: list[VpcId] = []
        self.terms: list[str] = []
        self.address_groups: list[str] = []
        self.service_groups: list[ServiceGroupId] = []
        self._taken: dict[str, int] = {}

    def add(self, intent: Any) -> Any:
        """Admit what must be admissible."""
        stored = self.builder.add(intent)
        assert stored is not None, self.builder.refused[-1]
        return stored

    def maybe(self, one_in: int = 2) -> bool:
        """Say yes once in so many times."""
        return self.luck.randrange(one_in) == 0

    def some(self, things: list[Any], least: int, most: int) -> tuple[Any, ...]:
        """Choose some of these, each once."""
        return tuple(
            self.luck.sample(things, self.luck.randint(min(least, len(things)), min(most, len(things))))
        )

    # -- places and NICs -----------------------------------------------------------------------------------------------

    def places(self) -> None:
        """Make categories, VPCs and subnets."""
        for intent in infra():
            self.add(intent)
        for number in range(CATEGORIES):
            id = CategoryId(f"c{number}")
            self.add(Category(id=id, key=f"key{number % 2}", value=f"{number}"))
            self.terms.append(f"categories/{id}")
        self._subnet("v10", 0, vlan_id=10)
        if self.maybe():
            # The same network on another VLAN: two machines with one address in one realm.
            self._subnet("v0", self.luck.randint(0, 1), vlan_id=0)
        for name in ("red", "blue")[: self.luck.randint(1, 2)]:
            self.vpcs.append(VpcId(name))
            self.add(Vpc(id=VpcId(name), categories=self._categories(3)))
            for number in range(1 if name == "blue" else self.luck.randint(1, 2)):
                self._subnet(f"{name}-{number}", number, vpc=name)

    def _subnet(self, name: str, number: int, *, vlan_id: int = -1, vpc: str = "") -> None:
        v4, v6 = NETWORKS[number]
        dual = self.maybe()
        by_dhcp = not self.live and self.maybe()
        mode = Ipv6Mode.DHCPV6_STATEFUL if by_dhcp else Ipv6Mode.STATIC
        where: dict[str, Any] = {"kind": SubnetKind.OVERLAY, "vpc": VpcId(vpc), "clusters": (CLUSTER,)}
        if not vpc:
            switches = (VirtualSwitchId("vs0"),)
            where = {"kind": SubnetKind.VLAN, "vlan_id": vlan_id, "virtual_switches": switches}
        subnet = Subnet(
            id=SubnetId(name),
            ipv4=IpConfig(version=4, cidr=v4, gateway=v4.replace(".0/24", ".1")),
            ipv6=IpConfig(version=6, cidr=v6, gateway=v6.replace("::/64", "::1")) if dual else None,
            ipv6_mode=mode if dual else Ipv6Mode.AUTO,
            dhcp=DhcpOptions() if not self.live and self.maybe() else None,
            categories=self._categories(3),
            **where,
        )
        self.subnets.append(self.add(subnet))

    def _categories(self, one_in: int) -> tuple[CategoryId, ...]:
        return self.some([CategoryId(f"c{n}") for n in range(CATEGORIES)], 1, 2) if self.maybe(one_in) else ()

    def nic(self, number: int) -> None:
        """Make a NIC somewhere: most are ordinary, some trunk, some have no address but the one they chose."""
        at_home = [one for one in self.subnets if (one.vpc == "") == (self.scope is PolicyScope.ALL_VLAN)]
        subnet = self.luck.choice(self.subnets if self.maybe(3) else at_home)
        id = NicId(f"n{number}")
        sort = "plain" if self.live else self.luck.choice(("plain", "plain", "trunk", "learned"))
        v4, v6 = self._next(subnet)
        secure = sort != "learned" and not self.maybe(4)
        made = Nic(
            id=id,
            subnet=subnet.id,
            host=HostId(self.luck.choice(("h1", "h2"))),
            mac_address=f"52:54:00:00:01:{number:02x}",
            ipv4_address=v4,
            ipv6_address=v6,
            port_security=secure,
            allow_unknown_macs=sort == "learned",
            categories=self._categories(1),
        )
        if sort == "trunk" and subnet.kind is SubnetKind.VLAN:
            made = self._trunk(made)
        self.add(made)
        if sort == "learned":
            chosen = [address for address in self._next(subnet) if address]
            self.learned[id, 0] = tuple(sorted(chosen))

    def _trunk(self, nic: Nic) -> Nic:
        """Give a NIC VLANs on other subnets, with an address there or without."""
        others = {subnet.id: subnet for subnet in self.subnets if subnet.id != nic.subnet}
        least = 0 if nic.subnet == "v0" else 1  # untagged, a NIC may trunk all VLANs
        vlans = []
        for number, id in enumerate(self.some(list(others), least, 2)):
            v4, v6 = self._next(others[id])
            vlans.append(TrunkVlan(vlan_id=100 + number, subnet=id, ipv4_address=v4, ipv6_address=v6))
        if not vlans and least:
            return nic
        fields = {name: getattr(nic, name) for name in nic.__dataclass_fields__}
        return Nic(**(fields | {"mode": NicMode.TRUNK, "trunk_vlans": tuple(vlans)}))

    def _next(self, subnet: Subnet) -> tuple[str, str]:
        """Return the next addresses of a subnet: the same host numbers in each."""
        number = self._taken[subnet.id] = self._taken.get(subnet.id, FIRST_GUEST - 1) + 1
        v4 = subnet.ipv4.cidr.replace(".0/24", f".{number}") if subnet.ipv4 is not None else ""
        v6 = subnet.ipv6.cidr.replace("::/64", f"::{number:x}") if subnet.ipv6 is not None else ""
        return v4, v6

    # -- groups --------------------------------------------------------------------------------------------------------

    def named(self) -> None:
        """Make groups of entities, addresses and services."""
        selectable = [
            *self.terms,
            *(f"subnets/{s.id}" for s in self.subnets),
            *(f"vpcs/{v}" for v in self.vpcs),
        ]
        selectable += [f"nics/n{number}" for number in range(3)]
        for number in range(self.luck.randint(0, 4)):
            include = [EntitySelector(all_of=self.some(selectable, 1, 2)) for _ in range(self._few(2))]
            without = [EntitySelector(all_of=self.some(selectable, 1, 2)) for _ in range(self._few(1))]
            group = EntityGroup(
                id=EntityGroupId(f"g{number}"), include=tuple(include), except_=tuple(without)
            )
            self.add(group)
            selectable.append(f"entityGroups/{group.id}")
            self.terms.append(f"entityGroups/{group.id}")
        for number in range(self.luck.randint(1, 3)):
            self._address_group(AddressGroupId(f"a{number}"))
        for number in range(self.luck.randint(0, 2)):
            id = ServiceGroupId(f"s{number}")
            services = tuple(self._service() for _ in range(1 + self._few(1)))
            self.add(ServiceGroup(id=id, services=services))
            self.service_groups.append(id)

    def _few(self, most: int) -> int:
        return self.luck.randint(0, most)

    def _address_group(self, id: AddressGroupId) -> None:
        names = [
            *(
                OUTSIDE[0],
                "192.0.2.0/24",
                "10.0.0.0/23",
                "10.0.0.12",
                "10.0.0.11-10.0.0.13",
                "10.0.1.0-10.0.1.11",
            ),
            *(OUTSIDE[1], "fd00::/48", "fd00::b", "fd00::c-fd00::e", "2001:db8::/32"),
        ]
        self.add(
            AddressGroup(id=id, addresses=self.some(names, 0, 4), except_addresses=self.some(names, 0, 2))
        )
        self.address_groups.append(f"addressGroups/{id}")

    def _service(self) -> Service:
        protocol = self.luck.choice(list(ServiceProtocol))
        match protocol:
            case ServiceProtocol.TCP | ServiceProtocol.UDP:
                ports = self.some(list(PORTS), 0, 2)
                sources = self.some(list(PORTS), 1, 1) if self.maybe(4) else ()
                return Service(protocol=protocol, ports=ports, source_ports=sources)
            case ServiceProtocol.NUMBER:
                return Service(protocol=protocol, protocol_number=self.luck.choice((1, 6, 17, 47, 58)))
        kind = self.luck.choice((None, 8, 3) if protocol is ServiceProtocol.ICMP else (None, 128, 1))
        code = self.luck.choice((None, 0, 1)) if kind is not None else None
        return Service(protocol=protocol, icmp_type=kind, icmp_code=code)

    # -- policies ------------------------------------------------------------------------------------------------------

    def policy(self, id: str, **fixed: Any) -> SecurityPolicy:
        """Make a policy of any kind."""
        kind = self.luck.choice((*PolicyKind, *_APPLICATIONS))
        scope = self.luck.choice(list(PolicyScope)) if self.maybe(3) else self.scope
        isolates = kind is PolicyKind.ISOLATION
        secured = self.some(self.terms, 2 if isolates else 1, 3 if isolates else 2)
        counts = (0,) if isolates else (2, 3, 1, 4) if kind is PolicyKind.SHARED_SERVICE else (2, 3, 1, 0)
        count = self.luck.choice(counts)
        names = [f"r{number}" for number in range(count)]
        if names and not self.live and self.maybe(6):
            names[0] = EXPIRED[0]
        modes = (*(PolicyMode.ENFORCE,) * 4, *(PolicyMode.MONITOR,) * 3, PolicyMode.SAVE)
        fields: dict[str, Any] = {
            "mode": self.luck.choice(modes),
            "vpcs": self.some(self.vpcs, 1, 2) if scope is PolicyScope.VPC_LIST else (),
            "priority": self.luck.choice((0, 0, 7, 1000)),
            "rules": tuple(self._rule(name, kind, secured) for name in names),
            "log": self.maybe(),
        }
        if kind in _APPLICATIONS:
            fields["intra_group"] = self.luck.choice(list(IntraGroup))
        fields |= fixed
        made = SecurityPolicy(id=SecurityPolicyId(id), kind=kind, scope=scope, secured=secured, **fields)
        stored: SecurityPolicy = self.add(made)
        return stored

    def _rule(self, name: str, kind: PolicyKind, secured: tuple[str, ...]) -> SecurityRule:
        action = RuleAction.ALLOW
        if kind not in _ALLOWING:
            action = self.luck.choice((RuleAction.ALLOW, *RuleAction))
        return SecurityRule(
            name=name,
            direction=self.luck.choice(list(Direction)),
            action=action,
            priority=self.luck.choice((0, 0, 5)),
            applied_to=self.some(list(secured), 1, 2) if self.maybe(4) else (),
            peers=self.some([*self.terms, *self.address_groups], 1, 3) if self.maybe() else (),
            service_groups=self.some(self.service_groups, 1, 1) if self.maybe(4) else (),
            services=tuple({self._service(): None for _ in range(self._few(2))}) if self.maybe() else (),
            ip_version=self.luck.choice((0, 0, 0, 4, 6)),
            stateless=action is RuleAction.ALLOW and self.maybe(4),
            log=self.maybe(),
            disabled=self.maybe(8),
        )
