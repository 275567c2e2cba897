"""Security nouns by gRPC: masks, filters, batches and watches of them, and what is refused where."""

from __future__ import annotations

import time

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.model.keys import Kind
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import security_pb2 as security
from netctl.v1 import vpc_pb2 as vpc
from tests.functional.server.test_watch import watching
from tests.functional.server.verbs import NOUNS
from tests.functional.server.world import World, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def shop() -> security.SecurityPolicy:
    policy = security.SecurityPolicy()
    policy.CopyFrom(next(verbs.another for verbs in NOUNS if verbs.noun == "security_policy"))
    return policy


@pytest.fixture
async def town(world: World) -> World:
    """The server, with categories, a NIC and the policy `shop`."""
    await world.furnish()
    await world.furnish_security()
    await world.security_policies.CreateSecurityPolicy(
        security.CreateSecurityPolicyRequest(security_policy=shop())
    )
    return world


async def update(world: World, policy: security.SecurityPolicy, *paths: str) -> security.SecurityPolicy:
    request = security.UpdateSecurityPolicyRequest(security_policy=policy, update_mask=FieldMask(paths=paths))
    return (await world.security_policies.UpdateSecurityPolicy(request)).security_policy


async def test_a_mask_changes_what_it_names_and_rules_as_a_whole(town: World) -> None:
    stored = shop()
    change = security.SecurityPolicy(name=stored.name, mode=security.SECURITY_POLICY_MODE_ENFORCE)
    after = await update(town, change, "mode")
    assert (after.mode, after.rules) == (security.SECURITY_POLICY_MODE_ENFORCE, stored.rules)
    rule = security.SecurityRule(
        name="all", direction=security.SECURITY_DIRECTION_OUT, action=security.SECURITY_ACTION_ALLOW
    )
    after = await update(town, security.SecurityPolicy(name=stored.name, rules=[rule]), "rules", "priority")
    assert [one.name for one in after.rules] == ["all"]
    assert (after.priority, after.mode) == (0, security.SECURITY_POLICY_MODE_ENFORCE)
    async with refused(INVALID, "update_mask", text="rules.name"):
        await update(town, stored, "rules.name")
    async with refused(INVALID, "security_policy.kind"):
        await update(
            town,
            security.SecurityPolicy(name=stored.name, kind=security.SECURITY_POLICY_KIND_VDI),
            "kind",
        )


async def test_policies_are_found_by_what_they_name(town: World) -> None:
    async def found(filter_: str) -> list[str]:
        request = security.ListSecurityPoliciesRequest(filter=filter_)
        answer = await town.security_policies.ListSecurityPolicies(request)
        return [policy.name for policy in answer.security_policies]

    assert await found("secured:categories/web AND kind = APPLICATION") == ["securityPolicies/shop"]
    assert await found("rules.peers:categories/web AND mode = MONITOR") == ["securityPolicies/shop"]
    assert await found("rules.applied_to:categories/db") == ["securityPolicies/shop"]
    assert await found("secured:categories/clients") == []
    nics = await town.nics.ListNics(network.ListNicsRequest(filter="categories:categories/web"))
    assert [nic.name for nic in nics.nics] == ["nics/w1"]


async def test_what_is_named_stays_and_what_names_nothing_is_refused(town: World) -> None:
    in_use, missing = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND
    async with refused(in_use, "name", dependents=["nics/w1", "securityPolicies/shop"]):
        await town.categories.DeleteCategory(security.DeleteCategoryRequest(name="categories/web"))
    policy = shop()
    policy.rules[0].peers.append("addressGroups/none")
    async with refused(missing, "security_policy.rules[0].peers[1]", text="addressGroups/none"):
        await update(town, policy, "rules")
    request = network.UpdateNicRequest(
        nic=network.Nic(name="nics/w1", categories=["categories/none"]),
        update_mask=FieldMask(paths=["categories"]),
    )
    async with refused(missing, "nic.categories[0]", text="categories/none"):
        await town.nics.UpdateNic(request)
    policy = shop()
    policy.rules[0].expire_time.CopyFrom(Timestamp(seconds=int(time.time()) - 60))
    async with refused(INVALID, "security_policy.rules[0].expire_time"):
        await update(town, policy, "rules")


async def test_one_batch_makes_all_of_it_and_refuses_all_of_it(world: World) -> None:
    await world.furnish()
    category = security.Category(name="categories/web", key="tier", value="web")
    group = security.EntityGroup(
        name="entityGroups/g", include=[security.EntitySelector(all_of=["categories/web"])]
    )
    service = security.Service(protocol=security.SERVICE_PROTOCOL_UDP, ports=[vpc.PortRange(first=53)])
    services = security.ServiceGroup(name="serviceGroups/dns", services=[service])
    policy = shop()
    policy.secured[:] = ["entityGroups/g"]
    policy.rules[0].applied_to[:] = []
    policy.rules[0].service_groups[:] = ["serviceGroups/dns"]
    resources = [
        operations.Resource(category=category),
        operations.Resource(entity_group=group),
        operations.Resource(service_group=services),
        operations.Resource(security_policy=policy),
    ]
    edits = [operations.Edit(apply=resource) for resource in resources]
    circle = security.EntityGroup(
        name="entityGroups/g", include=[security.EntitySelector(all_of=["entityGroups/g"])]
    )
    wrong = operations.Edit(apply=operations.Resource(entity_group=circle))
    async with refused(INVALID, "edits[4].apply.entity_group.include[0].all_of[0]"):
        await world.batches.Batch(operations.BatchRequest(edits=[*edits, wrong]))
    assert world.admission.snapshot().get((Kind.CATEGORY, "web")) is None
    answer = await world.batches.Batch(operations.BatchRequest(edits=edits))
    assert answer.changed == 4
    assert answer.resources[3].security_policy.secured == ["entityGroups/g"]
    again = await world.batches.Batch(operations.BatchRequest(edits=edits))
    assert again.changed == 0


async def test_a_watch_tells_of_policies_and_categories(town: World) -> None:
    async with watching(town, collections=["securityPolicies", "categories"]) as stream:
        names = [event.name for event in await stream.until_synced()]
        assert names == ["categories/clients", "categories/db", "categories/web", "securityPolicies/shop"]
        change = security.SecurityPolicy(name="securityPolicies/shop", priority=3)
        await update(town, change, "priority")
        event = await stream.next()
        assert (event.name, event.resource.security_policy.priority) == ("securityPolicies/shop", 3)
