"""TestPolicy, ReportSecurityPolicies and ExplainNic over gRPC: of what is stored and counted, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from netctl.compiler.observed import Observed
from netctl.model.keys import NicId
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import security_pb2, vpc_pb2
from tests.functional.server.secured import (
    ALLOW,
    DENY,
    ENFORCE,
    IN,
    MONITOR,
    OUT,
    SHOP,
    WATCH,
    Secured,
    policy,
)
from tests.functional.server.world import World, nic, refused

TCP = security_pb2.SERVICE_PROTOCOL_TCP
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def secured(world: World, tmp_path: Path) -> AsyncIterator[Secured]:
    async with AsyncExitStack() as last:
        made = Secured(world, tmp_path)
        await made.furnish()
        await made.world.nics.CreateNic(nic("x-1", host="hosts/h2", ipv4_address="10.0.0.7"))
        await made.start()
        last.push_async_callback(made.stop)
        yield made


def tcp(port: int) -> security_pb2.Service:
    return security_pb2.Service(protocol=TCP, ports=[vpc_pb2.PortRange(first=port)])


async def asked(secured: Secured, source: str, destination: str, **more: Any) -> pb.TestPolicyResponse:
    request = pb.TestPolicyRequest(source=source, destination=destination, **more)
    return await secured.explain.TestPolicy(request)


async def reported(secured: Secured, name: str = "", **more: Any) -> list[pb.PolicyFinding]:
    request = pb.ReportSecurityPoliciesRequest(name=name, **more)
    return list((await secured.explain.ReportSecurityPolicies(request)).findings)


async def test_a_connection_is_allowed_or_denied_by_name(secured: Secured) -> None:
    allowed = await asked(secured, "nics/x-1", "nics/web-1", service=tcp(443))
    assert allowed.allowed
    source, destination = allowed.decisions
    assert (source.nic, source.direction, source.action, source.policy) == ("nics/x-1", OUT, ALLOW, "")
    assert (destination.nic, destination.direction, destination.action) == ("nics/web-1", IN, ALLOW)
    assert (destination.policy, destination.rule, destination.stateful) == (SHOP, "https", True)
    denied = await asked(secured, "nics/x-1", "nics/web-1", service=tcp(22))
    assert not denied.allowed
    assert (denied.decisions[1].action, denied.decisions[1].rule) == (DENY, "ssh")
    implicit = await asked(secured, "nics/web-1", "8.8.8.8")
    (only,) = implicit.decisions
    assert (only.nic, only.policy, only.rule, implicit.allowed) == ("nics/web-1", SHOP, "", False)
    assert "securityPolicies/shop denies it (implicit deny) at nics/web-1" in implicit.reason


async def test_monitors_are_told_of_with_the_rule_that_would_have_dropped(secured: Secured) -> None:
    await secured.watch()
    answer = await asked(secured, "nics/x-1", "nics/web-1", service=tcp(443))
    assert answer.allowed
    (would,) = answer.decisions[1].would_drop
    assert (would.policy, would.rule, would.action, would.nic) == (WATCH, "no-tls", DENY, "nics/web-1")


async def test_what_cannot_be_tested_is_refused_with_its_field(secured: Secured) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "source"):
        await asked(secured, "nics/nobody", "nics/web-1")
    async with refused(INVALID, "destination"):
        await asked(secured, "nics/web-1", "web-2")
    async with refused(INVALID, "destination"):
        await asked(secured, "nics/web-1", "224.0.0.1")
    async with refused(INVALID, "source"):
        await asked(secured, "10.0.0.1", "10.0.0.2")
    async with refused(INVALID, "ip_version"):
        await asked(secured, "nics/web-1", "nics/web-2", ip_version=5)
    async with refused(INVALID, "service.protocol"):
        await asked(secured, "nics/web-1", "nics/web-2", service=security_pb2.Service())
    async with refused(INVALID, "service.ports[0].last"):
        ports = [vpc_pb2.PortRange(first=9, last=5)]
        await asked(
            secured, "nics/web-1", "nics/web-2", service=security_pb2.Service(protocol=TCP, ports=ports)
        )


async def test_a_report_names_rules_and_winners(secured: Secured) -> None:
    await secured.watch()
    findings = await reported(secured)
    assert [(one.kind, one.policy, one.rule) for one in findings] == []
    kind = security_pb2.SECURITY_POLICY_KIND_VDI
    rules = [security_pb2.SecurityRule(name="late", direction=IN, action=ALLOW, services=[tcp(443)])]
    await secured.create(policy("securityPolicies/desk", kind, ENFORCE, rules=rules))
    (found,) = await reported(secured)
    assert (found.kind, found.policy, found.rule) == ("SHADOWED", "securityPolicies/desk", "late")
    assert (found.other_policy, found.other_rule) == (SHOP, "https")
    assert await reported(secured, SHOP) == []


async def test_unused_rules_are_those_without_hits(secured: Secured) -> None:
    """`unused_s` 1 makes what was made a moment ago old enough."""
    flows = secured.flows(SHOP, "https")
    secured.h1.counters = {flows[0]: (3, 300)}
    await secured.hits()
    findings = await until_unused(secured)
    assert [(one.kind, one.rule) for one in findings] == [("UNUSED", "ssh")]
    assert await reported(secured, unused_s=3600) == [], "it is too new"


async def until_unused(secured: Secured) -> list[pb.PolicyFinding]:
    """Report again and again, hitting `https` each time, until something is unused."""
    flows = secured.flows(SHOP, "https")
    async with asyncio.timeout(10):
        while True:
            packets, size = secured.h1.counters[flows[0]]
            secured.h1.counters[flows[0]] = packets + 1, size + 100
            await secured.hits()
            if findings := await reported(secured, unused_s=1):
                return findings
            await asyncio.sleep(0.1)


async def test_reports_that_cannot_be_are_refused(secured: Secured) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "name"):
        await reported(secured, "securityPolicies/nobody")
    async with refused(INVALID, "name"):
        await reported(secured, "shop")
    async with refused(INVALID, "unused_s"):
        await reported(secured, unused_s=-1)


async def explained(secured: Secured, name: str) -> list[pb.ExplainedPort]:
    return list((await secured.explain.ExplainNic(pb.ExplainNicRequest(name=name))).ports)


async def test_a_nic_is_explained_by_name(secured: Secured) -> None:
    await secured.watch()
    (port,) = await explained(secured, "nics/web-1")
    assert (port.vlan_id, port.realm, port.subnet) == (0, "", "subnets/web")
    assert (list(port.given_addresses), list(port.learned_addresses)) == (["10.0.0.5"], [])
    (category,) = port.categories
    assert (category.category, list(category.origins)) == ("categories/web", ["nics/web-1"])
    kind = security_pb2.SECURITY_POLICY_KIND_APPLICATION
    told = [(one.policy, one.kind, one.mode, list(one.subjects)) for one in port.policies]
    assert told == [
        (WATCH, kind, MONITOR, ["categories/web"]),
        (SHOP, kind, ENFORCE, ["categories/web"]),
    ]
    (stranger,) = await explained(secured, "nics/x-1")
    assert not stranger.categories
    assert not stranger.policies


async def test_learned_addresses_are_those_observed(secured: Secured) -> None:
    nic_ = secured.world.admission.snapshot().nic(NicId("web-1"))
    assert nic_ is not None
    learned = Observed(learned={nic_.meta.uid: ("10.0.0.99",)})
    await secured.stop()
    secured.ports = replace(secured.ports, observed=lambda: learned)
    await secured.start()
    assert [list(port.learned_addresses) for port in await explained(secured, "nics/web-1")] == [
        ["10.0.0.99"]
    ]
    assert [list(port.learned_addresses) for port in await explained(secured, "nics/web-2")] == [[]]


async def test_a_nic_that_cannot_be_explained_is_refused(secured: Secured) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "name"):
        await explained(secured, "nics/nobody")
    async with refused(INVALID, "name"):
        await explained(secured, "web-1")
    async with refused(INVALID, "name"):
        await explained(secured, "nics/Web 1")
