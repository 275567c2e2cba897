"""The routing policies of a VPC in words, and whether each does what it says. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from netctl.compiler.exits import exits_of
from netctl.compiler.observed import Observed
from netctl.compiler.routing_policy import is_fallen_back
from netctl.model.keys import Uid
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, Protocol, RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import Vpc

_FALLBACKS = {
    Fallback.PASSTHROUGH: "as if it were not there",
    Fallback.ALLOW: "permitted",
    Fallback.DROP: "dropped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """One policy; `active` False while its fallback is in force or it is not installed."""

    policy: RoutingPolicy
    match: str
    action: str
    active: bool
    reason: str


def list_policies(
    snapshot: Snapshot, vpc: Vpc, observed: Observed, installed: Collection[Uid] | None
) -> list[PolicyEntry]:
    """Return the policies, the highest priority first; `installed` None: nobody could say what northd has."""
    entries = []
    for policy in sorted(snapshot.policies_of_vpc(vpc.id), key=lambda policy: (-policy.priority, policy.id)):
        reason = _why_not(snapshot, vpc, policy, observed)
        if not reason and installed is not None and policy.meta.uid not in installed:
            reason = "not installed yet"
        entries.append(
            PolicyEntry(
                policy=policy,
                match=describe_match(policy),
                action=describe_action(policy),
                active=not reason,
                reason=reason,
            )
        )
    return entries


def describe_match(policy: RoutingPolicy) -> str:
    """Return what a policy matches, e.g. `tcp 10.0.1.0/24 -> external :443`."""
    protocol = (
        f"protocol {policy.protocol_number}" if policy.protocol is Protocol.NUMBER else policy.protocol.value
    )
    arrow = "<->" if policy.bidirectional else "->"
    source = _end(policy.source, policy.source_ports)
    return f"{protocol} {source} {arrow} {_end(policy.destination, policy.destination_ports)}"


def describe_action(policy: RoutingPolicy) -> str:
    """Return what a policy does, e.g. `reroute to 10.0.2.10 (else drop)`."""
    if policy.action is not PolicyAction.REROUTE:
        return policy.action.value
    forth, *back = policy.service_ips
    way_back = f", the way back to {back[0]}" if back else ""
    return f"reroute to {forth}{way_back} (else {policy.fallback.value})"


def _why_not(snapshot: Snapshot, vpc: Vpc, policy: RoutingPolicy, observed: Observed) -> str:
    if is_fallen_back(policy, observed):
        dead = [address for address in policy.service_ips if observed.is_dead(vpc.id, address)]
        what = f"service {' and '.join(dead)} {'does' if len(dead) == 1 else 'do'} not work"
        return f"{what}: what matches is {_FALLBACKS[policy.fallback]}"
    ends = (policy.source, policy.destination)
    if any(end.external for end in ends) and not any(True for _ in exits_of(snapshot, vpc)):
        return "matches nothing: the VPC is connected to no external subnet"
    return ""


def _end(endpoint: Endpoint, ports: tuple[PortRange, ...]) -> str:
    where = "external" if endpoint.external else endpoint.cidr or "any"
    texts = (str(r.first) if r.first == r.last else f"{r.first}-{r.last}" for r in ports)
    return f"{where} :{','.join(texts)}" if ports else where
