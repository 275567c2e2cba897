"""Where service chains are attached, and whether their functions can be passed there.

Before OVN 26.03 functions are passed in br.nf of each host, where VLANs are; what needs more needs OVN's own network
functions. docs/design/host_network.md, "Service chains". All checks are of a change that is in the draft already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netctl.errors import InvalidIntent, Unsupported
from netctl.model.admit_chain import check_places
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.intent import Intent
from netctl.model.keys import Kind, NetworkFunctionId, ServiceChainId
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic, NicKind
from netctl.model.places import subnets_of, switch_in
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import PolicyScope, SecurityPolicy
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, in_use
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import Vpc

_NATIVE_SINCE = "OVN 26.03"


@dataclass(frozen=True, slots=True)
class _Use:
    """One place where a chain is attached: why it needs OVN's own functions, or cannot have them, "" if neither.

    `vlans` are the subnets whose frames, with their VLAN tags, pass the chain.
    """

    needs: str = ""
    hint: str = ""
    bars: str = ""
    vlans: tuple[Subnet, ...] = ()


def check_chaining(before: Intent | None, after: Intent | None, draft: Draft, context: Context) -> None:
    """Refuse a change by which a service chain could not be passed where it is attached."""
    match after:
        case Nic():
            _check_nic(before, after, draft)
        case Subnet():
            _check_subnet(before, after, draft, context)
        case RoutingPolicy() if after.service_chain:
            if not isinstance(before, RoutingPolicy) or before.service_chain != after.service_chain:
                _check_chain(after.service_chain, draft, context, "service_chain")
        case Vpc() if isinstance(before, Vpc):
            if before.external_connections != after.external_connections:
                _check_vpc(after, draft, context)
        case SecurityPolicy():
            _check_rules(before, after, draft, context)
        case ServiceChain():
            if not isinstance(before, ServiceChain) or before.functions != after.functions:
                _check_functions(after.functions, draft, context, "network_functions")


def routed_vlans(vpc: Vpc, lookups: Lookups) -> tuple[Subnet, ...]:
    """Return the external subnets without NAT by which a VPC reaches virtual switches."""
    found = (lookups.subnet(connection.subnet) for connection in vpc.external_connections)
    return tuple(subnet for subnet in found if subnet is not None and subnet.has_vlan and not subnet.nat)


def _check_nic(before: Intent | None, nic: Nic, draft: Draft) -> None:
    if nic.kind is NicKind.NETWORK_FUNCTION:
        if isinstance(before, Nic) and before.host != nic.host:
            for function in draft.functions_of_nic(nic.id):
                check_places(function, draft, "host")
    elif nic.trunks_all and nic.kind is NicKind.NORMAL:
        subnet = draft.subnet(nic.subnet)
        if subnet is not None and subnet.service_chain:
            raise InvalidIntent(
                "trunk_vlans",
                f"is empty, which is all VLANs, and subnets/{subnet.id} has a service chain, which takes VLANs that are"
                " known: list them",
            )


def _check_subnet(before: Intent | None, subnet: Subnet, draft: Draft, context: Context) -> None:
    was = before if isinstance(before, Subnet) else None
    moved = was is not None and (was.vlan_id, was.virtual_switches) != (
        subnet.vlan_id,
        subnet.virtual_switches,
    )
    if subnet.service_chain and (was is None or was.service_chain != subnet.service_chain):
        if was is not None:
            _check_guests(subnet, draft)
        _check_chain(subnet.service_chain, draft, context, "service_chain")
    elif subnet.service_chain and moved:
        _check_chain(subnet.service_chain, draft, context, "vlan_id")
    if moved:
        for vpc in draft.vpcs_of_subnet(subnet.id):
            for policy in draft.policies_of_vpc(vpc.id):
                if policy.service_chain:
                    _check_chain(policy.service_chain, draft, context, "vlan_id")


def _check_guests(subnet: Subnet, draft: Draft) -> None:
    """Refuse to attach a chain while NICs are where it could not be passed."""
    nics = [*draft.nics_of_subnet(subnet.id), *draft.trunks_of_subnet(subnet.id)]
    all_vlans = [(Kind.NIC, nic.id) for nic in nics if nic.trunks_all and nic.kind is NicKind.NORMAL]
    if all_vlans:
        raise in_use("all VLANs, of which a service chain does not know,", all_vlans, field="service_chain")
    basic = subnet.kind is SubnetKind.VLAN_BASIC
    moving = [nic for nic in nics if nic.kind is NicKind.NORMAL and nic.basic is not basic]
    for nic in moving:
        for other in subnets_of(draft, nic):
            if other.kind is not subnet.kind:
                raise InvalidIntent(
                    "service_chain",
                    f"nics/{nic.id}, a trunk, is on {other.kind.name} as long as subnets/{other.id} is: migrate that"
                    f" to {subnet.kind.name}, or take one of the two from the NIC",
                )
    if moving:
        raise InvalidIntent(
            "service_chain",
            f"{len(moving)} NICs of subnets/{subnet.id} are still to move to {subnet.kind.name}: attach it when"
            " they have (its `migration`)",
        )


def _check_vpc(vpc: Vpc, draft: Draft, context: Context) -> None:
    chained = [policy for policy in draft.policies_of_vpc(vpc.id) if policy.service_chain]
    if chained and not context.network_functions and not routed_vlans(vpc, draft):
        raise in_use(
            f"vpcs/{vpc.id} would have no connection without NAT on virtual switches, and one is used",
            [(Kind.ROUTING_POLICY, policy.id) for policy in chained],
            field="external_connections",
        )
    for policy in chained:
        _check_chain(policy.service_chain, draft, context, "external_connections")


def _check_rules(before: Intent | None, policy: SecurityPolicy, draft: Draft, context: Context) -> None:
    was = before if isinstance(before, SecurityPolicy) and before.scope is policy.scope else None
    known = {rule.service_chain for rule in was.rules} if was is not None else set()
    for i, rule in enumerate(policy.rules):
        if rule.service_chain and rule.service_chain not in known:
            _check_chain(rule.service_chain, draft, context, f"rules[{i}].service_chain")


def _check_chain(id: ServiceChainId, draft: Draft, context: Context, field: str) -> None:
    chain = draft.service_chain(id)
    if chain is None:
        raise absent((Kind.SERVICE_CHAIN, id), field)
    _check_functions(chain.functions, draft, context, field)


def _check_functions(ids: Iterable[NetworkFunctionId], draft: Draft, context: Context, field: str) -> None:
    for id in ids:
        function = draft.network_function(id)
        if function is not None:
            _check_function(function, draft, context, field)


def _check_function(function: NetworkFunction, draft: Draft, context: Context, field: str) -> None:
    chains = sorted(draft.chains_of_function(function.id), key=lambda chain: chain.id)
    uses = [use for chain in chains for use in _uses(chain, draft)]
    bars = _bars(function, chains, uses)
    for use in uses:
        if use.needs and not context.network_functions:
            raise Unsupported(
                f"{use.needs}: a service chain there needs network functions of OVN itself, which {_NATIVE_SINCE} and"
                f" later have and this one has not; {use.hint}",
                field=field,
            )
        if use.needs and bars:
            raise InvalidIntent(
                field,
                f"{use.needs}: a service chain there needs network functions of OVN itself, and"
                f" networkFunctions/{function.id} cannot be one: {bars}",
            )
    if bars or not context.network_functions:
        _check_tags(function, [subnet for use in uses for subnet in use.vlans], draft, field)


def _bars(function: NetworkFunction, chains: list[ServiceChain], uses: list[_Use]) -> str:
    """Return why a function cannot be one of OVN itself, "" if it can."""
    if not function.inline:
        return "it is of mode TAP, and those are INLINE"
    for chain in chains:
        if len(chain.functions) > 1:
            return f"serviceChains/{chain.id} has {len(chain.functions)} functions, and those are alone in a chain"
    return next((use.bars for use in uses if use.bars), "")


def _uses(chain: ServiceChain, lookups: Lookups) -> Iterator[_Use]:
    for subnet in sorted(lookups.subnets_of_chain(chain.id), key=lambda subnet: subnet.id):
        if subnet.has_vlan:
            basic = subnet.kind is SubnetKind.VLAN_BASIC
            yield _Use(
                bars=f"it is in the path of subnets/{subnet.id} too, which is VLAN_BASIC" if basic else "",
                vlans=(subnet,),
            )
        else:
            yield _Use(
                needs=f"subnets/{subnet.id} is OVERLAY", hint="attach it to a VLAN or VLAN_BASIC subnet"
            )
    for policy in sorted(lookups.policies_of_chain(chain.id), key=lambda policy: policy.id):
        vpc = lookups.vpc(policy.vpc)
        vlans = routed_vlans(vpc, lookups) if vpc is not None else ()
        yield _Use(
            needs=""
            if vlans
            else f"vpcs/{policy.vpc} has no external connection without NAT on virtual switches",
            hint="connect the VPC to an EXTERNAL subnet with nat false",
            vlans=vlans,
        )
    for rules in sorted(
        lookups.security_policies_naming(f"serviceChains/{chain.id}"), key=lambda one: one.id
    ):
        if rules.scope is not PolicyScope.ALL_VLAN:
            yield _Use(
                needs=f"securityPolicies/{rules.id} is about NICs of VPCs, which are on OVERLAY subnets",
                hint="use scope ALL_VLAN",
            )


def _check_tags(function: NetworkFunction, subnets: list[Subnet], lookups: Lookups, field: str) -> None:
    """Refuse one VLAN id on two virtual switches of a cluster through one function."""
    seen: dict[tuple[str, int], tuple[str, Subnet]] = {}
    for subnet in subnets:
        for cluster in subnet.clusters:
            switch = switch_in(lookups, subnet, cluster)
            if switch is None:
                continue
            id, other = seen.setdefault((cluster, subnet.vlan_id), (switch.id, subnet))
            if id != switch.id:
                raise InvalidIntent(
                    field,
                    f"frames of subnets/{other.id} and of subnets/{subnet.id} have the same VLAN {subnet.vlan_id} (of"
                    f" virtualSwitches/{id} and virtualSwitches/{switch.id}), and could not be told apart when they"
                    f" come out of networkFunctions/{function.id}: use a function for each, or another vlan_id",
                )
