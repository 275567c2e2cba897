"""Filters: what matches, what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.errors import InvalidIntent
from netctl.model.groups import EntityGroup, EntitySelector
from netctl.model.infra import Meta
from netctl.model.keys import (
    ClusterId,
    EntityGroupId,
    HostId,
    Kind,
    NicId,
    SecurityPolicyId,
    ServiceGroupId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic
from netctl.model.security_policy import (
    Direction,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceProtocol
from netctl.model.status import Phase, Status
from netctl.model.subnet import AddressRange, IpConfig, Subnet, SubnetKind
from netctl.server.filters import parse_filter
from netctl.server.nouns import BY_KIND, NIC, SUBNET, AnyNoun

NIC_NOUN, SUBNET_NOUN = BY_KIND[NIC.kind], BY_KIND[SUBNET.kind]
A_NIC = Nic(
    id=NicId("web-1"),
    meta=Meta(display_name='Say "hi"', labels={"tier": "web", "example.com/x": "1"}, revision=7),
    subnet=SubnetId("web"),
    host=HostId("h1"),
    ipv4_address="10.0.0.5",
)
A_SUBNET = Subnet(
    id=SubnetId("web"),
    kind=SubnetKind.VLAN,
    virtual_switches=(VirtualSwitchId("vs0"),),
    clusters=(ClusterId("c1"),),
    vlan_id=10,
    ipv4=IpConfig(
        version=4,
        cidr="10.0.0.0/24",
        pools=tuple(AddressRange(start=one, end=one) for one in ("10.0.0.9", "10.0.0.20")),
    ),
)
STATUS = Status(phase=Phase.FAILED, reason="HOST_DOWN", message="start it", revision=7)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("   ", True),
        ("name = nics/web-1", True),
        ("name != nics/web-1", False),
        ("subnet=subnets/web", True),
        ('subnet = "subnets/web" AND host = hosts/h2', False),
        ("host != hosts/h2 AND host=hosts/h1", True),
        ('host = ""', False),
        ("labels.tier = web", True),
        ('labels.tier = "web" AND status.phase != PROGRAMMED', True),
        ("labels.example.com/x = 1", True),
        ('labels.missing = ""', True),
        ("status.phase = FAILED", True),
        ("status.phase = PHASE_FAILED", True),
        ("status.reason = HOST_DOWN", True),
        ("revision = 7", True),
        ("revision != 7", False),
        ("connected = true", True),
        ("connected = false", False),
        ("ipv4_address = 10.0.0.5", True),
        (r'display_name = "Say \"hi\""', True),
    ],
)
def test_nics(text: str, matches: bool) -> None:
    assert parse_filter(text, NIC_NOUN).matches(A_NIC, STATUS) is matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("kind = VLAN", True),
        ("kind = SUBNET_KIND_OVERLAY", False),
        ("vlan_id = 10 AND ipv4.cidr = 10.0.0.0/24", True),
        ('ipv6.cidr = ""', True),
        ("dhcp.lease_s = 0", True),
        ("dhcp.disabled = false", True),
        ("clusters:clusters/c1", True),
        ("clusters: clusters/c2", False),
        ('virtual_switches : virtualSwitches/vs0 AND clusters :"clusters/c1"', True),
        ("ipv4.pools.start:10.0.0.9", True),
        ("ipv4.pools.start:10.0.0.20", True),
        ("ipv4.pools.start:10.0.0.10", False),
        ("ipv6.pools.start:10.0.0.9", False),
        ("ipv6_mode = UNSPECIFIED", True),
        ("status.phase = PENDING", False),
    ],
)
def test_subnets(text: str, matches: bool) -> None:
    assert parse_filter(text, SUBNET_NOUN).matches(A_SUBNET, None) is matches


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("subnet", "cannot be read at term 1"),
        ("subnet =", "cannot be read"),
        ("subnet = subnets/web AND", "ends with AND"),
        ("AND", "cannot be read"),
        ("subnet = subnets/web OR host = hosts/h1", "cannot be read at term 1"),
        ("subnet = subnets/web host = hosts/h1", "cannot be read at term 1"),
        ("revision > 5", "'>' is not understood"),
        ("(subnet = subnets/web)", r"'\(' is not understood"),
        ('labels.x = "open', "is not understood"),
        ("nonsense = 1", "not a field of nics"),
        ("subnet = web", "write subnets/ID"),
        ("name = web-1", "write nics/ID"),
        ("subnet:subnets/web", "single value: write subnet = VALUE"),
        ("trunk_vlans.vlan_id = 5", "list: write trunk_vlans.vlan_id:VALUE"),
        ("trunk_vlans.subnet:web", "write subnets/ID"),
        ("trunk_vlans:5", "cannot be compared"),
        ("labels.tier:web", "single value"),
        ("subnet:", "cannot be read"),
        (":", "cannot be read"),
        (":x", "not a field"),
        ("labels = x", "cannot be compared"),
        ("status = x", "cannot be compared"),
        ("create_time = 5", "cannot be compared"),
        ("status.phase = OK", "PHASE_PENDING"),
        ("status.phase.x = OK", "not a field"),
        ("connected = yes", "true or false"),
        ("revision = seven", "use a number"),
        (" AND ".join(["revision = 7"] * 33), "at most 32"),
        ("x" * 65536, "at most 4096"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidIntent, match=says) as caught:
        parse_filter(text, NIC_NOUN)
    assert caught.value.field == "filter"


A_POLICY = SecurityPolicy(
    id=SecurityPolicyId("shop"),
    kind=PolicyKind.SHARED_SERVICE,
    mode=PolicyMode.ENFORCE,
    scope=PolicyScope.VPC_LIST,
    vpcs=(VpcId("blue"),),
    secured=("categories/web", "entityGroups/db"),
    rules=(
        SecurityRule(
            name="dns",
            direction=Direction.OUT,
            action=RuleAction.ALLOW,
            peers=("addressGroups/resolvers",),
            service_groups=(ServiceGroupId("dns"),),
            services=(Service(protocol=ServiceProtocol.ICMPV6, icmp_type=8),),
            ticket="CHG-1",
        ),
    ),
)
A_GROUP = EntityGroup(
    id=EntityGroupId("shop"),
    include=(EntitySelector(all_of=("categories/web", "subnets/s1")),),
    except_=(EntitySelector(all_of=("nics/w1",)),),
)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("secured:categories/web", True),
        ("secured:entityGroups/db AND kind = SHARED_SERVICE", True),
        ("secured:categories/db", False),
        ("kind = SECURITY_POLICY_KIND_APPLICATION", False),
        ("mode = ENFORCE AND scope != ALL_VLAN", True),
        ("intra_group = RULES AND established = REEVALUATE", True),
        ("vpcs:vpcs/blue", True),
        ("vpcs:vpcs/red", False),
        ("rules.peers:addressGroups/resolvers", True),
        ("rules.peers:categories/web", False),
        ("rules.service_groups:serviceGroups/dns", True),
        ("rules.services.protocol:ICMPV6 AND rules.services.icmp_type:8", True),
        ("rules.direction:OUT AND rules.action:ALLOW AND rules.ticket:CHG-1", True),
        ("rules.action:DENY", False),
    ],
)
def test_security_policies(text: str, matches: bool) -> None:
    assert parse_filter(text, BY_KIND[Kind.SECURITY_POLICY]).matches(A_POLICY, None) is matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("include.all_of:categories/web", True),
        ("include.all_of:subnets/s1", True),
        ("include.all_of:nics/w1", False),
        ("except.all_of:nics/w1", True),
        ("except.all_of:subnets/s1", False),
    ],
)
def test_entity_groups(text: str, matches: bool) -> None:
    assert parse_filter(text, BY_KIND[Kind.ENTITY_GROUP]).matches(A_GROUP, None) is matches


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("secured:web", "write categories/ID or entityGroups/ID"),
        ("secured:subnets/web", "write categories/ID or entityGroups/ID"),
        ("rules.peers:nics/w1", "or addressGroups/ID"),
        ("rules.service_groups:dns", "write serviceGroups/ID"),
        ("secured = categories/web", "is a list: write secured:VALUE"),
        ("kind = FIREWALL", "SECURITY_POLICY_KIND_QUARANTINE"),
        ("rules:dns", "cannot be compared"),
    ],
)
def test_what_policies_do_not_have_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidIntent, match=says):
        parse_filter(text, BY_KIND[Kind.SECURITY_POLICY])


@pytest.mark.parametrize("text", ["kind = ROUTED", "ipv4.pools = x", "ipv4 = x", "ipv4.pools.start = x"])
def test_what_subnets_do_not_have_is_refused(text: str) -> None:
    with pytest.raises(InvalidIntent):
        parse_filter(text, SUBNET_NOUN)


@given(st.text(max_size=40), st.sampled_from(list(BY_KIND.values())))
def test_any_text_is_read_or_refused(text: str, noun: AnyNoun) -> None:
    with contextlib.suppress(InvalidIntent):
        parse_filter(text, noun)


@given(st.text(max_size=20))
def test_a_quoted_value_is_taken_as_it_is(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    term = parse_filter(f'display_name = "{quoted}"', NIC_NOUN).terms[0]
    assert term.value == value


def test_every_single_field_of_every_noun_can_be_compared() -> None:
    for noun in BY_KIND.values():
        for name, field in noun.message.DESCRIPTOR.fields_by_name.items():
            if field.message_type is None and not field.is_repeated:
                value = {8: "true", 9: '""', 14: field.enum_type and field.enum_type.values[0].name}
                parse_filter(f"{name} = {value.get(field.type, '1')}", noun)
