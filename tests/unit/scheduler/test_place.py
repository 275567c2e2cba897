"""place: the best host that fits, with the reason of every other; a machine is never started twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.compute_report import CpuModel, GpuProfile, RunState
from netctl.model.image import Image
from netctl.model.infra import Host
from netctl.model.intent import Intent
from netctl.model.keys import AffinityPolicyId, CategoryId, HostId, ImageId, VmId, VmMigrationId
from netctl.model.vm import PASSTHROUGH, Firmware, PowerState, Vm
from netctl.model.vm_migration import Stage, VmMigration
from netctl.scheduler.place import Placed, Refused, place
from netctl.scheduler.view import View
from tests.intents import cluster, host, meta, overlay, vlan
from tests.machines import compute, disk, network, nic_of, seen, view, vm, waiting

H1, H2 = HostId("h1"), HostId("h2")


def placed(machine: Vm, seen_by: View) -> str:
    found = place(machine, seen_by)
    assert isinstance(found, Placed), found
    return found.host


def refused(machine: Vm, seen_by: View) -> Refused:
    found = place(machine, seen_by)
    assert isinstance(found, Refused), found
    return found


def policy(
    name: str = "p", kind: AffinityKind = AffinityKind.VM_ANTI_AFFINITY, **change: Any
) -> AffinityPolicy:
    return AffinityPolicy(id=AffinityPolicyId(name), kind=kind, **change)


def apart(*names: str) -> AffinityPolicy:
    return policy(vms=tuple(VmId(name) for name in names))


def pinned(*names: str) -> AffinityPolicy:
    return policy("pin", AffinityKind.VM_HOST, vms=(VmId("a"),), hosts=tuple(HostId(name) for name in names))


def test_most_free_memory_then_the_lowest_id() -> None:
    assert placed(waiting(), view(waiting())) == "h1"
    assert placed(waiting(), view(waiting(), vm("b", on="h1"))) == "h2"


def test_it_goes_back_to_where_it_was() -> None:
    off = waiting(host=H2, disks=1)
    assert placed(off, view(off, vm("b", on="h2"))) == "h2"


def test_memory_counts_what_is_on_and_half_of_those_with_overcommit() -> None:
    big = waiting(memory_mib=4096)
    assert (
        placed(big, view(big, vm("b", on="h1", memory_mib=2048), vm("c", on="h2", memory_mib=2049))) == "h1"
    )
    full = view(big, vm("b", on="h1", memory_mib=2049), vm("c", on="h2", memory_mib=6144))
    assert refused(big, full).reasons == {
        "h1": (
            "has 4095 of 6144 MiB of memory free; vms/a needs 4096 MiB: switch others off or migrate them",
        ),
        "h2": ("has 0 of 6144 MiB of memory free; vms/a needs 4096 MiB: switch others off or migrate them",),
    }
    half = replace(big, memory_overcommit=True, memory_mib=8190)
    assert (
        placed(half, view(half, vm("b", on="h1", memory_mib=2049), vm("c", on="h2", memory_mib=6144))) == "h1"
    )
    assert "half of its memory" in refused(replace(half, memory_mib=8192), full).message


def test_memory_counts_who_still_runs_and_who_is_on_the_way() -> None:
    leaving = vm("b", memory_mib=4096, host=H1)
    big = waiting(memory_mib=4096)
    others = (vm("c", on="h2", memory_mib=4096), big, leaving)
    assert placed(big, view(*others)) == "h1"
    stops = compute("h1", seen(leaving, RunState.SHUTTING_DOWN))
    assert refused(big, view(*others, reports={"h1": stops}))
    ended = compute("h1", seen(leaving, RunState.SHUT_DOWN))
    assert placed(big, view(*others, reports={"h1": ended})) == "h1"
    coming = VmMigration(
        id=VmMigrationId("m"),
        vm=VmId("c"),
        source=H2,
        destination=H1,
        stage=Stage.COPYING,
    )
    assert refused(big, view(*others, coming))
    assert placed(big, view(*others, replace(coming, stage=Stage.DONE))) == "h1"


def test_one_that_waits_takes_nothing_yet() -> None:
    other = waiting("b", memory_mib=6144, host=H1)
    assert placed(waiting(memory_mib=6144), view(other, waiting(memory_mib=6144))) == "h1"


@pytest.mark.parametrize(
    ("reports", "lost", "words"),
    [
        ({}, ("h1",), "no compute agent connected"),
        ({"h1": replace(compute("h1"), libvirt_connected=False)}, (), "no libvirtd that answers"),
        ({"h1": compute("h1", vtpm=False)}, (), "no swtpm"),
        ({"h1": compute("h1", uefi=False)}, (), "no UEFI firmware"),
        ({"h1": compute("h1", secure_boot=False)}, (), "Secure Boot"),
        ({}, (), "has 0 of 0 nvidia-35 free"),
    ],
)
def test_a_host_that_lacks_something_is_out(
    reports: dict[str, Any], lost: tuple[str, ...], words: str
) -> None:
    asked = waiting(
        vtpm=True,
        firmware=Firmware.UEFI,
        secure_boot=True,
        gpu_profiles=("nvidia-35", "nvidia-35"),
    )
    gpus = (GpuProfile(profile="nvidia-35", free=2, total=2),)
    able = compute("h2", gpu_profiles=gpus)
    seen_by = view(asked, reports={"h2": able} | reports, lost=lost)
    assert placed(asked, seen_by) == "h2"
    alone = refused(
        asked, View(seen_by.snapshot, lambda id: seen_by.said(id) if id == "h1" else (None, False))
    )
    assert words in alone.message


def test_devices_that_others_have_are_not_free() -> None:
    gpus = (GpuProfile(profile="g", free=3, total=3),)
    report = {"h1": compute("h1", pci_devices=("0000:3b:00.0",), gpu_profiles=gpus)}
    user = vm("b", on="h1", pci_devices=("0000:3b:00.0",), gpu_profiles=("g", "g"), affinity_hosts=(H1,))
    asked = waiting(gpu_profiles=("g", "g"))
    assert "has 1 of 3 g free, 2 are needed" in refused(asked, view(asked, user, reports=report)).message
    assert placed(replace(asked, gpu_profiles=("g",)), view(asked, user, reports=report)) == "h1"
    asked = waiting(pci_devices=("0000:3b:00.0",), affinity_hosts=(H1,))
    assert "has no PCI device 0000:3b:00.0" in refused(asked, view(asked)).message
    assert (
        "given PCI device 0000:3b:00.0 to vms/b" in refused(asked, view(asked, user, reports=report)).message
    )
    off = replace(user, power_state=PowerState.OFF)
    assert placed(asked, view(asked, off, reports=report)) == "h1"


def test_maintenance_and_other_clusters_are_out() -> None:
    asked = waiting()
    other = replace(host("h3", number=3), cluster=cluster("c2").id)
    closed = replace(host("h1", number=1), maintenance=True)
    world = view(asked, closed, cluster("c2"), other, reports={"h3": compute("h3")})
    assert placed(asked, world) == "h2"
    found = place(asked, world, wish=H1)
    assert isinstance(found, Refused)
    assert found.message == "hosts/h1 is in maintenance"
    found = place(asked, world, wish=HostId("h3"))
    assert isinstance(found, Refused)
    assert found.message == "hosts/h3 is of clusters/c2, not of clusters/c1"


def test_a_wish_is_the_only_host() -> None:
    asked = waiting()
    assert place(asked, view(asked), wish=H2) == Placed(host=H2, cpu_model="Westmere")


def test_affinity_must_be_obeyed_and_all_policies_together() -> None:
    asked = waiting()
    assert placed(asked, view(asked, pinned("h2"))) == "h2"
    assert placed(replace(asked, affinity_hosts=(H2,)), view(asked)) == "h2"
    both = replace(asked, affinity_hosts=(H1,))
    found = refused(both, view(both, pinned("h2")))
    assert found.reasons == {
        "h1": ("is not among the hosts of affinityPolicies/pin",),
        "h2": ("is not among the affinity_hosts of vms/a: h1",),
    }
    off = replace(pinned("h2"), disabled=True)
    assert placed(asked, view(asked, off)) == "h1"


def test_affinity_by_category() -> None:
    gold = CategoryId("gold")
    asked = waiting(categories=(gold,))
    hosts: tuple[Intent, ...] = (replace(host("h2", number=2), categories=(gold,)),)
    rule = policy(kind=AffinityKind.VM_HOST, vm_categories=(gold,), host_categories=(gold,))
    assert placed(asked, view(asked, *hosts, rule)) == "h2"
    assert placed(waiting("b"), view(waiting("b"), *hosts, rule)) == "h1"


def test_anti_affinity_is_kept_where_it_can_be() -> None:
    asked, other = waiting(), vm("b", on="h1", memory_mib=16)
    assert placed(asked, view(asked, other, apart("a", "b"), vm("c", on="h2", memory_mib=4096))) == "h2"
    assert placed(asked, view(asked, other, apart("a", "b"), vm("c", on="h2", memory_mib=6144))) == "h1"
    gone = replace(other, power_state=PowerState.OFF)
    crowd = vm("c", on="h2", memory_mib=4096)
    assert placed(asked, view(asked, gone, apart("a", "b"), crowd)) == "h1", "it is off"
    tags = (CategoryId("web"),)
    by_tag = policy(vm_categories=tags)
    asked, other = replace(asked, categories=tags), replace(other, categories=tags)
    assert placed(asked, view(asked, other, by_tag, crowd)) == "h2"


def test_disks_bind_to_their_store() -> None:
    asked = waiting(host=H1, disks=1)
    full = vm("b", on="h1", memory_mib=6144)
    assert placed(asked, view(asked, full)) == "h2"
    apart_store = {"h2": compute("h2", store_id="other")}
    found = refused(asked, view(asked, full, reports=apart_store))
    assert found.reasons[H2] == ("has another store than hosts/h1, where disks of vms/a are",)
    diskless = replace(asked, disks=())
    assert placed(diskless, view(diskless, full, reports=apart_store)) == "h2"


def test_a_clone_starts_where_its_source_is() -> None:
    source = vm("s", host=H2, disks=1)
    copied = replace(disk("copy"), source_vm=VmId("s"))
    asked = waiting(disks=0)
    asked = replace(asked, disks=(copied,))
    stores = {"h1": compute("h1", store_id="one"), "h2": compute("h2", store_id="two")}
    assert placed(asked, view(asked, source, vm("b", on="h2"), reports=stores)) == "h2"


def test_one_whose_disks_are_copied_waits() -> None:
    source = waiting("s", host=H1, disks=1)
    copied = replace(disk("copy"), source_vm=VmId("s"))
    clone = vm("c", host=H1, disks=0)
    clone = replace(clone, disks=(copied,))
    busy = {"h1": compute("h1", seen(clone, RunState.ABSENT))}
    assert (
        "vms/c on hosts/h1 still copies disks of vms/s"
        in refused(source, view(source, clone, reports=busy)).message
    )
    done = {"h1": compute("h1", seen(clone, RunState.ABSENT, disk_bytes={copied.uid: 1}))}
    assert placed(source, view(source, clone, reports=done)) == "h1"


def test_one_whose_image_has_no_bytes_waits() -> None:
    image = Image(id=ImageId("i"), meta=meta("i"))
    asked = replace(waiting(), disks=(replace(disk("d"), image=image.id),))
    found = refused(asked, view(asked, image))
    assert "must wait: images/i of a disk of vms/a is not there yet" in found.message
    assert found.passing
    assert placed(asked, view(asked, replace(image, stored_bytes=5))) == "h1"


def test_one_that_is_off_needs_no_memory() -> None:
    clone = vm("c", memory_mib=6144)
    assert placed(clone, view(clone, vm("a", on="h1"), vm("b", on="h2"))) == "h1"


def test_a_machine_that_may_run_elsewhere_is_not_started() -> None:
    asked = waiting(host=H1, disks=1)
    full = vm("b", on="h1", memory_mib=6144)
    for reports, lost, words in (
        ({}, ("h1",), "may still run on hosts/h1"),
        ({"h1": compute("h1", revision=0)}, (), "until hosts/h1 has let go"),
        ({"h1": compute("h1", seen(asked, RunState.SHUTTING_DOWN))}, (), "is shutting-down on hosts/h1"),
        ({"h1": compute("h1", seen(asked))}, (), "is running on hosts/h1"),
    ):
        found = refused(asked, view(asked, full, vm("c", on="h2"), reports=reports, lost=lost))
        assert words in found.reasons[H2][0]
        assert found.passing
        assert not refused(replace(asked, memory_mib=6000), view(asked, full, vm("c", on="h2"))).passing
    for state in (RunState.ABSENT, RunState.SHUT_DOWN, RunState.CRASHED):
        assert placed(asked, view(asked, full, reports={"h1": compute("h1", seen(asked, state))})) == "h2"
    assert placed(asked, view(asked, full)) == "h2", "its host does not know it"


def test_one_with_a_tpm_stays_where_that_is() -> None:
    asked = waiting(host=H1, vtpm=True)
    assert placed(asked, view(asked, vm("b", on="h1"))) == "h1"
    found = refused(asked, view(asked, vm("b", on="h1", memory_mib=6144)))
    assert "has not the TPM state of vms/a" in found.message
    appliance = waiting(host=H1, agent_vm=True)
    found = refused(appliance, view(appliance, vm("b", on="h1", memory_mib=6144)))
    assert "hosts/h2 is not hosts/h1, whose appliance vms/a is" in found.message


def test_the_model_is_its_own_or_the_baseline() -> None:
    older = {"h2": compute("h2", cpu_models=(CpuModel(name="qemu64", usable=True),))}
    asked = waiting()
    assert place(asked, view(asked, reports=older)) == Placed(host=H1, cpu_model="qemu64")
    named = replace(asked, cpu_model="Westmere")
    assert place(named, view(named, vm("b", on="h1"), reports=older)) == Placed(host=H1, cpu_model="Westmere")
    found = place(named, view(named, reports=older), wish=H2)
    assert isinstance(found, Refused)
    assert found.message == "hosts/h2 has a libvirt that does not know the CPU model Westmere"
    through = replace(asked, cpu_passthrough=True)
    assert place(through, view(through)) == Placed(host=H1, cpu_model=PASSTHROUGH)
    bare = {name: compute(name, cpu_models=()) for name in ("h1", "h2")}
    assert "no CPU model" in refused(asked, view(asked, reports=bare)).message


def test_networks_are_reached() -> None:
    asked = waiting()
    bare: Host = host("h1", number=1, uplink="")
    assert placed(asked, view(asked, nic_of("a"), vlan(), bare)) == "h2"
    assert placed(asked, view(asked, nic_of("a", subnet="o1"), overlay(), bare)) == "h1"
    found = place(asked, view(asked, nic_of("a"), vlan(), bare), wish=H1)
    assert isinstance(found, Refused)
    assert found.message == "hosts/h1 has no uplink of virtualSwitches/vs0, which subnets/v10 needs"


def test_a_host_that_cannot_plug_comes_last() -> None:
    asked = waiting()
    intents = (asked, vlan(), nic_of("a"))
    base = view(*intents)
    half = View(base.snapshot, base.said, lambda id: (network(id), id == "h2"))
    assert placed(asked, half) == "h2"
    none = View(base.snapshot, base.said)
    assert placed(asked, none) == "h1"


def test_a_cluster_without_hosts_says_so() -> None:
    lonely = waiting(cluster=cluster("c9").id)
    assert refused(lonely, view(lonely)).message == "its cluster has no hosts"
