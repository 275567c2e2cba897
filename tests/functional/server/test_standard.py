"""What stock clients expect: health, reflection; and how the server listens."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from netctl.errors import Unavailable
from netctl.server.serve import serve
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import operations_pb2_grpc
from tests.functional.server.world import World

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = {
    *("netctl.v1.ClusterService", "netctl.v1.HostService", "netctl.v1.VirtualSwitchService"),
    *("netctl.v1.SubnetService", "netctl.v1.NicService", "netctl.v1.BatchService", "netctl.v1.ChangeService"),
    *("netctl.v1.VpcService", "netctl.v1.FloatingIpService", "netctl.v1.RouteService"),
    *("netctl.v1.RoutingPolicyService", "netctl.v1.AddressReservationService", "netctl.v1.ExplainService"),
    *("netctl.v1.WatchService", "netctl.v1.ControllerService", "netctl.v1.AgentService"),
    *("netctl.v1.SecurityExplainService", "netctl.v1.CategoryService", "netctl.v1.AddressGroupService"),
    *("netctl.v1.ServiceGroupService", "netctl.v1.EntityGroupService", "netctl.v1.SecurityPolicyService"),
    *("netctl.v1.NetworkFunctionService", "netctl.v1.ServiceChainService", "netctl.v1.TrafficMirrorService"),
    *("netctl.v1.VmService", "netctl.v1.ImageService", "netctl.v1.VmTemplateService"),
    *("netctl.v1.AffinityPolicyService", "netctl.v1.VmMigrationService", "netctl.v1.ComputeAgentService"),
    *("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"),
}


def path_of(world: World) -> Path:
    return Path(world.address.removeprefix("unix:"))


async def test_health_says_whether_the_controller_is_ready(world: World) -> None:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)
    for service in ("", "netctl.v1.NicService"):
        request = health_pb2.HealthCheckRequest(service=service)
        world.controller.ready = True
        assert (await stub.Check(request)).status == SERVING
        world.controller.ready = False
        assert (await stub.Check(request)).status == NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="nonsense"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_can_be_watched(world: World) -> None:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)
    call = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await call.read()).status == SERVING
    world.controller.ready = False
    assert (await asyncio.wait_for(call.read(), 5)).status == NOT_SERVING
    call.cancel()


async def test_reflection_describes_everything(world: World) -> None:
    channel: Any = world.channel
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    async for answer in stub.ServerReflectionInfo(iter(requests)):
        assert {service.name for service in answer.list_services_response.service} == SERVICES


async def test_a_stock_reflection_client_can_call_us(world: World) -> None:
    """As grpcurl does: descriptors by reflection alone, then a call with what they say."""

    def describe() -> list[str]:
        with grpc.insecure_channel(world.address) as channel:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            service = pool.FindServiceByName("netctl.v1.SubnetService")
            return [field.name for field in service.methods_by_name["CreateSubnet"].input_type.fields]

    fields = await asyncio.to_thread(describe)
    assert fields == ["subnet", "request_id", "validate_only", "change_reason"]


async def test_the_controller_describes_itself(world: World) -> None:
    world.controller.ready = False
    answer = await world.info.GetController(pb.GetControllerRequest())
    assert (answer.version, answer.ready, answer.passes) == ("1.2.3", False, 3)
    assert list(answer.problems) == ["the northbound database is not connected"]
    await world.info.AllowMassDelete(pb.AllowMassDeleteRequest(change_reason="tidy up"))
    assert world.controller.allowed == [("local", "tidy up")]


async def test_the_socket_is_ours_alone_and_goes_with_us(world: World) -> None:
    path = path_of(world)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await world.server.stop(0)
    assert not path.exists()


async def test_a_second_controller_on_a_socket_is_refused(world: World) -> None:
    with pytest.raises(Unavailable, match="another controller listens"):
        await serve(world.ports, [world.address])
    assert (await world.info.GetController(pb.GetControllerRequest())).version


async def test_the_socket_of_one_that_was_killed_is_replaced(world: World, tmp_path: Path) -> None:
    stale = tmp_path / "run" / "stale.sock"
    stale.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    server = await serve(world.ports, [f"unix:{stale}"])
    async with grpc.aio.insecure_channel(f"unix:{stale}") as channel:
        stub = operations_pb2_grpc.ControllerServiceStub(channel)
        assert (await stub.GetController(pb.GetControllerRequest())).version
    await server.stop(0)


async def test_a_file_in_the_way_is_left_alone(world: World, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("data")
    with pytest.raises(Unavailable, match="not a socket"):
        await serve(world.ports, [f"unix:{file}"])
    assert file.read_text() == "data"


async def test_tcp_ports_are_taken_once_and_peers_are_named(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{port}"
    server = await serve(world.ports, [address])
    with pytest.raises(Unavailable, match="cannot listen"):
        await serve(world.ports, [address])
    async with grpc.aio.insecure_channel(address) as channel:
        stub = operations_pb2_grpc.ControllerServiceStub(channel)
        await stub.AllowMassDelete(pb.AllowMassDeleteRequest())
    assert world.controller.allowed == [("127.0.0.1", "")]
    await server.stop(0)
