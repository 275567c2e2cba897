"""compile: while a guest is copied its ports are bound to both hosts, and its NICs are in both assignments."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler import identity
from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.model.assignment import Assignment, NicAssignment
from netctl.model.intent import Intent
from netctl.model.keys import CategoryId, HostId, SubnetId
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.subnet import SubnetKind
from netctl.model.vm_migration import ON_BOTH, Stage
from netctl.nb.diff import diff
from netctl.nb.schema import MANAGED_KEYS
from netctl.reconciler.desired import DesiredFacts
from tests.intents import OWNER, FakeSource, infra, overlay, snapshot, uid_of, vlan
from tests.machines import nic_of, vm
from tests.migrations import AT_DESTINATION, migration, moving
from tests.security import category, policy
from tests.unit.compiler.rows import columns, rows_of

SETTINGS = AssignmentSettings(ovn_remote="tcp:192.0.2.9:6642", epoch=3)
PORT = identity.port_uuid(uid_of("n1"))


def trunk(**change: object) -> Nic:
    vlans = (TrunkVlan(vlan_id=20, subnet=SubnetId("v20"), ipv4_address="10.0.20.5"),)
    return replace(nic_of("a", "n1", host="h1"), mode=NicMode.TRUNK, trunk_vlans=vlans, **change)  # type: ignore[arg-type]


def assigned(host: str, *intents: Intent) -> NicAssignment | None:
    """Return what a host is told of NIC n1."""
    assignment = compile_assignment(snapshot([*infra(), *intents]), HostId(host), SETTINGS)
    assert isinstance(assignment, Assignment)
    return next((nic for nic in assignment.nics if nic.nic == "n1"), None)


@pytest.mark.parametrize("stage", Stage)
def test_a_port_has_one_host_or_both(stage: Stage) -> None:
    options = columns(rows_of(vlan(), *moving(stage)), "Logical_Switch_Port", PORT)["options"]
    if stage in ON_BOTH:
        assert options == {"requested-chassis": "h1,h2", "activation-strategy": "rarp"}
    else:
        assert options == {"requested-chassis": "h2" if stage in AT_DESTINATION else "h1"}


def test_vlans_of_a_trunk_are_on_both_hosts_and_blocked_by_their_parent_alone() -> None:
    rows = rows_of(vlan(), vlan("v20", 20), vm("a", on="h1"), trunk(), migration(stage=Stage.BINDING))
    parent = columns(rows, "Logical_Switch_Port", PORT)["options"]
    child = columns(rows, "Logical_Switch_Port", identity.child_uuid(uid_of("n1"), 20))["options"]
    assert parent == {"requested-chassis": "h1,h2", "activation-strategy": "rarp"}
    assert child == {"requested-chassis": "h1,h2"}


@pytest.mark.parametrize("after", [Stage.SETTLING, Stage.ABORTING])
def test_what_only_a_migration_needs_is_removed_with_it(after: Stage) -> None:
    during, then = (rows_of(vlan(), *moving(stage)) for stage in (Stage.COPYING, after))
    (update,) = diff(then, during).update
    host = "h2" if after is Stage.SETTLING else "h1"
    assert update.maps["options"].put == {"requested-chassis": host}
    assert set(update.maps["options"].remove) == {"activation-strategy"}
    # ... and where a controller that restarts finds the row as it is there
    assert ("Logical_Switch_Port", "options") in MANAGED_KEYS
    assert "activation-strategy" in MANAGED_KEYS["Logical_Switch_Port", "options"]


@pytest.mark.parametrize("stage", Stage)
def test_both_hosts_plug_a_nic_while_its_guest_is_copied(stage: Stage) -> None:
    world = (vlan(), *moving(stage))
    here, there = assigned("h1", *world), assigned("h2", *world)
    assert (here is not None) is (stage not in AT_DESTINATION)
    assert (there is not None) is (stage in ON_BOTH or stage in AT_DESTINATION)
    if here is not None:
        assert not here.incoming
    if there is not None:
        assert there.incoming is (stage in ON_BOTH or stage is Stage.SETTLING)
    if here is not None and there is not None:  # the same in all but that
        plain = replace(
            there, incoming=False, announce_bridge="", announce_vlan_ids=(), announce_localnets=()
        )
        assert plain == here


def test_a_guest_is_announced_in_each_vlan_of_its_nic() -> None:
    copying = (vm("a", on="h1"), migration(stage=Stage.COPYING))
    own, other = (f"localnet-{uid_of(name)}-vs0" for name in ("v10", "v20"))
    found = assigned("h2", vlan(), vlan("v20", 20), trunk(), *copying)
    assert found is not None
    assert (found.announce_bridge, found.announce_vlan_ids) == ("br0", (10, 20))
    assert found.announce_localnets == (own, other)
    tunnelled = assigned("h2", overlay(), nic_of("a", "n1", "o1", host="h1"), *copying)
    assert tunnelled is not None
    assert tunnelled.incoming
    assert (tunnelled.announce_bridge, tunnelled.announce_vlan_ids, tunnelled.announce_localnets) == (
        "",
        (),
        (),
    )


def test_a_nic_beside_ovn_is_plugged_on_both_hosts_and_announced_with_its_own_tags() -> None:
    basic = replace(vlan(), kind=SubnetKind.VLAN_BASIC)
    tagged = trunk(basic=True)
    tagged = replace(tagged, trunk_vlans=(TrunkVlan(vlan_id=77),))
    found = assigned("h2", basic, tagged, vm("a", on="h1"), migration(stage=Stage.COPYING))
    assert found is not None
    assert (found.bridge, found.incoming) == ("br0", True)
    assert (found.announce_bridge, found.announce_vlan_ids, found.announce_localnets) == ("br0", (10, 77), ())


def secured_by_machine(*categories: str) -> list[Intent]:
    """Return a policy of category web, and machine a, whose NIC has none itself."""
    machine = vm("a", on="h1", categories=tuple(CategoryId(id) for id in categories))
    return [category("web"), policy("p", "web"), vlan(), machine, nic_of("a", "n1", host="h1")]


def test_a_nic_has_the_categories_of_its_machine() -> None:
    groups = [key for key in rows_of(*secured_by_machine("web")) if key[0] == "Port_Group" and PORT in key]
    assert len(groups) == 1
    assert not [key for key in rows_of(*secured_by_machine()) if key[0] == "Port_Group" and PORT in key]


@settings(max_examples=60, deadline=None)
@given(
    walk=st.lists(
        st.tuples(st.sampled_from(Stage), st.booleans(), st.sampled_from(("a", "b")), st.booleans()),
        max_size=8,
    )
)
def test_rows_follow_a_migration_and_categories_by_any_way(
    walk: list[tuple[Stage, bool, str, bool]],
) -> None:
    """Incremental equals full, whatever of machine, NIC and migration comes, goes and changes."""
    source, desired = FakeSource(), DesiredFacts(OWNER)
    for stage, has_category, machine, is_there in walk:
        place = "h2" if stage in AT_DESTINATION else "h1"
        intents: list[Intent] = [*infra(), category("web"), policy("p", "web"), vlan()]
        intents += [
            vm("a", on=place, categories=(CategoryId("web"),) if has_category else ()),
            vm("b", on="h1"),
        ]
        intents.append(nic_of(machine, "n1", host=place))
        intents += [migration(stage=stage)] if is_there else []
        source.set(snapshot(intents))
        desired.update(source.snapshot(), source.changed_since(desired.revision), NOTHING_OBSERVED)
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)


@pytest.mark.parametrize("before", Stage)
@pytest.mark.parametrize("after", [*Stage, None])
def test_a_step_alone_recompiles_the_ports(before: Stage, after: Stage | None) -> None:
    """Of one that was removed, too: nothing but the migration changes, where the stages allow that."""
    source, desired = FakeSource(), DesiredFacts(OWNER)
    first, then = moving(before), moving(after) if after is not None else moving(before)[:-1]
    for intents in (first, then, first):
        source.set(snapshot([*infra(), vlan(), *intents]))
        desired.update(source.snapshot(), source.changed_since(desired.revision), NOTHING_OBSERVED)
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
