"""The control path as a state machine, with VPCs: what test_machine.py promises, of routers and what hangs on them.

After any run the database holds exactly what all intents compile to, though each pass compiled only what had changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Host
from netctl.model.intent import Create, Edit, Intent, Remove, Replace
from netctl.model.keys import (
    AddressReservationId,
    ClusterId,
    FloatingIpId,
    HostId,
    Key,
    Kind,
    NicId,
    RouteId,
    RoutingPolicyId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.reservation import AddressReservation
from netctl.model.route import Bfd, NextHop, Route
from netctl.model.routing_policy import PolicyAction, RoutingPolicy
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.functional.machine.test_machine import HOSTS, Machine, uplink
from tests.functional.ovsdb.subjects import fake_subject, real_subject
from tests.unit.model import naive

one_of = st.sampled_from
C1, VS0 = ClusterId("c1"), VirtualSwitchId("vs0")
VPCS, NICS, FEW = one_of(["v1", "v2", "hub"]), one_of(["n1", "n2", "n3", "n4"]), st.integers(1, 3)
EXTERNALS = one_of([(), ("out",), ("out",), ("in",), ("out", "in")])
COLLECTIONS = one_of(
    [kind for kind in Kind if kind not in (Kind.CLUSTER, Kind.VIRTUAL_SWITCH, Kind.HOST, Kind.SUBNET)]
)


def addresses(version: int, cidr: str, gateway: str = "") -> IpConfig:
    return IpConfig(version=version, cidr=cidr, gateway=gateway)


class RoutedMachine(Machine):
    """Two tenants and a hub on the hosts and subnets of the machine below."""

    @initialize()
    def build(self) -> None:
        """And an external subnet, a hub with one inside, a tenant with a subnet and a NIC."""
        super().build()
        outside: dict[str, Any] = {"kind": SubnetKind.EXTERNAL, "virtual_switches": (VS0,), "nat": True}
        inside: dict[str, Any] = {"kind": SubnetKind.EXTERNAL, "clusters": (C1,), "vpc": VpcId("hub")}
        wanted: list[Intent] = [
            Subnet(
                id=SubnetId("out"),
                vlan_id=100,
                ipv4=addresses(4, "203.0.113.0/28", "203.0.113.1"),
                ipv6=addresses(6, "2001:db8::/64", "2001:db8::1"),
                **outside,
            ),
            self.vpc("hub", ("out",)),
            Subnet(id=SubnetId("in"), ipv4=addresses(4, "100.64.0.0/28"), **inside),
            self.vpc("v1", ("out",)),
        ]
        for intent in wanted:
            self.ask(Create(intent=intent))
        self.put_subnet("v1", 1, six=True)
        self.put_nic("n1", "v1", 1, "h1")

    def vpc(self, id: str, externals: tuple[str, ...], prefixes: tuple[str, ...] = ()) -> Vpc:
        return Vpc(
            id=VpcId(id),
            kind=VpcKind.TRANSIT if id == "hub" else VpcKind.REGULAR,
            external_connections=tuple(ExternalConnection(subnet=SubnetId(one)) for one in externals),
            externally_routable_prefixes=prefixes,
        )

    @rule(id=VPCS, externals=EXTERNALS, routed=st.booleans())
    def put_vpc(self, id: str, externals: tuple[str, ...], routed: bool) -> None:
        prefixes = ("198.51.100.0/24",) if routed else ()
        self.try_to(Replace(intent=self.vpc(id, externals, prefixes), or_create=True))

    @rule(vpc=VPCS, number=FEW, six=st.booleans())
    def put_subnet(self, vpc: str, number: int, six: bool) -> None:
        subnet = Subnet(
            id=SubnetId(f"{vpc}-{number}"),
            kind=SubnetKind.OVERLAY,
            clusters=(C1,),
            vpc=VpcId(vpc),
            ipv4=addresses(4, f"10.1.{number}.0/29"),
            ipv6=addresses(6, f"fd00:{number}::/64") if six else None,
        )
        self.try_to(Replace(intent=subnet, or_create=True))

    @rule(id=NICS, vpc=VPCS, number=FEW, host=HOSTS)
    def put_nic(self, id: str, vpc: str, number: int, host: str) -> None:
        subnet = SubnetId(f"{vpc}-{number}")
        nic = Nic(id=NicId(id), subnet=subnet, host=HostId(host), port_security=number > 1)
        self.try_to(Replace(intent=nic, or_create=True))

    @rule(id=NICS, child=VPCS, number=FEW, host=HOSTS)
    def put_trunk(self, id: str, child: str, number: int, host: str) -> None:
        vlans = (TrunkVlan(vlan_id=number, subnet=SubnetId(f"{child}-{number}")),)
        nic = Nic(
            id=NicId(id), subnet=SubnetId("s1"), host=HostId(host), mode=NicMode.TRUNK, trunk_vlans=vlans
        )
        self.try_to(Replace(intent=nic, or_create=True))

    @rule(number=FEW, nic=one_of(["", "n1", "n1", "n2", "n3"]), inside=st.booleans())
    def put_floating_ip(self, number: int, nic: str, inside: bool) -> None:
        """To another NIC, to nothing or to a private address: always one change."""
        target = {"vpc": VpcId("v1"), "private_address": "10.1.1.5"} if inside else {"nic": NicId(nic)}
        floating = FloatingIp(id=FloatingIpId(f"f{number}"), external_subnet=SubnetId("out"), **target)
        self.try_to(Replace(intent=floating, or_create=True))

    @rule(number=FEW, vpc=VPCS, hop=one_of(["out", "in", "203.0.113.9", "10.1.1.4"]), bfd=st.booleans())
    def put_route(self, number: int, vpc: str, hop: str, bfd: bool) -> None:
        via = NextHop(ip_address=hop) if hop[0].isdigit() else NextHop(external_subnet=SubnetId(hop))
        route = Route(
            id=RouteId(f"r{number}"),
            vpc=VpcId(vpc),
            destination="0.0.0.0/0" if number > 1 else "192.0.2.0/24",
            next_hops=(via,),
            priority=100 * number,
            bfd=Bfd() if bfd else None,
        )
        self.try_to(Replace(intent=route, or_create=True))

    @rule(number=FEW, vpc=VPCS, reroute=st.booleans(), both=st.booleans())
    def put_policy(self, number: int, vpc: str, reroute: bool, both: bool) -> None:
        what: dict[str, Any] = {"action": PolicyAction.DENY}
        if reroute:
            what = {"action": PolicyAction.REROUTE, "service_ips": ("10.1.1.2",)}
        id = RoutingPolicyId(f"p{number}")
        policy = RoutingPolicy(id=id, vpc=VpcId(vpc), priority=10 * number, bidirectional=both, **what)
        self.try_to(Replace(intent=policy, or_create=True))

    @rule(number=FEW, subnet=one_of(["v1-1", "out"]))
    def put_reservation(self, number: int, subnet: str) -> None:
        id = AddressReservationId(f"k{number}")
        kept = AddressReservation(id=id, subnet=SubnetId(subnet), count=number)
        self.try_to(Replace(intent=kept, or_create=True))

    @rule(number=one_of([1, 2]), there=st.booleans())
    def connect_host(self, number: int, there: bool) -> None:
        """A host loses or gets back its uplink, and with it gateways."""
        host = self.model.get((Kind.HOST, f"h{number}"))
        if isinstance(host, Host):
            none = {"uplinks": (), "tunnel_virtual_switch": VirtualSwitchId("")}
            self.try_to(Replace(intent=replace(host, **({"uplinks": uplink()} if there else none))))

    def ask(self, *edits: Edit) -> None:
        """Submit edits. A host that goes takes gateways along: the model learns of those, and of nothing else."""
        super().ask(*edits)
        if any(isinstance(edit, Replace) and isinstance(edit.intent, Host) for edit in edits):
            for key, was in self.model.items():
                now = self.admission.snapshot().get(key)
                if isinstance(was, Vpc) and isinstance(now, Vpc) and now != was:
                    pairs = zip(was.external_connections, now.external_connections, strict=True)
                    ways = tuple(replace(old, gateways=new.gateways) for old, new in pairs)
                    assert now == replace(was, meta=now.meta, external_connections=ways)
                    self.model[key] = now

    @rule(kind=COLLECTIONS, data=st.data())
    def remove_any(self, kind: Kind, data: st.DataObject) -> None:
        ids = sorted(id for of, id in self.model if of is kind)
        if ids:
            self.try_to(Remove(key=(kind, data.draw(one_of(ids)))))

    def users(self, key: Key) -> set[str]:
        """Return the names of what needs an intent, by walking all."""
        return naive.World(self.model.values()).dependents(key[0].value, key[1])

    def check_store(self) -> None:
        """All that admission promises holds of what was acknowledged."""
        super().check_store()
        naive.World(self.model.values()).check()


class OnFake(RoutedMachine):
    """At speed."""

    subject = staticmethod(fake_subject)


class OnServer(RoutedMachine):
    """On a real ovsdb-server."""

    subject = staticmethod(real_subject)


HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
TestOnFake = OnFake.TestCase
TestOnFake.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=HEALTH
)
TestOnServer = OnServer.TestCase
TestOnServer.settings = settings(
    max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=HEALTH
)
