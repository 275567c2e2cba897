"""Who is in a category or an entity group, by gRPC."""

from __future__ import annotations

import grpc

from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import security_pb2 as security
from tests.functional.server.world import World, nic, refused, vpc_subnet


async def members(world: World, name: str) -> list[str]:
    answer = await world.entity_groups.ListMembers(security.ListMembersRequest(name=name))
    assert answer.count == len(answer.nics)
    return list(answer.nics)


async def test_members_have_a_category_by_themselves_their_subnet_or_their_vpc(world: World) -> None:
    await world.furnish_vpc()
    await world.furnish_security()
    assert await members(world, "categories/web") == ["nics/w1"]
    subnet = vpc_subnet("red", cidr="10.9.0.0/24")
    subnet.categories.append("categories/web")
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=subnet))
    await world.nics.CreateNic(nic("r1", subnet="subnets/red"))
    assert await members(world, "categories/web") == ["nics/r1", "nics/w1"]
    group = security.EntityGroup(name="entityGroups/g")
    group.include.add(all_of=["categories/web"])
    group.include.add(all_of=["vpcs/blue"])
    getattr(group, "except").add(all_of=["nics/r1"])
    request = security.CreateEntityGroupRequest(entity_group=group)
    await world.entity_groups.CreateEntityGroup(request)
    assert await members(world, "entityGroups/g") == ["nics/blue-1", "nics/w1"]
    assert await members(world, "categories/db") == []


async def test_of_many_members_the_first_are_named_and_all_are_counted(world: World) -> None:
    await world.furnish("10.0.0.0/16")
    await world.furnish_security()
    edits = []
    for number in range(1200):
        one = nic(f"n{number:04}").nic
        one.categories.append("categories/db")
        edits.append(operations.Edit(create=operations.Resource(nic=one)))
    await world.batches.Batch(operations.BatchRequest(edits=edits, omit_resources=True))
    answer = await world.entity_groups.ListMembers(security.ListMembersRequest(name="categories/db"))
    assert (answer.count, len(answer.nics)) == (1200, 1000)
    assert list(answer.nics[:2]) == ["nics/n0000", "nics/n0001"]


async def test_only_groups_have_members(world: World) -> None:
    await world.furnish()
    for name in ("nics/w1", "addressGroups/a", "vpcs/blue", "", "categories/"):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "name"):
            await members(world, name)
    async with refused(grpc.StatusCode.NOT_FOUND, "name"):
        await members(world, "entityGroups/none")
