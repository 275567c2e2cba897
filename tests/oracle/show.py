"""Layouts in short, for people who read why a test failed: one line for each intent."""

from __future__ import annotations

from netctl.model.floating_ip import FloatingIp
from netctl.model.intent import Intent
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.routing_policy import Endpoint, RoutingPolicy
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from tests.oracle.words import Layout, addresses_of, networks_of


def shown(layout: Layout) -> str:
    """Return all that decides where packets go."""
    lines = [f"{type(intent).__name__:14}{intent.id:16}{_line(intent)}" for intent in layout.intents]
    return "\n".join([*lines, f"dead: {sorted(layout.dead)}"])


def _line(intent: Intent) -> str:
    match intent:
        case Vpc():
            outer = (
                f"{found.subnet} {found.ipv4_address} {found.ipv6_address} {found.mac_address}"
                for found in intent.external_connections
            )
            prefixes = " ".join(intent.externally_routable_prefixes)
            return f"{intent.kind.value}; {', '.join(outer)}; prefixes {prefixes}"
        case Subnet():
            return (
                f"in {intent.vpc or intent.vlan_id} {'NAT ' if intent.nat else ''}{' '.join(networks_of(intent))}"
                f" {intent.gateway_mac_address}"
            )
        case Nic():
            words = (
                f"{'' if intent.connected else 'off '}{'' if intent.port_security else 'no port security'}"
            )
            return f"on {intent.host} {intent.mac_address} {' '.join(addresses_of(intent))} {words}"
        case FloatingIp():
            to = intent.nic or f"{intent.vpc} {intent.private_address}"
            return f"{intent.external_subnet} {intent.address} -> {to} {intent.mac_address}"
        case Route():
            hops = " ".join(hop.ip_address or hop.external_subnet for hop in intent.next_hops)
            return f"{intent.vpc} {intent.destination} -> {hops} priority {intent.priority}"
        case RoutingPolicy():
            return _policy(intent)
    return ""


def _policy(policy: RoutingPolicy) -> str:
    source, target = (
        " ".join([_end(end), *(f"{part.first}-{part.last}" for part in ports)])
        for end, ports in (
            (policy.source, policy.source_ports),
            (policy.destination, policy.destination_ports),
        )
    )
    action = " ".join([policy.action.value, *policy.service_ips])
    fallback = f" or {policy.fallback.value}" if policy.service_ips else ""
    arrow = "<->" if policy.bidirectional else "->"
    protocol = f"{policy.protocol.value} {policy.protocol_number or ''}"
    return f"{policy.vpc} {policy.priority} {protocol} {source} {arrow} {target}: {action}{fallback}"


def _end(endpoint: Endpoint) -> str:
    return "external" if endpoint.external else endpoint.cidr or "any"
