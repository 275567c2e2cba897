"""Worlds of policies in short, for people who read why a test failed: one line for each intent and rule."""

from __future__ import annotations

from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import SecurityPolicy, SecurityRule
from netctl.model.service import Service
from tests.oracle.policy_words import PolicyWorld


def shown(world: PolicyWorld) -> str:
    """Return all that decides who may talk to whom."""
    lines = [f"vpc {vpc.id}: {' '.join(vpc.categories)}" for vpc in world.vpcs.values()]
    lines += [f"subnet {s.id}: {s.vpc or 'VLAN'} {' '.join(s.categories)}" for s in world.subnets.values()]
    for port in world.ports():
        secure = "" if port.nic.port_security else " no port security"
        where = f"{port.nic.id}/{port.vlan_id} on {port.subnet.id}"
        lines.append(f"port {where}: {' '.join((*port.addresses, *sorted(port.categories)))}{secure}")
    for group in world.groups.values():
        include, without = (
            " | ".join("&".join(one.all_of) for one in of) for of in (group.include, group.except_)
        )
        lines.append(f"group {group.id}: {include} but {without}")
    for addresses in world.address_groups.values():
        lines.append(f"addresses {addresses.id}: {addresses.addresses} but {addresses.except_addresses}")
    for services in world.service_groups.values():
        lines.append(f"services {services.id}: {_services(services.services)}")
    lines += [line for policy in world.policies for line in _policy(policy)]
    return "\n".join([*lines, f"expired: {sorted(world.expired)}"])


def _policy(policy: SecurityPolicy) -> list[str]:
    where = f"{policy.scope.value} {' '.join(policy.vpcs)}"
    head = f"policy {policy.id}: {policy.kind.value} {policy.mode.value} {where} priority {policy.priority}"
    return [
        f"{head} secured {' '.join(policy.secured)} intra {policy.intra_group.value}",
        *map(_rule, policy.rules),
    ]


def _rule(rule: SecurityRule) -> str:
    words = [
        f"  {rule.name}: {rule.action.value} {rule.direction.value} priority {rule.priority}",
        f"of {' '.join(rule.applied_to) or 'all'} with {' '.join(rule.peers) or 'everybody'}",
        f"by {_services(rule.services)} {' '.join(rule.service_groups)} IPv{rule.ip_version}",
        *(["stateless"] if rule.stateless else []),
        *(["disabled"] if rule.disabled else []),
    ]
    return " ".join(words)


def _services(services: tuple[Service, ...]) -> str:
    return " ".join(map(_service, services)) or "-"


def _service(service: Service) -> str:
    kind = "" if service.icmp_type is None else f" type {service.icmp_type} code {service.icmp_code}"
    number = f" {service.protocol_number}" if service.protocol_number else ""
    return f"{service.protocol.value}{number}{kind} {_ranges(service.source_ports)}>{_ranges(service.ports)}"


def _ranges(ranges: tuple[PortRange, ...]) -> str:
    return ",".join(f"{part.first}-{part.last}" for part in ranges)
