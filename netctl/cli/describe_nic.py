"""What security policies know a NIC by in lines, for `netctl describe nic`."""

from __future__ import annotations

from typing import Any

from netctl.cli.client import Client
from netctl.cli.messages import render_json
from netctl.cli.output import align
from netctl.cli.values import short_enum
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import security_pb2

Lines = list[tuple[str, str]]

_KINDS = security_pb2.SecurityPolicyKind.DESCRIPTOR
_MODES = security_pb2.SecurityPolicyMode.DESCRIPTOR


def explain_nic(client: Client, name: str) -> tuple[Lines, dict[str, Any]]:
    """Return what policies know a NIC by and which are about it: lines and data."""
    request = pb.ExplainNicRequest(name=name)
    answer = client.call("SecurityExplainService/ExplainNic", request, pb.ExplainNicResponse)
    return [line for port in answer.ports for line in port_lines(port)], render_json(answer, zeros=True)


def port_lines(port: pb.ExplainedPort) -> Lines:
    """Return one port in lines; what it has none of is left out, but for policies."""
    where = port.realm or "outside VPCs"
    lines = [("port", f"{f'VLAN {port.vlan_id} on ' if port.vlan_id else ''}{port.subnet}, {where}")]
    lines += [("given", address) for address in port.given_addresses]
    lines += [("learned", address) for address in port.learned_addresses]
    lines += [("category", f"{one.category}  from {', '.join(one.origins)}") for one in port.categories]
    lines += [("group", group) for group in port.entity_groups]
    if not port.policies:
        return [*lines, ("policies", "none: everything is allowed")]
    table = align([("POLICY", "KIND", "MODE", "BY"), *map(_cells, port.policies)])
    return [*lines, *(("" if index else "policies", line) for index, line in enumerate(table))]


def _cells(policy: pb.PortPolicy) -> tuple[str, ...]:
    words = (short_enum(_KINDS, policy.kind), short_enum(_MODES, policy.mode))
    kind, mode = (word.lower().replace("_", "-") for word in words)  # as flags and tables say it
    return policy.policy, kind, mode, ",".join(policy.subjects)
