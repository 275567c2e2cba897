"""Explanations as people read them, and targets as people type them."""

from __future__ import annotations

import pytest

from netctl.cli.explain import describe_router, parse_target
from netctl.cli.failures import Failure
from netctl.v1 import explain_pb2 as pb


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("10.0.0.5", ("10.0.0.5", 0)),
        ("10.0.0.5:443", ("10.0.0.5", 443)),
        ("fd00::5", ("fd00::5", 0)),
        ("[fd00::5]:443", ("fd00::5", 443)),
        ("[fd00::5]", ("fd00::5", 0)),
        ("web-1", ("nics/web-1", 0)),
        ("web-1:80", ("nics/web-1", 80)),
        ("nic/web-1", ("nics/web-1", 0)),
        ("nics/web-1:80", ("nics/web-1", 80)),
        ("10.0.0.500", ("10.0.0.500", 0)),
    ],
)
def test_targets(text: str, target: tuple[str, int]) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text", ["10.0.0.5:", "10.0.0.5:x", "10.0.0.5:0", "web:70000", "[fd00::5]:", "[fd00::5]:-1"]
)
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="has no port"):
        parse_target(text)


def test_a_router_in_tables() -> None:
    router = pb.ExplainVpcResponse(
        routes=[
            pb.RouteEntry(
                destination="0.0.0.0/0",
                origin=pb.ROUTE_ORIGIN_STATIC,
                next_hops=["203.0.113.1"],
                priority=100,
                active=True,
                reason="the only route",
                resource_name="routes/default",
            ),
            pb.RouteEntry(
                destination="10.0.1.0/24",
                origin=pb.ROUTE_ORIGIN_CONNECTED,
                next_hops=["subnets/web"],
                reason="the subnet has no gateway address",
                resource_name="subnets/web",
            ),
        ],
        policies=[
            pb.PolicyEntry(
                name="routingPolicies/deny",
                priority=300,
                match="tcp any -> any",
                action="deny",
                packets=7,
                bytes=700,
                active=True,
            )
        ],
        nat=[
            pb.NatEntry(
                kind="floating",
                external_address="203.0.113.77",
                private_addresses="10.0.1.12",
                where="hosts/h2",
                resource_name="floatingIps/fip",
            )
        ],
        gateways=[
            pb.GatewayEntry(
                subnet="subnets/ext",
                addresses=["203.0.113.10"],
                hosts=[
                    pb.GatewayHost(host="hosts/h1", priority=100),
                    pb.GatewayHost(host="hosts/h2", priority=99, alive=True),
                ],
                active_host="hosts/h2",
                reason="hosts/h1 is preferred, and no host hears it by BFD",
            )
        ],
        problems=["no default route"],
    )
    assert [line for _, line in describe_router(router)] == [
        "routes",
        "  DESTINATION  VIA          FROM       PRIORITY  USED  WHY",
        "  0.0.0.0/0    203.0.113.1  static     100       yes   the only route",
        "  10.0.1.0/24  web          connected  -         no    the subnet has no gateway address",
        "",
        "policies",
        "  PRIORITY  NAME  MATCH           ACTION  PACKETS  BYTES  ACTIVE  WHY NOT",
        "  300       deny  tcp any -> any  deny    7        700    yes     -",
        "",
        "NAT",
        "  KIND      OUTSIDE       INSIDE     WHERE  FROM",
        "  floating  203.0.113.77  10.0.1.12  h2     floatingIps/fip",
        "",
        "gateways",
        "  SUBNET  ADDRESSES     ACTIVE  WHY THAT ONE                                        HOSTS",
        "  ext     203.0.113.10  h2      hosts/h1 is preferred, and no host hears it by BFD  "
        "h1 (100, not alive), h2 (99)",
        "",
        "problem: no default route",
    ]


def test_an_empty_router_has_no_tables() -> None:
    assert describe_router(pb.ExplainVpcResponse()) == []
