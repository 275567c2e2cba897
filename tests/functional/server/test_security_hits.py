"""Hits of security policies over gRPC: by rule, from agents that count, through edits, restarts and clearings."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from netctl.model.hits import FlowKey
from netctl.v1 import explain_pb2, security_pb2, security_pb2_grpc
from tests.functional.server.secured import ALLOW, DENY, IN, OUT, SHOP, WATCH, Secured
from tests.functional.server.world import World, refused, until


@pytest.fixture
async def secured(world: World, tmp_path: Path) -> AsyncIterator[Secured]:
    async with AsyncExitStack() as last:
        made = Secured(world, tmp_path)
        await made.furnish()
        await made.start()
        last.push_async_callback(lambda: made.stop())
        yield made


def rows(hits: explain_pb2.GetSecurityPolicyHitsResponse) -> list[tuple[Any, ...]]:
    return [(each.rule, each.direction, each.action, each.would_drop, each.packets) for each in hits.rules]


async def test_rules_in_their_order_with_their_sums(secured: Secured) -> None:
    new, open_ = secured.flows(SHOP, "https")
    rest = secured.flows(SHOP, "")[0]
    secured.h1.counters = {new: (1, 60), open_: (9, 900), rest: (4, 240)}
    secured.h2.counters = {new: (2, 120)}
    hits = await secured.hits()
    assert rows(hits) == [
        ("https", IN, ALLOW, False, 12),
        ("ssh", IN, DENY, False, 0),
        ("", IN, DENY, False, 4),
        ("", OUT, DENY, False, 0),
    ]
    assert [(host.host, host.packets, host.bytes) for host in hits.rules[0].hosts] == [
        ("hosts/h1", 10, 960),
        ("hosts/h2", 2, 120),
    ]
    assert abs(hits.rules[0].last_time.ToSeconds() - time.time()) < 10
    assert not hits.rules[1].HasField("last_time")
    assert not hits.HasField("clear_time")
    assert FlowKey(77, 0) not in secured.h1.asked[0], "a stranger's ACL"


async def test_a_flow_with_the_same_hint_but_another_match_is_not_counted(secured: Secured) -> None:
    acl = secured.acl(SHOP, "https")
    stranger = secured.southbound.acls[0]
    secured.southbound.acls[0] = type(stranger)(acl[:8], "reg0[7] == 1 && (outport == @other && ip4)", 77)
    secured.h1.counters = {FlowKey(77, 0): (5, 500), secured.flows(SHOP, "https")[0]: (1, 60)}
    assert rows(await secured.hits())[0][-1] == 1


async def test_would_drops_count_for_the_policy_in_monitor_and_the_packet_for_who_allows_it(
    secured: Secured,
) -> None:
    await secured.watch()
    both = [
        uuid
        for uuid, acl in secured.acls.items()
        if {counted.rule for counted in acl.counted} == {"https", "no-tls"}
    ]
    assert len(both) == 1, "the monitored rule is looked at in front of the one that allows"
    secured.h1.counters = {FlowKey(secured.cookies[both[0]][0], 0): (3, 180)}
    assert rows(await secured.hits(WATCH))[0] == ("no-tls", IN, DENY, True, 3)
    assert rows(await secured.hits(SHOP))[0] == ("https", IN, ALLOW, False, 3)


async def test_asking_for_one_policy_does_not_spoil_the_clearing_of_another(secured: Secured) -> None:
    """A host that was silent at the clearing tells old counts next; of a policy that is asked for in part, later."""
    await secured.watch()
    alone = secured.flows(SHOP, "ssh")[0]
    secured.h1.counters, secured.h1.problem = {alone: (50, 500)}, "away"
    await secured.clear(SHOP)
    secured.h1.problem = ""
    await secured.hits(WATCH)
    assert [row[-1] for row in rows(await secured.hits(SHOP))] == [0, 0, 0, 0]
    secured.h1.counters = {alone: (51, 510)}
    assert ("ssh", IN, DENY, False, 1) in rows(await secured.hits(SHOP))


async def test_sums_and_times_survive_a_restart(secured: Secured) -> None:
    new = secured.flows(SHOP, "https")[0]
    secured.h1.counters = {new: (7, 700)}
    before = await secured.hits()
    await secured.stop()
    await secured.start()
    secured.h1.counters = {new: (9, 900)}
    after = await secured.hits()
    assert (before.rules[0].packets, after.rules[0].packets) == (7, 9)
    await secured.clear()
    await secured.stop()
    await secured.start()
    secured.h1.counters = {new: (10, 1000)}
    cleared = await secured.hits()
    assert (cleared.rules[0].packets, cleared.HasField("clear_time")) == (1, True)


async def test_a_file_of_the_version_before_is_read(secured: Secured, tmp_path: Path) -> None:
    uid = secured.world.admission.snapshot().security_policy("shop").meta.uid  # type: ignore[arg-type, union-attr]
    await secured.stop()
    old = {
        "version": 1,
        "tallies": {"u1": {"clear_time_s": 5.0, "hosts": {"h1": [3, 300]}, "skipping": ["h2"]}},
        "seen": {"h1": [[1, 700, 3, 300]]},
    }
    (tmp_path / "hits.json").write_text(json.dumps(old))
    await secured.start()
    secured.h1.counters = {secured.flows(SHOP, "https")[0]: (1, 60)}
    await secured.hits()
    new = json.loads((tmp_path / "hits.json").read_text())
    assert new["version"] == 2
    assert new["tallies"]["u1"]["rules"] == [{"hosts": {"h1": [3, 300]}}]
    assert new["tallies"]["u1"]["skipping"] == ["h2"]
    assert uid in new["tallies"]


async def test_a_rule_that_changes_its_action_keeps_what_it_counted(secured: Secured) -> None:
    secured.h1.counters = {secured.flows(SHOP, "ssh")[0]: (5, 300)}
    await secured.hits()
    policies = security_pb2_grpc.SecurityPolicyServiceStub(secured.world.channel)
    name = security_pb2.GetSecurityPolicyRequest(name=SHOP)
    changed = (await policies.GetSecurityPolicy(name)).security_policy
    changed.rules[1].action = ALLOW
    await policies.UpdateSecurityPolicy(security_pb2.UpdateSecurityPolicyRequest(security_policy=changed))
    secured.program()
    secured.h1.counters = {}
    assert ("ssh", IN, ALLOW, False, 0) in rows(await secured.hits())
    assert rows(await secured.hits())[-1] == ("ssh", IN, DENY, False, 5)


async def test_rules_and_policies_that_are_gone_are_forgotten(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    secured.h1.counters = {secured.flows(SHOP, "ssh")[0]: (5, 300), secured.flows(SHOP, "https")[0]: (6, 360)}
    await secured.hits()
    policies = security_pb2_grpc.SecurityPolicyServiceStub(secured.world.channel)
    name = security_pb2.GetSecurityPolicyRequest(name=SHOP)
    changed = (await policies.GetSecurityPolicy(name)).security_policy
    del changed.rules[1]
    await policies.UpdateSecurityPolicy(security_pb2.UpdateSecurityPolicyRequest(security_policy=changed))
    secured.program()
    await secured.stop()
    monkeypatch.setattr("netctl.server.hits.LOOK_S", 0.05)
    await secured.start()
    looks = len(secured.h1.asked)
    await until(lambda: len(secured.h1.asked) >= looks + 2)
    assert [row[0] for row in rows(await secured.hits())] == ["https", "", ""]
    assert rows(await secured.hits())[0][-1] == 6


async def test_many_flows_are_asked_for_in_parts(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netctl.server.hits.KEYS_MAX", 3)
    secured.h1.counters = {
        FlowKey(cookie, 0): (1, 60) for pair in secured.cookies.values() for cookie in pair
    }
    assert [row[-1] for row in rows(await secured.hits())] == [2, 2, 2, 2]
    assert [len(keys) for keys in secured.h1.asked] == [3, 3, 2]


async def test_metrics_have_the_hits_of_rules(secured: Secured) -> None:
    secured.h1.counters = {secured.flows(SHOP, "https")[0]: (5, 300)}
    await secured.hits()
    labels = {"policy": SHOP, "rule": "https", "direction": "in", "action": "allow", "would_drop": "no"}
    registry = secured.metrics.registry
    assert registry.get_sample_value("netctl_policy_hits_total", labels) == 5
    assert registry.get_sample_value("netctl_policy_hit_bytes_total", labels) == 300
    assert registry.get_sample_value("netctl_policy_hits_left_out") == 0
    await secured.stop()
    secured.metrics.policy_hits.show(())
    await secured.start()
    assert registry.get_sample_value("netctl_policy_hits_total", labels) == 5, "before the first look"


async def test_without_policies_nobody_is_asked_and_unknown_names_are_not_found(secured: Secured) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "name", text="securityPolicies/x does not exist"):
        await secured.hits("securityPolicies/x")
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "name"):
        await secured.clear("vpcs/blue")
    secured.southbound.away = True
    async with refused(grpc.StatusCode.UNAVAILABLE, text="southbound database"):
        await secured.hits()
    assert secured.h1.asked == []
