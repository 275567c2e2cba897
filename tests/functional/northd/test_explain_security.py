"""What policies decide on a packet's path, by a real ovn-trace; and that `policy test` says the same before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.model.security_policy import IntraGroup, PolicyKind, PolicyMode, PolicyScope, RuleAction
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.ovsdb.southbound import OvsdbSouthbound
from netctl.server.connection import answer_policy_test
from netctl.server.trace import trace
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import security_pb2, vpc_pb2
from tests.functional.northd.conftest import Plane
from tests.intents import OWNER
from tests.security import address_group, policy, rule, small_world

SHOP = policy(
    "shop",
    "db",
    rules=(
        rule("sql", "web", services=("tcp/5432",)),
        rule("no-ssh", services=("tcp/22",), action=RuleAction.REJECT, priority=10),
        rule("ping", "addressGroups/office", services=("icmp",), stateless=True),
    ),
)
INSIDE = policy(
    "inside",
    "db",
    scope=PolicyScope.ALL_VPC,
    intra_group=IntraGroup.ALLOW,
    rules=(rule("sql", "web", services=("tcp/5432",)),),
)
WATCHED = policy("watched", "web", mode=PolicyMode.MONITOR, rules=(rule("none", services=("tcp/1",)),))
APART = policy("apart", "prod", "test", kind=PolicyKind.ISOLATION)
OFFICE = address_group("office", "10.0.10.12-10.0.10.13")


class Traced:
    """A world of policies in OVN."""

    def __init__(self, plane: Plane, southbound: OvsdbSouthbound) -> None:
        self._plane, self._southbound = plane, southbound

    def arrive(self, *intents: Intent) -> None:
        self._plane.arrive(*small_world(*intents))

    @property
    def snapshot(self) -> Snapshot:
        return self._plane.source.snapshot()

    def write(self, observed: Observed) -> None:
        """Have OVN what is compiled from another observation."""
        northbound = self._plane.northbound
        delta = diff(compile_rows(self.snapshot, OWNER, observed), northbound.owned_rows())
        assert northbound.wait_northd(northbound.apply(delta, epoch=1), 10)

    def path(
        self, source: str, destination: str, port: int = 0, *, observed: Observed = NOTHING_OBSERVED
    ) -> pb.TraceResponse:
        request = pb.TraceRequest(
            nic=f"nics/{source}", destination=f"nics/{destination}", destination_port=port
        )
        return trace(self.snapshot, observed, self._southbound, request)

    def test(self, source: str, destination: str, port: int = 0) -> pb.TestPolicyResponse:
        service = security_pb2.Service(protocol=security_pb2.SERVICE_PROTOCOL_ICMP, icmp_type=8)
        if port:
            ports = [vpc_pb2.PortRange(first=port)]
            service = security_pb2.Service(protocol=security_pb2.SERVICE_PROTOCOL_TCP, ports=ports)
        request = pb.TestPolicyRequest(
            source=f"nics/{source}", destination=f"nics/{destination}", service=service
        )
        return answer_policy_test(self.snapshot, NOTHING_OBSERVED, request)


@pytest.fixture
def traced(plane: Plane) -> Iterator[Traced]:
    southbound = OvsdbSouthbound(plane.sb.remote, timeout_s=5.0)
    try:
        yield Traced(plane, southbound)
    finally:
        southbound.close()


def outline(path: pb.TraceResponse) -> list[str]:
    return [f"{step.kind} {step.host.removeprefix('hosts/')} {step.resource_name}" for step in path.steps]


def texts(path: pb.TraceResponse) -> list[str]:
    return [step.text for step in path.steps if step.kind == "security"]


def test_a_rule_that_allows_is_named_where_it_does(traced: Traced) -> None:
    traced.arrive(SHOP)
    path = traced.path("w1", "d1", 5432)
    assert path.verdict == "delivered", path.raw
    assert texts(path) == ["securityPolicies/shop allows it (rule sql), at nics/d1"]
    assert outline(path)[-2:] == ["security h2 securityPolicies/shop", "nic h2 nics/d1"]


def test_a_rule_that_denies_is_named(traced: Traced) -> None:
    traced.arrive(SHOP)
    path = traced.path("w1", "d1", 22)  # this OVN must not reject
    assert (path.verdict, path.reason) == (
        "dropped",
        "securityPolicies/shop denies it (rule no-ssh), at nics/d1",
    )
    assert outline(path)[-1] == "security h2 securityPolicies/shop"
    assert traced.path("w1", "d1", 5432).verdict == "delivered", "another one passes"


def test_a_rule_that_rejects_is_named_and_its_answer_is_not_followed(traced: Traced) -> None:
    """The sender's reset is a packet of its own, which ovn-trace goes on with."""
    traced.arrive(SHOP)
    trusted = Observed(reject=True)
    traced.write(trusted)
    path = traced.path("w1", "d1", 22, observed=trusted)
    assert (path.verdict, path.reason) == (
        "dropped",
        "securityPolicies/shop rejects it (rule no-ssh), at nics/d1",
    )
    assert "tcp_reset" in path.raw
    assert outline(path)[-1] == "security h2 securityPolicies/shop"


def test_the_implicit_deny_is_named_at_both_ends(traced: Traced) -> None:
    traced.arrive(SHOP)
    told = "securityPolicies/shop denies it (implicit deny), at nics/d1"
    into, out = traced.path("a1", "d1", 5432), traced.path("d1", "x1", 80)
    assert (into.verdict, into.reason) == ("dropped", told)
    assert (out.verdict, out.reason) == ("dropped", told)
    assert outline(out) == ["nic h2 nics/d1", "security h2 securityPolicies/shop"]
    assert traced.path("a1", "x1", 80).verdict == "delivered"


def test_stateless_rules_are_named(traced: Traced) -> None:
    traced.arrive(SHOP, OFFICE)
    assert texts(traced.path("w2", "d1")) == ["securityPolicies/shop allows it (rule ping), at nics/d1"]
    assert traced.path("w1", "d1").verdict == "dropped"


def test_both_ends_of_a_vpc(traced: Traced) -> None:
    traced.arrive(INSIDE, APART)
    path = traced.path("pw1", "pd1", 5432)
    assert texts(path) == ["securityPolicies/inside allows it (rule sql), at nics/pd1"]
    assert traced.path("pd1", "pw1", 5432).reason == (
        "securityPolicies/inside denies it (implicit deny), at nics/pd1"
    )
    # across the router, of another subnet: no clause is about either of them in VPCs but `inside`
    assert traced.path("pa1", "pd1", 5432).reason == (
        "securityPolicies/inside denies it (implicit deny), at nics/pd1"
    )
    assert traced.path("pw1", "pa1", 5432).verdict == "delivered"


def test_isolation_is_named(traced: Traced) -> None:
    traced.arrive(APART)
    assert traced.path("w1", "w2", 80).reason == "securityPolicies/apart denies it (isolation), at nics/w1"
    assert traced.path("w1", "a1", 80).verdict == "delivered"


def test_what_is_watched_is_told_and_passes(traced: Traced) -> None:
    traced.arrive(SHOP, WATCHED)
    path = traced.path("w1", "d1", 5432)
    assert path.verdict == "delivered"
    assert texts(path) == [
        "securityPolicies/watched, in MONITOR, would have dropped it (implicit deny), at nics/w1",
        "securityPolicies/shop allows it (rule sql), at nics/d1",
    ]


def test_what_is_watched_before_a_rule_that_allows_is_told_beside_it(traced: Traced) -> None:
    traced.arrive(SHOP, policy("jail", "db", kind=PolicyKind.QUARANTINE, mode=PolicyMode.MONITOR))
    path = traced.path("w1", "d1", 5432)
    assert path.verdict == "delivered"
    assert texts(path) == [
        "securityPolicies/shop allows it (rule sql), at nics/d1",
        "securityPolicies/jail, in MONITOR, would have dropped it (strict quarantine), at nics/d1",
    ]
    assert traced.path("a1", "d1", 5432).reason.startswith("securityPolicies/shop denies it")


def test_a_policy_behind_the_intents_is_not_taken_for_another_one(traced: Traced) -> None:
    """A trace is told from the intents of now; OVN may still have rows that none of them is of."""
    traced.arrive(SHOP)
    before = traced.snapshot.draft()
    before.put(policy("shop", "db", mode=PolicyMode.SAVE))
    request = pb.TraceRequest(nic="nics/a1", destination="nics/d1", destination_port=80)
    path = trace(before.freeze(99), NOTHING_OBSERVED, traced._southbound, request)
    assert path.verdict == "dropped"
    assert path.reason.startswith("ls_out_acl of subnets/v10: ")


def test_policy_test_says_what_ovn_does(traced: Traced) -> None:
    traced.arrive(SHOP, INSIDE, APART, WATCHED, OFFICE)
    names = ("w1", "w2", "a1", "d1", "x1"), ("pw1", "pd1", "pa1")
    asked = [(*pair, port) for group in names for pair in permutations(group, 2) for port in (0, 22, 5432)]
    told = {each: traced.test(*each).allowed for each in asked}
    seen = {each: traced.path(*each).verdict == "delivered" for each in asked}
    assert told == seen
    assert len(set(told.values())) == 2
