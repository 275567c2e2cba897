"""Recall: what the controller before this one knew of services and next hops, read from our own rows.

In: a snapshot and our rows as they are there. Out: what did not work. Until the hosts have spoken after a restart it
stands; without it the first pass would send traffic to the dead for as long as a death takes to count.
"""

from __future__ import annotations

from collections.abc import Collection

from netctl.compiler.identity import policy_uuid, route_uuid
from netctl.compiler.route import hops_of
from netctl.compiler.routing_policy import FORTH
from netctl.model.keys import Kind
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import Row, Rows
from netctl.reconciler.subjects import Subject


def recall_dead(snapshot: Snapshot, actual: Rows, subjects: Collection[Subject]) -> frozenset[Subject]:
    """Return those of `subjects` that no row of ours leads to; next hops of a route that lost are among them."""
    led = {*_services(snapshot, actual), *_next_hops(snapshot, actual)}
    return frozenset(subject for subject in subjects if subject not in led)


def _services(snapshot: Snapshot, actual: Rows) -> set[Subject]:
    found: set[Subject] = set()
    for policy in snapshot.of_kind(Kind.ROUTING_POLICY):
        assert isinstance(policy, RoutingPolicy)
        for address in policy.service_ips:
            row = actual.get(
                ("Logical_Router_Policy", policy_uuid(policy.meta.uid, FORTH, policy.version or 4))
            )
            if isinstance(row, Row) and row.columns.get("action") == "reroute":
                found.add((policy.vpc, address))
    return found


def _next_hops(snapshot: Snapshot, actual: Rows) -> set[Subject]:
    found: set[Subject] = set()
    for route in snapshot.of_kind(Kind.ROUTE):
        assert isinstance(route, Route)
        vpc = snapshot.vpc(route.vpc)
        for hop in hops_of(snapshot, vpc, route) if vpc is not None else ():
            if ("Logical_Router_Static_Route", route_uuid(route.meta.uid, hop.address)) in actual:
                found.add((route.vpc, hop.address))
    return found
