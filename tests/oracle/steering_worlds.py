"""Random worlds with service chains: those of policies, with chains at rules and VLANs."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from netctl.model.chain import FailureHandling, ForwardingMode, NetworkFunction, ServiceChain
from netctl.model.intent import Intent
from netctl.model.keys import Kind, NetworkFunctionId, ServiceChainId
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import PolicyScope, RuleAction, SecurityPolicy, SecurityRule
from netctl.model.service import Service, ServiceProtocol
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind
from tests.oracle.policy_worlds import MadeWorld, made_of

FUNCTIONS = ("f0", "f1", "f2")
CHAINS = {"s0": ("f0",), "s1": ("f2", "f1"), "s2": ("f1",)}
_SERVICES = (
    Service(protocol=ServiceProtocol.TCP, ports=(PortRange(first=443, last=445),)),
    Service(protocol=ServiceProtocol.UDP, ports=(PortRange(first=53, last=53),)),
    Service(protocol=ServiceProtocol.TCP),
    Service(protocol=ServiceProtocol.ICMP, icmp_type=8),
)
GONE = "gone"  # a chain that is not there: admission refuses it, and nothing must mind


def steering_worlds() -> st.SearchStrategy[MadeWorld]:
    """Whole worlds: NICs and policies, nearly all of them of VLANs."""
    return st.builds(chained_world, st.integers(0, 2**32 - 1), st.integers(5, 8), st.integers(2, 7))


def chained_world(seed: int, nics: int, policies: int) -> MadeWorld:
    """Return the world of a seed with chains in it."""
    made, luck = made_of(seed, nics, policies, live=False), random.Random(seed)
    draft = made.snapshot.draft()
    for intent in chains():
        draft.put(intent)
    for intent in _sorted(made.snapshot, Kind.SUBNET):
        if isinstance(intent, Subnet) and intent.kind is SubnetKind.VLAN and luck.random() < 0.4:
            draft.put(replace(intent, service_chain=_chain(luck)))
    for intent in _sorted(made.snapshot, Kind.SECURITY_POLICY):
        if isinstance(intent, SecurityPolicy):
            rules = tuple(_with_chain(rule, luck) for rule in intent.rules)
            made_wide = luck.random() < 0.8
            scope, vpcs = (PolicyScope.ALL_VLAN, ()) if made_wide else (intent.scope, intent.vpcs)
            draft.put(replace(intent, rules=rules, scope=scope, vpcs=vpcs))
    return replace(made, snapshot=draft.freeze(made.snapshot.revision + 1))


def chains() -> list[Intent]:
    """Return functions without NICs, and chains of them."""
    functions = (
        NetworkFunction(
            id=NetworkFunctionId(name),
            mode=ForwardingMode.INLINE,
            failure_handling=FailureHandling.FAIL_CLOSE,
        )
        for name in FUNCTIONS
    )
    made = (
        ServiceChain(id=ServiceChainId(name), functions=tuple(map(NetworkFunctionId, of)))
        for name, of in CHAINS.items()
    )
    return [*functions, *made]


def _sorted(snapshot: Snapshot, kind: Kind) -> list[Intent]:
    """List intents by id: a seed says which of them get what."""
    return sorted(snapshot.of_kind(kind), key=lambda intent: intent.id)


def _with_chain(rule: SecurityRule, luck: random.Random) -> SecurityRule:
    if rule.action is not RuleAction.ALLOW:
        return rule
    if luck.random() < 0.6:  # of most rules both ends are alike: which is whose shows by ports
        rule = replace(rule, services=(luck.choice(_SERVICES),), service_groups=())
    return rule if luck.random() < 0.4 else replace(rule, service_chain=_chain(luck))


def _chain(luck: random.Random) -> ServiceChainId:
    return ServiceChainId(luck.choice((*CHAINS, *CHAINS, GONE)))
