"""Status of machines, images, templates, affinity policies, and of hosts by their machines: each reason in its turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.compute_report import ComputeReport, ExportReport, RunState, VmReport
from netctl.model.image import Image
from netctl.model.intent import Intent
from netctl.model.keys import AffinityPolicyId, HostId, ImageId, Kind, VmId, VmMigrationId, VmTemplateId
from netctl.model.status import Phase
from netctl.model.template import TemplateVersion, VmTemplate
from netctl.model.vm import PowerState, RestartPolicy, Vm
from netctl.model.vm_migration import Stage, VmMigration
from netctl.reconciler.compute_book import ComputeHeard
from netctl.reconciler.placement import Waiting
from netctl.reconciler.reports import Heard
from netctl.reconciler.status import World, status_of
from tests.intents import host, meta, snapshot
from tests.machines import compute, machines, network, seen, vm, waiting

PENDING, FAILED, PROGRAMMED = Phase.PENDING, Phase.FAILED, Phase.PROGRAMMED
ON = vm("a", on="h1", meta=meta("a", 50))
OFF = replace(ON, power_state=PowerState.OFF)
PAUSED = replace(ON, power_state=PowerState.PAUSED)
RUNS = seen(ON, power_epoch=1)


def world(
    *vms: VmReport, connected: bool = True, report: ComputeReport | None = None, **change: Any
) -> World:
    """Return a world in which h1 says this of its machines, and its network is well."""
    said = report or compute("h1", *vms)
    heard = ComputeHeard(report=said, connected=connected, vms={one.vm: one for one in said.vms})
    base = World(
        northbound_revision=100,
        required_cfg=lambda revision: 7,
        sb_cfg=7,
        heard=lambda id: Heard(network(id), True),
        compute=lambda id: heard if id == "h1" else ComputeHeard(),
    )
    return replace(base, **change)


def status(of: World, *intents: Intent, key: tuple[Kind, str] = (Kind.VM, "a")) -> tuple[Phase, str, str]:
    found = status_of(key, snapshot([*machines(2), *intents]), of)
    assert found is not None
    assert found.message or found.phase is PROGRAMMED
    return found.phase, found.reason, found.message


@pytest.mark.parametrize(
    ("of", "machine", "expected"),
    [
        (world(RUNS), ON, (PROGRAMMED, "")),
        (world(), vm("a"), (PROGRAMMED, "")),
        (world(), ON, (PENDING, "WAITING_FOR_AGENT")),
        (world(report=compute("h1", RUNS, revision=49)), ON, (PENDING, "WAITING_FOR_AGENT")),
        (world(replace(RUNS, uid=meta("other").uid)), ON, (PENDING, "WAITING_FOR_AGENT")),
        (world(replace(RUNS, power_epoch=0)), ON, (PENDING, "STARTING")),
        (world(replace(RUNS, run_state=RunState.ABSENT)), ON, (PENDING, "STARTING")),
        (world(replace(RUNS, run_state=RunState.PAUSED)), ON, (PENDING, "STARTING")),
        (world(replace(RUNS, run_state=RunState.PAUSED)), PAUSED, (PROGRAMMED, "")),
        (world(RUNS), PAUSED, (PENDING, "STARTING")),
        (world(RUNS), replace(ON, reset_epoch=1), (PENDING, "RESETTING")),
        (world(replace(RUNS, pending_restart=("memory_mib",))), ON, (PROGRAMMED, "RESTART_NEEDED")),
        (world(RUNS), OFF, (PENDING, "SWITCHING_OFF")),
        (world(replace(RUNS, run_state=RunState.SHUTTING_DOWN)), OFF, (PENDING, "SWITCHING_OFF")),
        (world(replace(RUNS, run_state=RunState.SHUT_DOWN)), OFF, (PROGRAMMED, "")),
        (world(replace(RUNS, run_state=RunState.ABSENT)), OFF, (PROGRAMMED, "")),
        (world(replace(RUNS, run_state=RunState.SHUT_DOWN)), ON, (PROGRAMMED, "SHUT_DOWN")),
        (world(replace(RUNS, run_state=RunState.CRASHED)), ON, (PENDING, "STARTING")),
        (world(RUNS, connected=False), ON, (FAILED, "HOST_DOWN")),
        (world(RUNS, connected=False, starting=True), ON, (PENDING, "WAITING_FOR_HOST")),
        (world(report=replace(compute("h1", RUNS), libvirt_connected=False)), ON, (FAILED, "LIBVIRT_DOWN")),
        (world(), replace(OFF, deleting=True), (PENDING, "DELETING")),
    ],
)  # fmt: skip
def test_a_machine(of: World, machine: Vm, expected: tuple[Phase, str]) -> None:
    assert status(of, machine)[:2] == expected


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        (RestartPolicy.ALWAYS, RunState.SHUT_DOWN, (PENDING, "STARTING")),
        (RestartPolicy.NEVER, RunState.SHUT_DOWN, (PROGRAMMED, "SHUT_DOWN")),
        (RestartPolicy.NEVER, RunState.CRASHED, (FAILED, "CRASHED")),
        (RestartPolicy.ALWAYS, RunState.CRASHED, (PENDING, "STARTING")),
    ],
)
def test_one_that_ended(policy: RestartPolicy, state: RunState, expected: tuple[Phase, str]) -> None:
    assert status(world(replace(RUNS, run_state=state)), replace(ON, restart_policy=policy))[:2] == expected


def test_what_its_host_cannot_do_is_told() -> None:
    fetching = replace(
        RUNS, run_state=RunState.ABSENT, reason="IMAGE_FETCHING", problem="image x comes", progress_percent=42
    )
    assert status(world(report=compute("h1", fetching, revision=1)), ON) == (
        PENDING,
        "IMAGE_FETCHING",
        "image x comes (42 %)",
    )
    broken = replace(fetching, reason="START_FAILED", problem="no such machine type", progress_percent=0)
    assert status(world(broken), ON) == (FAILED, "START_FAILED", "no such machine type")


def test_one_without_a_place() -> None:
    asked = waiting("a")
    assert status(world(), asked)[:2] == (PENDING, "WAITING_FOR_PLACE")
    none = Waiting(message="hosts/h1 is full")
    assert status(world(unplaced=lambda id: none), asked) == (FAILED, "NO_HOST_FITS", "hosts/h1 is full")
    assert status(world(unplaced=lambda id: none, starting=True), asked)[0] is PENDING
    soon = Waiting(message="hosts/h1 must wait", passing=True)
    assert status(world(unplaced=lambda id: soon), asked)[:2] == (PENDING, "NO_HOST_FITS")
    stays = replace(asked, host=HostId("h1"))
    assert status(world(connected=False, unplaced=lambda id: soon), stays)[:2] == (FAILED, "HOST_DOWN")


def test_one_that_moves_runs_all_the_while() -> None:
    going = VmMigration(
        id=VmMigrationId("m"),
        vm=VmId("a"),
        source=HostId("h1"),
        destination=HostId("h2"),
        stage=Stage.COPYING,
    )
    assert status(world(replace(RUNS, run_state=RunState.ABSENT)), ON, going)[:2] == (PROGRAMMED, "MIGRATING")
    assert (
        status(world(replace(RUNS, run_state=RunState.ABSENT)), ON, replace(going, stage=Stage.QUEUED))[1]
        == "STARTING"
    )


IMAGE = Image(id=ImageId("i"), meta=meta("i"))


@pytest.mark.parametrize(
    ("image", "change", "expected"),
    [
        (replace(IMAGE, stored_bytes=5), {}, (PROGRAMMED, "")),
        (IMAGE, {}, (PENDING, "WAITING_FOR_UPLOAD")),
        (replace(IMAGE, source_uri="http://192.0.2.1/i"), {}, (PENDING, "FETCHING")),
        (
            replace(IMAGE, source_uri="http://192.0.2.1/i"),
            {"image_problem": lambda id: "404"},
            (FAILED, "FETCH_FAILED"),
        ),
        (replace(IMAGE, source_vm=VmId("a")), {}, (PENDING, "COPYING")),
        (replace(IMAGE, source_vm=VmId("a")), {"connected": False}, (FAILED, "HOST_DOWN")),
        (replace(IMAGE, source_vm=VmId("z")), {}, (FAILED, "SOURCE_MISSING")),
    ],
)
def test_an_image(image: Image, change: dict[str, Any], expected: tuple[Phase, str]) -> None:
    assert status(world(**change), OFF, image, key=(Kind.IMAGE, "i"))[:2] == expected


def test_an_image_of_a_disk_says_how_far_it_is() -> None:
    image = replace(IMAGE, source_vm=VmId("a"))

    def told(*exports: ExportReport) -> tuple[Phase, str, str]:
        of = world(report=replace(compute("h1"), exports=exports))
        return status(of, OFF, image, key=(Kind.IMAGE, "i"))

    other = ExportReport(image=ImageId("x"), done=False, problem="no room")
    mine = ExportReport(image=ImageId("i"), done=False, progress_percent=42)
    assert told(other, mine) == (PENDING, "COPYING", "host h1 copies the disk (42 %)")
    assert told(replace(mine, problem="no room")) == (FAILED, "EXPORT_FAILED", "host h1: no room")


def test_a_template_waits_for_its_images() -> None:
    versions = (TemplateVersion(number=1, vm=vm("t", disks=2), images=(ImageId("i"), ImageId(""))),)
    template = VmTemplate(id=VmTemplateId("t"), meta=meta("t"), versions=versions, active_version=1)
    key = (Kind.VM_TEMPLATE, "t")
    assert status(world(), template, IMAGE, key=key)[:2] == (PENDING, "WAITING_FOR_IMAGES")
    assert status(world(), template, replace(IMAGE, stored_bytes=5), key=key)[:2] == (PROGRAMMED, "")


def test_affinity_must_and_should() -> None:
    pair = (ON, vm("b", on="h1"))
    apart = AffinityPolicy(
        id=AffinityPolicyId("p"),
        meta=meta("p"),
        kind=AffinityKind.VM_ANTI_AFFINITY,
        vms=(VmId("a"), VmId("b")),
    )
    pin = replace(apart, kind=AffinityKind.VM_HOST, hosts=(HostId("h2"),))
    key = (Kind.AFFINITY_POLICY, "p")
    phase, reason, message = status(world(), *pair, apart, key=key)
    assert (phase, reason) == (PROGRAMMED, "NON_COMPLIANT")
    assert "2 machine(s): a, b" in message
    assert status(world(), ON, apart, key=key)[:2] == (PROGRAMMED, "")
    assert status(world(), *pair, pin, key=key)[:2] == (FAILED, "NON_COMPLIANT")
    assert status(world(), *pair, replace(pin, disabled=True), key=key)[:2] == (PROGRAMMED, "DISABLED")


def test_a_host_by_its_machines() -> None:
    key = (Kind.HOST, "h1")

    def of(intents: Iterable[Intent], **change: Any) -> tuple[Phase, str, str]:
        return status(world(**change), *intents, key=key)

    assert of([], connected=False)[:2] == (PROGRAMMED, ""), "nobody is there to miss it"
    assert of([ON], connected=False)[:2] == (FAILED, "COMPUTE_AGENT_DOWN")
    assert of([ON], connected=False, starting=True)[:2] == (PENDING, "WAITING_FOR_HOST")
    assert of([ON], report=replace(compute("h1"), libvirt_connected=False))[:2] == (FAILED, "LIBVIRT_DOWN")
    assert of([ON], report=replace(compute("h1"), problems=("no store",))) == (
        FAILED,
        "COMPUTE_PROBLEM",
        "no store",
    )
    assert of([ON])[:2] == (PROGRAMMED, "")
    closed = replace(host("h1", number=1), maintenance=True)
    assert of([closed, ON]) == (PENDING, "MAINTENANCE", "1 machine(s) still leave: a")
    assert of([closed, OFF])[:2] == (PROGRAMMED, "MAINTENANCE")
    gone = VmMigration(
        id=VmMigrationId("m"),
        vm=VmId("a"),
        source=HostId("h1"),
        destination=HostId("h2"),
        stage=Stage.CLEANING,
    )
    assert of([closed, replace(ON, host=HostId("h2")), gone])[:2] == (PENDING, "MAINTENANCE"), (
        "it is not cleaned up"
    )
    assert of([closed, replace(ON, host=HostId("h2")), replace(gone, stage=Stage.DONE)])[0] is PROGRAMMED
    phase, reason, message = of([closed, ON], blocked=lambda id: {VmId("a"): "is stuck"})
    assert (phase, reason) == (FAILED, "MAINTENANCE_BLOCKED")
    assert "vms/a: is stuck" in message
    assert of([closed, ON], heard=lambda id: Heard(network(id, up=False), True))[1] == "UPLINK_DOWN"
