"""What must be said of a security policy is asked for, with the words for it; what need not be has defaults."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import InvalidIntent
from netctl.model.keys import Kind
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import DEFAULT_LOG_RATE, Established, IntraGroup
from netctl.server.nouns import BY_KIND, ENTITY_GROUP, SECURITY_POLICY, SERVICE_GROUP
from netctl.v1 import security_pb2 as pb
from netctl.v1 import vpc_pb2


def policy() -> pb.SecurityPolicy:
    rule = pb.SecurityRule(
        name="a", direction=pb.SECURITY_DIRECTION_IN, action=pb.SECURITY_ACTION_ALLOW, services=[service()]
    )
    return pb.SecurityPolicy(
        name="securityPolicies/shop",
        kind=pb.SECURITY_POLICY_KIND_APPLICATION,
        mode=pb.SECURITY_POLICY_MODE_SAVE,
        scope=pb.SECURITY_SCOPE_ALL_VLAN,
        secured=["categories/web"],
        rules=[rule],
    )


def service() -> pb.Service:
    return pb.Service(protocol=pb.SERVICE_PROTOCOL_TCP, ports=[vpc_pb2.PortRange(first=443)])


def test_what_is_not_said_has_its_default() -> None:
    asked = SECURITY_POLICY.from_proto(policy())
    assert (asked.intra_group, asked.established) == (IntraGroup.RULES, Established.REEVALUATE)
    assert (asked.log_rate, asked.priority, asked.log) == (DEFAULT_LOG_RATE, 0, False)
    (rule,) = asked.rules
    assert rule.services[0].ports == (PortRange(first=443, last=443),)
    assert (rule.expire_time_s, rule.ip_version, rule.stateless) == (0.0, 0, False)
    shown = SECURITY_POLICY.to_proto(asked, None)
    assert (shown.intra_group, shown.established, shown.log_rate) == (1, 1, DEFAULT_LOG_RATE)
    assert not shown.rules[0].HasField("expire_time")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("kind", "QUARANTINE or SECURITY_POLICY_KIND_SHARED_SERVICE or SECURITY_POLICY_KIND_ISOLATION or"),
        (
            "mode",
            "use SECURITY_POLICY_MODE_SAVE or SECURITY_POLICY_MODE_MONITOR or SECURITY_POLICY_MODE_ENFORCE",
        ),
        ("scope", "use SECURITY_SCOPE_ALL_VLAN or SECURITY_SCOPE_ALL_VPC or SECURITY_SCOPE_VPC_LIST"),
        (
            "rules[0].direction",
            "use SECURITY_DIRECTION_IN or SECURITY_DIRECTION_OUT or SECURITY_DIRECTION_IN_OUT",
        ),
        ("rules[0].action", "use SECURITY_ACTION_ALLOW or SECURITY_ACTION_DENY or SECURITY_ACTION_REJECT"),
        ("rules[0].services[0].protocol", "use SERVICE_PROTOCOL_TCP or SERVICE_PROTOCOL_UDP or"),
    ],
)
def test_what_must_be_said_is_asked_for(field: str, says: str) -> None:
    for value, problem in ((0, "is not set; "), (99, "99 is unknown to this controller; ")):
        message = policy()
        owner: object = message
        if field.startswith("rules"):
            owner = message.rules[0].services[0] if "services" in field else message.rules[0]
        setattr(owner, field.rpartition(".")[2], value)
        with pytest.raises(InvalidIntent) as caught:
            SECURITY_POLICY.from_proto(message)
        assert caught.value.field == field
        assert problem in caught.value.message
        assert says in caught.value.message


@pytest.mark.parametrize("field", ["intra_group", "established"])
def test_an_unknown_word_is_refused_where_unset_is_a_default(field: str) -> None:
    message = policy()
    setattr(message, field, 99)
    with pytest.raises(InvalidIntent, match="99 is unknown") as caught:
        SECURITY_POLICY.from_proto(message)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "stamp",
    [
        Timestamp(),
        Timestamp(seconds=-1),
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=5, nanos=-1),
        Timestamp(seconds=5, nanos=10**9),
    ],
)
def test_a_time_that_cannot_be_is_refused(stamp: Timestamp) -> None:
    message = policy()
    message.rules[0].expire_time.CopyFrom(stamp)
    with pytest.raises(InvalidIntent, match="is not a time") as caught:
        SECURITY_POLICY.from_proto(message)
    assert caught.value.field == "rules[0].expire_time"


def test_a_time_is_kept_to_the_microsecond() -> None:
    message = policy()
    message.rules[0].expire_time.CopyFrom(Timestamp(seconds=4_000_000_000, nanos=123_456_789))
    shown = SECURITY_POLICY.to_proto(SECURITY_POLICY.from_proto(message), None)
    assert shown.rules[0].expire_time == Timestamp(seconds=4_000_000_000, nanos=123_456_000)
    assert SECURITY_POLICY.from_proto(shown) == SECURITY_POLICY.from_proto(message)


def test_references_are_names_and_errors_say_where() -> None:
    message = policy()
    message.scope = pb.SECURITY_SCOPE_VPC_LIST
    message.vpcs.extend(["vpcs/blue", "red"])
    with pytest.raises(InvalidIntent, match="write it like vpcs/blue") as caught:
        SECURITY_POLICY.from_proto(message)
    assert caught.value.field == "vpcs[1]"
    message.vpcs[:] = ["vpcs/blue"]
    message.rules[0].service_groups.append("web")
    with pytest.raises(InvalidIntent, match="write it like serviceGroups/web") as caught:
        SECURITY_POLICY.from_proto(message)
    assert caught.value.field == "rules[0].service_groups[0]"
    message.rules[0].service_groups[:] = ["serviceGroups/web"]
    message.rules[0].peers.append("nics/w1")
    with pytest.raises(InvalidIntent) as caught:
        SECURITY_POLICY.from_proto(message)
    assert caught.value.field == "rules[0].peers[0]"
    for kind in (Kind.NIC, Kind.SUBNET, Kind.VPC):
        noun = BY_KIND[kind]
        assert noun.references["categories"] == "categories/"


def test_the_type_zero_of_icmp_is_not_any_type() -> None:
    any_type, zero = (
        pb.Service(protocol=pb.SERVICE_PROTOCOL_ICMP),
        pb.Service(protocol=pb.SERVICE_PROTOCOL_ICMP),
    )
    zero.icmp_type = zero.icmp_code = 0
    asked = SERVICE_GROUP.from_proto(pb.ServiceGroup(name="serviceGroups/a", services=[any_type, zero]))
    assert [(one.icmp_type, one.icmp_code) for one in asked.services] == [(None, None), (0, 0)]
    shown = SERVICE_GROUP.to_proto(asked, None)
    assert [one.HasField("icmp_type") for one in shown.services] == [False, True]


def test_the_exceptions_of_a_group_are_no_members() -> None:
    message = pb.EntityGroup(name="entityGroups/a", include=[pb.EntitySelector(all_of=["categories/web"])])
    getattr(message, "except").add(all_of=["nics/w1"])
    asked = ENTITY_GROUP.from_proto(message)
    assert [one.all_of for one in asked.include] == [("categories/web",)]
    assert [one.all_of for one in asked.except_] == [("nics/w1",)]
    message.include.add()
    with pytest.raises(InvalidIntent) as caught:
        ENTITY_GROUP.from_proto(message)
    assert caught.value.field == "include[1].all_of"
