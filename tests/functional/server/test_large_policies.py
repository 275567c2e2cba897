"""A policy with far too many rules is refused with the limit, at once, and does not hold up others."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from netctl.server.serve import MESSAGE_MAX_BYTES
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import security_pb2 as security
from tests.functional.server.world import World, refused

MANY = 100_000


def policy(rules: int, description: str = "") -> security.SecurityPolicy:
    message = security.SecurityPolicy(
        name="securityPolicies/large",
        kind=security.SECURITY_POLICY_KIND_APPLICATION,
        mode=security.SECURITY_POLICY_MODE_SAVE,
        scope=security.SECURITY_SCOPE_ALL_VLAN,
        secured=["categories/web"],
    )
    for number in range(rules):
        message.rules.add(
            name=f"r{number}",
            direction=security.SECURITY_DIRECTION_IN,
            action=security.SECURITY_ACTION_ALLOW,
            description=description,
        )
    return message


async def test_a_hundred_thousand_rules_are_refused_with_the_limit(world: World) -> None:
    await world.furnish()
    await world.furnish_security()
    exhausted, large = grpc.StatusCode.RESOURCE_EXHAUSTED, policy(MANY)
    large.rules[
        0
    ].direction = security.SECURITY_DIRECTION_UNSPECIFIED  # counted before they are read, which takes long
    says = "100000 rules; a policy has at most 1000"
    async with refused(exhausted, "security_policy.rules", text=says):
        await world.security_policies.CreateSecurityPolicy(
            security.CreateSecurityPolicyRequest(security_policy=large)
        )
    async with refused(exhausted, "edits[0].apply.security_policy.rules", text=says):
        edit = operations.Edit(apply=operations.Resource(security_policy=large))
        await world.batches.Batch(operations.BatchRequest(edits=[edit]))
    async with refused(exhausted, "security_policy.rules", text="1001 rules; a policy has at most 1000"):
        await world.security_policies.CreateSecurityPolicy(
            security.CreateSecurityPolicyRequest(security_policy=policy(1001))
        )
    created = await world.security_policies.CreateSecurityPolicy(
        security.CreateSecurityPolicyRequest(security_policy=policy(1000))
    )
    assert len(created.security_policy.rules) == 1000


async def test_a_message_beyond_the_limit_of_grpc_is_refused_with_that_limit(world: World) -> None:
    await world.furnish()
    large = policy(MANY, description="x" * 40)
    assert large.ByteSize() > MESSAGE_MAX_BYTES
    request = security.CreateSecurityPolicyRequest(security_policy=large)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.security_policies.CreateSecurityPolicy(request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(MESSAGE_MAX_BYTES) in str(caught.value.details())
    async with asyncio.timeout(1):  # the server goes on
        answer = await world.security_policies.ListSecurityPolicies(security.ListSecurityPoliciesRequest())
    assert not answer.security_policies
