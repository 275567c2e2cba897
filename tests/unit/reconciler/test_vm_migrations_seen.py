"""What others see of a migration: status of it and of NICs, both hosts' assignments, the nb_cfg that it asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.model.intent import Intent
from netctl.model.keys import HostId, Kind
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase, Status
from netctl.model.vm import PowerState
from netctl.model.vm_migration import Stage
from netctl.reconciler.assignments import AssignmentBook
from netctl.reconciler.reports import Heard
from netctl.reconciler.status import World, status_of
from tests.intents import FakeSource, infra, nic, snapshot, vlan
from tests.machines import nic_of, vm
from tests.migrations import AT_DESTINATION, migration, moving
from tests.unit.reconciler.test_reconcile import Bench

SETTINGS = AssignmentSettings(ovn_remote="tcp:192.0.2.9:6642", epoch=1)
WORLD = World(
    northbound_revision=0,
    required_cfg=lambda revision: 7,
    sb_cfg=7,
    heard=lambda host: Heard(None, False),
    waits=lambda id: f"why {id} waits",
)


def status(*intents: Intent, kind: Kind = Kind.VM_MIGRATION, name: str = "m1") -> Status:
    found = status_of((kind, name), snapshot([*infra(), *intents]), WORLD)
    assert found is not None
    return found


@pytest.mark.parametrize("stage", Stage)
def test_a_migration_is_programmed_when_its_machine_has_arrived(stage: Stage) -> None:
    failed = {"failure": "FAILED_TO_CONVERGE", "failure_message": "it wrote too fast"}
    found = status(vm("a", on="h1"), migration(stage=stage, **(failed if stage is Stage.FAILED else {})))
    if stage is Stage.DONE:
        assert found.phase is Phase.PROGRAMMED
    elif stage is Stage.FAILED:
        assert (found.phase, found.reason) == (Phase.FAILED, "FAILED_TO_CONVERGE")
        assert found.message == "it wrote too fast"
    else:
        assert (found.phase, found.reason) == (Phase.PENDING, stage.name)
        assert found.message == "why m1 waits"


def test_one_that_goes_back_says_why() -> None:
    found = status(
        vm("a", on="h1"), migration(stage=Stage.ABORTING, failure="LIBVIRT", failure_message="broken")
    )
    assert found.message == "LIBVIRT: broken; why m1 waits"


@pytest.mark.parametrize("change", [{"power_state": PowerState.OFF}, {"effective_cpu_model": ""}])
def test_a_nic_of_a_machine_that_is_not_on_says_so(change: dict[str, Any]) -> None:
    written = replace(WORLD, northbound_revision=9)
    for machine, reason in ((vm("a", on="h1", **change), "VM_OFF"), (vm("a", on="h1"), "HOST_DOWN")):
        world = snapshot([*infra(), vlan(), machine, nic_of("a", "n1", host="h1")])
        found = status_of((Kind.NIC, "n1"), world, written)
        assert found is not None
        assert found.reason == reason


@settings(max_examples=60, deadline=None)
@given(
    walk=st.lists(
        st.tuples(st.sampled_from((*Stage, None)), st.sampled_from(("", "n1", "n1 n2"))), max_size=7
    )
)
def test_both_hosts_hear_of_it_at_every_stage(walk: list[tuple[Stage | None, str]]) -> None:
    """The book equals a fresh compilation by any way: also for NICs that come while their guest is copied."""
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    for stage, nics in walk:
        place = "h2" if stage in AT_DESTINATION else "h1"
        intents: list[Intent] = [*infra(), vlan(), vm("a", on=place), nic("loose", number=9)]
        intents += [nic_of("a", name, number=5 + i, host=place) for i, name in enumerate(nics.split())]
        intents += [migration(stage=stage)] if stage is not None else []
        source.set(snapshot(intents))
        for host in (HostId("h1"), HostId("h2")):
            found, made = book.assignment(host), compile_assignment(source.snapshot(), host, SETTINGS)
            assert found is not None
            assert made is not None
            assert replace(found, revision=0) == replace(made, revision=0)


def test_a_migration_elsewhere_compiles_nothing() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    here = replace(infra()[2], id=HostId("h3"), tunnel_address="192.0.2.3/24")  # type: ignore[arg-type]
    source.set(snapshot([*infra(), here, vlan(), *moving(Stage.PREPARING)]))
    before = book.assignment(HostId("h3"))
    source.set(snapshot([*infra(), here, vlan(), *moving(Stage.COPYING)]))
    assert book.assignment(HostId("h3")) is before


def test_an_nb_cfg_that_is_asked_for_is_raised_once_though_nothing_is_written() -> None:
    bench = Bench()
    bench.arrive(vlan(), nic())
    bench.reconciler.step()
    before = bench.northbound.nb_cfg
    first = bench.reconciler.raise_cfg()
    again = bench.reconciler.raise_cfg()
    assert bench.reconciler.raised_cfg(first) is None
    bench.reconciler.step()
    assert bench.northbound.nb_cfg == before + 1
    assert bench.reconciler.raised_cfg(first) == bench.reconciler.raised_cfg(again) == before + 1
    bench.reconciler.step()
    assert bench.northbound.nb_cfg == before + 1


def test_one_that_rides_in_a_pass_is_that_of_the_pass_after_it_was_asked_for() -> None:
    bench = Bench()
    bench.arrive(vlan())
    asked = bench.reconciler.raise_cfg()
    bench.arrive(vlan(), nic())
    assert bench.reconciler.raised_cfg(asked) == bench.northbound.nb_cfg
    later = bench.reconciler.raise_cfg()
    assert bench.reconciler.raised_cfg(later) is None
    assert isinstance(bench.source.snapshot(), Snapshot)


def test_one_that_could_not_be_raised_is_asked_for_still() -> None:
    bench = Bench()
    bench.arrive(vlan())
    asked = bench.reconciler.raise_cfg()
    bench.northbound.connected = False
    bench.try_step()
    assert bench.reconciler.raised_cfg(asked) is None
    bench.northbound.connected = True
    bench.reconciler.step()
    assert bench.reconciler.raised_cfg(asked) == bench.northbound.nb_cfg
