"""The compiler's clauses and memberships are those of the oracle, in random worlds."""

from __future__ import annotations

from hypothesis import given, settings

from netctl.compiler import clauses, membership
from netctl.compiler.clause import Clause, Realm
from netctl.model.security_policy import Direction
from tests.oracle.policy import Line, PolicyOracle
from tests.oracle.policy_worlds import MadeWorld, policy_worlds
from tests.unit.oracle.observing import PHASES, observed

WORLDS = 150


@settings(max_examples=WORLDS, phases=PHASES)
@given(made=policy_worlds())
def test_clauses_are_the_lines_of_the_oracle_in_its_order(made: MadeWorld) -> None:
    oracle = PolicyOracle(made.world)
    for realm in ("", *made.world.vpcs):
        for way in (Direction.IN, Direction.OUT):
            found = clauses.clauses_of(made.snapshot, observed(made), Realm(realm), way)
            wanted = [line for line in oracle.lines(realm) if line.direction is way]
            assert [_as_line(clause) for clause in found] == wanted


@settings(max_examples=WORLDS, phases=PHASES)
@given(made=policy_worlds())
def test_ports_are_members_of_what_the_oracle_says(made: MadeWorld) -> None:
    world, oracle = made.world, PolicyOracle(made.world)
    terms = [f"categories/{id}" for id in world.categories] + [f"entityGroups/{id}" for id in world.groups]
    for nic in world.nics.values():
        for port in membership.ports_of(made.snapshot, nic):
            known = oracle.at[nic.id, port.vlan_id]
            assert port.addresses(observed(made)) == known.addresses
            wanted = sorted(term for term in terms if oracle.is_member(known, term))
            assert list(membership.terms_of_port(made.snapshot, port)) == wanted


def _as_line(clause: Clause) -> Line:
    return Line(
        policy=clause.policy,
        rule=clause.rule,
        phase=clause.phase.value,
        direction=clause.direction,
        subject=clause.subject,
        peers=clause.peers,
        action=clause.action,
        services=clause.services,
        ip_version=clause.ip_version,
        stateless=clause.stateless,
        monitored=clause.monitored,
    )
