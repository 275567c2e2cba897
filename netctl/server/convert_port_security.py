"""What security policies know a NIC by, as a message."""

from __future__ import annotations

from collections.abc import Iterable

from netctl.analysis.port_security import AboutPort, PortSecurity
from netctl.model.keys import Kind, resource_name
from netctl.server.convert_security_policy import KIND_VALUES, MODE_VALUES
from netctl.v1 import explain_pb2 as pb


def nic_to_proto(ports: Iterable[PortSecurity]) -> pb.ExplainNicResponse:
    """Return the message of a NIC's ports."""
    return pb.ExplainNicResponse(ports=map(_port, ports))


def _port(of: PortSecurity) -> pb.ExplainedPort:
    port = of.port
    return pb.ExplainedPort(
        vlan_id=port.vlan_id,
        subnet=resource_name((Kind.SUBNET, port.subnet.id)),
        realm=resource_name((Kind.VPC, port.realm)) if port.realm else "",
        categories=[
            pb.PortCategory(category=resource_name((Kind.CATEGORY, id)), origins=origins)
            for id, origins in of.categories.items()
        ],
        entity_groups=[resource_name((Kind.ENTITY_GROUP, id)) for id in of.entity_groups],
        given_addresses=port.given,
        learned_addresses=of.learned,
        policies=map(_policy, of.policies),
    )


def _policy(about: AboutPort) -> pb.PortPolicy:
    policy = about.policy
    return pb.PortPolicy(
        policy=resource_name((Kind.SECURITY_POLICY, policy.id)),
        kind=KIND_VALUES[policy.kind],
        mode=MODE_VALUES[policy.mode],
        subjects=about.subjects,
    )
