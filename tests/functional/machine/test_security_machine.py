"""The control path as a state machine, with security policies: what test_vpc_machine.py promises, of groups and rules.

Who is in what, what names what and which policies are active changes all the time, in VLANs and VPCs; after any run the
database holds exactly what all intents compile to, though each pass compiled only what had changed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from netctl.loop import Wake
from netctl.model.intent import Create, Intent, Replace
from netctl.model.keys import CategoryId, HostId, Kind, NicId, SubnetId, VpcId
from netctl.model.nic import Nic
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
)
from netctl.nb.rows import Row
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.liveness import Liveness
from tests import security as make
from tests.functional.machine.test_vpc_machine import FEW, HEALTH, NICS, VPCS, RoutedMachine, one_of
from tests.functional.ovsdb.subjects import fake_subject, real_subject

CATEGORIES = one_of(["web", "app", "db"])
IN_SOME = st.lists(CATEGORIES.map(CategoryId), max_size=2, unique=True).map(tuple)
SECURED = one_of(["web", "app", "db", "entityGroups/g1", "entityGroups/g2"])
TERMS = st.one_of(SECURED, one_of(["subnets/s1", "subnets/v1-1", "vpcs/v1", "nics/n1", "nics/n2"]))
PEERS = st.one_of(SECURED, one_of(["addressGroups/a1", "addressGroups/a2"]))
HOUR_S = 3600.0
SERVICES = one_of([(), ("tcp/443",), ("icmpv6",), ("serviceGroups/t1",), ("serviceGroups/t2", "udp/53")])
SELECTORS = st.lists(st.lists(TERMS, min_size=1, max_size=2, unique=True).map(",".join), max_size=2)
RULES = st.lists(
    st.builds(
        lambda peers, services, **fields: make.rule("r", *peers, services=services, **fields),
        st.lists(PEERS, max_size=2, unique=True),
        SERVICES,
        direction=one_of(list(Direction)),
        action=one_of(list(RuleAction)),
        priority=one_of([0, 0, 5]),
        ip_version=one_of([0, 0, 4, 6]),
        disabled=one_of([False, False, True]),
        expire_time_s=one_of([0.0, 0.0, 1 * HOUR_S, 2 * HOUR_S, 5 * HOUR_S]),
        log=st.booleans(),
    ),
    max_size=3,
)
MODES = one_of([PolicyMode.ENFORCE, PolicyMode.ENFORCE, PolicyMode.MONITOR, PolicyMode.SAVE])
PICKS = st.randoms(use_true_random=False)


class SecuredMachine(RoutedMachine):
    """Groups and policies over the subnets, tenants and NICs of the machines below."""

    def __init__(self) -> None:
        self.later_s = 0.0
        super().__init__()

    def make_liveness(self, board: StatusBoard) -> Liveness:
        """Return what sees rules end, at a time that this machine sets."""
        return Liveness(
            board.reports.get, Wake(), clock=lambda: self.now, wall=lambda: time.time() + self.later_s
        )

    @initialize()
    def build(self) -> None:
        """And something of each kind, so that most of what comes names what is there."""
        super().build()
        wanted: list[Intent] = [
            *(make.category(id) for id in ("web", "app", "db")),
            make.entity_group("g1", "web", "vpcs/v1,app"),
            make.entity_group("g2", "entityGroups/g1", without=("db",)),
            make.address_group("a1", "192.0.2.0/24", "fd00::/8"),
            make.address_group("a2"),
            make.service_group("t1"),
            make.service_group("t2", "icmp", "udp/53"),
            make.policy(
                "p1",
                "entityGroups/g1",
                rules=(make.rule("r", "app", "addressGroups/a1"),),
                scope=PolicyScope.ALL_VPC,
            ),
            make.policy("p2", "web", mode=PolicyMode.MONITOR),
            Nic(id=NicId("n2"), subnet=SubnetId("s1"), host=HostId("h1"), categories=(CategoryId("web"),)),
        ]
        for intent in wanted:
            self.ask(Create(intent=intent))
        self.put_categories(Kind.NIC, "n1", (CategoryId("app"),))

    @rule(id=CATEGORIES)
    def put_category(self, id: str) -> None:
        self.put(make.category(id))

    @rule(number=FEW, include=SELECTORS, without=SELECTORS)
    def put_group(self, number: int, include: list[str], without: list[str]) -> None:
        self.put(make.entity_group(f"g{number}", *include, without=tuple(without)))

    @rule(number=FEW, some=one_of([(), ("192.0.2.0/24",), ("10.0.0.1-10.0.0.6", "fd00::/8")]))
    def put_address_group(self, number: int, some: tuple[str, ...]) -> None:
        self.put(make.address_group(f"a{number}", *some, without=("192.0.2.7",)))

    @rule(number=FEW, some=one_of([("tcp/80",), ("icmp/8", "icmpv6/128"), ("udp/53,5000-5010", "47")]))
    def put_service_group(self, number: int, some: tuple[str, ...]) -> None:
        self.put(make.service_group(f"t{number}", *some))

    @rule(
        number=FEW,
        secured=st.lists(SECURED, min_size=1, max_size=2, unique=True),
        rules=RULES,
        mode=MODES,
        pick=PICKS,
    )
    def put_application(
        self, number: int, secured: list[str], rules: list[Any], mode: PolicyMode, pick: Any
    ) -> None:
        """An application or VDI policy; the kind follows from the number, for it cannot change."""
        named = tuple(replace(one, name=f"r{i}") for i, one in enumerate(self.timed(rules)))
        self.put(
            make.policy(
                f"p{number}",
                *secured,
                rules=named,
                kind=PolicyKind.VDI if number == 3 else PolicyKind.APPLICATION,
                mode=mode,
                intra_group=pick.choice(list(IntraGroup)),
                priority=pick.choice([0, 0, 7]),
                log=pick.choice([False, True]),
                **self.scope(pick),
            )
        )

    @rule(kind=one_of(list(PolicyKind)[:3]), secured=SECURED, rules=RULES, mode=MODES, pick=PICKS)
    def put_other(
        self, kind: PolicyKind, secured: str, rules: list[Any], mode: PolicyMode, pick: Any
    ) -> None:
        """A quarantine, a shared service or an isolation."""
        named = tuple(
            replace(one, name=f"r{i}", action=RuleAction.ALLOW)
            for i, one in enumerate(self.timed(rules) or [make.rule("r", "web")])
        )
        if kind is PolicyKind.ISOLATION or (kind is PolicyKind.QUARANTINE and not rules):
            named = ()
        about = ("web", "app", secured) if kind is PolicyKind.ISOLATION else (secured,)
        self.put(
            make.policy(
                f"x{list(PolicyKind).index(kind)}",
                *dict.fromkeys(about),
                rules=named,
                kind=kind,
                mode=mode,
                **self.scope(pick),
            )
        )

    @rule(id=NICS, some=IN_SOME)
    def put_nic_into(self, id: str, some: tuple[CategoryId, ...]) -> None:
        self.put_categories(Kind.NIC, id, some)

    @rule(id=one_of(["s1", "s2", "v1-1", "v2-1"]), some=IN_SOME)
    def put_subnet_into(self, id: str, some: tuple[CategoryId, ...]) -> None:
        self.put_categories(Kind.SUBNET, id, some)

    @rule(id=VPCS, some=IN_SOME)
    def put_vpc_into(self, id: str, some: tuple[CategoryId, ...]) -> None:
        self.put_categories(Kind.VPC, id, some)

    @rule(hours=one_of([1, 1, 3]))
    def time_passes(self, hours: int) -> None:
        """Rules end by themselves."""
        self.later_s += hours * HOUR_S

    @rule(pick=PICKS, table=one_of(["ACL", "Port_Group", "Address_Set"]))
    def a_hand_edits_our_rules(self, pick: Any, table: str) -> None:
        self.world.northbound.take_changed()
        facts = self.world.northbound.owned_rows().values()
        rows = sorted(fact.uuid for fact in facts if isinstance(fact, Row) and fact.table == table)
        if rows:
            uuid = pick.choice(rows)
            values: dict[str, dict[str, Any]] = {
                "ACL": {"priority": 7, "action": "drop"},
                "Port_Group": {"name": f"theirs-{uuid}"},
                "Address_Set": {"addresses": frozenset({"192.0.2.99"})},
            }
            self.world.hands.hand_update(table, uuid, values[table])

    def timed(self, rules: list[Any]) -> list[Any]:
        """Return rules that end so many hours from now."""
        now = time.time()
        return [
            replace(one, expire_time_s=now + one.expire_time_s) if one.expire_time_s else one for one in rules
        ]

    def put(self, intent: Intent) -> None:
        """Store an intent in the place of another, or anew."""
        self.try_to(Replace(intent=intent, or_create=True))

    def put_categories(self, kind: Kind, id: str, some: tuple[CategoryId, ...]) -> None:
        """Change what a NIC, subnet or VPC is in."""
        found: Any = self.model.get((kind, id))
        if found is not None:
            self.try_to(Replace(intent=replace(found, categories=some)))

    def scope(self, pick: Any) -> dict[str, Any]:
        """Return where a policy holds."""
        some: tuple[dict[str, Any], ...] = (
            {"scope": PolicyScope.ALL_VLAN},
            {"scope": PolicyScope.ALL_VPC},
            {"vpcs": (VpcId("v1"),)},
            {"vpcs": (VpcId("v1"), VpcId("v2"))},
        )
        return dict(pick.choice(some))


class OnFake(SecuredMachine):
    """At speed."""

    subject = staticmethod(fake_subject)


class OnServer(SecuredMachine):
    """On a real ovsdb-server."""

    subject = staticmethod(real_subject)


TestOnFake = OnFake.TestCase
TestOnFake.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=HEALTH
)
TestOnServer = OnServer.TestCase
TestOnServer.settings = settings(
    max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=HEALTH
)
