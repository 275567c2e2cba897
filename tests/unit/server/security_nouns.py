"""Hypothesis strategies for the nouns of security, as a client could ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from netctl.model.category import Category
from netctl.model.groups import PEERS, SECURABLE, SELECTABLE, AddressGroup, EntityGroup, EntitySelector
from netctl.model.intent import Intent
from netctl.model.keys import (
    AddressGroupId,
    CategoryId,
    EntityGroupId,
    Kind,
    SecurityPolicyId,
    ServiceChainId,
    ServiceGroupId,
    VpcId,
)
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import (
    Direction,
    Established,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceGroup, ServiceProtocol
from tests.unit.server.nouns import ids, ipv4, ipv6, metas, text

words = text.filter(bool)
categories = st.builds(Category, id=ids.map(CategoryId), meta=metas, key=words, value=words)
addresses = st.lists(ipv4 | ipv6, max_size=3, unique=True).map(tuple)
address_groups = st.builds(
    AddressGroup,
    id=ids.map(AddressGroupId),
    meta=metas,
    addresses=addresses,
    except_addresses=addresses,
)


def terms(kinds: Sequence[Kind], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    """Names of resources of these kinds, each once."""
    one = st.builds(lambda kind, id_: f"{kind.value}/{id_}", st.sampled_from(list(kinds)), ids)
    return st.lists(one, min_size=least, max_size=3, unique=True).map(tuple)


@st.composite
def _ranges(draw: st.DrawFn) -> tuple[PortRange, ...]:
    firsts = draw(st.lists(st.integers(0, 65_535), max_size=2))
    return tuple(PortRange(first=first, last=draw(st.integers(first, 65_535))) for first in firsts)


@st.composite
def services(draw: st.DrawFn) -> Service:
    protocol = draw(st.sampled_from(ServiceProtocol))
    has_ports = protocol in (ServiceProtocol.TCP, ServiceProtocol.UDP)
    has_types = protocol in (ServiceProtocol.ICMP, ServiceProtocol.ICMPV6)
    icmp_type = draw(st.none() | st.integers(0, 255)) if has_types else None
    return Service(
        protocol=protocol,
        ports=draw(_ranges()) if has_ports else (),
        source_ports=draw(_ranges()) if has_ports else (),
        icmp_type=icmp_type,
        icmp_code=None if icmp_type is None else draw(st.none() | st.integers(0, 255)),
        protocol_number=draw(st.integers(0, 255)) if protocol is ServiceProtocol.NUMBER else 0,
    )


service_groups = st.builds(
    ServiceGroup,
    id=ids.map(ServiceGroupId),
    meta=metas,
    services=st.lists(services(), min_size=1, max_size=3).map(tuple),
)
selectors = st.lists(terms(SELECTABLE, 1).map(lambda names: EntitySelector(all_of=names)), max_size=3).map(
    tuple
)
entity_groups = st.builds(
    EntityGroup, id=ids.map(EntityGroupId), meta=metas, include=selectors, except_=selectors
)
# To the microsecond, as a Timestamp tells it.
moments = st.just(0.0) | st.integers(10**6, 4 * 10**15).map(
    lambda micros: micros // 10**6 + micros % 10**6 / 1e6
)


@st.composite
def rules(draw: st.DrawFn, name: str, kind: PolicyKind, secured: tuple[str, ...]) -> SecurityRule:
    allows = kind in (PolicyKind.QUARANTINE, PolicyKind.SHARED_SERVICE)
    action = RuleAction.ALLOW if allows else draw(st.sampled_from(RuleAction))
    return SecurityRule(
        name=name,
        description=draw(text),
        direction=draw(st.sampled_from(Direction)),
        action=action,
        priority=draw(st.integers(0, 1000)),
        applied_to=tuple(draw(st.lists(st.sampled_from(secured), max_size=2, unique=True))),
        peers=draw(terms(PEERS)),
        service_groups=tuple(draw(st.lists(ids.map(ServiceGroupId), max_size=2, unique=True))),
        services=tuple(draw(st.lists(services(), max_size=2))),
        ip_version=draw(st.sampled_from([0, 4, 6])),
        stateless=action is RuleAction.ALLOW and draw(st.booleans()),
        log=draw(st.booleans()),
        owner=draw(text),
        ticket=draw(text),
        expire_time_s=draw(moments),
        disabled=draw(st.booleans()),
        service_chain=ServiceChainId(draw(st.just("") | ids) if action is RuleAction.ALLOW else ""),
    )


@st.composite
def security_policies(draw: st.DrawFn) -> SecurityPolicy:
    kind, scope = draw(st.sampled_from(PolicyKind)), draw(st.sampled_from(PolicyScope))
    secured = draw(terms(SECURABLE, 2 if kind is PolicyKind.ISOLATION else 1))
    least = 1 if kind is PolicyKind.SHARED_SERVICE else 0
    names = draw(st.lists(ids, min_size=least, max_size=3, unique=True))
    names = [] if kind is PolicyKind.ISOLATION else names
    vpcs = draw(st.lists(ids.map(VpcId), min_size=1, max_size=2, unique=True))
    applications = (PolicyKind.APPLICATION, PolicyKind.VDI)
    return SecurityPolicy(
        id=SecurityPolicyId(draw(ids)),
        meta=draw(metas),
        kind=kind,
        mode=draw(st.sampled_from(PolicyMode)),
        scope=scope,
        vpcs=tuple(vpcs) if scope is PolicyScope.VPC_LIST else (),
        priority=draw(st.integers(0, 1000)),
        secured=secured,
        intra_group=draw(st.sampled_from(IntraGroup)) if kind in applications else IntraGroup.RULES,
        rules=tuple(draw(rules(name, kind, secured)) for name in names),
        log=draw(st.booleans()),
        log_rate=draw(st.integers(1, 10_000)),
        established=draw(st.sampled_from(Established)),
    )


intents: st.SearchStrategy[Intent] = st.one_of(
    categories, address_groups, service_groups, entity_groups, security_policies()
)
