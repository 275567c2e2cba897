"""Recall: what the controller before this one knew of services, next hops and guests' addresses, from our own rows.

In: a snapshot and our rows as they are there. Out: what did not work, and what was learned. Until the hosts have spoken
after a restart it stands; without it the first pass would send traffic to the dead for as long as a death takes to
count, and take guests out of the groups that rules know them by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from netctl.compiler.identity import policy_uuid, route_uuid
from netctl.compiler.membership import ports_of
from netctl.compiler.route import hops_of
from netctl.compiler.routing_policy import FORTH
from netctl.model.keys import Kind, SubnetId
from netctl.model.nic import Nic
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


def recall_learned(snapshot: Snapshot, actual: Rows) -> Iterator[tuple[Nic, str, SubnetId, str]]:
    """Yield what stands in the rows of NICs' ports beside what they were given: NIC, port, subnet, address."""
    for nic in snapshot.of_kind(Kind.NIC):
        assert isinstance(nic, Nic)
        for port in ports_of(snapshot, nic):
            for address in _addresses(actual, port.uuid):
                if address not in port.given:
                    yield nic, port.name, port.subnet.id, address


def _addresses(actual: Rows, port: str) -> tuple[str, ...]:
    """Return the addresses behind the MAC address of a port, ovn-nb(5), Logical_Switch_Port.addresses."""
    row = actual.get(("Logical_Switch_Port", port))
    texts = row.columns.get("addresses") if isinstance(row, Row) else None
    if not isinstance(texts, frozenset):
        return ()
    return tuple(dict.fromkeys(part for text in sorted(map(str, texts)) for part in text.split()[1:]))
