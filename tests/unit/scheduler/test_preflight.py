"""preflight: each check says what is wrong, and only when it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.compute_report import ComputeReport, CpuModel
from netctl.model.infra import Cluster
from netctl.model.intent import Intent
from netctl.model.keys import AffinityPolicyId, HostId, VmId
from netctl.model.status import HostReport
from netctl.model.vm import PASSTHROUGH, Vm
from netctl.scheduler.place import Placed, Refused
from netctl.scheduler.preflight import (
    Check,
    choose_destination,
    is_passing,
    preflight,
    problem_of,
    round_trip_us,
)
from netctl.scheduler.view import View
from tests.intents import cluster, host, overlay, snapshot, vlan
from tests.machines import compute, disk, machines, network, nic_of, seen, view, vm, waiting

H2 = HostId("h2")
GUEST = vm("a", on="h1", disks=1)
SLOW = cluster("c2")


def checks(
    machine: Vm = GUEST,
    *intents: Intent,
    said: ComputeReport | None = None,
    heard: Callable[[HostReport], HostReport | None] = lambda report: report,
    source: ComputeReport | None = None,
    **change: Any,
) -> dict[str, Check]:
    """Return the checks of a migration of `machine` from h1 to h2 by name."""
    reports = {"h1": source or compute("h1"), "h2": said or compute("h2")}
    everything = snapshot([*machines(2), vlan(), overlay(), machine, *intents])
    reported = heard(network("h2"))
    seen_by = View(
        everything,
        lambda id: (reports.get(id), True),
        lambda id: (reported, True) if id == H2 else (network(id), True),
        **change,
    )
    there = everything.host(H2)
    assert there is not None
    found = preflight(machine, there, seen_by)
    assert all(check.message for check in found)
    return {check.check: check for check in found}


def test_all_is_well() -> None:
    found = checks(GUEST, nic_of("a"))
    assert list(found) == [
        "HOST", "CPU", "MEMORY", "STORAGE", "AFFINITY", "DEVICES", "VLANS", "TUNNEL_MTU", "FLOWS",
    ]  # fmt: skip
    assert [name for name, check in found.items() if not check.ok] == ["TUNNEL_MTU"]
    assert problem_of(found.values()) == ""
    assert "6144 of 6144 MiB" in found["MEMORY"].message


def failing(found: dict[str, Check]) -> dict[str, str]:
    return {name: check.message for name, check in found.items() if check.stops}


MODELS = (CpuModel(name="qemu64", usable=False, missing_features=("svm", "lm")),)


@pytest.mark.parametrize(
    ("found", "check", "words"),
    [
        (checks(said=replace(compute("h2"), libvirt_connected=False)), "HOST", "no libvirtd that answers"),
        (checks(source=replace(compute("h1"), libvirt_connected=False)), "HOST", "hosts/h1 has no libvirtd"),
        (checks(GUEST, replace(host("h2", number=2), maintenance=True)), "HOST", "is in maintenance"),
        (checks(said=compute("h2", domain_type="kvm")), "HOST", "runs machines by kvm, hosts/h1 by qemu"),
        (checks(said=compute("h2", qemu_version="6.2.0")), "HOST", "QEMU 6.2.0, older than 7.2.0 of hosts/h1"),
        (checks(said=compute("h2", cpu_models=MODELS)), "CPU", "without svm, lm, which qemu64 has"),
        (checks(said=compute("h2", memory_mib=1000)), "MEMORY", "1000 of 1000 MiB of memory free"),
        (checks(said=compute("h2", store_id="x", store_free_bytes=1 << 29)), "STORAGE", "512 MiB free in its store"),
        (checks(replace(GUEST, affinity_hosts=(HostId("h1"),))), "AFFINITY", "affinity_hosts of vms/a: h1"),
        (checks(replace(GUEST, cpu_passthrough=True)), "DEVICES", "cpu_passthrough"),
        (checks(replace(GUEST, effective_cpu_model=PASSTHROUGH)), "DEVICES", "cpu_passthrough"),
        (checks(replace(GUEST, gpu_profiles=("g1",))), "DEVICES", "GPUs of its host: g1"),
        (checks(replace(GUEST, agent_vm=True)), "DEVICES", "agent VM"),
        (checks(replace(GUEST, vtpm=True), said=compute("h2", vtpm=False)), "DEVICES", "no swtpm"),
        (checks(GUEST, nic_of("a"), host("h2", number=2, uplink="")), "VLANS", "no uplink of virtualSwitches/vs0"),
        (checks(GUEST, nic_of("a"), heard=lambda report: network("h2", up=False)), "VLANS", "no carrier on br0"),
        (checks(heard=lambda report: None), "FLOWS", "no agent connected"),
        (
            checks(heard=lambda report: replace(report, ovn_controller_connected=False)),
            "FLOWS",
            "no ovn-controller that is connected",
        ),
        (checks(overdue_nb_cfg=8), "FLOWS", "up to nb_cfg 7; 8 was due"),
    ],
)  # fmt: skip
def test_one_thing_is_wrong(found: dict[str, Check], check: str, words: str) -> None:
    assert list(failing(found)) == [check]
    assert words in found[check].message
    assert problem_of(found.values()) == f"{check}: {found[check].message}"


def test_where_it_is_already() -> None:
    seen_by = view(GUEST)
    here = seen_by.snapshot.host(HostId("h1"))
    assert here is not None
    assert "is where vms/a is already" in problem_of(preflight(GUEST, here, seen_by))


def test_a_host_that_has_said_nothing_yet_may_in_a_moment() -> None:
    """A controller that has just started asks before the agents are back: such a migration waits for them."""
    everything = snapshot([*machines(2), vlan(), GUEST, nic_of("a")])
    here, there = (everything.host(HostId(id)) for id in ("h1", "h2"))
    assert here is not None
    assert there is not None
    silent = View(everything, lambda id: (None, False), lambda id: (None, False))
    stopping = [check for check in preflight(GUEST, there, silent) if check.stops]
    assert stopping
    assert is_passing(stopping), [check for check in stopping if not check.passing]


def test_a_newer_qemu_is_no_obstacle() -> None:
    assert failing(checks(said=compute("h2", qemu_version="10.0.1"))) == {}


def test_disks_are_copied_where_stores_differ() -> None:
    found = checks(said=compute("h2", store_id="other"))
    assert failing(found) == {}
    assert "1024 MiB, which are copied, too" in found["STORAGE"].message
    grown = replace(GUEST, disks=(disk("d"),))
    large = seen(grown, disk_bytes={grown.disks[0].uid: 300 << 30})
    assert "STORAGE" in failing(
        checks(grown, source=compute("h1", large), said=compute("h2", store_id="other"))
    )


def test_anti_affinity_only_warns() -> None:
    apart = AffinityPolicy(
        id=AffinityPolicyId("p"), kind=AffinityKind.VM_ANTI_AFFINITY, vms=(VmId("a"), VmId("b"))
    )
    found = checks(GUEST, vm("b", on="h2"), apart)["AFFINITY"]
    assert (found.ok, found.warning, found.stops) == (False, True, False)
    assert "vms/b" in found.message


def test_frames_larger_than_tunnels_carry() -> None:
    slow = replace(cluster(), underlay_mtu_bytes=1500)
    warned = checks(GUEST, nic_of("a"), slow)["TUNNEL_MTU"]
    assert (warned.ok, warned.warning) == (False, True)
    assert "an underlay_mtu_bytes of 1558" in warned.message
    assert checks(GUEST, nic_of("a"), replace(slow, underlay_mtu_bytes=1558))["TUNNEL_MTU"].ok
    assert checks(GUEST, nic_of("a", subnet="o1"), slow)["TUNNEL_MTU"].ok
    large = replace(overlay("o2"), mtu_bytes=1443)
    assert list(failing(checks(GUEST, large, nic_of("a", subnet="o2"), slow))) == ["TUNNEL_MTU"]
    basic = replace(nic_of("a"), basic=True)
    assert checks(GUEST, basic, slow)["TUNNEL_MTU"].ok


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (None, (False, True)),
        (900, (True, False)),
        (5_001, (False, True)),
        (40_000, (False, True)),
        (40_001, (False, False)),
    ],
)
def test_the_round_trip_to_another_cluster(measured: int | None, expected: tuple[bool, bool]) -> None:
    far: tuple[Cluster, Intent] = (SLOW, replace(host("h2", number=2, uplink=""), cluster=SLOW.id))
    trips = {H2: measured} if measured is not None else {}
    found = checks(GUEST, *far, source=replace(compute("h1"), round_trips_us=trips))["LATENCY"]
    assert (found.ok, found.warning) == expected
    near = view(GUEST)
    assert round_trip_us(GUEST, H2, near) is None


def test_a_subnet_that_does_not_reach_the_cluster() -> None:
    far: tuple[Cluster, Intent] = (SLOW, replace(host("h2", number=2, uplink=""), cluster=SLOW.id))
    found = checks(GUEST, *far, nic_of("a", subnet="o1"))
    assert list(failing(found)) == ["VLANS"]


def test_the_best_destination_is_chosen() -> None:
    crowd = vm("b", on="h2", memory_mib=2048)
    assert choose_destination(GUEST, view(GUEST, crowd, hosts=3)) == Placed(
        host=HostId("h3"), cpu_model="qemu64"
    )
    full = [vm(f"f{i}", on=f"h{i}", memory_mib=6144) for i in (2, 3)]
    found = choose_destination(GUEST, view(GUEST, *full, hosts=3))
    assert isinstance(found, Refused)
    assert list(found.reasons) == ["h2", "h3"]
    nowhere = choose_destination(waiting("w"), view(waiting("w"), hosts=1))
    assert isinstance(nowhere, Refused)
    assert "is nowhere yet" in nowhere.message
