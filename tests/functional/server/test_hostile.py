"""Bad input: a clean error, and a server that lives."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import grpc
import pytest

from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as pb
from tests.functional.server.world import World, nic, refused

METHODS = (
    "/netctl.v1.NicService/CreateNic",
    "/netctl.v1.NicService/GetNic",
    "/netctl.v1.SubnetService/ListSubnets",
    "/netctl.v1.HostService/UpdateHost",
    "/netctl.v1.BatchService/Batch",
    "/netctl.v1.WatchService/Watch",
    "/netctl.v1.ChangeService/ListChanges",
)
# A string that runs past the end, an unknown wire type, groups in groups, an overlong varint, field number 0.
MALFORMED = (
    b"\x0a\xff",
    b"\xff\xff\xff\xff",
    b"\x0b" * 10_000,
    b"\x08" + b"\xff" * 11,
    b"\x00",
)


async def call(world: World, method: str, raw: bytes) -> None:
    channel: Any = world.channel
    if "Watch" in method:
        async for _ in channel.unary_stream(method)(raw):
            return
    else:
        await channel.unary_unary(method)(raw)


@pytest.mark.parametrize("method", METHODS)
async def test_malformed_bytes_are_refused_cleanly(world: World, method: str) -> None:
    for raw in MALFORMED:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(world, method, raw)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "cannot be read" in str(caught.value.details())
    await world.furnish()


async def test_text_that_is_no_utf8_is_refused(world: World) -> None:
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, text="UTF-8"):
        await call(world, "/netctl.v1.NicService/GetNic", b"\x0a\x02\xc3\x28")


async def test_random_bytes_never_hurt(world: World) -> None:
    await world.furnish()
    source = random.Random(7)
    whole = pb.BatchRequest(edits=[pb.Edit(create=pb.Resource(nic=nic("a").nic))] * 3).SerializeToString()
    outcomes = set()
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(source.randrange(1, 6)):
            raw[source.randrange(len(raw))] = source.randrange(256)
        try:
            await call(world, METHODS[4], bytes(raw[: source.randrange(len(raw) + 1)]))
        except grpc.aio.AioRpcError as error:
            outcomes.add(error.code())
    assert outcomes <= {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.ABORTED,
    }
    assert grpc.StatusCode.INVALID_ARGUMENT in outcomes


async def test_a_message_of_4_mib_is_read_and_one_byte_more_is_not(world: World) -> None:
    request = infra.CreateClusterRequest(change_reason="x")
    room = (4 << 20) - request.ByteSize() - 3
    request.change_reason = "x" * room
    while request.ByteSize() != 4 << 20:
        request.change_reason = "x" * (len(request.change_reason) + (4 << 20) - request.ByteSize())
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "cluster.name"):
        await world.clusters.CreateCluster(request)
    request.change_reason += "x"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.clusters.CreateCluster(request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await world.furnish()


NAMES = (
    'we"b',
    "we'b",
    "we\nb",
    "we\0b",
    "$web",
    "@web",
    "web && drop",
    "..",
    "web/../db",
    "w\u00e9b",
    "\U0001f600",
    "\u202ebew",
    "web ",
    "WEB",
    "",
    "x" * 65536,
    "\U0001f600" * 16384,
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:12]))
async def test_names_that_are_no_names(world: World, name: str) -> None:
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for full in (f"clusters/{name}", name):
        async with refused(invalid, "cluster.name"):
            await world.clusters.CreateCluster(infra.CreateClusterRequest(cluster=infra.Cluster(name=full)))
        async with refused(invalid, "name"):
            await world.clusters.GetCluster(infra.GetClusterRequest(name=full))
        async with refused(invalid, "name"):
            await world.clusters.DeleteCluster(infra.DeleteClusterRequest(name=full))
        async with refused(invalid, "names[0]"):
            async for _ in world.watches.Watch(pb.WatchRequest(names=[full])):
                pass
    async with refused(invalid, "nic.subnet"):
        await world.nics.CreateNic(nic("a", subnet=f"subnets/{name}"))
    assert world.admission.snapshot().revision == 0


TEXTS = (
    "Web \"1\" & 'two' $x @y; drop",
    "\U0001f600" * 256,
    "e\u0301 \u00e9",
    "\u05e9\u05dc\u05d5\u05dd web",
    "<b>&amp;</b>",
)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
async def test_free_text_comes_back_exactly(world: World, text: str) -> None:
    asked = infra.Cluster(name="clusters/c1", display_name=text, labels={"x": text})
    await world.clusters.CreateCluster(infra.CreateClusterRequest(cluster=asked, change_reason=text))
    got = (await world.clusters.GetCluster(infra.GetClusterRequest(name="clusters/c1"))).cluster
    assert (got.display_name, got.labels["x"]) == (text, text)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    request = infra.ListClustersRequest(filter=f'display_name = "{quoted}"')
    assert len((await world.clusters.ListClusters(request)).clusters) == 1
    change = (await world.changes.ListChanges(pb.ListChangesRequest())).changes[0]
    assert (change.reason, change.after.cluster.display_name) == (text, text)


@pytest.mark.parametrize(
    ("cluster", "field"),
    [
        (infra.Cluster(name="clusters/c1", display_name="x" * 257), "cluster.display_name"),
        (infra.Cluster(name="clusters/c1", display_name="a\nb"), "cluster.display_name"),
        (infra.Cluster(name="clusters/c1", display_name="\U0001f600" * 16384), "cluster.display_name"),
        (infra.Cluster(name="clusters/c1", labels={"UPPER": ""}), "cluster.labels"),
        (
            infra.Cluster(name="clusters/c1", labels={f"k{number}": "" for number in range(65)}),
            "cluster.labels",
        ),
        (infra.Cluster(name="clusters/c1", underlay_mtu_bytes=-1), "cluster.underlay_mtu_bytes"),
        (infra.Cluster(name="clusters/c1", mac_prefix="53:00:00"), "cluster.mac_prefix"),
    ],
    ids=range(7),
)
async def test_values_out_of_bounds(world: World, cluster: infra.Cluster, field: str) -> None:
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, field):
        await world.clusters.CreateCluster(infra.CreateClusterRequest(cluster=cluster))


async def test_a_kind_of_the_future_is_refused(world: World) -> None:
    await world.furnish()
    raw = network.CreateSubnetRequest(subnet=network.Subnet(name="subnets/x")).SerializeToString()
    future: Any = network.CreateSubnetRequest.FromString(raw)
    future.subnet.kind = 77
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "subnet.kind", text="77 is unknown"):
        await world.subnets.CreateSubnet(future)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "subnet.kind", text="is not set"):
        await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=network.Subnet(name="subnets/x")))


async def test_a_burst_loses_no_call(world: World) -> None:
    """By default grpc would cancel what exceeds a thousand."""
    await world.furnish("10.0.0.0/16")
    answers = await asyncio.gather(*(world.nics.CreateNic(nic(f"n{number}")) for number in range(2000)))
    assert len({answer.nic.ipv4_address for answer in answers}) == 2000


async def test_an_unknown_method_is_unimplemented(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(world, "/netctl.v1.NicService/Explode", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
