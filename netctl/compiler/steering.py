"""Host to ServiceChains: what passes br.nf there, and through which functions. docs/design/host_network.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netctl.compiler.identity import localnet_name
from netctl.compiler.membership import Port, ports_of
from netctl.compiler.migrating import nics_at
from netctl.compiler.native_chain import steers
from netctl.compiler.observed import Observed
from netctl.compiler.steering_attached import passes_chains, reasons_of
from netctl.compiler.steering_routing import routing_rules
from netctl.compiler.steering_security import security_rules
from netctl.model.assignment_chains import Chain, Function, Pair, Segment, ServiceChains, SteeringRule
from netctl.model.chain import FailureHandling, NetworkFunction, ServiceChain
from netctl.model.infra import Host
from netctl.model.keys import Kind, NetworkFunctionId, ServiceChainId, SubnetId
from netctl.model.places import local_bridge
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind

# What no rule's chain decides passes the subnet's own.
OWN_PRIORITY = 1


def compile_service_chains(snapshot: Snapshot, host: Host, observed: Observed) -> ServiceChains:
    """Return what passes br.nf on a host: a segment for each subnet there that a chain concerns, whoever is on it."""
    segments = tuple(_segments(snapshot, host, observed))
    used = {rule.chain_id for segment in segments for rule in segment.rules}
    chains = [
        chain
        for id in sorted(used)
        if isinstance(chain := snapshot.get((Kind.SERVICE_CHAIN, id)), ServiceChain)
    ]
    functions = sorted({id for chain in chains for id in chain.functions})
    return ServiceChains(
        functions=tuple(found for id in functions if (found := _function(snapshot, host, id)) is not None),
        chains=tuple(Chain(chain_id=chain.id, function_ids=chain.functions) for chain in chains),
        segments=segments,
    )


def _segments(snapshot: Snapshot, host: Host, observed: Observed) -> Iterator[Segment]:
    concerned = sorted(reasons_of(snapshot))
    switches = {
        uplink.virtual_switch: snapshot.virtual_switch(uplink.virtual_switch) for uplink in host.uplinks
    }
    ruled = any(reason.policy for reasons in reasons_of(snapshot).values() for reason in reasons)
    ports = _ports(snapshot, host) if ruled else {}
    for id in concerned:
        subnet = snapshot.subnet(id)
        if subnet is None or not passes_chains(snapshot, subnet, observed):
            continue
        for name in subnet.virtual_switches:
            switch = switches.get(name)
            if switch is None:
                continue
            basic = subnet.kind is SubnetKind.VLAN_BASIC
            yield Segment(
                subnet_id=subnet.id,
                localnet="" if basic else localnet_name(subnet.meta.uid, switch.id, chained=True),
                local_bridge=local_bridge(switch) if basic else "",
                uplink_bridge=switch.bridge,
                vlan_id=subnet.vlan_id,
                rules=tuple(_rules(snapshot, host, subnet, observed, ports.get(id, []))),
            )


def _rules(
    snapshot: Snapshot, host: Host, subnet: Subnet, observed: Observed, ports: Sequence[Port]
) -> Iterator[SteeringRule]:
    """Yield the rules of a segment with their priorities: no two have the same. `ports` are the host's there."""
    own = subnet.service_chain if steers(snapshot, subnet.service_chain, observed) else ServiceChainId("")
    rules: list[SteeringRule] = []
    if subnet.kind is SubnetKind.EXTERNAL:
        rules += routing_rules(snapshot, host, subnet, observed)
    elif any(reason.policy for reason in reasons_of(snapshot).get(subnet.id, ())):
        rules += security_rules(snapshot, ports, observed, own)
    for i, rule in enumerate(rules):
        yield replace(rule, priority=OWN_PRIORITY + len(rules) - i)
    if own:
        yield SteeringRule(priority=OWN_PRIORITY, chain_id=own)


def _ports(snapshot: Snapshot, host: Host) -> dict[SubnetId, list[Port]]:
    """Return the ports of a host's NICs by their subnets, those of guests that are on their way to it as well."""
    found: dict[SubnetId, list[Port]] = {}
    for nic in nics_at(snapshot, host.id):
        for port in ports_of(snapshot, nic):
            found.setdefault(port.subnet.id, []).append(port)
    return found


def _function(snapshot: Snapshot, host: Host, id: NetworkFunctionId) -> Function | None:
    function = snapshot.get((Kind.NETWORK_FUNCTION, id))
    if not isinstance(function, NetworkFunction):
        return None
    check = function.health_check
    probed = function.inline and not check.disabled
    return Function(
        function_id=function.id,
        tap=not function.inline,
        fail_open=function.failure_handling is FailureHandling.FAIL_OPEN,
        pairs=tuple(_pairs(snapshot, host, function)),
        interval_ms=check.interval_ms if probed else 0,
        timeout_ms=check.timeout_ms if probed else 0,
        success_threshold=check.success_threshold if probed else 1,
        failure_threshold=check.failure_threshold if probed else 1,
    )


def _pairs(snapshot: Snapshot, host: Host, function: NetworkFunction) -> Iterator[Pair]:
    for pair in function.nic_pairs:
        nics = [snapshot.nic(id) for id in pair.nics]
        taps = [nic.tap_name for nic in nics if nic is not None and nic.host == host.id]
        if not pair.disabled and len(taps) == len(nics):
            yield Pair(ingress_tap=taps[0], egress_tap=taps[1] if function.inline else "")
