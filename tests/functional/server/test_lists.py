"""Lists and the change log: pages stay true while others write."""

from __future__ import annotations

from itertools import chain

import grpc

from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as pb
from tests.functional.server.world import World, nic, refused, vlan_subnet


async def all_pages(world: World, size: int, filter_: str = "") -> list[list[str]]:
    pages, token = [], ""
    while True:
        request = network.ListNicsRequest(page_size=size, page_token=token, filter=filter_)
        answer = await world.nics.ListNics(request)
        pages.append([one.name.removeprefix("nics/") for one in answer.nics])
        token = answer.next_page_token
        if not token:
            return pages


def flat(pages: list[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


async def fill(world: World, count: int) -> None:
    edits = [
        pb.Edit(
            create=pb.Resource(
                nic=network.Nic(
                    name=f"nics/n{number:04}",
                    subnet="subnets/web",
                    host=f"hosts/h{1 + number % 2}",
                    labels={"tier": "db" if number % 3 else "web"},
                )
            )
        )
        for number in range(count)
    ]
    await world.batches.Batch(pb.BatchRequest(edits=edits, omit_resources=True))


async def test_pages_hold_each_resource_once(world: World) -> None:
    await world.furnish("10.0.0.0/16")
    await fill(world, 1205)
    names = [f"n{number:04}" for number in range(1205)]
    assert [len(page) for page in await all_pages(world, 0)] == [100] * 12 + [5]
    assert [len(page) for page in await all_pages(world, 5000)] == [1000, 205]
    assert flat(await all_pages(world, 241)) == names
    assert [len(page) for page in await all_pages(world, 241)] == [241] * 5


async def test_filters_choose(world: World) -> None:
    await world.furnish()
    await fill(world, 30)
    web = [f"n{number:04}" for number in range(0, 30, 3)]
    assert await all_pages(world, 4, 'labels.tier = "web"') == [web[:4], web[4:8], web[8:]]
    both = [f"n{number:04}" for number in range(0, 30, 6)]
    assert flat(await all_pages(world, 2, "labels.tier = web AND host = hosts/h1")) == both
    assert flat(await all_pages(world, 7, "subnet = subnets/web AND labels.tier = web")) == web
    assert await all_pages(world, 7, "subnet = subnets/none") == [[]]
    assert flat(await all_pages(world, 7, 'host = ""')) == []


async def test_pages_stay_true_while_others_write(world: World) -> None:
    await world.furnish()
    await fill(world, 20)
    first = await world.nics.ListNics(network.ListNicsRequest(page_size=10))
    for id_ in ("n0000", "n0009", "n0010"):
        await world.nics.DeleteNic(network.DeleteNicRequest(name=f"nics/{id_}"))
    await world.nics.CreateNic(nic("a-new"))
    await world.nics.CreateNic(nic("n0010b"))
    request = network.ListNicsRequest(page_size=100, page_token=first.next_page_token)
    rest = [one.name for one in (await world.nics.ListNics(request)).nics]
    assert rest == ["nics/n0010b", *(f"nics/n{number:04}" for number in range(11, 20))]


async def test_a_token_belongs_to_its_list(world: World) -> None:
    await world.furnish()
    await fill(world, 3)
    token = (await world.nics.ListNics(network.ListNicsRequest(page_size=1))).next_page_token
    for filter_, bad in (("host = hosts/h1", token), ("", "AAAA"), ("", "not base64!"), ("", token + "x")):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "page_token"):
            await world.nics.ListNics(network.ListNicsRequest(page_token=bad, filter=filter_))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "page_token"):
        await world.subnets.ListSubnets(network.ListSubnetsRequest(page_token=token))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "page_token"):
        await world.changes.ListChanges(pb.ListChangesRequest(page_token=token))


async def test_a_page_of_large_resources_is_shorter_than_a_message_may_be(world: World) -> None:
    await world.furnish()
    labels = {f"k{number}": "\U0001f600" * 256 for number in range(64)}
    for number in range(70):
        subnet = vlan_subnet(f"s{number:02}", 200 + number)
        subnet.labels.update(labels)
        await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=subnet))
    first = await world.subnets.ListSubnets(network.ListSubnetsRequest(page_size=1000))
    assert 3 << 19 < first.ByteSize() < 4 << 20
    request = network.ListSubnetsRequest(page_size=1000, page_token=first.next_page_token)
    rest = await world.subnets.ListSubnets(request)
    assert len(first.subnets) + len(rest.subnets) == 71


async def test_the_change_log_tells_what_was(world: World) -> None:
    await world.furnish()
    request = nic("a")
    request.change_reason, request.request_id = "for the demo", "r1"
    created = (await world.nics.CreateNic(request)).nic
    await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a"))
    answer = await world.changes.ListChanges(pb.ListChangesRequest(resource_name="nics/a"))
    removed, made = answer.changes
    created.ClearField("status")
    assert made.after.nic == created
    assert removed.before.nic == created
    assert not made.HasField("before")
    assert not removed.HasField("after")
    assert (made.actor, made.request_id, made.reason) == ("local", "r1", "for the demo")
    assert (made.revision, removed.revision) == (created.revision, created.revision + 1)
    assert made.time == created.create_time


async def test_the_change_log_is_paged(world: World) -> None:
    await world.furnish()
    await fill(world, 7)
    revision = world.admission.snapshot().revision
    seen, token = [], ""
    while True:
        answer = await world.changes.ListChanges(pb.ListChangesRequest(page_size=4, page_token=token))
        seen += [(change.revision, change.index) for change in answer.changes]
        await world.nics.CreateNic(nic(f"more-{len(seen)}"))
        token = answer.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 5 + 7
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == (revision, 6)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "resource_name"):
        await world.changes.ListChanges(pb.ListChangesRequest(resource_name="web"))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "page_size"):
        await world.changes.ListChanges(pb.ListChangesRequest(page_size=-1))
