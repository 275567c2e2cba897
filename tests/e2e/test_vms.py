"""Virtual machines through the public API, with real guests that are asked from outside what they see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netctl.loop import wait_until
from netctl.v1 import compute_pb2
from tests.e2e.vm_templates import add_version, deploy
from tests.e2e.vms import ABSENT, IMAGE, OFF, ON, PAUSED, RUNNING, Disk, Vm, Vms, gone_afterwards


@pytest.fixture(autouse=True)
def _emptied(vms: Vms) -> Iterator[None]:
    with gone_afterwards(vms):
        yield


def test_made_of_an_image_it_is_reachable_and_as_it_was_asked_for(vms: Vms) -> None:
    vm = vms.create("web", "vlan", vm=Vm(num_cores_per_vcpu=2), host="h1")
    vms.wait_booted(vm.name)
    facts = vms.facts(vm.name)
    assert facts["processors"] == "2"
    assert facts["generation_id"] == vm.generation_id
    assert 80 * 1024 < int(facts["memory_kib"]) < 128 * 1024
    assert vms.get(vm.name).host == "hosts/h1"
    assert vms.domains("h1") == [vm.uid]


def test_power_is_what_it_is_asked_to_be(vms: Vms) -> None:
    vm = vms.create("power")
    vms.wait_booted(vm.name)
    boot = vms.facts(vm.name)["boot_id"]
    vms.power(vm.name, compute_pb2.POWER_STATE_PAUSED)
    vms.wait_state(vm.name, PAUSED)
    vms.power(vm.name, ON)
    vms.wait_booted(vm.name)
    assert vms.facts(vm.name)["boot_id"] == boot
    vms.vms.ResetVm(compute_pb2.ResetVmRequest(name=vm.name), timeout=10)
    wait_until(lambda: vms.boot_id(vm.name) not in ("", boot), timeout_s=30, what="the guest booted anew")
    vms.ask(vm.name, "marker vda kept; sync")
    vms.power(vm.name, OFF, graceful=True)
    vms.wait_state(vm.name, ABSENT)
    assert vms.where(vm) == []
    vms.power(vm.name, ON)
    vms.wait_booted(vm.name)
    assert vms.ask(vm.name, "marker vda") == "kept"


def test_one_that_dies_comes_back_and_one_that_shut_itself_down_does_not(vms: Vms) -> None:
    vm = vms.create("dies", host="h2")
    vms.wait_booted(vm.name)
    boot = vms.facts(vm.name)["boot_id"]
    (pid,) = vms.qemus("h2")
    vms.kill_qemu("h2", pid)
    wait_until(lambda: vms.boot_id(vm.name) not in ("", boot), timeout_s=40, what="the guest is back")
    vms.ask(vm.name, "sh -c 'sleep 1; poweroff' >/dev/null 2>&1 &")
    wait_until(lambda: vms.qemus("h2") == [], timeout_s=20, what="the guest is off")
    vms.settled(vm.name)
    assert vms.qemus("h2") == []
    assert vms.get(vm.name).power_state == ON


def test_a_clone_has_the_disk_and_another_generation_and_addresses(vms: Vms) -> None:
    vm = vms.create("original")
    vms.wait_booted(vm.name)
    vms.ask(vm.name, "marker vda inherited; sync")
    vms.power(vm.name, OFF, graceful=True)
    vms.wait_state(vm.name, ABSENT)
    request = compute_pb2.CloneVmRequest(source=vm.name, name="vms/clone")
    clone = vms.vms.CloneVm(request, timeout=10)
    (nic,) = clone.nics
    vms.power("vms/clone", ON)
    vms.power(vm.name, ON)
    vms.wait_booted(vm.name)
    address = vms.site.get_nic(nic).ipv4_address
    vms.wait_answer(address)
    assert vms.try_ask(address, "marker vda") == "inherited"
    assert f"generation_id={clone.vm.generation_id}" in vms.try_ask(address, "facts")
    assert clone.vm.generation_id != vms.get(vm.name).generation_id
    assert address != vms.address(vm.name)


def test_what_a_template_was_made_of_is_deployed_and_versions_are_apart(vms: Vms) -> None:
    vm = vms.create("golden")
    texts = {1: "first", 2: "second"}
    for number, text in texts.items():
        vms.wait_booted(vm.name)
        vms.ask(vm.name, f"marker vda {text}; sync")
        vms.power(vm.name, OFF, graceful=True)
        vms.wait_state(vm.name, ABSENT)
        add_version(vms, "vmTemplates/golden", vm.name, number, activate=True)
        if number < len(texts):
            vms.power(vm.name, ON)
    deployed = {
        version: deploy(vms, "vmTemplates/golden", version, f"# {texts[version or 2]}") for version in (1, 0)
    }
    for version, (name, address) in deployed.items():
        text = texts[version or 2]
        vms.wait_answer(address)
        assert vms.try_ask(address, "marker vda") == text
        assert f"# {text}" in vms.try_ask(address, "seed user-data")
        assert vms.get(name).generation_id not in ("", vm.generation_id)


def test_a_vtpm_keeps_its_secret_over_a_restart_and_it_is_not_on_disk(vms: Vms) -> None:
    secret = b"not to be found on disk, ever!!!"
    vm = vms.create("tpm", vm=Vm(vtpm=True), host="h1")
    vms.wait_booted(vm.name)
    assert vms.facts(vm.name)["tpm"] == "yes"
    vms.ask(vm.name, f"tpm write {secret.hex()}")
    vms.power(vm.name, OFF, graceful=True)
    vms.wait_state(vm.name, ABSENT)
    places = vms.site.lab.place("h1").libvirt.directory.rglob(f"{vm.uid}/**/*")
    files = [path for path in places if path.is_file()]
    assert files
    assert not any(secret in path.read_bytes() for path in files)
    vms.power(vm.name, ON)
    vms.wait_booted(vm.name)
    assert bytes.fromhex(vms.ask(vm.name, "tpm read")) == secret


def test_disks_come_and_grow_while_it_runs(vms: Vms) -> None:
    vm = vms.create("disks")
    vms.wait_booted(vm.name)
    changed = vms.get(vm.name)
    changed.disks.append(Disk(size_bytes=64 << 20, bus=compute_pb2.DISK_BUS_SCSI))
    vms.update(changed, "disks")
    wait_until(
        lambda: "67108864 rw" in vms.ask(vm.name, "disks"), timeout_s=20, what="the guest sees its new disk"
    )


def test_what_cannot_be_is_refused_and_leaves_nothing(vms: Vms) -> None:
    for vm, words in (
        (Vm(memory_mib=1 << 40), "is outside 16 to 4718592 MiB"),
        (Vm(disks=[Disk(image="images/none")]), "images/none"),
        (Vm(disks=[Disk(size_bytes=1 << 50)]), "70368744177664 bytes"),
        (Vm(secure_boot=True), "UEFI"),
    ):
        assert words in vms.refusal("bad", vm)
    assert vms.all() == []
    assert vms.image(IMAGE).status.phase


def test_what_the_hosts_know_nothing_of_is_told_and_not_touched(vms: Vms) -> None:
    foreign = vms.create_foreign_domain("h3")
    vm = vms.create("ours", host="h3")
    vms.wait_state(vm.name, RUNNING)
    assert set(vms.domains("h3")) == {foreign, vm.uid}
    vms.remove(vm.name)
    assert vms.domains("h3") == [foreign]
    vms.site.lab.exec("h3", ["virsh", "destroy", foreign])
