"""The compiler's ACLs, port groups and address sets do with every packet what the oracle says, in random worlds.

The rows are read by tests/oracle/acl_match.py, which knows OVN's language and nothing of the compiler.
NETCTL_ORACLE_WORLDS sets how many worlds are tried (200); together they have 100,000 decisions at the least.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hypothesis import given, note, settings
from hypothesis import strategies as st

from netctl.compiler import identity
from netctl.compiler.clause import Clause
from netctl.compiler.compile import compile_rows
from netctl.compiler.security_policy import acls_of
from netctl.model.security_policy import Direction, PolicyMode
from netctl.nb.rows import Row
from tests.intents import OWNER
from tests.oracle.policy import Line, PolicyOracle, ends
from tests.oracle.policy_probes import PolicyProbe, some_of
from tests.oracle.policy_show import shown
from tests.oracle.policy_words import Packet, Port, State
from tests.oracle.policy_worlds import MadeWorld, policy_worlds
from tests.unit.oracle.acl_rows import OTHER_WAY, AclRows
from tests.unit.oracle.observing import PHASES, observed

WORLDS = int(os.environ.get("NETCTL_ORACLE_WORLDS", "200"))
PROBES = 700  # of a world
LEAST = 100_000


@dataclass(frozen=True, slots=True)
class Decision:
    """One packet at one end, in one state."""

    port: Port
    direction: Direction
    packet: Packet
    state: State

    def __str__(self) -> str:
        return f"{self.state.value} {self.direction.value} {self.port.name}: {self.packet}"


def test_rows_do_what_the_oracle_says() -> None:
    tally = [0]

    @settings(max_examples=WORLDS, phases=PHASES)
    @given(made=policy_worlds(), tiers=st.booleans(), reject=st.booleans())
    def in_every_world(made: MadeWorld, tiers: bool, reject: bool) -> None:
        seen = observed(made, acl_tiers=tiers, reject=reject)
        rows = compile_rows(made.snapshot, OWNER, seen)
        acls, oracle = AclRows(rows), PolicyOracle(made.world)
        note(shown(made.world))
        assert not acls.clashes, "two ACLs of one direction have the same priority"
        for decision in decisions(oracle, some_of(made.world, PROBES)):
            tally[0] += 1
            what = (decision.direction, decision.packet, decision.state)
            wanted = oracle.allows(decision.port, *what)
            found = acls.allows(lsp_of(decision.port), *what)
            assert found == wanted, (
                f"{decision}: the oracle says {wanted}, the rows {found}: {why(acls, decision)}"
            )
            is_seen = decision.state is State.FIRST and decision.packet.is_judged
            if is_seen and acls.is_stateful(lsp_of(decision.port)):
                wanted = oracle.is_tracked(decision.port, *what[:2])
                assert acls.is_tracked(lsp_of(decision.port), *what[:2]) == wanted, f"{decision} is tracked"

    in_every_world()
    assert tally[0] >= LEAST


@settings(max_examples=WORLDS // 3, phases=PHASES)
@given(made=policy_worlds())
def test_policies_in_monitor_change_no_fate(made: MadeWorld) -> None:
    """Not of a packet, and not of a connection: the same are tracked."""
    note(shown(made.world))
    draft = made.snapshot.draft()
    for policy in made.world.policies:
        if policy.mode is PolicyMode.MONITOR:
            draft.put(replace(policy, mode=PolicyMode.SAVE))
    without = AclRows(compile_rows(draft.freeze(made.snapshot.revision), OWNER, observed(made)))
    acls = AclRows(compile_rows(made.snapshot, OWNER, observed(made)))
    oracle = PolicyOracle(made.world)
    for decision in decisions(oracle, some_of(made.world, PROBES)):
        port, what = lsp_of(decision.port), (decision.direction, decision.packet)
        if oracle.is_question(decision.port, decision.packet):
            continue  # from the first policy on, in whatever mode, it is for OVN alone
        assert acls.allows(port, *what, decision.state) == without.allows(port, *what, decision.state), str(
            decision
        )
        if without.is_stateful(port):
            assert acls.is_tracked(port, *what) == without.is_tracked(port, *what), str(decision)


@settings(max_examples=WORLDS // 3, phases=PHASES)
@given(made=policy_worlds())
def test_rows_are_of_the_line_that_decides_and_of_the_one_that_would_have_dropped(made: MadeWorld) -> None:
    """Hits and logs are of rows: each is the policy's and rule's that the oracle names."""
    note(shown(made.world))
    seen, oracle = observed(made), PolicyOracle(made.world)
    acls = AclRows(compile_rows(made.snapshot, OWNER, seen))
    known = {acl.uuid: acl for policy in made.world.policies for acl in acls_of(made.snapshot, seen, policy)}
    for decision in decisions(oracle, some_of(made.world, PROBES)):
        if decision.state is not State.FIRST or not decision.packet.is_judged:
            continue
        what = (decision.direction, decision.packet)
        row = acls.first(lsp_of(decision.port), *what)
        if oracle.is_question(decision.port, decision.packet):
            continue
        acl = known[row.row.uuid] if row is not None else None
        line, watched = (ask(decision.port, *what) for ask in (oracle.decides, oracle.would_drop))
        decides = acl.clause if acl is not None and not acl.clause.monitored else None
        assert _name(decides) == _name(line), str(decision)
        assert _name(acl.would_drop_of if acl is not None else None) == _name(watched), str(decision)
        if row is not None and acl is not None and (watched is not None or (decides and decides.log)):
            assert row.row.columns["log"], f"{decision} is to be logged"
            assert row.row.columns["name"] == frozenset({row.row.uuid})


def _name(line: Line | Clause | None) -> tuple[object, ...]:
    return () if line is None else (line.policy, line.rule, line.subject, line.peers, line.action)


def decisions(oracle: PolicyOracle, probes: Iterable[PolicyProbe]) -> Iterator[Decision]:
    """Yield what is decided: a first packet, and where it opens a connection an answer and an error, at each end."""
    for probe in probes:
        packet = probe.packet
        for port, direction in ends(*probe.ends):
            yield Decision(port, direction, packet, State.FIRST)
            if oracle.knows(port, direction, packet):
                back = OTHER_WAY[direction]
                yield Decision(port, back, packet.answer(), State.ANSWER)
                yield Decision(port, back, packet.error(), State.RELATED)


def lsp_of(port: Port) -> str:
    """Return the name of a port's Logical_Switch_Port."""
    uid = port.nic.meta.uid
    return identity.child_name(uid, port.vlan_id) if port.vlan_id else str(uid)


def why(acls: AclRows, decision: Decision) -> Row | None:
    """Return the row that decides."""
    acl = acls.first(lsp_of(decision.port), decision.direction, decision.packet)
    return acl.row if acl is not None else None
