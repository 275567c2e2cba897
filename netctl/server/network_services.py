"""The services of Subnet and Nic: messages to `resources.py` and back."""

from __future__ import annotations

from netctl.model.usage import AddressUsage, usage
from netctl.server.edge import Context
from netctl.server.migrate import migrate
from netctl.server.nouns import NIC, SUBNET
from netctl.server.ports import Ports
from netctl.server.resources import Resources
from netctl.v1 import network_pb2 as pb
from netctl.v1 import network_pb2_grpc


class SubnetService(network_pb2_grpc.SubnetServiceServicer):
    """Subnets."""

    def __init__(self, ports: Ports) -> None:
        self._subnets, self._intents = Resources(SUBNET, ports), ports.intents
        self._ports = ports

    async def GetSubnet(self, request: pb.GetSubnetRequest, context: Context) -> pb.GetSubnetResponse:
        """Return one."""
        return pb.GetSubnetResponse(subnet=self._subnets.get(request.name))

    async def ListSubnets(self, request: pb.ListSubnetsRequest, context: Context) -> pb.ListSubnetsResponse:
        """Return a page."""
        page = await self._subnets.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListSubnetsResponse(
            subnets=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateSubnet(
        self, request: pb.CreateSubnetRequest, context: Context
    ) -> pb.CreateSubnetResponse:
        """Store a new one."""
        subnet, diff = await self._subnets.create(request.subnet, (request, context))
        return pb.CreateSubnetResponse(subnet=subnet, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateSubnet(
        self, request: pb.UpdateSubnetRequest, context: Context
    ) -> pb.UpdateSubnetResponse:
        """Change one."""
        subnet, diff = await self._subnets.update(
            request.subnet, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateSubnetResponse(subnet=subnet, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteSubnet(
        self, request: pb.DeleteSubnetRequest, context: Context
    ) -> pb.DeleteSubnetResponse:
        """Remove one."""
        revision, diff = await self._subnets.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteSubnetResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)

    async def MigrateSubnets(
        self, request: pb.MigrateSubnetsRequest, context: Context
    ) -> pb.MigrateSubnetsResponse:
        """Move subnets between VLAN_BASIC and VLAN."""
        migrated = await migrate(self._ports, request, context)
        return pb.MigrateSubnetsResponse(
            subnets=[self._subnets.rendered(one) for one in migrated.subnets],
            nics=migrated.nics,
            row_changes=migrated.diff.rows,
            row_change_count=migrated.diff.count,
        )

    async def GetSubnetUsage(
        self, request: pb.GetSubnetUsageRequest, context: Context
    ) -> pb.GetSubnetUsageResponse:
        """Return how many addresses there are, and how many are taken."""
        snapshot = self._intents.snapshot()
        ipv4, ipv6 = usage(snapshot, self._subnets.stored(request.name, snapshot))
        return pb.GetSubnetUsageResponse(ipv4=_usage_to_proto(ipv4), ipv6=_usage_to_proto(ipv6))


def _usage_to_proto(usage: AddressUsage | None) -> pb.AddressUsage | None:
    if usage is None:
        return None
    return pb.AddressUsage(total=usage.total, used=usage.used, reserved=usage.reserved, free=usage.free)


class NicService(network_pb2_grpc.NicServiceServicer):
    """NICs."""

    def __init__(self, ports: Ports) -> None:
        self._nics = Resources(NIC, ports)

    async def GetNic(self, request: pb.GetNicRequest, context: Context) -> pb.GetNicResponse:
        """Return one."""
        return pb.GetNicResponse(nic=self._nics.get(request.name))

    async def ListNics(self, request: pb.ListNicsRequest, context: Context) -> pb.ListNicsResponse:
        """Return a page."""
        page = await self._nics.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListNicsResponse(
            nics=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateNic(self, request: pb.CreateNicRequest, context: Context) -> pb.CreateNicResponse:
        """Store a new one."""
        nic, diff = await self._nics.create(request.nic, (request, context))
        return pb.CreateNicResponse(nic=nic, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateNic(self, request: pb.UpdateNicRequest, context: Context) -> pb.UpdateNicResponse:
        """Change one."""
        nic, diff = await self._nics.update(
            request.nic, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateNicResponse(nic=nic, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteNic(self, request: pb.DeleteNicRequest, context: Context) -> pb.DeleteNicResponse:
        """Remove one."""
        revision, diff = await self._nics.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteNicResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)
