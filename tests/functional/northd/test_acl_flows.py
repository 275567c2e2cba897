"""Flows of security policies as a real northd makes them: of each ACL its own, over all switches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netctl.analysis.acls import AclUses, index_acls
from netctl.analysis.hits import Asked
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.model.intent import Intent
from netctl.model.keys import CategoryId
from netctl.model.nic import Nic
from netctl.model.security_policy import Direction, PolicyMode, RuleAction
from netctl.model.snapshot import Snapshot
from netctl.ovsdb.southbound import OvsdbSouthbound
from netctl.server.hits_flows import find_acl_flows
from tests.functional.northd.conftest import Plane
from tests.intents import nic, vlan
from tests.security import category, policy, rule

WEB = CategoryId("web")


@pytest.fixture
def southbound(plane: Plane) -> Iterator[OvsdbSouthbound]:
    made = OvsdbSouthbound(plane.sb.remote)
    try:
        yield made
    finally:
        made.close()


def guest(name: str, subnet: str, number: int) -> Nic:
    network = "10.0.10" if subnet == "v10" else "10.0.20"
    made = nic(name, subnet, number=number)
    return replace(made, categories=(WEB,), ipv4_address=f"{network}.{number}")


SHOP = policy(
    "shop",
    rules=(
        rule("tls", services=("tcp/443",)),
        rule("ping", services=("icmp",), stateless=True),
        rule("ssh", services=("tcp/22",), action=RuleAction.DENY),
    ),
)
WATCH = policy(
    "watch",
    mode=PolicyMode.MONITOR,
    priority=5,
    rules=(rule("no-tls", services=("tcp/443",), action=RuleAction.DENY),),
)
WORLD: tuple[Intent, ...] = (
    vlan("v10"),
    vlan("v20", 20),
    category("web"),
    guest("a", "v10", 5),
    guest("b", "v20", 6),
    SHOP,
    WATCH,
)


def indexed(snapshot: Snapshot) -> AclUses:
    return index_acls(snapshot, NOTHING_OBSERVED)


def flows_of(acls: AclUses, asked: Asked, rule: str, direction: Direction = Direction.IN) -> int:
    """How many flows count for a rule of `shop`."""
    uid = SHOP.meta.uid
    wanted = [counted for counts in asked.values() for counted in counts]
    found = Counter((c.rule, c.direction) for c in wanted if c.policy == uid)
    return found[rule, direction.value]


def test_every_acl_has_its_flows_and_nobody_elses(plane: Plane, southbound: OvsdbSouthbound) -> None:
    plane.nb.ctl(
        "ovn-nbctl", "ls-add", "strange", "--", "acl-add", "strange", "to-lport", "900", "ip4", "drop"
    )
    plane.arrive(*WORLD)
    acls = indexed(plane.source.snapshot())
    asked = find_acl_flows(acls, southbound)
    assert {key.datapath for key in asked} == {0}
    # allow-related and drop: new and open connections; stateless: one, and not the one that only stops tracking.
    # `tls` has an ACL more: what `watch` would drop of it.
    expected = {"tls": 4, "ping": 1, "ssh": 2, "": 2}
    assert {rule: flows_of(acls, asked, rule) for rule in expected} == expected
    assert flows_of(acls, asked, "", Direction.OUT) == 2
    of_watch = find_acl_flows(acls, southbound, {WATCH.meta.uid})
    assert of_watch.items() < asked.items()
    assert {c.rule for counts in of_watch.values() for c in counts if c.would_drop} == {"no-tls", ""}


def test_what_is_told_is_what_is_in_ovn(plane: Plane) -> None:
    """The index that hits and logs go by has the rows' uuids, names and matches."""
    plane.arrive(*WORLD)
    text = plane.nb.ctl(
        "ovn-nbctl", "--columns=_uuid,name,match", "--bare", "--format=csv", "--no-headings", "list", "ACL"
    )
    rows = {uuid: (name, match) for uuid, name, match in (line.split(",", 2) for line in text.splitlines())}
    acls = indexed(plane.source.snapshot())
    assert {uuid: rows[uuid][0] for uuid in acls} == {uuid: uuid for uuid in acls}
    assert {uuid: rows[uuid][1].strip('"') for uuid in acls} == {
        uuid: acl.match for uuid, acl in acls.items()
    }


def test_a_rule_that_is_edited_keeps_counting_under_its_new_flows(
    plane: Plane, southbound: OvsdbSouthbound
) -> None:
    plane.arrive(*WORLD)
    before = find_acl_flows(indexed(plane.source.snapshot()), southbound)
    edited = replace(SHOP, rules=(rule("tls", services=("tcp/443", "tcp/8443")), *SHOP.rules[1:]))
    plane.arrive(*(edited if intent is SHOP else intent for intent in WORLD))
    acls = indexed(plane.source.snapshot())
    after = find_acl_flows(acls, southbound)
    assert flows_of(acls, after, "tls") > 0
    ssh = {key for key, counted in before.items() if counted[0].rule == "ssh"}
    assert ssh <= after.keys(), "flows of other rules stay, and with them their counters"


def test_flows_of_250_rules_are_found_by_one_question(plane: Plane, southbound: OvsdbSouthbound) -> None:
    rules = tuple(rule(f"r{number}", services=(f"tcp/{1000 + number}",)) for number in range(250))
    plane.arrive(*(replace(SHOP, rules=rules) if intent is SHOP else intent for intent in WORLD[:-1]))
    acls = indexed(plane.source.snapshot())
    assert len(find_acl_flows(acls, southbound)) == 2 * 252
