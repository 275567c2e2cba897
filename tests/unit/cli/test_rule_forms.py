"""Rules, services and selectors on one line: what is printed is read as the same, what cannot be read says how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.cli.kinds import KINDS
from netctl.cli.messages import changed_fields, flatten, references_of
from netctl.cli.order import Step, in_order
from netctl.cli.policy_describe import rule_cells
from netctl.cli.values import set_path
from netctl.v1 import security_pb2 as pb

PEERS = ("categories/web", "entityGroups/shop", "addressGroups/offices")
SERVICES = ("tcp", "tcp/443", "udp/53-60,5353", "icmp", "icmp/0", "icmp/3/4", "icmpv6/128", "47", "0")


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A rule as it is printed."""
    name = draw(st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True))
    action, way = (
        draw(st.sampled_from(["allow", "deny", "reject"])),
        draw(st.sampled_from(["from", "to", "with"])),
    )
    peers = ",".join(draw(st.lists(st.sampled_from(PEERS), max_size=3, unique=True))) or "any"
    parts = [name, action, way, peers]
    parts += draw(
        st.lists(st.sampled_from(["serviceGroups/web", "serviceGroups/dns"]), max_size=2, unique=True)
    )
    parts += draw(st.lists(st.sampled_from(SERVICES), max_size=3))
    more = ("at categories/web,categories/db", "priority 7", "until 2030-01-02T03:04:05Z")
    parts += [part for part in (*more, "ipv6", "log", "stateless", "disabled") if draw(st.booleans())]
    return " ".join(parts)


@given(lines())
def test_a_rule_is_printed_as_it_is_read(line: str) -> None:
    policy, again = pb.SecurityPolicy(), pb.SecurityPolicy()
    set_path(policy, "rules", [line])
    (rule,) = policy.rules
    printed = dict(flatten(policy))
    assert printed["rules"] == rule.name
    assert f"{rule.name} {printed[f'rules.{rule.name}']}" == line
    set_path(again, "rules", [f"{rule.name} {printed[f'rules.{rule.name}']}"])
    assert again == policy


def test_what_a_line_says() -> None:
    policy = pb.SecurityPolicy()
    line = "web ALLOW from cat/web,AddressGroup/offices tcp/80,443 at eg/shop priority 5 until 2030-01-02 ipv4 log"
    set_path(policy, "rules", [line, "any-way deny with any sg/web icmp6"])
    first, second = policy.rules
    assert (first.name, first.direction, first.action) == (
        *("web", pb.SECURITY_DIRECTION_IN),
        pb.SECURITY_ACTION_ALLOW,
    )
    assert list(first.peers) == ["categories/web", "addressGroups/offices"]
    assert [(ports.first, ports.last) for ports in first.services[0].ports] == [(80, 80), (443, 443)]
    assert list(first.applied_to) == ["entityGroups/shop"]
    assert (first.priority, first.ip_version, first.log) == (5, 4, True)
    assert first.expire_time.ToJsonString() == "2030-01-02T00:00:00Z"
    assert (second.direction, list(second.peers)) == (pb.SECURITY_DIRECTION_IN_OUT, [])
    assert list(second.service_groups) == ["serviceGroups/web"]
    assert second.services[0].protocol == pb.SERVICE_PROTOCOL_ICMPV6


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("web allow from", "is not a rule; write NAME allow"),
        ("allow from any tcp/443", "is not a rule"),
        ("web allow from any tcp/443,https", "'https' is not a whole number"),
        ("web allow from any sctp/5", "'sctp/5' is neither a service"),
        ("web allow from any nic/w1", "'nic/w1' is neither a service"),
        ("web allow from any icmp/1/2/3", "'icmp/1/2/3' is not a service"),
        ("web allow from any tcp/1/2", "'tcp/1/2' is not a service"),
        ("web allow from any priority", "nothing follows 'priority'"),
        ("web allow from any priority high", "'high' is not a whole number"),
        ("web allow from any until 2030-13-01", "'2030-13-01' is not a time"),
        # As scripts write with an empty variable: to everybody, to every port, to more than was meant.
        ("web allow from , tcp/443", "'web allow from , tcp/443' leaves something out"),
        ("web allow from cat/web, tcp/443", "leaves something out"),
        ("web allow from any tcp/", "'tcp/' leaves something out"),
        ("web allow from any tcp/80,,443", "'tcp/80,,443' leaves something out"),
        ("web allow from any at cat/web,", "'at cat/web,' leaves something out"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("/", ".")):
        set_path(pb.SecurityPolicy(), "rules", [line])


@pytest.mark.parametrize("text", ["cat/web,", ",cat/web", "cat/web,,vpc/blue", ","])
def test_a_selector_leaves_no_term_out(text: str) -> None:
    with pytest.raises(ValueError, match="leaves something out"):
        set_path(pb.EntityGroup(), "include", [text])


def test_what_only_files_say_is_printed_too() -> None:
    policy = pb.SecurityPolicy()
    set_path(policy, "rules", ["web allow from any tcp/443"])
    policy.rules[0].owner, policy.rules[0].ticket = "Ω", "CHG-1"
    policy.rules[0].services[0].source_ports.add(first=1024, last=65535)
    printed = dict(flatten(policy))["rules.web"]
    assert printed == "allow from any tcp/443(from-ports:1024-65535) owner='Ω' ticket='CHG-1'"


def test_a_change_of_a_rule_or_of_their_order_is_seen() -> None:
    before, after = pb.SecurityPolicy(), pb.SecurityPolicy()
    set_path(before, "rules", ["a allow from any", "b deny to any"])
    set_path(after, "rules", ["b deny to any", "a allow from any"])
    assert changed_fields(before, after) == {"rules": ("a, b", "b, a")}
    after.CopyFrom(before)
    after.rules[1].disabled = True
    assert changed_fields(before, after) == {"rules.b": ("deny to any", "deny to any disabled")}


def test_a_group_and_what_it_refers_to() -> None:
    group = pb.EntityGroup(name="entityGroups/shop")
    set_path(group, "include", ["cat/web,subnet/s1", "vpc/blue"])
    set_path(group, "except", ["nic/w1", "eg/old"])
    assert [list(one.all_of) for one in group.include] == [["categories/web", "subnets/s1"], ["vpcs/blue"]]
    assert dict(flatten(group))["include"] == "categories/web,subnets/s1, vpcs/blue"
    assert list(references_of(group)) == [
        *("categories/web", "subnets/s1", "vpcs/blue", "nics/w1", "entityGroups/old")
    ]
    policy = pb.SecurityPolicy()
    set_path(policy, "secured", ["cat/web,eg/shop"])
    set_path(policy, "vpcs", ["blue"])
    set_path(policy, "rules", ["a allow from ag/offices sg/web at cat/web"])
    assert list(references_of(policy)) == [
        *("vpcs/blue", "categories/web", "entityGroups/shop"),
        *("categories/web", "addressGroups/offices", "serviceGroups/web"),
    ]


def test_every_kind_has_its_place_in_a_batch() -> None:
    ordered = in_order([Step(name=kind.word, message=kind.message) for kind in reversed(KINDS)])
    places = {step.message: place for place, step in enumerate(ordered)}
    assert (
        places["Category"] < places["Vpc"] < places["Nic"] < places["EntityGroup"] < places["SecurityPolicy"]
    )


def test_a_rule_that_is_over_is_described_as_off() -> None:
    policy = pb.SecurityPolicy()
    set_path(policy, "rules", ["a allow from any until 2020-01-02", "b allow from any until 2999-01-02"])
    notes = [rule_cells(rule)[-1] for rule in policy.rules]
    assert notes == ["off, expired 2020-01-02T00:00:00Z", "until 2999-01-02T00:00:00Z"]
