"""Explanations out: a router, a policy's hits, the path of a packet."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.analysis.gateways import GatewayEntry
from netctl.analysis.hits import Tally
from netctl.analysis.policies import PolicyEntry
from netctl.analysis.router import Router
from netctl.analysis.routes import Origin
from netctl.model.keys import HostId, Kind, resource_name
from netctl.server.convert import set_time
from netctl.v1 import explain_pb2 as pb

_ORIGINS = {
    Origin.CONNECTED: pb.ROUTE_ORIGIN_CONNECTED,
    Origin.STATIC: pb.ROUTE_ORIGIN_STATIC,
    Origin.SPOKE: pb.ROUTE_ORIGIN_SPOKE,
}


def router_to_proto(router: Router, tallies: Sequence[Tally]) -> pb.ExplainVpcResponse:
    """Return the message of a router; `tallies` are those of its policies, in their order."""
    return pb.ExplainVpcResponse(
        routes=[
            pb.RouteEntry(
                destination=entry.destination,
                origin=_ORIGINS[entry.origin],
                next_hops=entry.next_hops,
                priority=entry.priority,
                active=entry.active,
                reason=entry.reason,
                resource_name=resource_name(entry.key),
            )
            for entry in router.routes
        ],
        policies=[_policy(entry, tally) for entry, tally in zip(router.policies, tallies, strict=True)],
        nat=[
            pb.NatEntry(
                kind=entry.kind,
                external_address=entry.external_address,
                private_addresses=entry.private_addresses,
                where=entry.where,
                resource_name=resource_name(entry.key),
            )
            for entry in router.nat
        ],
        gateways=[_gateway(entry) for entry in router.gateways],
        problems=router.problems,
    )


def hits_to_proto(tally: Tally, missing: Sequence[HostId]) -> pb.GetRoutingPolicyHitsResponse:
    """Return the message of a policy's hits."""
    total = tally.total
    message = pb.GetRoutingPolicyHitsResponse(
        packets=total.packets,
        bytes=total.bytes,
        hosts=[
            pb.HostHits(host=_host(host), packets=hits.packets, bytes=hits.bytes)
            for host, hits in sorted(tally.hosts.items())
        ],
        missing_hosts=[_host(host) for host in missing],
    )
    if tally.clear_time_s:
        set_time(message.clear_time, tally.clear_time_s)
    return message


def _policy(entry: PolicyEntry, tally: Tally) -> pb.PolicyEntry:
    return pb.PolicyEntry(
        name=resource_name((Kind.ROUTING_POLICY, entry.policy.id)),
        priority=entry.policy.priority,
        match=entry.match,
        action=entry.action,
        packets=tally.total.packets,
        bytes=tally.total.bytes,
        active=entry.active,
        reason=entry.reason,
    )


def _gateway(entry: GatewayEntry) -> pb.GatewayEntry:
    connection = entry.exit.connection
    return pb.GatewayEntry(
        subnet=resource_name((Kind.SUBNET, connection.subnet)),
        addresses=[address for address in (connection.ipv4_address, connection.ipv6_address) if address],
        mac_address=connection.mac_address,
        hosts=[
            pb.GatewayHost(host=_host(host.host), priority=host.priority, alive=host.alive)
            for host in entry.hosts
        ],
        active_host=_host(entry.active_host) if entry.active_host else "",
        reason=entry.reason,
    )


def _host(id: str) -> str:
    return f"{Kind.HOST.value}/{id}"
