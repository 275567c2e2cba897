"""reconcile with security policies: whatever the path, the clock and the refusals, the rows are those of the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from netctl.compiler import identity
from netctl.compiler.compile import compile_rows
from netctl.loop import Wake
from netctl.model.intent import Intent, key_of
from netctl.model.keys import HostId, Key, Kind, NicId, Uid
from netctl.model.security_policy import PolicyKind, PolicyMode, PolicyScope, RuleAction
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, NicReport, Phase
from netctl.nb.diff import diff
from netctl.nb.features import WANTED_COLUMNS, Features
from netctl.nb.rows import Row
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.desired import DesiredFacts
from netctl.reconciler.liveness import Liveness
from netctl.reconciler.reconcile import Reconciler, Settings
from tests.fakes.northbound import FakeNorthbound
from tests.intents import OWNER, FakeSource, snapshot, uid_of
from tests.security import (
    address_group,
    entity_group,
    in_categories,
    policy,
    rule,
    secured_nic,
    service_group,
    small_world,
)
from tests.security_worlds import security_walks

LATER_S = 1_000_000.0
Verdict = tuple[Phase, str]
REFUSED, DONE = (Phase.FAILED, "REJECTED_BY_OVN"), (Phase.PROGRAMMED, "")


class Bench:
    """A reconciler between fakes; the test moves both clocks."""

    def __init__(self, *, trust_reject: bool = False) -> None:
        self.now, self.wall = 100.0, LATER_S - 60
        self.wake = Wake()
        self.source, self.northbound = FakeSource(), FakeNorthbound(owner=OWNER)
        self.board = StatusBoard(self.source.snapshot, clock=lambda: self.now)
        liveness = Liveness(
            self.board.reports.get,
            self.wake,
            clock=lambda: self.now,
            wall=lambda: self.wall,
            trust_reject=trust_reject,
        )
        self.board.on_report(liveness.note_report)
        self.reconciler = Reconciler(
            self.source,
            self.northbound,
            self.board,
            Settings(owner=OWNER, epoch=1),
            liveness=liveness,
            clock=lambda: self.now,
        )

    def arrive(self, *intents: Intent) -> None:
        """Make the world the small one and these; northd follows."""
        self.source.set(snapshot(small_world(*intents)))
        self.reconciler.step()
        self.reconciler.step()

    def assert_equal(self) -> None:
        """The database holds what a full compilation gives, and a full pass writes nothing more."""
        want = compile_rows(self.source.snapshot(), OWNER, self.reconciler.observed)
        self.northbound.take_changed()
        assert not diff(want, self.northbound.owned_rows())
        written = len(self.northbound.deltas)
        self.now += 60
        self.reconciler.step()
        assert len(self.northbound.deltas) == written

    def status(self, kind: Kind, name: str) -> Verdict:
        found = self.board.status((kind, name))
        assert found is not None
        assert bool(found.message) == bool(found.reason)
        return found.phase, found.reason

    def policy(self, name: str = "shop") -> Verdict:
        return self.status(Kind.SECURITY_POLICY, name)

    def actions(self) -> list[str]:
        """Return those of the policies' ACLs; the subnet's own two are about DHCP."""
        rows = self.northbound.owned_rows()
        found = [row for row in rows.values() if isinstance(row, Row) and row.table == "ACL"]
        return sorted(
            str(row.columns["action"]) for row in found if "udp.dst == 67" not in str(row.columns["match"])
        )


@settings(max_examples=40, deadline=None)
@given(states=security_walks())
def test_path_independence_of_security_policies(states: list[Snapshot]) -> None:
    bench = Bench()
    for state in states:
        bench.source.set(state)
        bench.reconciler.allow_mass_delete()
        bench.reconciler.step()
        bench.assert_equal()


def test_a_rule_expires_by_itself() -> None:
    bench = Bench()
    rules = (rule("a", "app", expire_time_s=LATER_S), rule("b", "db", expire_time_s=LATER_S + 9))
    bench.arrive(policy("shop", "web", rules=rules))
    assert bench.actions() == ["allow-related"] * 2 + ["drop"] * 2
    bench.wake.wait(0)
    bench.reconciler.step()
    assert bench.wake._within_s == pytest.approx(60)
    for wall, allowed in ((LATER_S - 0.1, 2), (LATER_S, 1), (LATER_S + 8.9, 1), (LATER_S + 9, 0)):
        bench.wall = wall
        bench.reconciler.step()
        assert bench.actions() == ["allow-related"] * allowed + ["drop"] * 2
    assert bench.policy() == DONE
    bench.assert_equal()


def test_a_controller_that_starts_after_it_does_not_write_an_expired_rule() -> None:
    bench = Bench()
    bench.wall = LATER_S + 1
    bench.arrive(policy("shop", "web", rules=(rule("a", "app", expire_time_s=LATER_S),)))
    assert bench.actions() == ["drop"] * 2
    assert all("allow-related" not in repr(delta) for delta in bench.northbound.deltas)


def report(host: str, cfg: int, *nics: str) -> HostReport:
    seen = (
        NicReport(iface_id=uid_of(name), tap_present=True, plugged=True, ovn_installed=True) for name in nics
    )
    return HostReport(host=HostId(host), nb_cfg=cfg, nics=tuple(seen))


def test_hosts_with_its_subjects_must_have_the_flows() -> None:
    bench = Bench()
    for host in ("h1", "h2"):
        bench.board.note_report(report(host, 0))
    shop = policy("shop", "db")  # d1 is on h2, in the VPC pd1 as well
    bench.arrive(shop, policy("none", "entityGroups/none"), entity_group("none"))
    assert bench.policy() == (Phase.PENDING, "HOSTS_BEHIND")
    assert bench.policy("none") == DONE
    bench.board.take_changed()
    bench.board.note_report(report("h2", bench.northbound.nb_cfg))
    assert (Kind.SECURITY_POLICY, "shop") in bench.board.take_changed()
    assert bench.policy() == DONE, "h1 is behind, and has none of them"
    bench.board.note_report(report("h2", 0))
    bench.board.note_disconnect(HostId("h2"))
    assert bench.policy() == DONE, "what is not connected is not waited for"


def test_status_of_modes() -> None:
    bench = Bench()
    shop = policy("shop", "web")
    wanted = {
        PolicyMode.SAVE: (Phase.PENDING, "SAVED"),
        PolicyMode.MONITOR: (Phase.PROGRAMMED, "MONITORING"),
        PolicyMode.ENFORCE: DONE,
    }
    for mode, verdict in wanted.items():
        bench.northbound.hold_northd()
        bench.arrive(
            replace(shop, mode=mode, meta=replace(shop.meta, revision=bench.source.snapshot().revision + 1))
        )
        if mode is not PolicyMode.SAVE:
            assert bench.policy() == (Phase.PENDING, "WAITING_FOR_NORTHD")
        bench.northbound.release_northd()
        bench.reconciler.step()
        assert bench.policy() == verdict
    for kind, name in ((Kind.CATEGORY, "web"), (Kind.NIC, "x1")):
        assert bench.status(kind, name)[1] in ("", "HOST_DOWN", "WAITING_FOR_HOST")


@pytest.mark.parametrize("trusted", [False, True])
def test_reject_is_a_deny_and_says_so_unless_it_is_trusted(trusted: bool) -> None:
    bench = Bench(trust_reject=trusted)
    rules = (rule("a", "app", action=RuleAction.REJECT), rule("b", "db"))
    bench.arrive(policy("shop", "web", rules=rules), policy("other", "web", rules=rules[1:]))
    assert bench.policy() == (DONE if trusted else (Phase.PROGRAMMED, "REJECT_AS_DENY"))
    assert bench.policy("other") == DONE
    assert bench.actions().count("reject") == trusted
    found = bench.board.status((Kind.SECURITY_POLICY, "shop"))
    assert found is not None
    assert trusted or ("rule a " in found.message and "--trust-reject" in found.message)


def test_pairs_that_have_no_room_are_said() -> None:
    bench = Bench()
    many = tuple(rule(f"r{i}", "app") for i in range(60))
    watched = policy("a", "web", rules=many, mode=PolicyMode.MONITOR)
    bench.arrive(watched, policy("b", "web", rules=many))
    assert bench.policy("b") == (Phase.PROGRAMMED, "MONITOR_INCOMPLETE")
    bench.arrive(watched, policy("b", "web", rules=many[:2]))
    assert bench.policy("b") == DONE
    bench.assert_equal()


def test_a_group_that_ovn_refuses_takes_its_policies_and_no_other() -> None:
    bench = Bench()
    uuid = identity.port_group_uuid(uid_of("web"), Uid(""))
    bench.northbound.hand_insert("Port_Group", "thief", {"name": identity.port_group_name(uuid)})
    bench.arrive(policy("shop", "web"), policy("other", "db"))
    assert bench.status(Kind.CATEGORY, "web") == bench.policy() == REFUSED
    assert bench.policy("other") == DONE
    bench.northbound.hand_delete("Port_Group", "thief")
    bench.now += 60
    bench.reconciler.step()
    bench.reconciler.step()
    assert bench.policy() == DONE
    bench.assert_equal()


def test_a_policy_switched_off_is_no_mass_delete() -> None:
    bench = Bench()
    nics = [secured_nic(f"n{i}", "web", number=i) for i in range(20, 220)]
    bench.arrive(policy("shop", "web"), *nics)
    before = len(bench.northbound.owned_rows())
    bench.arrive(policy("shop", "web", mode=PolicyMode.SAVE), *nics)
    assert before - len(bench.northbound.owned_rows()) > 200
    bench.assert_equal()


SHOP = policy("shop", "web", "entityGroups/all", rules=(rule("r1", "app", "addressGroups/office"),))
MORE = (
    SHOP,
    policy("other", "db", kind=PolicyKind.VDI),
    entity_group("all", "web", "db"),
    address_group("office", "10.9.0.0/16"),
    service_group("http"),
)
CHANGES: dict[str, tuple[Intent, set[Key]]] = {
    "a NIC changes group": (secured_nic("w1", "app", number=11), {(Kind.NIC, "w1")}),
    "a rule is flipped": (
        replace(SHOP, rules=(replace(SHOP.rules[0], action=RuleAction.DENY),)),
        {(Kind.SECURITY_POLICY, "shop")},
    ),
    "an address group": (address_group("office", "10.8.0.0/16"), {(Kind.ADDRESS_GROUP, "office")}),
    "a service group that nobody names": (service_group("http", "udp"), {(Kind.SERVICE_GROUP, "http")}),
    "a group's own NICs": (
        entity_group("all", "web", "app"),
        {
            (Kind.ENTITY_GROUP, "all"),
            *((Kind.NIC, NicId(id)) for id in ("w1", "w2", "pw1", "d1", "pd1", "a1", "pa1")),
        },
    ),
    "a policy that names db no more": (
        policy("other", "app", kind=PolicyKind.VDI),
        {
            (Kind.SECURITY_POLICY, "other"),
            (Kind.CATEGORY, "db"),
            (Kind.NIC, "d1"),
        },
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_recompiles_little(what: str) -> None:
    change, wanted = CHANGES[what]
    source, desired = FakeSource(), DesiredFacts(OWNER)
    world = {key_of(intent): intent for intent in small_world(*MORE)}
    source.set(snapshot(world.values()))
    desired.update(source.snapshot(), None)
    draft = source.snapshot().draft()
    draft.put(change)
    source.set(draft.freeze(2))
    desired.update(source.snapshot(), source.changed_since(desired.revision))
    assert desired.recompiled == wanted
    assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)


SCOPES: list[Callable[[], Intent]] = [
    lambda: policy("shop", "web", scope=PolicyScope.ALL_VPC),
    lambda: policy("shop", "web", vpcs=("p1",)),
]


@pytest.mark.parametrize("make", SCOPES)
def test_a_scope_that_moves_reaches_the_nics_of_its_realms_alone(make: Callable[[], Intent]) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    x2 = in_categories(secured_nic("x2", number=99), "app")
    for shop in (policy("shop", "web"), make(), policy("shop", "web")):
        source.set(snapshot(small_world(shop, x2)))
        desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
    assert {key for key in desired.recompiled if key[0] is Kind.NIC} == {
        (Kind.NIC, id) for id in ("w1", "w2", "pw1")
    }
    assert {key for key in desired.recompiled if key[0] is Kind.SUBNET} == {
        (Kind.SUBNET, id) for id in ("v10", "s1", "s2")
    }


def test_tiers_come_with_the_database() -> None:
    """OVN is upgraded while we run: everything is compiled again, with tiers."""
    bench = Bench()
    bench.arrive(policy("shop", "web"))
    assert bench.reconciler.observed.acl_tiers, "the fake has them"
    old = {table: columns - {"tier"} for table, columns in WANTED_COLUMNS.items()}
    liveness = Liveness(bench.board.reports.get, Wake())
    features = Features(schema_version="7.0.0", columns=old)
    assert not liveness.look(bench.source.snapshot(), features).acl_tiers
