"""Security policies through a real northd, judged by ovn-trace: each kind does what it says; OVN takes every row."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.model.intent import Intent
from netctl.model.keys import Kind
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
)
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase as StatusPhase
from netctl.nb.diff import diff
from netctl.nb.features import Features
from tests.functional.northd.conftest import Plane
from tests.intents import OWNER, uid_of, vlan
from tests.security import (
    address_group,
    entity_group,
    policy,
    rule,
    secured_nic,
    service_group,
    small_world,
)
from tests.security_worlds import security_walks

W1, W2, A1, D1, X1 = 11, 12, 13, 14, 15
NAMES = {W1: "w1", W2: "w2", A1: "a1", D1: "d1", X1: "x1"}
TCP80 = "tcp.dst==80"


def frame(source: int, to: int, what: str = TCP80, *, version: int = 4) -> str:
    """A frame from one NIC of v10 to another."""
    ends = {4: (f"10.0.10.{source}", f"10.0.10.{to}"), 6: (f"fd00:10::{source:x}", f"fd00:10::{to:x}")}[
        version
    ]
    return (
        f'inport=="{uid_of(NAMES[source])}" && eth.src==50:6b:8d:00:00:{source:02x} && eth.dst==50:6b:8d:00:00:{to:02x}'
        f" && ip{version}.src=={ends[0]} && ip{version}.dst=={ends[1]} && ip.ttl==64 && {what}"
    )


def passes(plane: Plane, source: int, to: int, what: str = TCP80, *, version: int = 4) -> bool:
    """Does a first packet arrive?"""
    verdict = plane.trace("v10", frame(source, to, what, version=version), "--ct=new", "--ct=new")
    return f'output("{uid_of(NAMES[to])[:6]}")' in verdict


def matrix(plane: Plane, *pairs: tuple[int, int], what: str = TCP80) -> list[bool]:
    return [passes(plane, source, to, what) for source, to in pairs]


def arrive(plane: Plane, *policies: Intent) -> None:
    """Make the world the small one with policies; northd takes all of it, and there is nothing left to do."""
    plane.arrive(*small_world()[3:], *policies)
    cfg = plane.northbound.nb_cfg
    plane.reconciler.step()
    assert plane.northbound.nb_cfg == cfg, "the second pass writes something"
    assert not complaints(plane)


def complaints(plane: Plane) -> list[str]:
    """Return what northd says against our rows; that nobody runs the hosts is this test's doing."""
    lines = (Path(plane.nb.database).parent / "northd.log").read_text().splitlines()
    said = [line for line in lines if "|WARN|" in line or "|ERR|" in line]
    return [line for line in said if "Unknown chassis" not in line]


def misread(plane: Plane) -> str:
    """Return what ovn-trace, which reads all flows as ovn-controller does, says against them.

    A group without a port on a switch is none there: of a pair with MONITOR that is said, and it matches nothing.
    """
    flow = f'inport=="localnet-{uid_of("own")}-vs0" && eth.src==0a:00:00:00:00:01 && eth.dst==0a:00:00:00:00:02 && ip4'
    command = ["ovn-trace", f"--db={plane.sb.remote}", "--summary", "own", flow]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    unknown = re.compile(r"(in|out)port == @sg_\w+ && (in|out)port == @sg_.* expecting port group name")
    return "\n".join(line for line in told.splitlines() if not unknown.search(line))


def with_own(state: Snapshot) -> Snapshot:
    """Return a world with a subnet that is always there, to ask from."""
    draft = state.draft()
    draft.put(vlan("own", 99))
    return draft.freeze(state.revision + 1)


def test_a_strict_quarantine_drops_everything_but_dhcp(plane: Plane) -> None:
    arrive(plane)
    assert passes(plane, X1, W1)
    arrive(plane, policy("q", "web", kind=PolicyKind.QUARANTINE))
    assert matrix(plane, (X1, W1), (W1, X1), (A1, D1)) == [False, False, True]
    assert not passes(plane, X1, W1, version=6)
    assert passes(plane, X1, A1, version=6)
    ask = (
        f'inport=="{uid_of("w1")}" && eth.src==50:6b:8d:00:00:0b && eth.dst==ff:ff:ff:ff:ff:ff && ip.ttl==64'
        " && ip4.src==0.0.0.0 && ip4.dst==255.255.255.255 && udp.src==68 && udp.dst==67"
    )
    assert "offerip = 10.0.10.11" in plane.trace("v10", ask)
    assert "output" not in plane.trace("v10", ask.replace("udp.dst==67", "udp.dst==1067"), "--ct=new")


def test_a_forensic_quarantine_lets_in_what_its_rules_say(plane: Plane) -> None:
    allow = rule("lab", "addressGroups/lab", services=("tcp/22",))
    quarantine = policy("q", "web", kind=PolicyKind.QUARANTINE, rules=(allow,))
    arrive(plane, quarantine, address_group("lab", "10.0.10.15", "fd00:10::f"))
    ssh = "tcp.dst==22"
    assert matrix(plane, (X1, W1), (A1, W1), (W1, X1), what=ssh) == [True, False, False]
    assert not passes(plane, X1, W1)
    assert passes(plane, X1, W1, ssh, version=6)


def test_isolation_keeps_groups_apart_and_shared_services_stand_above(plane: Plane) -> None:
    isolation = policy("i", "web", "app", "db", kind=PolicyKind.ISOLATION)
    arrive(plane, isolation)
    assert matrix(plane, (W1, A1), (A1, W1), (W1, W2), (W1, X1), (X1, D1)) == [False, False, True, True, True]
    shared = rule("dns", "db", direction=Direction.OUT, services=("udp/53",))
    arrive(plane, isolation, policy("s", "web", kind=PolicyKind.SHARED_SERVICE, rules=(shared,)))
    assert matrix(plane, (W1, D1), (D1, W1), what="udp.dst==53") == [True, False]
    assert not passes(plane, W1, D1)


def test_an_application_allows_what_it_lists_and_nothing_else(plane: Plane) -> None:
    rules = (
        rule("deny", "nics", action=RuleAction.DENY, priority=9, services=("tcp/81",)),
        rule("in", "app", services=("tcp/80-81",)),
        rule("out", "db", direction=Direction.OUT, services=("serviceGroups/sql", "icmp/8"), ip_version=4),
    )
    rules = (replace(rules[0], peers=("entityGroups/apps",)), *rules[1:])
    shop = policy("shop", "web", rules=rules, intra_group=IntraGroup.ALLOW)
    extra = (service_group("sql", "tcp/5432"), entity_group("apps", "app,prod", without=("nics/none",)))
    arrive(plane, shop, *extra)
    assert matrix(plane, (A1, W1), (X1, W1), (W1, W2), (W1, A1)) == [True, False, True, False]
    assert not passes(plane, A1, W1, "tcp.dst==81")
    assert passes(plane, W1, D1, "tcp.dst==5432")
    assert passes(plane, W1, D1, "icmp4.type==8")
    assert not passes(plane, W1, D1, "tcp.dst==5432", version=6)
    arrive(plane, replace(shop, intra_group=IntraGroup.DENY), *extra)
    assert matrix(plane, (W1, W2), (A1, W1)) == [False, True]


def test_vdi_comes_after_applications(plane: Plane) -> None:
    desktops = policy("vdi", "web", "app", kind=PolicyKind.VDI, rules=(rule("web", "app"),))
    arrive(plane, desktops)
    assert matrix(plane, (A1, W1), (X1, W1)) == [False, False]  # out of app's own desktop nothing is allowed
    arrive(plane, desktops, policy("apps", "app", rules=(rule("all", direction=Direction.IN_OUT),)))
    assert matrix(plane, (A1, W1), (X1, W1), (X1, A1)) == [True, False, True]


def test_a_policy_in_monitor_drops_nothing_and_logs_what_it_would(plane: Plane) -> None:
    watched = policy("q", "web", kind=PolicyKind.QUARANTINE, mode=PolicyMode.MONITOR, log_rate=7)
    arrive(plane, watched, policy("apps", "web", rules=(rule("app", "app"),)))
    assert matrix(plane, (A1, W1), (X1, W1)) == [True, False]
    flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "v10")
    assert f'meter="log-{uid_of("q")}' in flows
    assert "rate=7" in plane.nb.ctl("ovn-nbctl", "meter-list").replace(" ", "") or "7" in plane.nb.ctl(
        "ovn-nbctl", "--bare", "--columns=rate", "list", "Meter_Band"
    )
    arrive(plane, replace(watched, mode=PolicyMode.ENFORCE))
    assert matrix(plane, (A1, W1), (A1, D1)) == [False, True]


def test_a_saved_policy_writes_nothing(plane: Plane) -> None:
    arrive(plane, policy("q", "web", kind=PolicyKind.QUARANTINE, mode=PolicyMode.SAVE))
    assert not plane.nb.ctl("ovn-nbctl", "--bare", "--columns=_uuid", "list", "ACL").strip()
    status = plane.board.status((Kind.SECURITY_POLICY, "q"))
    assert status is not None
    assert (status.phase, status.reason) == (StatusPhase.PENDING, "SAVED")


@pytest.mark.parametrize("stateless", [False, True])
def test_reject_denies_where_it_is_not_safe_and_stateless_rules_are_taken(
    plane: Plane, stateless: bool
) -> None:
    rules = (
        rule("no", "app", action=RuleAction.REJECT, services=("tcp/80",)),
        rule("yes", "app", "web", direction=Direction.IN_OUT, stateless=stateless),
    )
    arrive(plane, policy("p", "web", rules=rules))
    assert matrix(plane, (A1, W1), (W2, W1)) == [False, True]
    assert passes(plane, A1, W1, "tcp.dst==81")
    assert "reject" not in plane.nb.ctl("ovn-nbctl", "--bare", "--columns=action", "list", "ACL")


def test_groups_of_vpcs_and_vlans_are_told_apart(plane: Plane) -> None:
    arrive(
        plane,
        policy("i", "web", "app", kind=PolicyKind.ISOLATION, scope=PolicyScope.ALL_VPC),
        policy("s", "web", "db", kind=PolicyKind.ISOLATION),
    )
    assert matrix(plane, (W1, A1), (W1, D1)) == [True, False]
    packet = (
        f'inport=="{uid_of("pw1")}" && eth.src==50:6b:8d:05:01:0b && eth.dst==50:6b:8d:04:00:01 && ip4.src==10.1.1.11'
        " && ip4.dst==%s && ip.ttl==64 && tcp.dst==80"
    )
    assert "output" not in plane.trace("s1", packet % "10.1.2.11", *("--ct=new",) * 3)
    neighbour = packet.replace("50:6b:8d:04:00:01", "50:6b:8d:05:01:0c")
    assert "output" in plane.trace("s1", neighbour % "10.1.1.12", *("--ct=new",) * 3)


def test_a_vm_that_changes_group_is_two_members(plane: Plane) -> None:
    plan = (policy("i", "web", "app", kind=PolicyKind.ISOLATION),)
    arrive(plane, *plan)
    assert not passes(plane, W1, A1)
    other = secured_nic("w1", "app", "prod", number=W1)
    world = [one for one in small_world()[3:] if one.id != "w1"]
    before = compile_rows(plane.source.snapshot(), OWNER)
    plane.arrive(*world, other, *plan)
    after = compile_rows(plane.source.snapshot(), OWNER)
    delta = diff(after, before)
    assert (len(delta.add), len(delta.remove), len(delta)) == (1, 1, 2)
    assert matrix(plane, (W1, A1), (W2, A1)) == [True, False]
    assert not complaints(plane)


@pytest.mark.parametrize("name", ['we"b', "a b\u00e9\U0001f680", "$x @y && 1"])
def test_names_never_reach_a_match(plane: Plane, name: str) -> None:
    made = policy("i", "web", "app", kind=PolicyKind.ISOLATION)
    named = replace(made, meta=replace(made.meta, display_name=name))
    arrive(plane, named)
    for table in ("ACL", "Port_Group", "Address_Set"):
        everything = plane.nb.ctl("ovn-nbctl", "--format=json", "list", table)
        assert name not in json.dumps(json.loads(everything), ensure_ascii=False)


def test_every_row_of_random_policies_is_taken(plane: Plane) -> None:
    """northd and the southbound's expressions: a match that OVN cannot parse is a warning in its log."""

    @settings(max_examples=25, deadline=None, database=None, phases=(Phase.generate,))
    @given(states=security_walks())
    def run(states: list[Snapshot]) -> None:
        for state in states:
            plane.source.set(with_own(state))
            plane.reconciler.step()
        cfg = plane.northbound.nb_cfg
        plane.northbound.wait_northd(cfg, 10)
        plane.reconciler.step()
        assert plane.northbound.nb_cfg == cfg, "the second pass writes something"
        assert not diff(
            compile_rows(with_own(states[-1]), OWNER, plane.reconciler.observed),
            plane.northbound.owned_rows(),
        )
        assert not complaints(plane)
        assert not misread(plane)

    run()
    plane.nb.ctl("ovn-nbctl", "acl-add", "own", "to-lport", "1", "outport == @nobody && nonsense", "drop")
    plane.nb.ctl("ovn-nbctl", "--wait=sb", "sync")
    assert "nonsense" in misread(plane)


def test_this_ovn_has_what_we_ask_of_it(plane: Plane) -> None:
    arrive(plane, policy("q", "web", kind=PolicyKind.QUARANTINE))
    features: Features = plane.northbound.features()
    assert plane.reconciler.observed == Observed(
        nat_gateway_port=features.has("NAT", "gateway_port"), acl_tiers=features.has("ACL", "tier")
    )
