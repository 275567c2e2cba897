"""The services of Cluster, Host and VirtualSwitch: messages to `resources.py` and back."""

from __future__ import annotations

import asyncio

from netctl.errors import InvalidIntent
from netctl.model.keys import HostId
from netctl.server.agents import AgentService
from netctl.server.convert_agent import report_to_proto
from netctl.server.convert_compute_report import compute_report_to_proto
from netctl.server.edge import Context
from netctl.server.nouns import CLUSTER, HOST, VIRTUAL_SWITCH
from netctl.server.ports import Ports
from netctl.server.resources import Resources
from netctl.server.vm_operations import maintenance_of
from netctl.v1 import agent_pb2, infra_pb2_grpc
from netctl.v1 import infra_pb2 as pb

_INSPECTED = (agent_pb2.INSPECTED_BONDS, agent_pb2.INSPECTED_MAC_TABLE)


class ClusterService(infra_pb2_grpc.ClusterServiceServicer):
    """Clusters."""

    def __init__(self, ports: Ports) -> None:
        self._clusters = Resources(CLUSTER, ports)

    async def GetCluster(self, request: pb.GetClusterRequest, context: Context) -> pb.GetClusterResponse:
        """Return one."""
        return pb.GetClusterResponse(cluster=self._clusters.get(request.name))

    async def ListClusters(
        self, request: pb.ListClustersRequest, context: Context
    ) -> pb.ListClustersResponse:
        """Return a page."""
        page = await self._clusters.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListClustersResponse(
            clusters=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateCluster(
        self, request: pb.CreateClusterRequest, context: Context
    ) -> pb.CreateClusterResponse:
        """Store a new one."""
        cluster, diff = await self._clusters.create(request.cluster, (request, context))
        return pb.CreateClusterResponse(cluster=cluster, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateCluster(
        self, request: pb.UpdateClusterRequest, context: Context
    ) -> pb.UpdateClusterResponse:
        """Change one."""
        cluster, diff = await self._clusters.update(
            request.cluster, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateClusterResponse(cluster=cluster, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteCluster(
        self, request: pb.DeleteClusterRequest, context: Context
    ) -> pb.DeleteClusterResponse:
        """Remove one."""
        revision, diff = await self._clusters.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteClusterResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)


class HostService(infra_pb2_grpc.HostServiceServicer):
    """Hosts."""

    def __init__(self, ports: Ports, agents: AgentService) -> None:
        self._ports, self._intents = ports, ports.intents
        self._reports, self._agents = ports.reports, agents
        self._hosts = Resources(HOST, ports)

    async def GetHost(self, request: pb.GetHostRequest, context: Context) -> pb.GetHostResponse:
        """Return one."""
        return pb.GetHostResponse(host=self._hosts.get(request.name))

    async def ListHosts(self, request: pb.ListHostsRequest, context: Context) -> pb.ListHostsResponse:
        """Return a page."""
        page = await self._hosts.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListHostsResponse(
            hosts=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateHost(self, request: pb.CreateHostRequest, context: Context) -> pb.CreateHostResponse:
        """Store a new one."""
        host, diff = await self._hosts.create(request.host, (request, context))
        return pb.CreateHostResponse(host=host, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateHost(self, request: pb.UpdateHostRequest, context: Context) -> pb.UpdateHostResponse:
        """Change one."""
        host, diff = await self._hosts.update(
            request.host, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateHostResponse(host=host, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteHost(self, request: pb.DeleteHostRequest, context: Context) -> pb.DeleteHostResponse:
        """Remove one."""
        revision, diff = await self._hosts.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteHostResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)

    async def GetHostReport(
        self, request: pb.GetHostReportRequest, context: Context
    ) -> pb.GetHostReportResponse:
        """Return what the host's agent said last."""
        host = self._hosts.get(request.name)
        report, connected = self._reports.heard(HostId(host.name.partition("/")[2]))
        return pb.GetHostReportResponse(
            connected=connected, report=report_to_proto(report) if report is not None else None
        )

    async def InspectHost(self, request: pb.InspectHostRequest, context: Context) -> pb.InspectHostResponse:
        """Return what the host's switch does now."""
        if request.inspected not in _INSPECTED:
            problem = (
                f"{request.inspected} is unknown to this controller" if request.inspected else "is not set"
            )
            known = " or ".join(agent_pb2.Inspected.Name(value) for value in _INSPECTED)
            raise InvalidIntent("inspected", f"{problem}; use {known}")
        snapshot = self._intents.snapshot()
        host = self._hosts.stored(request.name, snapshot)
        switches = (snapshot.virtual_switch(uplink.virtual_switch) for uplink in host.uplinks)
        bridges = [switch.bridge for switch in switches if switch is not None]
        if request.bridge and request.bridge not in bridges:
            raise InvalidIntent(
                "bridge",
                f"{request.bridge[:40]!r} is no uplink bridge of hosts/{host.id}; it has {', '.join(bridges)}",
            )
        inspection = await self._agents.inspect(host.id, request.inspected, request.bridge)
        return pb.InspectHostResponse(inspection=inspection)

    async def GetComputeReport(
        self, request: pb.GetComputeReportRequest, context: Context
    ) -> pb.GetComputeReportResponse:
        """Return what the host's compute agent said last."""
        host = self._hosts.stored(request.name, self._intents.snapshot())
        heard = self._ports.compute_reports.get(host.id)
        report = compute_report_to_proto(heard.report) if heard.report is not None else None
        return pb.GetComputeReportResponse(connected=heard.connected, report=report)

    async def CheckMaintenance(
        self, request: pb.CheckMaintenanceRequest, context: Context
    ) -> pb.CheckMaintenanceResponse:
        """Return where its virtual machines would go."""
        snapshot = self._intents.snapshot()
        host = self._hosts.stored(request.name, snapshot)
        view = await asyncio.to_thread(self._ports.view, snapshot)
        return await asyncio.to_thread(maintenance_of, host, view)


class VirtualSwitchService(infra_pb2_grpc.VirtualSwitchServiceServicer):
    """Virtual switches."""

    def __init__(self, ports: Ports) -> None:
        self._virtual_switches = Resources(VIRTUAL_SWITCH, ports)

    async def GetVirtualSwitch(
        self, request: pb.GetVirtualSwitchRequest, context: Context
    ) -> pb.GetVirtualSwitchResponse:
        """Return one."""
        return pb.GetVirtualSwitchResponse(virtual_switch=self._virtual_switches.get(request.name))

    async def ListVirtualSwitches(
        self, request: pb.ListVirtualSwitchesRequest, context: Context
    ) -> pb.ListVirtualSwitchesResponse:
        """Return a page."""
        page = await self._virtual_switches.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListVirtualSwitchesResponse(
            virtual_switches=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateVirtualSwitch(
        self, request: pb.CreateVirtualSwitchRequest, context: Context
    ) -> pb.CreateVirtualSwitchResponse:
        """Store a new one."""
        virtual_switch, diff = await self._virtual_switches.create(request.virtual_switch, (request, context))
        return pb.CreateVirtualSwitchResponse(
            virtual_switch=virtual_switch, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateVirtualSwitch(
        self, request: pb.UpdateVirtualSwitchRequest, context: Context
    ) -> pb.UpdateVirtualSwitchResponse:
        """Change one."""
        virtual_switch, diff = await self._virtual_switches.update(
            request.virtual_switch, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateVirtualSwitchResponse(
            virtual_switch=virtual_switch, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteVirtualSwitch(
        self, request: pb.DeleteVirtualSwitchRequest, context: Context
    ) -> pb.DeleteVirtualSwitchResponse:
        """Remove one."""
        revision, diff = await self._virtual_switches.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteVirtualSwitchResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )
