"""The services of the nouns of security: messages to `resources.py` and back."""

from __future__ import annotations

import asyncio

from netctl.analysis.members import members_of
from netctl.errors import InvalidIntent, NotFound
from netctl.model.groups import SECURABLE
from netctl.server.convert import parse_key
from netctl.server.edge import Context
from netctl.server.nouns import ADDRESS_GROUP, CATEGORY, ENTITY_GROUP, SECURITY_POLICY, SERVICE_GROUP
from netctl.server.ports import Ports
from netctl.server.resources import Resources
from netctl.v1 import security_pb2 as pb
from netctl.v1 import security_pb2_grpc

_MEMBERS_MAX = 1000


class CategoryService(security_pb2_grpc.CategoryServiceServicer):
    """Categories."""

    def __init__(self, ports: Ports) -> None:
        self._categories = Resources(CATEGORY, ports)

    async def GetCategory(self, request: pb.GetCategoryRequest, context: Context) -> pb.GetCategoryResponse:
        """Return one."""
        return pb.GetCategoryResponse(category=self._categories.get(request.name))

    async def ListCategories(
        self, request: pb.ListCategoriesRequest, context: Context
    ) -> pb.ListCategoriesResponse:
        """Return a page."""
        page = await self._categories.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListCategoriesResponse(
            categories=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateCategory(
        self, request: pb.CreateCategoryRequest, context: Context
    ) -> pb.CreateCategoryResponse:
        """Store a new one."""
        category, diff = await self._categories.create(request.category, (request, context))
        return pb.CreateCategoryResponse(
            category=category, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateCategory(
        self, request: pb.UpdateCategoryRequest, context: Context
    ) -> pb.UpdateCategoryResponse:
        """Change one."""
        category, diff = await self._categories.update(
            request.category, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateCategoryResponse(
            category=category, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteCategory(
        self, request: pb.DeleteCategoryRequest, context: Context
    ) -> pb.DeleteCategoryResponse:
        """Remove one."""
        revision, diff = await self._categories.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteCategoryResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class AddressGroupService(security_pb2_grpc.AddressGroupServiceServicer):
    """Address groups."""

    def __init__(self, ports: Ports) -> None:
        self._address_groups = Resources(ADDRESS_GROUP, ports)

    async def GetAddressGroup(
        self, request: pb.GetAddressGroupRequest, context: Context
    ) -> pb.GetAddressGroupResponse:
        """Return one."""
        return pb.GetAddressGroupResponse(address_group=self._address_groups.get(request.name))

    async def ListAddressGroups(
        self, request: pb.ListAddressGroupsRequest, context: Context
    ) -> pb.ListAddressGroupsResponse:
        """Return a page."""
        page = await self._address_groups.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListAddressGroupsResponse(
            address_groups=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateAddressGroup(
        self, request: pb.CreateAddressGroupRequest, context: Context
    ) -> pb.CreateAddressGroupResponse:
        """Store a new one."""
        address_group, diff = await self._address_groups.create(request.address_group, (request, context))
        return pb.CreateAddressGroupResponse(
            address_group=address_group, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateAddressGroup(
        self, request: pb.UpdateAddressGroupRequest, context: Context
    ) -> pb.UpdateAddressGroupResponse:
        """Change one."""
        address_group, diff = await self._address_groups.update(
            request.address_group, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateAddressGroupResponse(
            address_group=address_group, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteAddressGroup(
        self, request: pb.DeleteAddressGroupRequest, context: Context
    ) -> pb.DeleteAddressGroupResponse:
        """Remove one."""
        revision, diff = await self._address_groups.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteAddressGroupResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class ServiceGroupService(security_pb2_grpc.ServiceGroupServiceServicer):
    """Service groups."""

    def __init__(self, ports: Ports) -> None:
        self._service_groups = Resources(SERVICE_GROUP, ports)

    async def GetServiceGroup(
        self, request: pb.GetServiceGroupRequest, context: Context
    ) -> pb.GetServiceGroupResponse:
        """Return one."""
        return pb.GetServiceGroupResponse(service_group=self._service_groups.get(request.name))

    async def ListServiceGroups(
        self, request: pb.ListServiceGroupsRequest, context: Context
    ) -> pb.ListServiceGroupsResponse:
        """Return a page."""
        page = await self._service_groups.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListServiceGroupsResponse(
            service_groups=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateServiceGroup(
        self, request: pb.CreateServiceGroupRequest, context: Context
    ) -> pb.CreateServiceGroupResponse:
        """Store a new one."""
        service_group, diff = await self._service_groups.create(request.service_group, (request, context))
        return pb.CreateServiceGroupResponse(
            service_group=service_group, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateServiceGroup(
        self, request: pb.UpdateServiceGroupRequest, context: Context
    ) -> pb.UpdateServiceGroupResponse:
        """Change one."""
        service_group, diff = await self._service_groups.update(
            request.service_group, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateServiceGroupResponse(
            service_group=service_group, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteServiceGroup(
        self, request: pb.DeleteServiceGroupRequest, context: Context
    ) -> pb.DeleteServiceGroupResponse:
        """Remove one."""
        revision, diff = await self._service_groups.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteServiceGroupResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class EntityGroupService(security_pb2_grpc.EntityGroupServiceServicer):
    """Entity groups."""

    def __init__(self, ports: Ports) -> None:
        self._entity_groups, self._intents = Resources(ENTITY_GROUP, ports), ports.intents

    async def GetEntityGroup(
        self, request: pb.GetEntityGroupRequest, context: Context
    ) -> pb.GetEntityGroupResponse:
        """Return one."""
        return pb.GetEntityGroupResponse(entity_group=self._entity_groups.get(request.name))

    async def ListEntityGroups(
        self, request: pb.ListEntityGroupsRequest, context: Context
    ) -> pb.ListEntityGroupsResponse:
        """Return a page."""
        page = await self._entity_groups.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListEntityGroupsResponse(
            entity_groups=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateEntityGroup(
        self, request: pb.CreateEntityGroupRequest, context: Context
    ) -> pb.CreateEntityGroupResponse:
        """Store a new one."""
        entity_group, diff = await self._entity_groups.create(request.entity_group, (request, context))
        return pb.CreateEntityGroupResponse(
            entity_group=entity_group, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateEntityGroup(
        self, request: pb.UpdateEntityGroupRequest, context: Context
    ) -> pb.UpdateEntityGroupResponse:
        """Change one."""
        entity_group, diff = await self._entity_groups.update(
            request.entity_group, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateEntityGroupResponse(
            entity_group=entity_group, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteEntityGroup(
        self, request: pb.DeleteEntityGroupRequest, context: Context
    ) -> pb.DeleteEntityGroupResponse:
        """Remove one."""
        revision, diff = await self._entity_groups.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteEntityGroupResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> pb.ListMembersResponse:
        """Return who is in a group or category."""
        key = parse_key("name", request.name)
        if key[0] not in SECURABLE:
            raise InvalidIntent("name", "is no group of NICs; write entityGroups/ID or categories/ID")
        snapshot = self._intents.snapshot()
        if snapshot.get(key) is None:
            raise NotFound(f"{request.name} does not exist", field="name")
        members = await asyncio.to_thread(members_of, snapshot, request.name)
        names = [f"nics/{id}" for id in members[:_MEMBERS_MAX]]
        return pb.ListMembersResponse(nics=names, count=len(members))


class SecurityPolicyService(security_pb2_grpc.SecurityPolicyServiceServicer):
    """Security policies."""

    def __init__(self, ports: Ports) -> None:
        self._security_policies = Resources(SECURITY_POLICY, ports)

    async def GetSecurityPolicy(
        self, request: pb.GetSecurityPolicyRequest, context: Context
    ) -> pb.GetSecurityPolicyResponse:
        """Return one."""
        return pb.GetSecurityPolicyResponse(security_policy=self._security_policies.get(request.name))

    async def ListSecurityPolicies(
        self, request: pb.ListSecurityPoliciesRequest, context: Context
    ) -> pb.ListSecurityPoliciesResponse:
        """Return a page."""
        page = await self._security_policies.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListSecurityPoliciesResponse(
            security_policies=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateSecurityPolicy(
        self, request: pb.CreateSecurityPolicyRequest, context: Context
    ) -> pb.CreateSecurityPolicyResponse:
        """Store a new one."""
        security_policy, diff = await self._security_policies.create(
            request.security_policy, (request, context)
        )
        return pb.CreateSecurityPolicyResponse(
            security_policy=security_policy, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateSecurityPolicy(
        self, request: pb.UpdateSecurityPolicyRequest, context: Context
    ) -> pb.UpdateSecurityPolicyResponse:
        """Change one."""
        security_policy, diff = await self._security_policies.update(
            request.security_policy, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateSecurityPolicyResponse(
            security_policy=security_policy, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteSecurityPolicy(
        self, request: pb.DeleteSecurityPolicyRequest, context: Context
    ) -> pb.DeleteSecurityPolicyResponse:
        """Remove one."""
        revision, diff = await self._security_policies.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteSecurityPolicyResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )
