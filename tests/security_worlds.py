"""Random worlds with security policies: hypothesis strategies, like tests/worlds.py complete, not always consistent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from netctl.compiler.observed import Observed
from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup, EntitySelector
from netctl.model.infra import Meta
from netctl.model.intent import Intent, key_of
from netctl.model.keys import CategoryId, SecurityPolicyId, ServiceGroupId, SubnetId, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceGroup, ServiceProtocol
from netctl.model.snapshot import Snapshot
from tests.intents import infra, meta, nic, snapshot, uid_of, vlan
from tests.security import address_group, category, entity_group, service_group
from tests.vpcs import guest, mac_of, retold, routed, transit, vpc
from tests.worlds import VLAN_KINDS

CATEGORIES = ("web", "app", "db", "prod")
GROUPS = ("shop", "all", "odd")
TERMS = (*(f"categories/{id}" for id in CATEGORIES), *(f"entityGroups/{id}" for id in GROUPS))
SELECTABLE = (*TERMS, "subnets/v10", "subnets/web", "vpcs/blue", "nics/n1")
PEERS = (*TERMS, "addressGroups/office", "addressGroups/far")
POLICIES = ("p1", "p2", "p3", "p4")
_MAYBE = st.booleans()
T = TypeVar("T", Category, AddressGroup, EntityGroup, ServiceGroup)
_SERVICES = (
    Service(protocol=ServiceProtocol.TCP),
    Service(
        protocol=ServiceProtocol.TCP, ports=(PortRange(first=80, last=80), PortRange(first=443, last=444))
    ),
    Service(protocol=ServiceProtocol.UDP, source_ports=(PortRange(first=53, last=53),)),
    Service(protocol=ServiceProtocol.ICMP, icmp_type=8),
    Service(protocol=ServiceProtocol.ICMPV6, icmp_type=128, icmp_code=0),
    Service(protocol=ServiceProtocol.NUMBER, protocol_number=6),
)


def some(of: tuple[str, ...], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    """A few of these, each once, in any order."""
    return st.lists(st.sampled_from(of), min_size=least, max_size=most, unique=True).map(tuple)


@st.composite
def security_intents(draw: st.DrawFn) -> list[Intent]:
    """VLANs, VPCs blue and hub, NICs in categories, groups, and up to four policies."""
    return [
        *(draw(_remade(category(id))) for id in CATEGORIES),
        *_groups(draw),
        *_networks(draw),
        *_guests(draw),
        *(draw(policies(id)) for id in POLICIES),
    ]


@st.composite
def security_worlds(draw: st.DrawFn) -> Snapshot:
    """A snapshot of them, of which any may be missing."""
    return snapshot([*infra(), *(intent for intent in draw(security_intents()) if draw(st.integers(0, 7)))])


@st.composite
def security_walks(draw: st.DrawFn) -> list[Snapshot]:
    """A full world, and what becomes of it when a few intents at a time change, go or come back.

    What does not change stays the same object, as in the store: much that is derived is kept for that.
    """
    world = {key_of(intent): intent for intent in (*infra(), *draw(security_intents()))}
    other = {key_of(intent): intent for intent in draw(security_intents())}
    states = [snapshot(world.values())]
    for keys in draw(st.lists(st.lists(st.sampled_from(sorted(other)), min_size=1, max_size=2), max_size=5)):
        draft = states[-1].draft()
        for key in keys:
            if draft.get(key) is not None and draw(_MAYBE):
                draft.remove(key)
            else:
                draft.put(other[key])
        states.append(draft.freeze(states[-1].revision + 1))
    return states


@st.composite
def policies(draw: st.DrawFn, id: str) -> SecurityPolicy:
    """A policy of any kind, mode and scope."""
    kind, scope = draw(st.sampled_from(PolicyKind)), draw(st.sampled_from(PolicyScope))
    isolates = kind is PolicyKind.ISOLATION
    applies = kind in (PolicyKind.APPLICATION, PolicyKind.VDI)
    secured = draw(some(TERMS, 2 if isolates else 1))
    allowing = kind in (PolicyKind.QUARANTINE, PolicyKind.SHARED_SERVICE)
    least = 1 if kind is PolicyKind.SHARED_SERVICE else 0
    names = ("r1", "r2", "r3")[: 0 if isolates else draw(st.integers(least, 3))]
    return SecurityPolicy(
        id=SecurityPolicyId(id),
        meta=draw(_meta(id)),
        kind=kind,
        mode=draw(
            st.sampled_from((PolicyMode.ENFORCE, PolicyMode.ENFORCE, PolicyMode.MONITOR, PolicyMode.SAVE))
        ),
        scope=scope,
        vpcs=(VpcId("blue"),) if scope is PolicyScope.VPC_LIST else (),
        priority=draw(st.integers(0, 2)),
        secured=secured,
        intra_group=draw(st.sampled_from(IntraGroup)) if applies else IntraGroup.RULES,
        rules=tuple(draw(_rules(name, secured, allowing)) for name in names),
        log=draw(_MAYBE),
    )


def security_observations() -> st.SearchStrategy[Observed]:
    """What may be observed of those worlds."""
    addresses = st.sampled_from(((), ("10.0.10.99",), ("10.0.10.98", "fd00::9")))
    names = st.sampled_from((uid_of("n1"), uid_of("n2"), f"{uid_of('g3')}-7", "gone"))
    return st.builds(
        Observed,
        expired=st.frozensets(
            st.tuples(*map(st.sampled_from, ((*POLICIES[:2], "px"), ("r1", "r2")))), max_size=2
        ),
        learned=st.dictionaries(names, addresses, max_size=2),
        reject=st.sampled_from((False, False, False, True)),
        acl_tiers=st.sampled_from((False, False, False, True)),
    )


def _meta(name: str) -> st.SearchStrategy[Meta]:
    return st.sampled_from((meta(name), meta(name), retold(meta(name), f"{name} again")))


def _remade(intent: T) -> st.SearchStrategy[T]:
    return _meta(intent.id).map(lambda stored: replace(intent, meta=stored))


@st.composite
def _rules(draw: st.DrawFn, name: str, secured: tuple[str, ...], allowing: bool) -> SecurityRule:
    action = RuleAction.ALLOW if allowing else draw(st.sampled_from(RuleAction))
    return SecurityRule(
        name=name,
        direction=draw(st.sampled_from(Direction)),
        action=action,
        priority=draw(st.integers(0, 1)),
        applied_to=draw(some(secured, 0, 2)),
        peers=draw(some(PEERS, 0, 2)),
        service_groups=tuple(map(ServiceGroupId, draw(some(("http", "none"), 0, 1)))),
        services=tuple(draw(st.lists(st.sampled_from(_SERVICES), max_size=2, unique=True))),
        ip_version=draw(st.sampled_from((0, 0, 4, 6))),
        stateless=action is RuleAction.ALLOW and draw(st.sampled_from((False, False, True))),
        log=draw(_MAYBE),
        disabled=draw(st.sampled_from((False, False, False, True))),
    )


def _groups(draw: st.DrawFn) -> Iterator[Intent]:
    """Groups that may name each other, in circles too: a store edited by hand has those."""
    for id in GROUPS:
        include = tuple(
            EntitySelector(all_of=draw(some(SELECTABLE, 1, 2))) for _ in range(draw(st.integers(0, 2)))
        )
        except_ = tuple(
            EntitySelector(all_of=draw(some(SELECTABLE, 1, 2))) for _ in range(draw(st.integers(0, 1)))
        )
        yield replace(draw(_remade(entity_group(id))), include=include, except_=except_)
    yield draw(_remade(address_group("office", *draw(st.sampled_from(((), ("10.9.0.0/16", "fd00:9::1")))))))
    yield address_group("far", "198.51.100.1-198.51.100.6", without=("198.51.100.3",))
    yield draw(_remade(service_group("http", *draw(st.sampled_from((("tcp/80",), ("tcp/8080", "icmp")))))))


def _networks(draw: st.DrawFn) -> Iterator[Intent]:
    of = some(CATEGORIES, 0, 1).map(lambda ids: tuple(map(CategoryId, ids)))
    yield replace(vlan("v10", 10, dhcp=draw(_MAYBE)), categories=draw(of), kind=draw(VLAN_KINDS))
    other = replace(vlan("v20", 20), kind=draw(VLAN_KINDS))
    assert other.dhcp is not None
    # A draft keeps who has which MAC address: no two may have the same.
    yield replace(other, dhcp=replace(other.dhcp, server_mac_address=mac_of("dhcp v20")))
    blue = replace(vpc("blue"), categories=draw(of))
    yield replace(blue, meta=draw(_meta("blue")))
    yield transit("hub")
    yield replace(routed("web"), categories=draw(of))
    yield routed("db", third=2, ipv6="fd00:2::/64")


def _guests(draw: st.DrawFn) -> Iterator[Intent]:
    of = some(CATEGORIES, 0, 2).map(lambda ids: tuple(map(CategoryId, ids)))
    basic = st.sampled_from((False, False, True))
    yield replace(nic("n1", number=11), categories=draw(of), basic=draw(basic))
    yield replace(
        nic("n2", draw(st.sampled_from(("v10", "v20"))), number=12), categories=draw(of), basic=draw(basic)
    )
    yield replace(guest("g1"), categories=draw(of))
    yield replace(guest("g2", "db", 2, 9), ipv6_address="fd00:2::9", categories=draw(of))
    vlans = (
        TrunkVlan(vlan_id=7, subnet=SubnetId(draw(st.sampled_from(("db", "v10")))), ipv4_address="10.0.2.7"),
    )
    yield replace(
        nic("g3", "v20", number=13),
        mode=NicMode.TRUNK,
        trunk_vlans=vlans if draw(_MAYBE) else (),
        categories=draw(of),
        basic=draw(basic),
    )
