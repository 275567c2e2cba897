"""The services of Vpc, FloatingIp, Route, RoutingPolicy and AddressReservation: messages to `resources.py` and back."""

from __future__ import annotations

from netctl.server.edge import Context
from netctl.server.nouns import ADDRESS_RESERVATION, FLOATING_IP, ROUTE, ROUTING_POLICY, VPC
from netctl.server.ports import Ports
from netctl.server.resources import Resources
from netctl.v1 import vpc_pb2 as pb
from netctl.v1 import vpc_pb2_grpc


class VpcService(vpc_pb2_grpc.VpcServiceServicer):
    """VPCs."""

    def __init__(self, ports: Ports) -> None:
        self._vpcs = Resources(VPC, ports)

    async def GetVpc(self, request: pb.GetVpcRequest, context: Context) -> pb.GetVpcResponse:
        """Return one."""
        return pb.GetVpcResponse(vpc=self._vpcs.get(request.name))

    async def ListVpcs(self, request: pb.ListVpcsRequest, context: Context) -> pb.ListVpcsResponse:
        """Return a page."""
        page = await self._vpcs.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListVpcsResponse(
            vpcs=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateVpc(self, request: pb.CreateVpcRequest, context: Context) -> pb.CreateVpcResponse:
        """Store a new one."""
        vpc, diff = await self._vpcs.create(request.vpc, (request, context))
        return pb.CreateVpcResponse(vpc=vpc, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateVpc(self, request: pb.UpdateVpcRequest, context: Context) -> pb.UpdateVpcResponse:
        """Change one."""
        vpc, diff = await self._vpcs.update(
            request.vpc, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateVpcResponse(vpc=vpc, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteVpc(self, request: pb.DeleteVpcRequest, context: Context) -> pb.DeleteVpcResponse:
        """Remove one."""
        revision, diff = await self._vpcs.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteVpcResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)


class FloatingIpService(vpc_pb2_grpc.FloatingIpServiceServicer):
    """Floating IPs."""

    def __init__(self, ports: Ports) -> None:
        self._floating_ips = Resources(FLOATING_IP, ports)

    async def GetFloatingIp(
        self, request: pb.GetFloatingIpRequest, context: Context
    ) -> pb.GetFloatingIpResponse:
        """Return one."""
        return pb.GetFloatingIpResponse(floating_ip=self._floating_ips.get(request.name))

    async def ListFloatingIps(
        self, request: pb.ListFloatingIpsRequest, context: Context
    ) -> pb.ListFloatingIpsResponse:
        """Return a page."""
        page = await self._floating_ips.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListFloatingIpsResponse(
            floating_ips=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateFloatingIp(
        self, request: pb.CreateFloatingIpRequest, context: Context
    ) -> pb.CreateFloatingIpResponse:
        """Store a new one."""
        floating_ip, diff = await self._floating_ips.create(request.floating_ip, (request, context))
        return pb.CreateFloatingIpResponse(
            floating_ip=floating_ip, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateFloatingIp(
        self, request: pb.UpdateFloatingIpRequest, context: Context
    ) -> pb.UpdateFloatingIpResponse:
        """Change one."""
        floating_ip, diff = await self._floating_ips.update(
            request.floating_ip, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateFloatingIpResponse(
            floating_ip=floating_ip, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteFloatingIp(
        self, request: pb.DeleteFloatingIpRequest, context: Context
    ) -> pb.DeleteFloatingIpResponse:
        """Remove one."""
        revision, diff = await self._floating_ips.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteFloatingIpResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class RouteService(vpc_pb2_grpc.RouteServiceServicer):
    """Static routes."""

    def __init__(self, ports: Ports) -> None:
        self._routes = Resources(ROUTE, ports)

    async def GetRoute(self, request: pb.GetRouteRequest, context: Context) -> pb.GetRouteResponse:
        """Return one."""
        return pb.GetRouteResponse(route=self._routes.get(request.name))

    async def ListRoutes(self, request: pb.ListRoutesRequest, context: Context) -> pb.ListRoutesResponse:
        """Return a page."""
        page = await self._routes.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListRoutesResponse(
            routes=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateRoute(self, request: pb.CreateRouteRequest, context: Context) -> pb.CreateRouteResponse:
        """Store a new one."""
        route, diff = await self._routes.create(request.route, (request, context))
        return pb.CreateRouteResponse(route=route, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateRoute(self, request: pb.UpdateRouteRequest, context: Context) -> pb.UpdateRouteResponse:
        """Change one."""
        route, diff = await self._routes.update(
            request.route, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateRouteResponse(route=route, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteRoute(self, request: pb.DeleteRouteRequest, context: Context) -> pb.DeleteRouteResponse:
        """Remove one."""
        revision, diff = await self._routes.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteRouteResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)


class RoutingPolicyService(vpc_pb2_grpc.RoutingPolicyServiceServicer):
    """Routing policies."""

    def __init__(self, ports: Ports) -> None:
        self._routing_policies = Resources(ROUTING_POLICY, ports)

    async def GetRoutingPolicy(
        self, request: pb.GetRoutingPolicyRequest, context: Context
    ) -> pb.GetRoutingPolicyResponse:
        """Return one."""
        return pb.GetRoutingPolicyResponse(routing_policy=self._routing_policies.get(request.name))

    async def ListRoutingPolicies(
        self, request: pb.ListRoutingPoliciesRequest, context: Context
    ) -> pb.ListRoutingPoliciesResponse:
        """Return a page."""
        page = await self._routing_policies.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListRoutingPoliciesResponse(
            routing_policies=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateRoutingPolicy(
        self, request: pb.CreateRoutingPolicyRequest, context: Context
    ) -> pb.CreateRoutingPolicyResponse:
        """Store a new one."""
        routing_policy, diff = await self._routing_policies.create(request.routing_policy, (request, context))
        return pb.CreateRoutingPolicyResponse(
            routing_policy=routing_policy, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateRoutingPolicy(
        self, request: pb.UpdateRoutingPolicyRequest, context: Context
    ) -> pb.UpdateRoutingPolicyResponse:
        """Change one."""
        routing_policy, diff = await self._routing_policies.update(
            request.routing_policy, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateRoutingPolicyResponse(
            routing_policy=routing_policy, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteRoutingPolicy(
        self, request: pb.DeleteRoutingPolicyRequest, context: Context
    ) -> pb.DeleteRoutingPolicyResponse:
        """Remove one."""
        revision, diff = await self._routing_policies.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteRoutingPolicyResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class AddressReservationService(vpc_pb2_grpc.AddressReservationServiceServicer):
    """Address reservations."""

    def __init__(self, ports: Ports) -> None:
        self._address_reservations = Resources(ADDRESS_RESERVATION, ports)

    async def GetAddressReservation(
        self, request: pb.GetAddressReservationRequest, context: Context
    ) -> pb.GetAddressReservationResponse:
        """Return one."""
        return pb.GetAddressReservationResponse(
            address_reservation=self._address_reservations.get(request.name)
        )

    async def ListAddressReservations(
        self, request: pb.ListAddressReservationsRequest, context: Context
    ) -> pb.ListAddressReservationsResponse:
        """Return a page."""
        page = await self._address_reservations.list_page(
            request.page_size, request.page_token, request.filter
        )
        return pb.ListAddressReservationsResponse(
            address_reservations=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateAddressReservation(
        self, request: pb.CreateAddressReservationRequest, context: Context
    ) -> pb.CreateAddressReservationResponse:
        """Store a new one."""
        address_reservation, diff = await self._address_reservations.create(
            request.address_reservation, (request, context)
        )
        return pb.CreateAddressReservationResponse(
            address_reservation=address_reservation, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateAddressReservation(
        self, request: pb.UpdateAddressReservationRequest, context: Context
    ) -> pb.UpdateAddressReservationResponse:
        """Change one."""
        address_reservation, diff = await self._address_reservations.update(
            request.address_reservation, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateAddressReservationResponse(
            address_reservation=address_reservation, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteAddressReservation(
        self, request: pb.DeleteAddressReservationRequest, context: Context
    ) -> pb.DeleteAddressReservationResponse:
        """Remove one."""
        revision, diff = await self._address_reservations.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteAddressReservationResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )
