"""What commands ask of the controller, by kind and name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from netctl.cli.client import Client, new_request_id
from netctl.cli.kinds import Kind, kind_of_name
from netctl.cli.messages import message_type
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import security_pb2 as security

PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What every mutation carries: its idempotency key, whether it is only a question, and why."""

    request_id: str = ""
    dry_run: bool = False
    reason: str = ""

    def with_id(self) -> Ask:
        """Return the same with a fresh idempotency key unless one was given."""
        return self if self.request_id else replace(self, request_id=new_request_id())

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a request."""
        return {
            "request_id": self.with_id().request_id,
            "validate_only": self.dry_run,
            "change_reason": self.reason,
        }


def get(client: Client, name: str) -> Any:
    """Read one resource."""
    kind = kind_of_name(name)
    request = message_type(kind, f"Get{kind.message}Request")(name=name)
    answer = client.call(_method(kind, "Get"), request, message_type(kind, f"Get{kind.message}Response"))
    return getattr(answer, kind.field)


def list_all(client: Client, kind: Kind, filter_: str = "") -> Iterator[Any]:
    """Read all pages of a kind."""
    request_type = message_type(kind, f"List{kind.many}Request")
    answer_type = message_type(kind, f"List{kind.many}Response")
    method, token = f"{kind.message}Service/List{kind.many}", ""
    while True:
        request = request_type(page_size=PAGE_SIZE, page_token=token, filter=filter_)
        answer: Any = client.call(method, request, answer_type)
        yield from getattr(answer, kind.plural_field)
        token = answer.next_page_token
        if not token:
            return


def subnet_usage(client: Client, name: str) -> network.GetSubnetUsageResponse:
    """Read how many addresses a subnet has, and how many are taken."""
    request = network.GetSubnetUsageRequest(name=name)
    return client.call("SubnetService/GetSubnetUsage", request, network.GetSubnetUsageResponse)


def list_members(client: Client, name: str) -> security.ListMembersResponse:
    """Read which NICs are in an entity group or category."""
    request = security.ListMembersRequest(name=name)
    return client.call("EntityGroupService/ListMembers", request, security.ListMembersResponse)


def create(client: Client, kind: Kind, resource: Any, ask: Ask) -> Any:
    """Create a resource; return the answer, with the resource as stored."""
    request = message_type(kind, f"Create{kind.message}Request")(**{kind.field: resource}, **ask.fields)
    return client.call(_method(kind, "Create"), request, message_type(kind, f"Create{kind.message}Response"))


def update(client: Client, resource: Any, paths: list[str], ask: Ask, *, if_revision: int = 0) -> Any:
    """Change the fields at `paths`; return the answer, with the resource as stored."""
    kind = kind_of_name(resource.name)
    request: Any = message_type(kind, f"Update{kind.message}Request")(
        **{kind.field: resource}, if_revision=if_revision, **ask.fields
    )
    request.update_mask.paths.extend(paths)
    return client.call(_method(kind, "Update"), request, message_type(kind, f"Update{kind.message}Response"))


def delete(client: Client, name: str, ask: Ask, *, if_revision: int = 0) -> Any:
    """Delete a resource; return the answer, with the store's revision of the removal."""
    kind = kind_of_name(name)
    request = message_type(kind, f"Delete{kind.message}Request")(
        name=name, if_revision=if_revision, **ask.fields
    )
    return client.call(_method(kind, "Delete"), request, message_type(kind, f"Delete{kind.message}Response"))


def batch(client: Client, edits: list[operations.Edit], ask: Ask) -> operations.BatchResponse:
    """Apply edits as one atomic change."""
    request = operations.BatchRequest(edits=edits, **ask.fields)
    return client.call("BatchService/Batch", request, operations.BatchResponse, timeout_s=120)


def list_changes(client: Client, name: str, limit: int) -> list[operations.Change]:
    """Read the newest changes of a resource, of all when `name` is ""."""
    changes: list[operations.Change] = []
    token = ""
    while len(changes) < limit:
        size = min(limit - len(changes), PAGE_SIZE)
        request = operations.ListChangesRequest(page_size=size, page_token=token, resource_name=name)
        answer = client.call("ChangeService/ListChanges", request, operations.ListChangesResponse)
        changes.extend(answer.changes)
        token = answer.next_page_token
        if not token:
            break
    return changes


def controller(client: Client) -> operations.GetControllerResponse:
    """Read the state of the controller itself."""
    return client.call(
        "ControllerService/GetController", operations.GetControllerRequest(), operations.GetControllerResponse
    )


def allow_mass_delete(client: Client, reason: str) -> None:
    """Let the next pass delete more rows than the guard allows."""
    request = operations.AllowMassDeleteRequest(change_reason=reason)
    client.call("ControllerService/AllowMassDelete", request, operations.AllowMassDeleteResponse)


def _method(kind: Kind, verb: str) -> str:
    return f"{kind.message}Service/{verb}{kind.message}"
