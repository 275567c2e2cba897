"""Admission of RoutingPolicy: its place among the others, and the NICs that it reroutes to."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.indexes import Space
from netctl.model.keys import Kind, resource_name
from netctl.model.networks import subnet_at
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, version_of
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, stamp


def admit_routing_policy(
    asked: RoutingPolicy, before: RoutingPolicy | None, draft: Draft, context: Context
) -> RoutingPolicy:
    """Return the policy to store; nothing in it is left to admission."""
    if before is not None:
        check_kept("vpc", before.vpc, asked.vpc)
    if draft.vpc(asked.vpc) is None:
        raise absent((Kind.VPC, asked.vpc), "vpc")
    # Of two that match with equal priority OVN takes either (ovn-nb(5), Logical_Router_Policy.priority).
    owner = draft.owner(((Space.POLICY, asked.vpc), asked.priority))
    if owner not in (None, (Kind.ROUTING_POLICY, asked.id)):
        raise AlreadyExists(
            f"priority {asked.priority} in vpcs/{asked.vpc} is that of {resource_name(owner)}: use another priority",
            field="priority",
        )
    for i, address in enumerate(asked.service_ips):
        _check_service(asked, address, f"service_ips[{i}]", draft)
    return replace(asked, meta=stamp(asked.meta, before, context))


def _check_service(asked: RoutingPolicy, address: str, field: str, draft: Draft) -> None:
    version = version_of(address)
    number = address_number(version, address)
    subnet = subnet_at(draft, asked.vpc, version, number)
    owner = draft.owner(((f"ipv{version}", subnet.id), number)) if subnet is not None else None
    nic = draft.get(owner) if owner is not None else None
    if not isinstance(nic, Nic):
        raise InvalidIntent(
            field, f"no NIC in vpcs/{asked.vpc} has the address {address}: name that of a NIC in its subnets"
        )
    if nic.port_security:
        raise InvalidIntent(
            field,
            f"{address} is of nics/{nic.id}, whose port security drops what is not from its own addresses: set its"
            " port_security to false first",
        )
