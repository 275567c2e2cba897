"""Routing policies with a chain: what a gateway host's router sends to an external subnet and gets from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.assignment_chains import PortSpan, SteeringRule
from netctl.model.intent import Intent
from netctl.model.keys import RoutingPolicyId
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, Protocol
from netctl.model.snapshot import Snapshot
from tests.chained import chain, chains_on, firewall, segment_of, with_chain
from tests.intents import infra, meta, snapshot
from tests.unit.compiler.rows import rows_of, tables
from tests.vpcs import connection, external, guest, policy, routed, vpc

ROUTER = connection().mac_address
OUT = Endpoint(external=True)


def world(*more: Intent, nat: bool = False) -> list[Intent]:
    blue = vpc("blue", connection(gateways=("h1",)))
    return [*firewall(), external(nat=nat), blue, routed(), guest("g1"), *more]


def made(*more: Intent, nat: bool = False) -> Snapshot:
    return snapshot([*infra(), *world(*more, nat=nat)])


def chained(name: str = "deep", **change: Any) -> Any:
    return with_chain(policy(name, PolicyAction.PERMIT, **change))


def rules(*more: Intent, observed: Observed = NOTHING_OBSERVED) -> list[SteeringRule]:
    """Return the rules on the gateway, without what the router says for itself."""
    found = segment_of(chains_on(made(*more), "h1", observed), "ext").rules
    assert found[0].local_networks == ("203.0.100.10",), "the router's own comes first"
    assert (found[0].chain_id, found[0].local_mac_addresses) == ("", (ROUTER,))
    return list(found[1:])


def test_both_directions_of_what_a_policy_permits_pass() -> None:
    web = (PortRange(first=443, last=443),)
    given: dict[str, Any] = {
        "source": Endpoint(cidr="10.0.1.0/24"),
        "destination": OUT,
        "protocol": Protocol.TCP,
        "destination_ports": web,
    }
    assert rules(chained(**given)) == [
        SteeringRule(
            priority=2,
            chain_id="inspect",
            local_mac_addresses=(ROUTER,),
            local_networks=("10.0.1.0/24",),
            ip_version=4,
            protocol=6,
            destination_ports=(PortSpan(first=443, last=443),),
        )
    ]
    assert rules(chained(**given, bidirectional=True)) == rules(chained(**given)), "mirrored as it is"


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({}, [(True, (), ()), (False, (), ())]),
        ({"destination": OUT}, [(True, (), ())]),
        ({"source": OUT}, [(False, (), ())]),
        ({"source": OUT, "destination": OUT}, []),
        (
            {"source": Endpoint(cidr="10.0.1.0/24"), "destination": Endpoint(cidr="198.51.100.0/24")},
            [(True, ("10.0.1.0/24",), ("198.51.100.0/24",)), (False, ("198.51.100.0/24",), ("10.0.1.0/24",))],
        ),
    ],
    ids=["any", "out", "in", "through", "networks"],
)
def test_either_end_may_be_behind_the_router(ends: dict[str, Any], said: list[Any]) -> None:
    udp: dict[str, Any] = {"protocol": Protocol.UDP, "source_ports": (PortRange(first=53, last=53),)}
    found = rules(chained(**ends, **udp))
    assert [(one.local_opens, one.local_networks, one.peer_networks) for one in found] == said
    assert {one.source_ports for one in found} <= {(PortSpan(first=53, last=53),)}


def test_the_policy_with_the_highest_priority_that_permits_decides() -> None:
    def plain(name: str, priority: int, action: PolicyAction = PolicyAction.PERMIT, **change: Any) -> Any:
        return policy(name, action, priority=priority, destination=OUT, protocol=Protocol.UDP, **change)

    found = rules(
        chained(priority=500, destination=OUT),
        plain("first", 600),
        plain("denied", 700, PolicyAction.DENY),
        plain("led", 800, PolicyAction.REROUTE, service_ips=("10.0.1.5",), fallback=Fallback.ALLOW),
        plain("late", 400),
    )
    assert [(one.chain_id, one.protocol) for one in found] == [("", 17), ("inspect", None)]
    dead = Observed(dead=frozenset({(vpc().id, "10.0.1.5")}))
    again = rules(
        chained(priority=500, destination=OUT),
        plain("led", 800, PolicyAction.REROUTE, service_ips=("10.0.1.5",), fallback=Fallback.ALLOW),
        observed=dead,
    )
    assert [one.chain_id for one in again] == ["", "inspect"], "what it falls back to permits"


def test_icmp_is_that_of_the_version_and_the_router_has_one_address() -> None:
    assert [one.protocol for one in rules(chained(protocol=Protocol.ICMP, destination=OUT))] == [1]
    assert [
        one.protocol for one in rules(chained(protocol=Protocol.NUMBER, protocol_number=47, destination=OUT))
    ] == [47]
    six = Endpoint(cidr="2001:db8::/32")
    assert rules(chained(destination=six), chained("four", priority=90, destination=OUT))[0].ip_version == 4


def test_only_gateways_steer_and_only_where_nothing_is_translated() -> None:
    def network_name(*intents: Intent) -> str:
        ports = tables(rows_of(*intents), "Logical_Switch_Port")
        (name,) = (port["options"]["network_name"] for port in ports if port["type"] == "localnet")
        return str(name)

    assert segment_of(chains_on(made(chained()), "h2"), "ext").rules == (), "no gateway, but ready to be one"
    assert network_name(*world(chained())) == "physnet-nf-vs0"
    assert network_name(*world(policy("deep", PolicyAction.PERMIT))) == "physnet-vs0"
    assert network_name(*world(chained(), nat=True)) == "physnet-vs0"
    assert chains_on(made(chained(), nat=True)).segments == ()


def test_two_routers_on_one_subnet_keep_apart() -> None:
    red = vpc("red", connection(number=11, gateways=("h1",)))
    other = replace(chained("other"), vpc=red.id, id=RoutingPolicyId("other"), meta=meta("other"))
    deeper = replace(other, service_chain=chain("deep").id)
    found = segment_of(chains_on(made(chained(), red, chain("deep"), deeper)), "ext").rules
    by_router = {one.local_mac_addresses: one.chain_id for one in found if one.chain_id}
    assert by_router == {(ROUTER,): "inspect", (connection(number=11).mac_address,): "deep"}
