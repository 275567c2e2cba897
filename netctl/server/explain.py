"""ExplainService: why the network does what it does. Nothing here changes an intent."""

from __future__ import annotations

import asyncio

import structlog

from netctl.analysis.gateways import Heard, Seen, gateway_binding
from netctl.analysis.router import explain_router
from netctl.compiler.exits import exits_of
from netctl.errors import NotFound, Unavailable
from netctl.model.keys import HostId, Kind, NetworkFunctionId, RoutingPolicyId, VpcId, check_id
from netctl.model.nic import Nic
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import Vpc
from netctl.server.convert import parse_name
from netctl.server.convert_explain import hits_to_proto, router_to_proto
from netctl.server.edge import Context
from netctl.server.hits import NO_SOUTHBOUND, Looked, PolicyHits
from netctl.server.ports import Ports
from netctl.server.trace import HostsSay, trace
from netctl.server.writes import actor_of
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import explain_pb2_grpc

log = structlog.get_logger()


class ExplainService(explain_pb2_grpc.ExplainServiceServicer):
    """Explanations."""

    def __init__(self, ports: Ports, hits: PolicyHits) -> None:
        self._intents, self._reports = ports.intents, ports.reports
        self._southbound, self._observed = ports.southbound, ports.observed
        self._hits = hits

    async def ExplainVpc(self, request: pb.ExplainVpcRequest, context: Context) -> pb.ExplainVpcResponse:
        """Return the router of a VPC; what the southbound or hosts do not say is among its problems."""
        snapshot = self._intents.snapshot()
        id = parse_name("name", request.name, Kind.VPC)
        check_id("name", id)
        vpc = snapshot.vpc(VpcId(id))
        if vpc is None:
            raise NotFound(f"vpcs/{id} does not exist", field="name")
        seen = await self._see(snapshot, vpc)
        looked = None if seen.problem else await self._count(vpc)
        installed = looked.installed if looked is not None else None
        router = explain_router(snapshot, vpc, self._observed(), seen, installed)
        tallies = [self._hits.tally(entry.policy.meta.uid) for entry in router.policies]
        answer = router_to_proto(router, tallies)
        if looked is not None and looked.missing:
            silent = " and ".join(f"hosts/{host}" for host in looked.missing)
            answer.problems.append(f"hits of policies are as of before on {silent}: no answer")
        return answer

    async def GetRoutingPolicyHits(
        self, request: pb.GetRoutingPolicyHitsRequest, context: Context
    ) -> pb.GetRoutingPolicyHitsResponse:
        """Return how often a policy matched."""
        policy = self._policy(request.name)
        looked = await self._hits.look([policy.vpc])
        return hits_to_proto(self._hits.tally(policy.meta.uid), looked.missing)

    async def ClearRoutingPolicyHits(
        self, request: pb.ClearRoutingPolicyHitsRequest, context: Context
    ) -> pb.ClearRoutingPolicyHitsResponse:
        """Count from zero again."""
        policy = self._policy(request.name)
        await self._hits.clear(policy)
        log.info("hits cleared", policy=policy.id, actor=actor_of(context.peer()))
        return pb.ClearRoutingPolicyHitsResponse()

    async def Trace(self, request: pb.TraceRequest, context: Context) -> pb.TraceResponse:
        """Return what OVN would do with a packet that a NIC sends."""
        if self._southbound is None:
            raise Unavailable(NO_SOUTHBOUND)
        snapshot, observed = self._intents.snapshot(), self._observed()
        heard = HostsSay(absent=self._is_absent, stopped=self._is_stopped)
        return await asyncio.to_thread(trace, snapshot, observed, self._southbound, request, heard=heard)

    def _is_absent(self, nic: Nic) -> bool:
        """Does the host of a NIC say that there is no tap?"""
        report, connected = self._reports.heard(nic.host) if nic.host else (None, False)
        if report is None or not connected:
            return False
        return not any(one.iface_id == nic.meta.uid and one.tap_present for one in report.nics)

    def _is_stopped(self, host: HostId, function: NetworkFunctionId) -> bool:
        """Does a host say that no pair of a function works there?"""
        report, connected = self._reports.heard(host)
        said = report.functions if report is not None and connected else ()
        return any(one.function_id == function and not one.active_ingress_tap for one in said)

    def _policy(self, name: str) -> RoutingPolicy:
        id = parse_name("name", name, Kind.ROUTING_POLICY)
        check_id("name", id)
        found = self._intents.snapshot().table(Kind.ROUTING_POLICY).get(RoutingPolicyId(id))
        if not isinstance(found, RoutingPolicy):
            raise NotFound(f"routingPolicies/{id} does not exist", field="name")
        return found

    async def _count(self, vpc: Vpc) -> Looked | None:
        """Count anew; None when it cannot be."""
        try:
            return await self._hits.look([vpc.id])
        except Unavailable as error:
            log.info("hits are not counted now", vpc=vpc.id, error=error.message)
            return None

    async def _see(self, snapshot: Snapshot, vpc: Vpc) -> Seen:
        hosts = {}
        for id in snapshot.table(Kind.HOST):
            report, connected = self._reports.heard(HostId(id))
            hosts[HostId(id)] = Heard(report=report, connected=connected)
        ports = [gateway_binding(exit) for exit in exits_of(snapshot, vpc) if exit.connection.gateways]
        if self._southbound is None:
            return Seen(hosts=hosts, problem=NO_SOUTHBOUND)
        try:
            holders = await asyncio.to_thread(self._southbound.chassis_of_ports, ports)
        except Unavailable as error:
            return Seen(hosts=hosts, problem=error.message)
        return Seen(hosts=hosts, holders=holders)
