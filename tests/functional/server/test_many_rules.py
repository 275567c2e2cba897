"""Far too many rules in one policy: refused with the limit, whether they fit a message or not; the server goes on."""

from __future__ import annotations

import grpc
import pytest

from netctl.model.security_policy import RULES_MAX
from netctl.v1 import security_pb2 as pb
from tests.functional.server.world import World, refused

MANY = 100_000


def asking_for(rules: int, description: str = "") -> pb.CreateSecurityPolicyRequest:
    """Ask for an application policy with so many rules."""
    made = [
        pb.SecurityRule(
            name=f"r{i}",
            description=description,
            direction=pb.SECURITY_DIRECTION_IN,
            action=pb.SECURITY_ACTION_ALLOW,
        )
        for i in range(rules)
    ]
    return pb.CreateSecurityPolicyRequest(
        security_policy=pb.SecurityPolicy(
            name="securityPolicies/p",
            kind=pb.SECURITY_POLICY_KIND_APPLICATION,
            mode=pb.SECURITY_POLICY_MODE_ENFORCE,
            scope=pb.SECURITY_SCOPE_ALL_VLAN,
            secured=["categories/web"],
            rules=made,
        )
    )


async def test_a_hundred_thousand_rules_are_refused_with_the_limit(world: World) -> None:
    web = pb.Category(name="categories/web", key="tier", value="web")
    await world.categories.CreateCategory(pb.CreateCategoryRequest(category=web))
    few = asking_for(MANY)
    assert few.ByteSize() < 4 << 20
    limit = f"a policy has at most {RULES_MAX}"
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "security_policy.rules", text=limit):
        await world.security_policies.CreateSecurityPolicy(few)
    long = asking_for(MANY, "allowed by the change board")
    assert long.ByteSize() > 4 << 20
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.security_policies.CreateSecurityPolicy(long)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(4 << 20) in str(caught.value.details())
    answer = await world.security_policies.CreateSecurityPolicy(asking_for(RULES_MAX))
    assert len(answer.security_policy.rules) == RULES_MAX
