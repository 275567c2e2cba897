"""The services of NetworkFunction, ServiceChain and TrafficMirror: messages to `resources.py` and back."""

from __future__ import annotations

from netctl.server.edge import Context
from netctl.server.nouns import NETWORK_FUNCTION, SERVICE_CHAIN, TRAFFIC_MIRROR
from netctl.server.ports import Ports
from netctl.server.resources import Resources
from netctl.v1 import chain_pb2 as pb
from netctl.v1 import chain_pb2_grpc


class NetworkFunctionService(chain_pb2_grpc.NetworkFunctionServiceServicer):
    """Network functions."""

    def __init__(self, ports: Ports) -> None:
        self._network_functions = Resources(NETWORK_FUNCTION, ports)

    async def GetNetworkFunction(
        self, request: pb.GetNetworkFunctionRequest, context: Context
    ) -> pb.GetNetworkFunctionResponse:
        """Return one."""
        return pb.GetNetworkFunctionResponse(network_function=self._network_functions.get(request.name))

    async def ListNetworkFunctions(
        self, request: pb.ListNetworkFunctionsRequest, context: Context
    ) -> pb.ListNetworkFunctionsResponse:
        """Return a page."""
        page = await self._network_functions.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListNetworkFunctionsResponse(
            network_functions=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateNetworkFunction(
        self, request: pb.CreateNetworkFunctionRequest, context: Context
    ) -> pb.CreateNetworkFunctionResponse:
        """Store a new one."""
        network_function, diff = await self._network_functions.create(
            request.network_function, (request, context)
        )
        return pb.CreateNetworkFunctionResponse(
            network_function=network_function, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateNetworkFunction(
        self, request: pb.UpdateNetworkFunctionRequest, context: Context
    ) -> pb.UpdateNetworkFunctionResponse:
        """Change one."""
        network_function, diff = await self._network_functions.update(
            request.network_function, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateNetworkFunctionResponse(
            network_function=network_function, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteNetworkFunction(
        self, request: pb.DeleteNetworkFunctionRequest, context: Context
    ) -> pb.DeleteNetworkFunctionResponse:
        """Remove one."""
        revision, diff = await self._network_functions.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteNetworkFunctionResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class ServiceChainService(chain_pb2_grpc.ServiceChainServiceServicer):
    """Service chains."""

    def __init__(self, ports: Ports) -> None:
        self._service_chains = Resources(SERVICE_CHAIN, ports)

    async def GetServiceChain(
        self, request: pb.GetServiceChainRequest, context: Context
    ) -> pb.GetServiceChainResponse:
        """Return one."""
        return pb.GetServiceChainResponse(service_chain=self._service_chains.get(request.name))

    async def ListServiceChains(
        self, request: pb.ListServiceChainsRequest, context: Context
    ) -> pb.ListServiceChainsResponse:
        """Return a page."""
        page = await self._service_chains.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListServiceChainsResponse(
            service_chains=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateServiceChain(
        self, request: pb.CreateServiceChainRequest, context: Context
    ) -> pb.CreateServiceChainResponse:
        """Store a new one."""
        service_chain, diff = await self._service_chains.create(request.service_chain, (request, context))
        return pb.CreateServiceChainResponse(
            service_chain=service_chain, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateServiceChain(
        self, request: pb.UpdateServiceChainRequest, context: Context
    ) -> pb.UpdateServiceChainResponse:
        """Change one."""
        service_chain, diff = await self._service_chains.update(
            request.service_chain, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateServiceChainResponse(
            service_chain=service_chain, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteServiceChain(
        self, request: pb.DeleteServiceChainRequest, context: Context
    ) -> pb.DeleteServiceChainResponse:
        """Remove one."""
        revision, diff = await self._service_chains.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteServiceChainResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class TrafficMirrorService(chain_pb2_grpc.TrafficMirrorServiceServicer):
    """Traffic mirrors."""

    def __init__(self, ports: Ports) -> None:
        self._traffic_mirrors = Resources(TRAFFIC_MIRROR, ports)

    async def GetTrafficMirror(
        self, request: pb.GetTrafficMirrorRequest, context: Context
    ) -> pb.GetTrafficMirrorResponse:
        """Return one."""
        return pb.GetTrafficMirrorResponse(traffic_mirror=self._traffic_mirrors.get(request.name))

    async def ListTrafficMirrors(
        self, request: pb.ListTrafficMirrorsRequest, context: Context
    ) -> pb.ListTrafficMirrorsResponse:
        """Return a page."""
        page = await self._traffic_mirrors.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListTrafficMirrorsResponse(
            traffic_mirrors=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateTrafficMirror(
        self, request: pb.CreateTrafficMirrorRequest, context: Context
    ) -> pb.CreateTrafficMirrorResponse:
        """Store a new one."""
        traffic_mirror, diff = await self._traffic_mirrors.create(request.traffic_mirror, (request, context))
        return pb.CreateTrafficMirrorResponse(
            traffic_mirror=traffic_mirror, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateTrafficMirror(
        self, request: pb.UpdateTrafficMirrorRequest, context: Context
    ) -> pb.UpdateTrafficMirrorResponse:
        """Change one."""
        traffic_mirror, diff = await self._traffic_mirrors.update(
            request.traffic_mirror, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateTrafficMirrorResponse(
            traffic_mirror=traffic_mirror, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteTrafficMirror(
        self, request: pb.DeleteTrafficMirrorRequest, context: Context
    ) -> pb.DeleteTrafficMirrorResponse:
        """Remove one."""
        revision, diff = await self._traffic_mirrors.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteTrafficMirrorResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )
