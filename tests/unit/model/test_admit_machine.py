"""Any sequence of edits, alone and in batches, against a naive statement of what must hold (naive.py)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from netctl.errors import AlreadyExists, Exhausted, InUse, InvalidIntent, NetctlError, NotFound
from netctl.model.infra import Meta
from netctl.model.intent import Create, Edit, Intent, Remove, Replace, key_of, target_of
from netctl.model.keys import HostId, Kind
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import DhcpOptions, Ipv6Mode
from tests.unit.model import naive
from tests.unit.model.world import (
    World,
    cluster,
    contents,
    host,
    ipv4,
    ipv6,
    nic,
    overlay,
    switch,
    vlan,
    vpc,
)

one_of = st.sampled_from
CLUSTERS, SWITCHES, HOSTS = ("c1", "c2"), ("vs0", "vs1"), ("h1", "h2", "h3")
SUBNETS, NICS = ("s1", "s2", "s3", "s4"), tuple(f"n{i}" for i in range(9))
IDS = {
    Kind.CLUSTER: CLUSTERS,
    Kind.VIRTUAL_SWITCH: SWITCHES,
    Kind.HOST: HOSTS,
    Kind.SUBNET: SUBNETS,
    Kind.NIC: NICS,
}
REFERENCE = re.compile(
    r"(^|\.)(cluster|subnet|external_subnet|host|virtual_switch|vpc|nic|ingress_nic|egress_nic|service_chain"
    r"|vm|source_vm|image|destination"
    r"|(clusters|virtual_switches|gateway_hosts|categories|vpcs|all_of|secured|peers|service_groups|network_functions"
    r"|destinations|vms|hosts|vm_categories|host_categories|affinity_hosts|images)\[\d\])$"
)
METAS = one_of([Meta(), Meta(display_name="x")])

clusters = st.builds(
    cluster,
    one_of(CLUSTERS),
    mac_prefix=one_of(["50:6b:8d", "02:00:00"]),
    underlay_mtu_bytes=one_of([1500, 1480, 9000]),
)
switches = st.builds(
    switch,
    one_of(SWITCHES),
    one_of(CLUSTERS),
    bridge=one_of(["", "", "br0", "br1"]),
    mtu_bytes=one_of([1500, 9000]),
)
hosts = st.builds(
    lambda id, address, cluster, ups: host(id, address, cluster, *ups),
    one_of(HOSTS),
    one_of(["192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "fd00::1/64", "fd00::2/64"]),
    one_of(CLUSTERS),
    st.lists(one_of(SWITCHES), unique=True, max_size=2),
)
ipv4s = one_of(
    [
        None,
        ipv4("10.0.0.0/29", "10.0.0.1"),
        ipv4("10.0.0.0/29", "10.0.0.6"),
        ipv4("10.0.0.0/29", pools="10.0.0.2-10.0.0.4"),
        ipv4("10.0.0.0/29", exclusions="10.0.0.1-10.0.0.3"),
        ipv4("10.0.0.0/28", "10.0.0.14"),
        ipv4("10.0.0.8/29", "10.0.0.9"),
    ]
)
ipv6s = one_of([None, None, ipv6("fd00::/125", "fd00::1"), ipv6("fd00::/126")])
mtus = one_of([0, 0, 0, 0, 1400, 1430, 1500])
dhcps = one_of([None, None, DhcpOptions(disabled=True), DhcpOptions(server_address="10.0.0.5")])


def _subnet(made: Any, address: Any, dhcp: DhcpOptions | None) -> Any:
    enabled = dhcp is not None and not dhcp.disabled
    if enabled and (address is None or address.cidr == "10.0.0.8/29"):
        dhcp = None
    return made(ipv4=address, dhcp=dhcp)


vlans = st.builds(
    lambda id, number, up, mtu, a, b, dhcp: _subnet(
        lambda **fields: vlan(id, number, up, mtu_bytes=mtu, ipv6=b, **fields), a, dhcp
    ),
    one_of(SUBNETS),
    one_of([0, 10]),
    one_of(SWITCHES),
    mtus,
    ipv4s,
    ipv6s,
    dhcps,
)
overlays = st.builds(
    lambda id, cluster, vpc, mtu, a, b, dhcp: _subnet(
        lambda **fields: overlay(id, cluster, vpc=vpc if a or b else "", mtu_bytes=mtu, ipv6=b, **fields),
        a,
        dhcp,
    ),
    one_of(SUBNETS),
    one_of(CLUSTERS),
    one_of(["", "v1", "v1"]),
    mtus,
    ipv4s,
    ipv6s,
    dhcps,
)
nics = st.builds(
    # Mostly in the same subnet each time, or half of all edits would be refused moves.
    lambda number, subnet, **fields: nic(f"n{number}", subnet or SUBNETS[number % 3], **fields),
    st.integers(0, len(NICS) - 1),
    one_of(["", "", "", "", *SUBNETS]),
    host=one_of(["", "", "", *HOSTS]).map(HostId),
    mac_address=one_of(["", "", "", "", "", "", "", "50:6b:8d:00:00:03", "02:00:00:00:00:01"]),
    ipv4_address=one_of(["", *(f"10.0.0.{i}" for i in range(1, 9))]),
    ipv6_address=one_of(["", "", "", "fd00::2", "fd00::3"]),
    connected=st.booleans(),
    meta=METAS,
)


def edits_of(intents: st.SearchStrategy[Any], *kinds: Kind) -> st.SearchStrategy[Edit]:
    keys = one_of([(kind, id) for kind in kinds for id in IDS[kind]])
    return st.one_of(
        st.builds(Create, intent=intents),
        st.builds(Replace, intent=intents, or_create=st.just(True)),
        st.builds(Replace, intent=intents, or_create=st.booleans(), if_revision=one_of([0, 0, 0, 5])),
        st.builds(Remove, key=keys, if_revision=one_of([0, 0, 0, 5])),
    )


infra_edits = edits_of(st.one_of(clusters, switches, hosts), Kind.CLUSTER, Kind.VIRTUAL_SWITCH, Kind.HOST)
subnet_edits = edits_of(st.one_of(vlans, overlays), Kind.SUBNET)
nic_edits = edits_of(nics, Kind.NIC)
edits = st.one_of(infra_edits, subnet_edits, nic_edits, nic_edits, nic_edits)


class Admission(RuleBasedStateMachine):
    """Edits of small worlds, in which names, addresses and numbers collide all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(
            cluster("c1"),
            cluster("c2"),
            switch("vs0"),
            switch("vs1"),
            vpc("v1"),
            host("h1", "192.0.2.1/24", "c1", "vs0"),
            host("h2", "192.0.2.1/24", "c2"),
            overlay("s1", vpc="v1", ipv4=ipv4("10.0.0.0/29"), ipv6=ipv6("fd00::/125")),
            vlan("s2", 10, ipv4=ipv4("10.0.0.0/28", "10.0.0.14")),
            overlay("s3", vpc="v1", ipv4=ipv4("10.0.0.8/29")),
            nic("n0", "s1", host=HostId("h1")),
            nic("n1", "s1"),
            nic("n2", "s2", ipv4_address="10.0.0.3"),
        )

    def stored(self) -> naive.World:
        return naive.World(intent for kind in Kind for intent in self.world.draft.of_kind(kind))

    def try_(self, edit: Edit) -> NetctlError | None:
        before = self.stored()
        try:
            first, *more = self.world.admit(edit)
        except NetctlError as error:
            assert self.stored().intents == before.intents
            self.check_refusal(edit, before, error)
            return error
        key = target_of(edit)
        assert first.key == key
        assert first.after is self.world.draft.get(key)
        changed = {one.key for one in (first, *more) if one.before is not one.after}
        now, was = self.stored(), {key_of(x): x for x in before.intents}
        assert changed == {
            k for k in {*was, *map(key_of, now.intents)} if was.get(k) is not self.world.draft.get(k)
        }
        self.check_acceptance(edit, before)
        return None

    def check_refusal(self, edit: Edit, before: naive.World, error: NetctlError) -> None:
        if isinstance(edit, Remove) and type(error) is InUse:
            names = before.dependents(edit.key[0].value, edit.key[1])
            if edit.key[0] is Kind.HOST and not names:  # the last gateway, or one by name
                names = {f"vpcs/{vpc.id}" for vpc in before.vpcs.values()} & set(error.dependents)
            assert (set(error.dependents), error.total) == (names, len(names))
        if isinstance(edit, Create | Replace) and type(error) is Exhausted and error.field == "ipv4_address":
            assert isinstance(edit.intent, Nic)
            assert before.free_addresses(before.subnets[edit.intent.subnet], 4) == set()
        if isinstance(edit, Create) and type(error) is NotFound:
            assert REFERENCE.search(error.field), error.field
        if isinstance(edit, Create) and key_of(edit.intent) in map(key_of, before.intents):
            assert (type(error), error.field) == (AlreadyExists, "name")

    def check_acceptance(self, edit: Edit, before: naive.World) -> None:
        if isinstance(edit, Remove):
            assert before.dependents(edit.key[0].value, edit.key[1]) == set()
            return
        if not isinstance(edit, Create | Replace):
            return
        asked: Intent = edit.intent
        assert not isinstance(edit, Create) or key_of(asked) not in map(key_of, before.intents)
        if isinstance(asked, Nic) and asked.has_subnet and asked.id not in before.nics:
            if before.subnets[asked.subnet].ipv6_mode.from_mac:
                return  # its address is no choice
            subnet, made = before.subnets[asked.subnet], self.world.stored(Kind.NIC, asked.id)
            for version, wanted, got in (
                (4, asked.ipv4_address, made.ipv4_address),
                (6, asked.ipv6_address, made.ipv6_address),
            ):
                managed = subnet.ipv4 if version == 4 else subnet.ipv6
                if wanted or managed is None:
                    assert got == wanted
                else:
                    assert got in before.free_addresses(subnet, version)

    @rule(edit=infra_edits)
    def edit_infra(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=subnet_edits)
    def edit_subnet(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=nic_edits)
    def edit_nic(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=nic_edits)
    def edit_nic_again(self, edit: Edit) -> None:
        """NICs are what there is most of."""
        self.edit_alone(edit)

    @rule(batch=st.lists(edits, min_size=2, max_size=6), undo=st.booleans())
    def edit_in_a_batch(self, batch: list[Edit], undo: bool) -> None:
        before = contents(self.world.draft)
        mark = self.world.draft.mark()
        for edit in batch:
            self.try_(edit)  # those after a refused one as well
        if undo:
            self.world.draft.rollback(mark)
            assert contents(self.world.draft) == before

    def edit_alone(self, edit: Edit) -> None:
        before = contents(self.world.draft)
        if self.try_(edit) is not None:
            assert contents(self.world.draft) == before

    @rule(id=one_of(SUBNETS), address=st.one_of(st.just("kept"), ipv4s), six=ipv6s, dhcp=dhcps)
    def change_addresses(self, id: str, address: Any, six: Any, dhcp: DhcpOptions | None) -> None:
        """Take families from a subnet with NICs, give it others, move its gateway and its DHCP server."""
        found: Any = self.world.draft.get((Kind.SUBNET, id))
        if found is not None:
            four = found.ipv4 if address == "kept" else address
            by_dhcp = found.ipv6_mode.by_dhcp and dhcp is not None and dhcp.disabled
            mode = Ipv6Mode.AUTO if by_dhcp or found.ipv6_mode.from_mac else found.ipv6_mode
            if found.vpc and six is None and four is None:
                return  # gate 1
            try:
                asked = _subnet(
                    lambda **fields: replace(found, ipv6=six, ipv6_mode=mode, **fields), four, dhcp
                )
            except InvalidIntent:
                return  # gate 1: the DHCP server is to be outside the network that is kept
            self.edit_alone(Replace(intent=asked))

    @rule(subnet=one_of(SUBNETS))
    def fill(self, subnet: str) -> None:
        """Take every address of a subnet: exactly as many as are free."""
        before = self.stored()
        found = before.subnets.get(subnet)  # type: ignore[call-overload]
        if found is None or found.ipv4 is None or found.ipv6 is not None:
            return
        mark = self.world.draft.mark()
        free = before.free_addresses(found, 4)
        got = {self.world.create(nic(f"x{i}", subnet)).ipv4_address for i in range(len(free))}
        assert got == free
        assert type(self.try_(Create(intent=nic("more", subnet)))) is Exhausted
        self.world.draft.rollback(mark)

    @invariant()
    def all_holds(self) -> None:
        self.stored().check()

    @invariant()
    def indexes_are_those_of_the_intents(self) -> None:
        loaded = Snapshot.load(1, self.stored().intents).draft()
        assert contents(self.world.draft, cursors=False) == contents(loaded, cursors=False)


TestAdmission = Admission.TestCase
TestAdmission.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(edits, min_size=120, max_size=120))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_long_walk(walk: list[Edit]) -> None:
    """The machine's runs are short; here the subnets fill up."""
    admission = Admission()
    for edit in walk:
        admission.try_(edit)
        admission.all_holds()
    admission.indexes_are_those_of_the_intents()
