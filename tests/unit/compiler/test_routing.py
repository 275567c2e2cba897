"""compile: exact rows of routes and routing policies, and what follows when something does not work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler import identity
from netctl.compiler.observed import Observed
from netctl.model.keys import SubnetId, VpcId
from netctl.model.route import Bfd, Route
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, Protocol
from netctl.model.vpc import ExternalConnection
from tests.intents import uid_of
from tests.unit.compiler.rows import columns, marks, rows_of, tables
from tests.vpcs import connection, external, guest, inside, policy, route, routed, transit, vpc

BLUE, EXT = uid_of("blue"), uid_of("ext")
ROUTER = identity.router_uuid(BLUE)
OUTER, FAR = f"lrp-{BLUE}-{EXT}", f"lrp-{BLUE}-{uid_of('far')}"
WEB, DB = f"lrp-{uid_of('web')}", f"lrp-{uid_of('db')}"
EMPTY: frozenset[str] = frozenset()
WORLD = (
    vpc("blue", connection(), connection("far", vlan_id=101)),
    external(),
    external("far", 101),
    routed("web"),
    routed("db", third=2),
)
ROUTES = "Logical_Router_Static_Route"


def dead(*what: str) -> Observed:
    return Observed(dead=frozenset((VpcId("blue"), one) for one in what))


def hops(*routes: Route, observed: Observed | None = None) -> set[tuple[Any, Any]]:
    """Return (prefix, next hop) of all routes written."""
    rows = rows_of(*WORLD, *routes, observed=observed or Observed())
    return {(row["ip_prefix"], row["nexthop"]) for row in tables(rows, ROUTES)}


def test_a_route_by_an_external_subnet_goes_to_its_gateway() -> None:
    rows = rows_of(*WORLD, route())
    row = identity.route_uuid(uid_of("default"), "203.0.100.1")
    assert columns(rows, ROUTES, row) == {
        "ip_prefix": "0.0.0.0/0",
        "nexthop": "203.0.100.1",
        "output_port": {OUTER},
        "bfd": EMPTY,
        "external_ids": marks("routes", "default"),
    }
    assert ("Logical_Router", ROUTER, "static_routes", row) in rows


@pytest.mark.parametrize(
    ("hop", "port"), [("10.0.2.9", DB), ("203.0.100.99", OUTER), ("203.0.101.99", FAR), ("far", FAR)]
)
def test_a_next_hop_is_reached_by_the_port_of_its_network(hop: str, port: str) -> None:
    (row,) = tables(rows_of(*WORLD, route("r", "192.168.0.0/16", hop)), ROUTES)
    assert row["output_port"] == {port}


def test_several_next_hops_are_several_rows_and_one_named_twice_is_one() -> None:
    assert hops(route("r", "0.0.0.0/0", "ext", "far", "203.0.100.1")) == {
        ("0.0.0.0/0", "203.0.100.1"),
        ("0.0.0.0/0", "203.0.101.1"),
    }


def test_a_next_hop_in_no_network_of_the_vpc_has_no_row() -> None:
    assert hops(route("r", "0.0.0.0/0", "192.0.2.1")) == set()


LOW, HIGH = route("low", "0.0.0.0/0", "far", priority=10), route("high", priority=200)


@pytest.mark.parametrize(
    ("observed", "nexthops"),
    [
        (Observed(), {"203.0.100.1"}),
        (dead("203.0.100.1"), {"203.0.101.1"}),
        (dead("ext"), {"203.0.101.1"}),
        (dead("far"), {"203.0.100.1"}),
        (dead("ext", "far"), set()),
    ],
    ids=["both work", "next hop dead", "gateways dead", "loser dead", "both dead"],
)
def test_of_routes_to_one_destination_the_highest_that_works_is_written(
    observed: Observed, nexthops: set[str]
) -> None:
    assert hops(LOW, HIGH, observed=observed) == {("0.0.0.0/0", hop) for hop in nexthops}


def test_another_destination_is_another_competition() -> None:
    inner = route("inner", "192.168.0.0/16", "10.0.2.9", priority=1)
    assert hops(LOW, HIGH, inner) == {("0.0.0.0/0", "203.0.100.1"), ("192.168.0.0/16", "10.0.2.9")}


def test_a_dead_next_hop_of_several_is_left_out() -> None:
    both = route("r", "0.0.0.0/0", "ext", "far")
    assert hops(both, observed=dead("203.0.100.1")) == {("0.0.0.0/0", "203.0.101.1")}


def test_another_vpcs_dead_are_none_of_ours() -> None:
    other = Observed(dead=frozenset({(VpcId("green"), "ext")}))
    assert hops(HIGH, observed=other) == {("0.0.0.0/0", "203.0.100.1")}


def test_bfd_watches_next_hops_on_ports_with_gateways() -> None:
    watched = route("r", "0.0.0.0/0", "ext", bfd=Bfd(min_rx_ms=300, min_tx_ms=400, multiplier=5))
    rows = rows_of(*WORLD, watched)
    session = identity.bfd_uuid(BLUE, EXT, "203.0.100.1")
    assert columns(rows, "BFD", session) == {
        "logical_port": OUTER,
        "dst_ip": "203.0.100.1",
        "min_tx": {400},
        "min_rx": {300},
        "detect_mult": {5},
        "external_ids": marks("routes", "r"),
    }
    (row,) = tables(rows, ROUTES)
    assert row["bfd"] == {session}


def test_a_session_that_several_routes_share_is_written_once() -> None:
    a, b = route("a", bfd=Bfd(min_rx_ms=100)), route("b", "192.168.0.0/16", bfd=Bfd(min_rx_ms=900))
    rows = rows_of(*WORLD, b, a)
    (session,) = tables(rows, "BFD")
    assert session["min_rx"] == {100}
    assert {row["bfd"] for row in tables(rows, ROUTES)} == {
        frozenset({identity.bfd_uuid(BLUE, EXT, "203.0.100.1")})
    }
    (session,) = tables(rows_of(*WORLD, b), "BFD")
    assert session["min_rx"] == {900}


def test_a_route_that_loses_keeps_its_session() -> None:
    rows = rows_of(*WORLD, replace(LOW, bfd=Bfd()), HIGH)
    (session,) = tables(rows, "BFD")
    assert session["dst_ip"] == "203.0.101.1"


def policies(*changes: dict[str, Any], observed: Observed | None = None) -> list[tuple[Any, ...]]:
    """Return (priority, match, action, next hops) of the rows of policies, the highest first."""
    rules = [policy(f"p{i}", **change) for i, change in enumerate(changes)]
    rows = tables(rows_of(*WORLD, *rules, observed=observed or Observed()), "Logical_Router_Policy")
    found = [(r["priority"], r["match"], r["action"], r["nexthops"]) for r in rows if r["priority"] != 30_000]
    return sorted(found, key=lambda row: (-row[0], row[1]))


def test_a_policy_without_a_version_has_a_row_for_each() -> None:
    assert policies({"priority": 10}) == [(21, "ip4", "drop", EMPTY), (21, "ip6", "drop", EMPTY)]


def test_both_ways_have_priorities_of_their_own() -> None:
    both = {"source": Endpoint(cidr="10.0.1.0/24"), "bidirectional": True, "action": PolicyAction.PERMIT}
    assert policies({"priority": 10, **both}, {"priority": 1000, "source": Endpoint(cidr="10.0.2.0/24")}) == [
        (2001, "ip4 && ip4.src == 10.0.2.0/24", "drop", EMPTY),
        (21, "ip4 && ip4.src == 10.0.1.0/24", "allow", EMPTY),
        (20, "ip4 && ip4.dst == 10.0.1.0/24", "allow", EMPTY),
    ]


WEB4, DB4 = Endpoint(cidr="10.0.1.0/24"), Endpoint(cidr="10.0.2.0/24")
OUTSIDE = f'{{"{OUTER}", "{FAR}"}}'


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"source": WEB4, "destination": DB4}, "ip4 && ip4.src == 10.0.1.0/24 && ip4.dst == 10.0.2.0/24"),
        (
            {"source": Endpoint(external=True), "destination": WEB4},
            f"ip4 && inport == {OUTSIDE} && ip4.dst == 10.0.1.0/24",
        ),
        (
            {"source": WEB4, "destination": Endpoint(external=True)},
            f"ip4 && outport == {OUTSIDE} && ip4.src == 10.0.1.0/24",
        ),
        ({"source": WEB4, "protocol": Protocol.ICMP}, "ip4 && ip4.src == 10.0.1.0/24 && icmp4"),
        ({"source": Endpoint(cidr="fd00::/64"), "protocol": Protocol.ICMP}, "ip6 && ip6.src == fd00::/64 && icmp6"),
        (
            {"source": WEB4, "protocol": Protocol.NUMBER, "protocol_number": 47},
            "ip4 && ip4.src == 10.0.1.0/24 && ip.proto == 47",
        ),
        (
            {
                "source": WEB4,
                "protocol": Protocol.TCP,
                "source_ports": (PortRange(first=1024, last=2048),),
                "destination_ports": (PortRange(first=80, last=80), PortRange(first=8000, last=8010)),
            },
            "ip4 && ip4.src == 10.0.1.0/24 && tcp && ((tcp.src >= 1024 && tcp.src <= 2048))"
            " && (tcp.dst == 80 || (tcp.dst >= 8000 && tcp.dst <= 8010))",
        ),
    ],
)  # fmt: skip
def test_what_a_policy_matches(change: dict[str, Any], match: str) -> None:
    assert [row[1] for row in policies(change)] == [match]


def test_the_way_back_exchanges_ports_too() -> None:
    change = {
        "source": WEB4,
        "protocol": Protocol.UDP,
        "destination_ports": (PortRange(first=53, last=53),),
        "bidirectional": True,
    }
    assert [row[1] for row in policies(change)] == [
        "ip4 && ip4.src == 10.0.1.0/24 && udp && (udp.dst == 53)",
        "ip4 && ip4.dst == 10.0.1.0/24 && udp && (udp.src == 53)",
    ]


REROUTE = {
    "action": PolicyAction.REROUTE,
    "source": WEB4,
    "service_ips": ("10.0.2.9",),
    "bidirectional": True,
}


def test_rerouted_traffic_does_not_come_back_into_its_policy() -> None:
    others = f'{{"{OUTER}", "{FAR}", "{WEB}"}}'
    assert policies(REROUTE) == [
        (201, f"ip4 && inport == {others} && ip4.src == 10.0.1.0/24", "reroute", {"10.0.2.9"}),
        (200, f"ip4 && inport == {others} && ip4.dst == 10.0.1.0/24", "reroute", {"10.0.2.9"}),
    ]


def test_a_second_service_ip_serves_the_way_back_and_both_legs_are_excluded() -> None:
    change = {**REROUTE, "source": Endpoint(external=True), "service_ips": ("10.0.2.9", "10.0.1.9")}
    assert policies(change) == [
        (201, f"ip4 && inport == {OUTSIDE}", "reroute", {"10.0.2.9"}),
        (200, f"ip4 && inport == {OUTSIDE} && outport == {OUTSIDE}", "reroute", {"10.0.1.9"}),
    ]


@pytest.mark.parametrize(
    ("fallback", "actions"),
    [(Fallback.PASSTHROUGH, []), (Fallback.ALLOW, ["allow"] * 2), (Fallback.DROP, ["drop"] * 2)],
)
def test_a_policy_whose_service_is_dead_falls_back(fallback: Fallback, actions: list[str]) -> None:
    fallen = policies({**REROUTE, "fallback": fallback}, observed=dead("10.0.2.9"))
    assert [row[2] for row in fallen] == actions
    assert all(row[3] == EMPTY for row in fallen)
    assert [row[2] for row in policies({**REROUTE, "fallback": fallback})] == ["reroute"] * 2


def test_external_is_nothing_where_there_is_no_connection() -> None:
    rows = rows_of(vpc("blue"), routed("web"), policy(source=Endpoint(external=True)), guest("g1"))
    assert not tables(rows, "Logical_Router_Policy")


def test_no_bfd_where_no_gateway_runs_it() -> None:
    way = ExternalConnection(
        subnet=SubnetId("transfer"), ipv4_address="100.64.0.10", mac_address="50:6b:8d:00:00:77"
    )
    watched = route("r", "0.0.0.0/0", "transfer", bfd=Bfd())
    rows = rows_of(transit("hub"), inside(), vpc("blue", way), watched)
    (row,) = tables(rows, ROUTES)
    assert row["bfd"] == EMPTY
    assert not tables(rows, "BFD")


WATCHED = replace(HIGH, bfd=Bfd())


def unheard(*what: str) -> Observed:
    return Observed(unheard=frozenset((VpcId("blue"), one) for one in what))


@pytest.mark.parametrize(
    ("observed", "nexthops"),
    [
        (Observed(), {"203.0.100.1"}),
        (unheard("203.0.100.1"), {"203.0.100.1", "203.0.101.1"}),
        (replace(unheard("203.0.100.1"), dead=dead("ext").dead), {"203.0.101.1"}),
        (unheard("203.0.101.1"), {"203.0.100.1"}),
    ],
    ids=["heard", "not heard", "not heard, and dead", "one without BFD"],
)
def test_a_route_that_bfd_does_not_hear_stays_beside_the_next(observed: Observed, nexthops: set[str]) -> None:
    """OVN leaves it out while its session is down, and runs no session for a route that is not there."""
    assert hops(LOW, WATCHED, observed=observed) == {("0.0.0.0/0", hop) for hop in nexthops}


def test_of_two_routes_that_bfd_does_not_hear_both_are_written() -> None:
    both = unheard("203.0.100.1", "203.0.101.1")
    assert hops(replace(LOW, bfd=Bfd()), WATCHED, observed=both) == {
        ("0.0.0.0/0", "203.0.100.1"),
        ("0.0.0.0/0", "203.0.101.1"),
    }
    higher_is_back = unheard("203.0.101.1")
    assert hops(replace(LOW, bfd=Bfd()), WATCHED, observed=higher_is_back) == {("0.0.0.0/0", "203.0.100.1")}
