"""The table "Run states" of docs/design/compute.md, cell by cell, and what is never touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from netctl_compute.actions import (
    Action,
    AttachDisk,
    AttachNic,
    ChangeMedium,
    DestroyDomain,
    DetachDisk,
    DetachNic,
    GrowDisk,
    MakeTap,
    PauseDomain,
    PrepareStorage,
    PressPower,
    RemoveSecret,
    RemoveStorage,
    RemoveTap,
    RemoveTpmState,
    ResetDomain,
    ResumeDomain,
    SetNicLink,
    SetSecret,
    StartDomain,
)
from netctl_compute.assignment import (
    DiskBus,
    MigrationOrder,
    PowerState,
    RestartPolicy,
    VmAssignment,
    VmRole,
)
from netctl_compute.domain_xml import target_name
from netctl_compute.plan import Past, plan, tap_of
from netctl_compute.plan_hot import pending_restart, shape_of
from netctl_compute.records import Record
from netctl_compute.reported import RunState, UnknownDomain
from netctl_compute.state import Domain, DomainDisk, DomainNic, HostState, HowEnded, Tap
from netctl_compute.storage_state import DiskFile, VmStorage
from netctl_compute.tpm_secret import secret_uid

from tests.unit.compute.samples import MIB, assign, cdrom, disk, nic, uid_of, vm

ON, OFF, PAUSED = PowerState.ON, PowerState.OFF, PowerState.PAUSED
RUN, PLACEHOLDER, REMOVE = VmRole.RUN, VmRole.PLACEHOLDER, VmRole.REMOVE
ORDER = MigrationOrder(
    migration="m1", attempt=1, vm="vm1", destination="h2", destination_address="tcp://192.0.2.2"
)
MACHINE = vm(nics=(nic("vm1"),), disks=(disk("vm1"),))


def domain_of(machine: VmAssignment, run_state: RunState = RunState.RUNNING, **fields: Any) -> Domain:
    """The domain that was started of it."""
    defaults: dict[str, Any] = {
        "shape": shape_of(machine),
        "power_epoch": machine.power_epoch,
        "reset_epoch": machine.reset_epoch,
        "disks": tuple(
            DomainDisk(
                uid=each.uid,
                target=target_name(each.bus, each.index),
                bus=each.bus,
                device=each.kind,
                path=f"/store/{each.uid}" if each.image or each.size_bytes else "",
            )
            for each in machine.disks
        ),
        "nics": tuple(
            DomainNic(
                tap=each.tap_name,
                mac_address=each.mac_address,
                model=each.model,
                queues=each.queues,
                mtu_bytes=each.mtu_bytes,
                link_up=not each.disconnected,
            )
            for each in machine.nics
        ),
    }
    return Domain(vm=machine.vm, uid=machine.uid, run_state=run_state, **(defaults | fields))


def state_of(
    machine: VmAssignment, run_state: RunState | None = None, *, made: bool = True, **fields: Any
) -> HostState:
    """A host with this domain, if any; `made`: everything that it needs is there."""
    files = {
        each.uid: DiskFile(path=Path(f"/store/{each.uid}"), format="qcow2")
        for each in machine.disks
        if each.image or each.size_bytes
    }
    defaults: dict[str, Any] = {
        "domains": {machine.uid: domain_of(machine, run_state)} if run_state else {},
        "storage": {machine.uid: VmStorage(ready=made, disks=files, absent=not made)},
        "taps": {each.tap_name: tap_of(machine, each) for each in machine.nics} if made else {},
        "secrets": frozenset({secret_uid(machine.uid)}) if made and machine.vtpm else frozenset(),
    }
    return HostState(**(defaults | fields))


def kinds(actions: tuple[Action, ...]) -> list[type[Action]]:
    return [type(action) for action in actions]


def planned(
    machine: VmAssignment,
    state: HostState,
    record: Record | None = None,
    **fields: Any,
) -> tuple[Action, ...]:
    records = {machine.uid: record} if record is not None else {}
    return plan(assign(machine, **fields), state, Past(records=records))


def ended(how: HowEnded, power_epoch: int = 1) -> Record:
    return Record(power_epoch=power_epoch, boot_id="b", ended=how)


@pytest.mark.parametrize(
    ("fields", "run_state", "expected"),
    [
        ({}, None, [StartDomain]),
        ({}, RunState.RUNNING, []),
        ({"reset_epoch": 2}, RunState.RUNNING, [ResetDomain]),
        ({}, RunState.PAUSED, [ResumeDomain]),
        ({}, RunState.INCOMING, []),
        ({}, RunState.SHUTTING_DOWN, []),
        ({}, RunState.CRASHED, [DestroyDomain]),
        ({"power_state": PAUSED}, None, [StartDomain]),
        ({"power_state": PAUSED}, RunState.RUNNING, [PauseDomain]),
        ({"power_state": PAUSED}, RunState.PAUSED, []),
        ({"power_state": OFF}, None, [RemoveTap]),
        ({"power_state": OFF}, RunState.RUNNING, [DestroyDomain]),
        ({"power_state": OFF, "graceful_off": True}, RunState.RUNNING, [PressPower]),
        ({"power_state": OFF, "graceful_off": True}, RunState.SHUTTING_DOWN, [PressPower]),
        ({"power_state": OFF, "graceful_off": True}, RunState.PAUSED, [DestroyDomain]),
        ({"role": PLACEHOLDER}, None, []),
        ({"role": PLACEHOLDER}, RunState.INCOMING, []),
        ({"role": PLACEHOLDER}, RunState.RUNNING, []),
        ({"role": REMOVE}, None, [RemoveStorage, RemoveTap]),
        ({"role": REMOVE}, RunState.RUNNING, [DestroyDomain]),
        ({"role": REMOVE}, RunState.PAUSED, [DestroyDomain]),
        ({"role": REMOVE}, RunState.INCOMING, [DestroyDomain]),
    ],
)
def test_the_table(fields: dict[str, Any], run_state: RunState | None, expected: list[type[Action]]) -> None:
    state = state_of(MACHINE, run_state)
    if run_state is not None:
        state = replace(state, domains={MACHINE.uid: domain_of(MACHINE, run_state)})
    assert kinds(planned(replace(MACHINE, **fields), state)) == expected


@pytest.mark.parametrize("role", [RUN, PLACEHOLDER])
def test_what_is_missing_is_made_first(role: VmRole) -> None:
    machine = replace(MACHINE, role=role, vtpm=True)
    assert kinds(planned(machine, state_of(machine, made=False))) == [MakeTap, SetSecret, PrepareStorage]
    assert kinds(planned(machine, state_of(machine))) == ([StartDomain] if role is RUN else [])


def test_disks_of_a_machine_that_is_off_are_made_and_no_taps() -> None:
    off = replace(MACHINE, power_state=OFF)
    assert kinds(planned(off, state_of(off, made=False))) == [PrepareStorage]


def test_everything_of_a_removed_machine_is_removed() -> None:
    machine = replace(MACHINE, role=REMOVE, vtpm=True)
    state = replace(state_of(machine), tpm_states=frozenset({machine.uid}))
    assert kinds(planned(machine, state)) == [RemoveSecret, RemoveTpmState, RemoveStorage, RemoveTap]
    assert planned(machine, state_of(machine, made=False)) == ()


@pytest.mark.parametrize(
    ("policy", "how", "starts"),
    [
        (RestartPolicy.ALWAYS, HowEnded.SHUT_DOWN, True),
        (RestartPolicy.ALWAYS, HowEnded.CRASHED, True),
        (RestartPolicy.ALWAYS, HowEnded.NONE, False),
        (RestartPolicy.ALWAYS, HowEnded.MIGRATED, False),
        (RestartPolicy.ON_FAILURE, HowEnded.SHUT_DOWN, False),
        (RestartPolicy.ON_FAILURE, HowEnded.CRASHED, True),
        (RestartPolicy.ON_FAILURE, HowEnded.DESTROYED, True),
        (RestartPolicy.ON_FAILURE, HowEnded.REBOOTED, True),
        (RestartPolicy.ON_FAILURE, HowEnded.UNKNOWN, True),
        (RestartPolicy.NEVER, HowEnded.CRASHED, False),
        (RestartPolicy.NEVER, HowEnded.REBOOTED, False),
    ],
)
def test_what_ended_by_itself_is_started_by_its_policy(
    policy: RestartPolicy, how: HowEnded, starts: bool
) -> None:
    machine = replace(MACHINE, restart_policy=policy)
    assert kinds(planned(machine, state_of(machine), ended(how))) == ([StartDomain] if starts else [])
    again = replace(machine, power_epoch=2)
    assert kinds(planned(again, state_of(again), ended(how))) == [StartDomain]


def test_nothing_is_started_or_steered_while_an_order_stands() -> None:
    assert planned(MACHINE, state_of(MACHINE), migrations=(ORDER,)) == ()
    assert planned(MACHINE, state_of(MACHINE, RunState.PAUSED), migrations=(ORDER,)) == ()
    changed = replace(MACHINE, reset_epoch=2, nics=(replace(MACHINE.nics[0], disconnected=True),))
    assert planned(changed, state_of(MACHINE, RunState.RUNNING), migrations=(ORDER,)) == ()
    # The same without an order.
    assert kinds(planned(MACHINE, state_of(MACHINE, RunState.PAUSED))) == [ResumeDomain]


def test_one_that_is_copied_by_a_job_here_is_left_alone() -> None:
    state = replace(state_of(MACHINE, RunState.PAUSED), migrating=frozenset({MACHINE.uid}))
    assert planned(MACHINE, state) == ()


def test_a_start_waits_after_failures() -> None:
    past = Past(records={}, waiting=frozenset({MACHINE.uid}))
    assert plan(assign(MACHINE), state_of(MACHINE), past) == ()


@pytest.mark.parametrize("unknown", [("vm1", uid_of("other")), ("other", MACHINE.uid)])
def test_no_domain_is_made_in_the_place_of_a_foreign_one(unknown: tuple[str, str]) -> None:
    name, uid = unknown
    state = replace(state_of(MACHINE), unknown=(UnknownDomain(name=name, uid=uid, running=True),))
    assert planned(MACHINE, state) == ()


def test_domains_that_are_not_assigned_keep_their_taps() -> None:
    stray = vm("stray", nics=(nic("stray"),))
    state = state_of(stray, RunState.RUNNING)
    assert plan(assign(), state, Past(records={})) == ()
    # The tap of one that is gone is swept, a tap that is not ours never.
    foreign = Tap(name="tap9", mtu_bytes=1500)
    state = replace(state, domains={}, taps={**state.taps, "tap9": foreign})
    (removed,) = plan(assign(), state, Past(records={}))
    assert removed == RemoveTap(vm="", uid=stray.uid, tap=stray.nics[0].tap_name)


def test_one_machine_waits_for_no_other() -> None:
    other = vm("vm2")
    state = replace(
        state_of(MACHINE, made=False),
        storage={**state_of(other).storage, **state_of(MACHINE, made=False).storage},
    )
    assert StartDomain in kinds(plan(assign(MACHINE, other), state, Past(records={})))


def hot(after: VmAssignment, before: VmAssignment = MACHINE, **fields: Any) -> tuple[Action, ...]:
    state = replace(state_of(after), domains={before.uid: domain_of(before)}, **fields)
    return planned(after, state)


def test_disks_are_plugged_in_and_out_where_the_bus_can() -> None:
    for bus in (DiskBus.SCSI, DiskBus.PCI):
        more = disk("vm1", 1, bus=bus)
        after = replace(MACHINE, disks=(*MACHINE.disks, more))
        assert hot(after) == (AttachDisk(vm="vm1", uid=MACHINE.uid, disk=more),)
        (gone,) = hot(MACHINE, after)
        assert gone == DetachDisk(vm="vm1", uid=MACHINE.uid, target=target_name(bus, 1))
    cold = replace(MACHINE, disks=(*MACHINE.disks, disk("vm1", 1, bus=DiskBus.SATA)))
    assert hot(cold) == ()
    assert pending_restart(cold, domain_of(MACHINE)) == ("disks",)
    assert hot(MACHINE, cold) == ()
    assert pending_restart(MACHINE, domain_of(cold)) == ("disks",)


def test_a_disk_without_a_file_is_not_plugged_in() -> None:
    after = replace(MACHINE, disks=(*MACHINE.disks, disk("vm1", 1)))
    state = replace(state_of(MACHINE, RunState.RUNNING), storage=state_of(MACHINE).storage)
    assert planned(after, state) == ()


def test_a_medium_is_changed_when_the_new_one_is_there() -> None:
    empty = replace(MACHINE, disks=(cdrom("vm1"),))
    loaded = replace(MACHINE, disks=(replace(empty.disks[0], image="i1", image_sha256="a" * 64),))
    path = f"/store/{empty.disks[0].uid}"
    change = ChangeMedium(vm="vm1", uid=MACHINE.uid, target="hda", path=path)
    assert hot(loaded, empty) == (change,)
    assert hot(empty, loaded) == (replace(change, path=""),)
    fetching = {MACHINE.uid: VmStorage(ready=False)}
    assert kinds(hot(loaded, empty, storage=fetching)) == [PrepareStorage]


def test_a_disk_grows_while_it_runs() -> None:
    storage = {
        MACHINE.uid: replace(state_of(MACHINE).storage[MACHINE.uid], to_grow={MACHINE.disks[0].uid: 9 * MIB})
    }
    grow = GrowDisk(vm="vm1", uid=MACHINE.uid, target="sda", size_bytes=9 * MIB)
    assert hot(MACHINE, storage=storage) == (grow,)
    assert kinds(planned(MACHINE, replace(state_of(MACHINE), storage=storage)))[0] is PrepareStorage


def test_interfaces_are_plugged_in_and_out_and_disconnected() -> None:
    more = replace(MACHINE, nics=(*MACHINE.nics, nic("vm1", 1)))
    assert hot(more) == (AttachNic(vm="vm1", uid=MACHINE.uid, nic=more.nics[1]),)
    assert kinds(hot(more, taps=state_of(MACHINE).taps)) == [MakeTap]
    gone = hot(MACHINE, more, taps=state_of(more).taps)
    assert gone == (DetachNic(vm="vm1", uid=MACHINE.uid, tap=more.nics[1].tap_name),)
    pulled = replace(MACHINE, nics=(replace(MACHINE.nics[0], disconnected=True),))
    assert hot(pulled) == (SetNicLink(vm="vm1", uid=MACHINE.uid, tap=MACHINE.nics[0].tap_name, up=False),)
    assert kinds(hot(MACHINE, pulled)) == [SetNicLink]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"memory_mib": 64}, "memory_mib"),
        ({"num_vcpus": 2}, "num_vcpus"),
        ({"cpu_model": "Nehalem"}, "cpu_model"),
        ({"boot_order": ()}, "boot_order"),
        ({"pci_devices": ("0000:00:01.0",)}, "pci_devices"),
        ({"nics": (replace(MACHINE.nics[0], queues=2),)}, "nics"),
        ({"nics": (replace(MACHINE.nics[0], mac_address="02:00:00:00:00:99"),)}, "nics"),
    ],
)
def test_what_waits_for_the_next_start_is_named(fields: dict[str, Any], word: str) -> None:
    changed = replace(MACHINE, **fields)
    assert pending_restart(changed, domain_of(MACHINE)) == (word,)
    assert hot(changed) == ()
    assert pending_restart(MACHINE, domain_of(MACHINE)) == ()


def test_secrets_are_not_shown_by_actions() -> None:
    machine = replace(MACHINE, vtpm=True, vtpm_secret="hush")
    actions = planned(machine, state_of(machine, made=False))
    assert SetSecret in kinds(actions)
    assert "hush" not in "".join(map(str, actions))
