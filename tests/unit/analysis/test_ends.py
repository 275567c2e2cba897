"""Which ports and addresses a question is about, and the sentence that answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.analysis.ends import Ends, Question, find_ends
from netctl.analysis.sentence import describe, explain
from netctl.analysis.verdict import Evaluator, Packet
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.errors import InvalidIntent
from netctl.model.intent import Intent
from netctl.model.keys import NicId, SubnetId
from netctl.model.nic import Nic, NicKind, NicMode, TrunkVlan
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import PolicyMode
from tests.intents import snapshot, uid_of
from tests.security import policy, rule, secured_nic, secured_vlan, service, small_world

TRUNK = replace(
    secured_nic("t1", "db", number=30),
    mode=NicMode.TRUNK,
    trunk_vlans=(
        TrunkVlan(vlan_id=20, subnet=SubnetId("v20"), ipv4_address="10.0.20.30"),
        TrunkVlan(vlan_id=7, subnet=SubnetId("s1"), ipv4_address="10.1.1.30"),
    ),
)
ON_V20 = replace(
    secured_nic("n20", number=31), subnet=SubnetId("v20"), ipv4_address="10.0.20.31", ipv6_address=""
)
BARE = replace(secured_nic("bare", number=32), ipv4_address="", ipv6_address="")
BASIC = replace(secured_nic("basic", "db", number=33), basic=True)
DIRECT = replace(
    secured_nic("direct", number=34), basic=True, kind=NicKind.DIRECT, ipv4_address="", ipv6_address=""
)
WORLD = (secured_vlan("v20", 20), TRUNK, ON_V20, BARE, BASIC, DIRECT)


def evaluator(*intents: Intent, observed: Observed = NOTHING_OBSERVED) -> Evaluator:
    return Evaluator(snapshot(small_world(*WORLD, *intents)), observed)


def end(asked: Evaluator, text: str) -> Nic | str:
    return text if text[:1].isdigit() or ":" in text else nic(asked, text)


def nic(asked: Evaluator, name: str) -> Nic:
    found = asked.snapshot.nic(NicId(name))
    assert found is not None
    return found


def ends(source: str, destination: str, observed: Observed = NOTHING_OBSERVED, **fields: Any) -> Ends:
    asked = evaluator(observed=observed)
    question = Question(source=end(asked, source), destination=end(asked, destination), **fields)
    return find_ends(asked, question)


def told(found: Ends) -> tuple[str, str, str, str]:
    names = [
        f"{port.nic.id}/{port.vlan_id}" if port is not None else "-"
        for port in (found.source, found.destination)
    ]
    return names[0], names[1], found.packet.source, found.packet.destination


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("w1", "d1", ("w1/0", "d1/0", "10.0.10.11", "10.0.10.14")),
        ("t1", "w1", ("t1/0", "w1/0", "10.0.10.30", "10.0.10.11")),
        ("t1", "n20", ("t1/20", "n20/0", "10.0.20.30", "10.0.20.31")),
        ("pw1", "t1", ("pw1/0", "t1/7", "10.1.1.11", "10.1.1.30")),
        ("pa1", "t1", ("pa1/0", "t1/7", "10.1.2.11", "10.1.1.30")),  # the VPC's router is between them
        ("t1", "10.0.20.99", ("t1/20", "-", "10.0.20.30", "10.0.20.99")),
        ("t1", "8.8.8.8", ("t1/0", "-", "10.0.10.30", "8.8.8.8")),
        ("8.8.8.8", "t1", ("-", "t1/0", "8.8.8.8", "10.0.10.30")),
        ("10.0.10.11", "d1", ("w1/0", "d1/0", "10.0.10.11", "10.0.10.14")),
        ("d1", "10.0.20.31", ("d1/0", "n20/0", "10.0.10.14", "10.0.20.31")),
        ("pw1", "10.0.10.11", ("pw1/0", "-", "10.1.1.11", "10.0.10.11")),  # nobody's in that VPC
        ("fd00:10::b", "d1", ("w1/0", "d1/0", "fd00:10::b", "fd00:10::e")),
    ],
)
def test_ports_are_those_that_reach_the_other_end(
    source: str, destination: str, expected: tuple[str, str, str, str]
) -> None:
    assert told(ends(source, destination)) == expected


def test_versions_are_what_both_have() -> None:
    assert ends("w1", "d1", ip_version=6).packet == Packet("fd00:10::b", "fd00:10::e")
    assert ends("w1", "d1", service=service("icmpv6/128")).packet.version == 6
    six = replace(secured_nic("six", number=33), ipv4_address="")
    asked = evaluator(six)
    assert find_ends(asked, Question(source=six, destination=nic(asked, "d1"))).packet.version == 6


def test_learned_addresses_are_used_and_recognised() -> None:
    observed = Observed(learned={str(uid_of("bare")): ("10.0.10.77",)})
    assert told(ends("bare", "d1", observed)) == ("bare/0", "d1/0", "10.0.10.77", "10.0.10.14")
    assert told(ends("10.0.10.77", "d1", observed))[0] == "bare/0"
    assert told(ends("10.0.10.77", "d1"))[0] == "-"


@pytest.mark.parametrize(
    ("source", "destination", "fields", "field", "text"),
    [
        ("10.0.0.1", "10.0.0.2", {}, "source", "must be a NIC"),
        ("w1", "w1", {}, "destination", "nics/w1 is the source itself"),
        ("w1", "10.0.10.11", {}, "destination", "10.0.10.11 is nics/w1 itself"),
        ("bare", "d1", {}, "source", "nics/bare has no IPv4 address"),
        ("w1", "pw1", {"ip_version": 6}, "destination", "nics/pw1 has no IPv6 address"),
        ("w1", "10.0.0.1", {"ip_version": 6}, "ip_version", "use one IP version"),
        ("w1", "10.0.0.1", {"service": service("icmpv6")}, "service", "use one IP version"),
        ("w1", "d1", {"service": service("icmp"), "ip_version": 6}, "ip_version", "use one IP version"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    source: str, destination: str, fields: Any, field: str, text: str
) -> None:
    with pytest.raises(InvalidIntent, match=text) as refused:
        ends(source, destination, **fields)
    assert refused.value.field == field


def sentence(source: str, destination: str, *intents: Intent, what: str = "tcp/80") -> str:
    asked = evaluator(*intents)
    question = Question(source=end(asked, source), destination=end(asked, destination), service=service(what))
    found = find_ends(asked, question)
    return explain(asked.snapshot, found, asked.verdict(found.source, found.destination, found.packet))


def test_sentences_name_what_decides() -> None:
    shop = policy("shop", "db", rules=(rule("r1", "web", services=("tcp/80",)),))
    assert sentence("w1", "d1", shop) == (
        "tcp/80 from nics/w1 (10.0.10.11) to nics/d1 (10.0.10.14) is allowed: securityPolicies/shop allows it (rule r1)"
        " at nics/d1, coming in, as one of categories/db (tier:db)"
    )
    assert sentence("d1", "8.8.8.8", shop).endswith(
        "is denied: securityPolicies/shop denies it (implicit deny) at nics/d1, going out, as one of categories/db"
        " (tier:db)"
    )
    both = sentence("d1", "w1", shop, policy("webs", "web"))
    assert "shop denies it (implicit deny) at nics/d1, going out" in both
    assert "webs denies it (implicit deny) at nics/w1, coming in" in both
    assert sentence("x1", "w1").endswith("is allowed: no policy in force says anything about it")
    assert "VLAN 20 of its trunk" in sentence("t1", "n20")


def test_sentences_tell_of_monitors_and_answers() -> None:
    watched = policy("watched", "db", mode=PolicyMode.MONITOR)
    assert sentence("w1", "d1", watched).endswith(
        "; securityPolicies/watched, in MONITOR, would have dropped it (implicit deny) at nics/d1"
    )
    stateless = policy("shop", "db", rules=(rule("r1", "web", services=("tcp/80",), stateless=True),))
    assert "answers to it are not" in sentence("w1", "d1", stateless)
    assert "they are not in one VPC" in sentence("w1", "pd1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp/443", "tcp/443"),
        ("udp/53,60-70", "udp/53,60-70"),
        ("icmp/3/4", "icmp/3/4"),
        ("47", "protocol 47"),
    ],
)
def test_services_in_words(text: str, expected: str) -> None:
    assert describe(service(text)) == expected
    from_port = replace(service("tcp/80"), source_ports=(PortRange(first=5, last=5),))
    assert describe(from_port) == "tcp/80 from port 5"
    assert describe(None) == "everything"


def test_a_nic_beside_ovn_is_the_address_that_policies_see() -> None:
    assert told(ends("basic", "n20"))[:2] == ("-", "n20/0")
    found = ends("n20", "basic")
    assert (found.destination, found.packet.destination) == (None, "10.0.10.33")
    six = ends("t1", "basic", ip_version=6)
    assert (six.destination, six.packet.destination) == (None, "fd00:10::21")


@pytest.mark.parametrize(
    ("source", "destination", "field", "text"),
    [
        ("basic", "direct", "source", "nics/basic is on VLAN basic: no policies apply"),
        ("10.0.10.99", "basic", "destination", "nics/basic is on VLAN basic: no policies apply"),
        ("n20", "direct", "destination", "nics/direct is of kind DIRECT and has no address"),
    ],
)
def test_where_no_policies_apply_that_is_said(source: str, destination: str, field: str, text: str) -> None:
    with pytest.raises(InvalidIntent, match=text) as caught:
        ends(source, destination)
    assert caught.value.field == field
