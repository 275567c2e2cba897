"""What the steering benchmark compiles is chained, and its changes change what it says they do."""

from bench import steering_layout as layout
from netctl.model.assignment_chains import SteeringRule
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot
from tests.chained import chains_on

SIZE = 200


def rules(snapshot: Snapshot) -> tuple[SteeringRule, ...]:
    [segment] = chains_on(snapshot).segments
    return segment.rules


def test_all_pass_the_subnets_own_chain() -> None:
    [rule] = rules(layout.own_chain(SIZE))
    assert (rule.chain_id, rule.local_mac_addresses, rule.peer_networks) == ("inspect", (), ())


def test_every_nic_is_a_peer_and_those_of_the_host_are_local() -> None:
    found = rules(layout.by_category(SIZE))
    assert {len(rule.peer_networks) for rule in found} == {SIZE}
    assert {len(rule.local_mac_addresses) for rule in found} == {layout.PER_HOST}


def test_a_change_is_of_one_peer_on_another_host() -> None:
    before = layout.by_category(SIZE)
    gone = layout.changed(before, 0)
    assert {len(rule.peer_networks) for rule in rules(gone)} == {SIZE - 1}
    assert rules(layout.changed(gone, 1)) == rules(before)
    assert gone.count(Kind.NIC) == before.count(Kind.NIC)


def test_basic_nics_are_all_on_the_host() -> None:
    snapshot = layout.all_basic(SIZE)
    assert len(tuple(snapshot.nics_of_host(layout.HOST))) == SIZE
    assert not any(nic.has_port for nic in snapshot.nics_of_host(layout.HOST))
