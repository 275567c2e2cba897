"""ACLs that lead traffic through functions of OVN (26.03): of subnets' chains and of routing policies. Pure.

Those of security rules are the rules' own (security_policy.py). These stand below every policy: of what a policy allows
by a rule without a chain they see nothing. An ACL leads the answers, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler import identity, priority
from netctl.compiler.exits import configs_of
from netctl.compiler.identity import external_ids, port_group_name, switch_uuid
from netctl.compiler.membership import ports_of
from netctl.compiler.native_chain import is_native_chain
from netctl.compiler.native_chain_rows import numbers_of
from netctl.compiler.observed import Observed
from netctl.compiler.routing_policy import Way, effective_action, protocol_terms, ways_of
from netctl.compiler.steering_attached import passes_chains
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.intent import key_of
from netctl.model.keys import Kind, ServiceChainId
from netctl.model.lookups import Lookups
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind
from netctl.nb.rows import Fact, Member, Row, Value

_EMPTY: frozenset[str] = frozenset()
FROM, TO = "from-lport", "to-lport"


def group_of_chain(snapshot: Lookups, chain_id: ServiceChainId, observed: Observed) -> str:
    """Return the Network_Function_Group that a chain is, "" when it is none."""
    if not is_native_chain(snapshot, chain_id, observed):
        return ""
    chain = snapshot.get((Kind.SERVICE_CHAIN, chain_id))
    id = chain.functions[0] if isinstance(chain, ServiceChain) else ""
    function = snapshot.get((Kind.NETWORK_FUNCTION, id))
    if not isinstance(function, NetworkFunction) or function.meta.uid not in numbers_of(snapshot):
        return ""
    return identity.network_function_group_uuid(function.meta.uid)


def compile_chain_of_subnet(
    snapshot: Snapshot, subnet: Subnet, marks: dict[str, str], observed: Observed
) -> Iterator[Fact]:
    """Yield what leads all of a subnet's traffic through its chain: what its guests send and what they get."""
    group = group_of_chain(snapshot, subnet.service_chain, observed)
    if not group:
        return
    guests = identity.chain_group_uuid(subnet.meta.uid)
    yield Row("Port_Group", guests, {"name": port_group_name(guests), "external_ids": marks})
    for nic in (*snapshot.nics_of_subnet(subnet.id), *snapshot.trunks_of_subnet(subnet.id)):
        for port in ports_of(snapshot, nic):
            if port.subnet.id == subnet.id:
                yield Member("Port_Group", guests, "ports", port.uuid)
    for direction, match in _between(
        subnet, port_group_name(guests), chained=passes_chains(snapshot, subnet, observed)
    ):
        acl = identity.chain_acl_uuid(subnet.meta.uid, subnet.meta.uid, direction)
        line = _Line(direction, priority.ACL_CHAIN, match, group)
        yield Row("ACL", acl, _columns(acl, line, marks, observed))
        yield Member("Port_Group", guests, "acls", acl)


def _between(subnet: Subnet, guests: str, *, chained: bool) -> Iterator[tuple[str, str]]:
    """Yield what guests send, and what they get from beyond their switch: nothing between two of them passes twice."""
    yield FROM, f"inport == @{guests} && ip"
    uid = subnet.meta.uid
    beyond = [identity.localnet_name(uid, switch, chained=chained) for switch in subnet.virtual_switches]
    beyond += [identity.gateway_peer_name(uid)] if subnet.vpc else []
    if beyond:
        names = ", ".join(f'"{name}"' for name in beyond)
        yield TO, f"outport == @{guests} && inport == {{{names}}} && ip"


def compile_chain_of_routing(
    snapshot: Snapshot, policy: RoutingPolicy, owner: str, observed: Observed
) -> Iterator[Fact]:
    """Yield what leads routed traffic through a policy's chain, or keeps it from that of one behind."""
    place = _place(snapshot, policy, observed)
    if place is None:
        return
    marks = external_ids(owner, key_of(policy))
    inside = [s for s in snapshot.subnets_of_vpc(policy.vpc) if s.kind is SubnetKind.OVERLAY]
    group = group_of_chain(snapshot, policy.service_chain, observed)
    for way in ways_of(policy):
        for version in (policy.version,) if policy.version is not None else (4, 6):
            networks = sorted(c.cidr for subnet in inside for c in configs_of(subnet) if c.version == version)
            for subnet in inside if networks else ():
                for direction, match in _matches(policy, way, subnet, networks):
                    acl = identity.chain_acl_uuid(
                        policy.meta.uid, subnet.meta.uid, direction, way.name, str(version)
                    )
                    line = _Line(direction, place, match, group)
                    yield Row("ACL", acl, _columns(acl, line, marks, observed))
                    yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "acls", acl)


@dataclass(frozen=True, slots=True)
class _Line:
    """One ACL; `group` "" leads nowhere."""

    direction: str
    priority: int
    match: str
    group: str


def _columns(acl: str, line: _Line, marks: dict[str, str], observed: Observed) -> dict[str, Value]:
    columns: dict[str, Value] = {
        "name": frozenset({acl}),
        "direction": line.direction,
        "priority": line.priority,
        "match": line.match,
        "action": "allow-related",
        "log": False,
        "severity": _EMPTY,
        "meter": _EMPTY,
        "external_ids": marks,
        "network_function_group": frozenset({line.group}) if line.group else _EMPTY,
    }
    if observed.acl_tiers:
        columns["tier"] = priority.ACL_CHAIN_TIER
    return columns


def _place(snapshot: Snapshot, policy: RoutingPolicy, observed: Observed) -> int | None:
    """Return the priority of a policy's ACLs; None of one behind which no chain stands, or without effect."""
    if not observed.network_functions:
        return None
    order = sorted(
        (p for p in snapshot.policies_of_vpc(policy.vpc) if effective_action(p, observed) is not None),
        key=lambda p: -p.priority,
    )
    chained = [i for i, p in enumerate(order) if group_of_chain(snapshot, p.service_chain, observed)]
    at = next((i for i, p in enumerate(order) if p.id == policy.id), len(order))
    # The places are fewer than policies may be: those behind the last one share it, which none that matters should.
    return max(priority.ACL_ROUTED - at, priority.ACL_CHAIN + 1) if chained and at <= chained[-1] else None


def _matches(
    policy: RoutingPolicy, way: Way, subnet: Subnet, networks: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield a way's matches on a subnet: what its guests send to the router, what they get from outside by it."""
    version = 6 if ":" in networks[0] else 4
    source, destination = (
        f"ip{version}.{name} == {end.cidr}" if end.cidr else ""
        for name, end in (("src", way.source), ("dst", way.destination))
    )
    outside = "{" + ", ".join(networks) + "}"
    rest = [f"ip{version}", *protocol_terms(policy, way, version)]
    if not way.source.external:
        away = f"ip{version}.dst != {outside}" if way.destination.external else destination
        yield FROM, _all(f"eth.dst == {subnet.gateway_mac_address}", source, away, *rest)
    if not way.destination.external:
        come = f"ip{version}.src != {outside}"
        yield TO, _all(f"eth.src == {subnet.gateway_mac_address}", come, source, destination, *rest)


def _all(*terms: str) -> str:
    return " && ".join(term for term in terms if term)
