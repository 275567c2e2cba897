"""The control path as a state machine, with VLAN basic, network functions and chains: what test_machine.py promises.

NICs move between VLAN_BASIC and VLAN as the reconciler asks for it, and in any other order; after any run the database
holds exactly what all intents compile to, though each pass compiled only what had changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from netctl.model.chain import FailureHandling, ForwardingMode, NetworkFunction, NicPair, ServiceChain
from netctl.model.infra import BondMode, VirtualSwitch
from netctl.model.intent import Create, Remove, Replace, Restack
from netctl.model.keys import (
    HostId,
    Key,
    Kind,
    NetworkFunctionId,
    NicId,
    ServiceChainId,
    SubnetId,
    TrafficMirrorId,
    VirtualSwitchId,
)
from netctl.model.mirror import MirrorSource, TrafficMirror
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode, TrunkVlan
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from tests.functional.machine.test_machine import HOSTS, Machine
from tests.functional.ovsdb.subjects import fake_subject, real_subject
from tests.unit.model import naive

one_of = st.sampled_from
VS0 = VirtualSwitchId("vs0")
SUBNETS, GUESTS, FEW = one_of(["s1", "s2", "b1", "b2"]), one_of(["g1", "g2", "g3", "g4"]), one_of(["1", "2"])
CHAINS = one_of(["", "c1", "c2"]).map(ServiceChainId)
KINDS = [SubnetKind.VLAN, SubnetKind.VLAN_BASIC]
COLLECTIONS = one_of([Kind.SUBNET, Kind.NIC, Kind.NETWORK_FUNCTION, Kind.SERVICE_CHAIN, Kind.TRAFFIC_MIRROR])


class ChainedMachine(Machine):
    """Guests with OVN and without it, and appliances, on the hosts of the machine below."""

    @initialize()
    def build(self) -> None:
        """And two VLAN_BASIC subnets, a function that works on h1, and a chain."""
        super().build()
        for number in ("1", "2"):
            self.put_subnet(f"b{number}", 20 + int(number), ServiceChainId(""))
            self.put_sides(number, "h1")
        self.put_function("1", False)
        self.put_function("2", False)
        self.ask(Create(intent=self.chain("c1", "f1")))
        self.put_guest("g1", "b1", "h1", NicKind.NORMAL, 0)

    @rule(id=one_of(["b1", "b2", "b3"]), vlan_id=one_of([21, 22, 1]), chain=CHAINS)
    def put_subnet(self, id: str, vlan_id: int, chain: ServiceChainId) -> None:
        stored = self.model.get((Kind.SUBNET, id))
        made = Subnet(
            id=SubnetId(id),
            kind=stored.kind if isinstance(stored, Subnet) else SubnetKind.VLAN_BASIC,
            virtual_switches=(VS0,),
            vlan_id=vlan_id,
            ipv4=IpConfig(version=4, cidr="10.9.0.0/29"),
            service_chain=chain,
        )
        self.try_to(Replace(intent=made, or_create=True))

    @rule(id=SUBNETS, chain=CHAINS)
    def attach(self, id: str, chain: ServiceChainId) -> None:
        subnet = self.model.get((Kind.SUBNET, id))
        if isinstance(subnet, Subnet):
            self.try_to(Replace(intent=replace(subnet, service_chain=chain)))

    @rule(id=SUBNETS)
    def turn(self, id: str) -> None:
        subnet = self.model.get((Kind.SUBNET, id))
        if isinstance(subnet, Subnet) and subnet.kind in KINDS:
            other = KINDS[1 - KINDS.index(subnet.kind)]
            self.try_to(Replace(intent=replace(subnet, kind=other)))

    @rule(id=GUESTS, basic=st.booleans())
    def restack(self, id: str, basic: bool) -> None:
        self.try_to(Restack(nic=NicId(id), basic=basic))

    @rule(
        id=GUESTS,
        subnet=SUBNETS,
        host=HOSTS,
        kind=one_of([NicKind.NORMAL, NicKind.DIRECT]),
        tag=one_of([0, 0, 21, 77]),
    )
    def put_guest(self, id: str, subnet: str, host: str, kind: NicKind, tag: int) -> None:
        trunk: dict[str, Any] = (
            {"mode": NicMode.TRUNK, "trunk_vlans": (TrunkVlan(vlan_id=tag),)} if tag else {}
        )
        made = Nic(id=NicId(id), subnet=SubnetId(subnet), host=HostId(host), kind=kind, **trunk)
        self.try_to(Replace(intent=made, or_create=True))

    @rule(number=FEW, host=HOSTS)
    def put_sides(self, number: str, host: str) -> None:
        for side in (FunctionSide.INGRESS, FunctionSide.EGRESS):
            made = Nic(
                id=NicId(f"{side.value}{number}"),
                host=HostId(host),
                kind=NicKind.NETWORK_FUNCTION,
                function_side=side,
            )
            self.try_to(Replace(intent=made, or_create=True))
        span = Nic(id=NicId(f"span{number}"), host=HostId(host), kind=NicKind.SPAN_DESTINATION)
        self.try_to(Replace(intent=span, or_create=True))

    @rule(number=FEW, disabled=st.booleans())
    def put_function(self, number: str, disabled: bool) -> None:
        pair = NicPair(
            ingress_nic=NicId(f"ingress{number}"), egress_nic=NicId(f"egress{number}"), disabled=disabled
        )
        made = NetworkFunction(
            id=NetworkFunctionId(f"f{number}"),
            mode=ForwardingMode.INLINE,
            failure_handling=FailureHandling.FAIL_OPEN,
            nic_pairs=(pair,),
        )
        self.try_to(Replace(intent=made, or_create=True))

    @rule(id=one_of(["c1", "c2"]), first=FEW, both=st.booleans())
    def put_chain(self, id: str, first: str, both: bool) -> None:
        other = ("f2" if first == "1" else "f1",) if both else ()
        self.try_to(Replace(intent=self.chain(id, f"f{first}", *other), or_create=True))

    def chain(self, id: str, *functions: str) -> ServiceChain:
        return ServiceChain(
            id=ServiceChainId(id), functions=tuple(NetworkFunctionId(name) for name in functions)
        )

    @rule(number=FEW, source=one_of(["g1", "g2", "g3", ""]), host=one_of(["h1", "h2"]))
    def put_mirror(self, number: str, source: str, host: str) -> None:
        made = MirrorSource(nic=NicId(source)) if source else MirrorSource(virtual_switch=VS0)
        mirror = TrafficMirror(
            id=TrafficMirrorId(f"m{number}"),
            host=HostId(host),
            sources=(made,),
            destinations=(NicId(f"span{number}"),),
        )
        self.try_to(Replace(intent=mirror, or_create=True))

    @rule(mode=one_of(BondMode))
    def put_bond(self, mode: BondMode) -> None:
        switch = self.model.get((Kind.VIRTUAL_SWITCH, "vs0"))
        if isinstance(switch, VirtualSwitch):
            asked = VirtualSwitch(id=switch.id, cluster=switch.cluster, bond_mode=mode)
            self.try_to(Replace(intent=asked))

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


class OnFake(ChainedMachine):
    """At speed."""

    subject = staticmethod(fake_subject)


class OnServer(ChainedMachine):
    """On a real ovsdb-server."""

    subject = staticmethod(real_subject)


HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
TestOnFake = OnFake.TestCase
TestOnFake.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=HEALTH
)
TestOnServer = OnServer.TestCase
TestOnServer.settings = settings(
    max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=HEALTH
)
