"""The gRPC server: all services, health and reflection, on Unix sockets and TCP.

In: the ports that the composition root wires, and addresses; out: a running server. Belongs to the event loop that it
was made on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
from google.protobuf.descriptor_pool import Default as default_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from netctl.server import listen as listening
from netctl.server.acl_book import AclBook
from netctl.server.agents import AgentService
from netctl.server.batch import BatchService
from netctl.server.chain_services import NetworkFunctionService, ServiceChainService, TrafficMirrorService
from netctl.server.changes import ChangeService
from netctl.server.compute_agents import ComputeAgentService
from netctl.server.compute_services import AffinityPolicyService, ImageService, VmTemplateService
from netctl.server.edge import Context, Edge
from netctl.server.explain import ExplainService
from netctl.server.hits import PolicyHits
from netctl.server.image_intake import Intake
from netctl.server.info import ControllerService
from netctl.server.infra_services import ClusterService, HostService, VirtualSwitchService
from netctl.server.network_services import NicService, SubnetService
from netctl.server.policy_log import PolicyLog
from netctl.server.ports import Ports
from netctl.server.security_explain import SecurityExplainService
from netctl.server.security_services import (
    AddressGroupService,
    CategoryService,
    EntityGroupService,
    SecurityPolicyService,
    ServiceGroupService,
)
from netctl.server.syslog import SyslogExport
from netctl.server.vm_services import VmMigrationService, VmService
from netctl.server.vpc_services import (
    AddressReservationService,
    FloatingIpService,
    RouteService,
    RoutingPolicyService,
    VpcService,
)
from netctl.server.wakes import survived
from netctl.server.watch import WatchService
from netctl.v1 import (
    agent_compute_pb2_grpc,
    agent_pb2_grpc,
    chain_pb2_grpc,
    compute_pb2_grpc,
    explain_pb2_grpc,
    infra_pb2_grpc,
    network_pb2_grpc,
    operations_pb2_grpc,
    security_pb2_grpc,
    vpc_pb2_grpc,
)

MESSAGE_MAX_BYTES = 4 << 20
_READY_POLL_S = 1.0
_FILES = (
    "infra",
    "network",
    "vpc",
    "security",
    "chain",
    "compute",
    "operations",
    "explain",
    "agent",
    "agent_compute",
)
SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    # Two controllers on one port would share its connections without anybody noticing.
    ("grpc.so_reuseport", 0),
    # By default grpc cancels what exceeds some 1000 waiting calls; never set max_concurrent_streams: above 300 calls
    # it breaks connections (measured with grpcio 1.85).
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    # A peer that vanished without a word is noticed within 10 s, and ours may look as often.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.http2.max_ping_strikes", 0),
)


class Server:
    """A running server; `stop` it."""

    def __init__(self, ports: Ports) -> None:
        """Make all services; nobody can call them yet."""
        self._ports = ports
        self._grpc = grpc.aio.server(interceptors=(Edge(),), options=SERVER_OPTIONS)
        self._watch = WatchService(ports)
        self._agents = AgentService(ports)
        self._intake = Intake(ports)
        self._compute_agents = ComputeAgentService(ports, self._intake)
        acls = AclBook(ports.intents.snapshot, ports.observed)
        self._hits = PolicyHits(ports, self._agents, acls)
        self._log = PolicyLog(ports, acls)
        self._agents.on_logs(self._log.put)
        self._syslog = SyslogExport(ports.syslog, ports.metrics) if ports.syslog is not None else None
        if self._syslog is not None:
            self._log.on_entries(self._syslog.put)
        self._explain = ExplainService(ports, self._hits)
        self._security_explain = SecurityExplainService(ports, self._hits, self._log)
        self._health = _Health(ports)
        self._paths: tuple[Path, ...] = ()
        self._add_services()

    def _add_services(self) -> None:
        ports, server = self._ports, self._grpc
        infra_pb2_grpc.add_ClusterServiceServicer_to_server(ClusterService(ports), server)
        infra_pb2_grpc.add_HostServiceServicer_to_server(HostService(ports, self._agents), server)
        infra_pb2_grpc.add_VirtualSwitchServiceServicer_to_server(VirtualSwitchService(ports), server)
        network_pb2_grpc.add_SubnetServiceServicer_to_server(SubnetService(ports), server)
        network_pb2_grpc.add_NicServiceServicer_to_server(NicService(ports), server)
        vpc_pb2_grpc.add_VpcServiceServicer_to_server(VpcService(ports), server)
        vpc_pb2_grpc.add_FloatingIpServiceServicer_to_server(FloatingIpService(ports), server)
        vpc_pb2_grpc.add_RouteServiceServicer_to_server(RouteService(ports), server)
        vpc_pb2_grpc.add_RoutingPolicyServiceServicer_to_server(RoutingPolicyService(ports), server)
        vpc_pb2_grpc.add_AddressReservationServiceServicer_to_server(AddressReservationService(ports), server)
        self._add_security_services()
        self._add_compute_services()
        chain_pb2_grpc.add_NetworkFunctionServiceServicer_to_server(NetworkFunctionService(ports), server)
        chain_pb2_grpc.add_ServiceChainServiceServicer_to_server(ServiceChainService(ports), server)
        chain_pb2_grpc.add_TrafficMirrorServiceServicer_to_server(TrafficMirrorService(ports), server)
        operations_pb2_grpc.add_BatchServiceServicer_to_server(BatchService(ports), server)
        operations_pb2_grpc.add_ChangeServiceServicer_to_server(ChangeService(ports), server)
        operations_pb2_grpc.add_WatchServiceServicer_to_server(self._watch, server)
        operations_pb2_grpc.add_ControllerServiceServicer_to_server(ControllerService(ports), server)
        explain_pb2_grpc.add_ExplainServiceServicer_to_server(self._explain, server)
        explain_pb2_grpc.add_SecurityExplainServiceServicer_to_server(self._security_explain, server)
        agent_pb2_grpc.add_AgentServiceServicer_to_server(self._agents, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*service_names(), health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )

    def _add_security_services(self) -> None:
        ports, server = self._ports, self._grpc
        security_pb2_grpc.add_CategoryServiceServicer_to_server(CategoryService(ports), server)
        security_pb2_grpc.add_AddressGroupServiceServicer_to_server(AddressGroupService(ports), server)
        security_pb2_grpc.add_ServiceGroupServiceServicer_to_server(ServiceGroupService(ports), server)
        security_pb2_grpc.add_EntityGroupServiceServicer_to_server(EntityGroupService(ports), server)
        security_pb2_grpc.add_SecurityPolicyServiceServicer_to_server(SecurityPolicyService(ports), server)

    def _add_compute_services(self) -> None:
        ports, server = self._ports, self._grpc
        agent_compute_pb2_grpc.add_ComputeAgentServiceServicer_to_server(self._compute_agents, server)
        compute_pb2_grpc.add_VmServiceServicer_to_server(VmService(ports), server)
        compute_pb2_grpc.add_ImageServiceServicer_to_server(ImageService(ports, self._intake), server)
        compute_pb2_grpc.add_VmTemplateServiceServicer_to_server(VmTemplateService(ports), server)
        compute_pb2_grpc.add_AffinityPolicyServiceServicer_to_server(AffinityPolicyService(ports), server)
        compute_pb2_grpc.add_VmMigrationServiceServicer_to_server(VmMigrationService(ports), server)

    async def start(self, addresses: Sequence[str]) -> None:
        """Listen; Unavailable when an address cannot be had."""
        self._paths = listening.bind(self._grpc, addresses)
        await self._health.start()
        await self._grpc.start()

    async def stop(self, grace: float) -> None:
        """Take no new calls, end the streams, give other calls `grace` seconds."""
        await self._health.stop()
        self._watch.close()
        self._agents.close()
        self._compute_agents.close()
        self._log.close()
        self._hits.close()
        if self._syslog is not None:
            self._syslog.close()
        await self._grpc.stop(grace)
        listening.unlink(self._paths)


class _Health(health.aio.HealthServicer):
    """grpc.health.v1: SERVING while the controller is ready, for all services alike."""

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._controller = ports.controller
        self._task: asyncio.Task[None] | None = None

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Answer with what is so now."""
        await self._refresh()
        return await super().Check(request, context)

    async def start(self) -> None:
        """Keep those who watch informed."""
        await self._refresh()
        self._task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Say for good that nothing is served any more."""
        if self._task is not None:
            self._task.cancel()
        await self.enter_graceful_shutdown()

    async def _refresh(self) -> None:
        ready = self._controller.info().ready
        serving = (
            health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *service_names()):
            await self.set(name, serving)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_READY_POLL_S)
            await survived(self._refresh())


def service_names() -> tuple[str, ...]:
    """Return the full names of our services."""
    files = (default_pool().FindFileByName(f"netctl/v1/{name}.proto") for name in _FILES)
    return tuple(service.full_name for file in files for service in file.services_by_name.values())


async def serve(ports: Ports, addresses: Sequence[str]) -> Server:
    """Return a running server that listens on `unix:PATH` and HOST:PORT addresses."""
    server = Server(ports)
    await server.start(addresses)
    return server
