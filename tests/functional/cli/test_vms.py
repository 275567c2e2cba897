"""Virtual machines on the command line: `netctl vm`, `image`, `template`, maintenance; and acli's words for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from netctl.model.intent import Place
from netctl.model.keys import HostId, VmId
from netctl.server.requests import Request
from tests.controllers import Controller
from tests.functional.cli.conftest import Ran, Run

SECRET = "#cloud-config with a SECRET"
RAW = b"x" * (2 << 20)


@pytest.fixture
def acli(furnished: Run) -> Run:
    def run(line: str, expect: int = 0) -> Ran:
        return furnished("acli", line, expect=expect)

    return run


def place(controller: Controller, vm: str) -> None:
    """Do what the placement loop would: there is none here."""
    edit = Place(vm=VmId(vm), host=HostId("h1"), cpu_model="qemu64")
    controller.admission.submit(Request(edits=(edit,))).result()


def started(netctl: Run, controller: Controller, name: str = "web-1") -> None:
    netctl("create", "vm", name, "--cluster", "c1", "--memory", "512", "--power", "on", "--nic", "web")
    place(controller, name)


def test_a_machine_and_its_nics_are_made_together_or_not_at_all(furnished: Run) -> None:
    flags = ("--cluster", "c1", "--memory", "512", "--nic", "web")
    refused = furnished("create", "vm", "web-1", *flags, "--nic", "nowhere", expect=4)
    assert refused.err.startswith("error: --nic number 2: subnets/nowhere does not exist")
    assert furnished("get", "vms,nics", "-o", "json").data == []
    made = furnished("create", "vm", "web-1", *flags, "--nic", "subnets/web")
    assert [line.split()[1] for line in made.lines[:3]] == [
        "vms/web-1",
        "nics/web-1-nic-0",
        "nics/web-1-nic-1",
    ]
    assert {nic["vm"] for nic in furnished("get", "nics", "-o", "json").data} == {"vms/web-1"}
    header, row = furnished("get", "vms").lines
    assert header.split() == ["NAME", "POWER", "RUNS", "HOST", "VCPUS", "MEMORY", "PHASE", "REASON"]
    assert row.split() == ["web-1", "off", "-", "-", "1", "512", "MiB", "PROGRAMMED", "-"]


def test_what_a_guest_is_told_comes_from_a_file_and_is_never_shown(furnished: Run, tmp_path: Path) -> None:
    told = tmp_path / "user-data"
    told.write_text(SECRET)
    flags = ("create", "vm", "web-1", "--cluster", "c1", "--memory", "512")
    refused = furnished(*flags, "--user-data", f"@{tmp_path}", expect=1)
    assert f"--user-data: cannot read '{tmp_path}': is a directory" in refused.err
    made = furnished(*flags, "--user-data", f"@{told}", "-o", "json")
    assert made.data[0]["resource"]["customization"] == {"has_secrets": True}
    for ran in (made, furnished("describe", "vm", "web-1"), furnished("history", "vm/web-1", "--diff")):
        assert "SECRET" not in ran.out + ran.err


def test_power_is_switched_one_machine_after_the_other(furnished: Run, controller: Controller) -> None:
    started(furnished, controller)
    assert (
        furnished("vm", "pause", "web-1", "--dry-run").lines[0]
        == "updated    vms/web-1  power_state: ON -> PAUSED"
    )
    assert furnished("get", "vm", "web-1", "-o", "json").data[0]["power_state"] == "POWER_STATE_ON"
    assert "power_epoch: 1 -> 2" in furnished("vm", "on", "web-1").out
    assert "reset_epoch" in furnished("vm", "reset", "web-1").out
    refused = furnished("vm", "off", "web-1", "nowhere", "--graceful", expect=4)
    assert refused.err.startswith("error: vms/nowhere does not exist")
    silent = furnished("vm", "console", "web-1", expect=1)
    assert "vms/web-1 has no console: it does not run" in silent.err


def test_a_migration_is_rehearsed_made_and_followed(furnished: Run, controller: Controller) -> None:
    started(furnished, controller)
    rehearsed = furnished("vm", "migrate", "web-1", "--to", "h2", "--rehearse", "-o", "json", expect=1)
    assert not rehearsed.data[0]["ok"]
    assert any(not check["ok"] for check in rehearsed.data[0]["checks"])
    assert furnished("get", "migrations", "-o", "json").data == []
    late = furnished("vm", "migrate", "web-1", "--to", "h2", "--wait", "--timeout", "0.3", expect=5)
    assert "not moved in 0.3 s: web-1 queued" in late.err
    row = furnished("get", "migrations").lines[1].split()
    assert row[:5] == ["web-1-m1", "web-1", "h1", "h2", "queued"]
    furnished("update", "migration", "web-1-m1", "--abort", "true")
    assert "Stages" in furnished("describe", "migration", "web-1-m1").out


def test_an_image_is_sent_whole_or_not_at_all(furnished: Run, tmp_path: Path) -> None:
    good, other = tmp_path / "good.raw", tmp_path / "other.raw"
    good.write_bytes(RAW)
    other.write_bytes(RAW[:-512])
    (tmp_path / "empty").touch()
    for path, why in (
        (tmp_path, "is a directory"),
        (tmp_path / "empty", "is empty"),
        (tmp_path / "no", "no such file"),
    ):
        assert why in furnished("image", "upload", "debian", str(path), expect=1).err
    wrong = furnished("image", "upload", "debian", str(good), "--sha256", "0" * 64, expect=1)
    assert "the file is damaged or another one" in wrong.err
    fake = tmp_path / "fake.qcow2"
    fake.write_bytes(b"QFI\xfb" + b"\xff" * 4096)
    furnished("image", "upload", "debian", str(fake), expect=1)
    assert furnished("get", "images", "-o", "json").data == [], "something is left of what was refused"
    made = furnished("image", "upload", "debian", str(good), "-o", "json").data[0]
    assert (made["action"], made["resource"]["sha256"]) == ("created", hashlib.sha256(RAW).hexdigest())
    assert furnished("image", "upload", "debian", str(good)).out.startswith("unchanged")
    assert (
        "stored already, with other content"
        in furnished("image", "upload", "debian", str(other), expect=1).err
    )


def test_clones_and_templates(furnished: Run) -> None:
    furnished("create", "vm", "web-1", "--cluster", "c1", "--memory", "512", "--nic", "web", "--disk", "1G")
    clone = furnished("vm", "clone", "web-1", "web-2", "--memory", "1024", "-o", "json").data
    assert [one["name"] for one in clone] == ["vms/web-2", "nics/web-2-nic-0"]
    assert clone[0]["resource"]["memory_mib"] == "1024"
    furnished("create", "vm", "bare", "--cluster", "c1", "--memory", "512", "--nic", "web")
    furnished("template", "add-version", "web", "bare", "--description", "first")
    made = furnished(
        "template", "deploy", "web", "web-7", "--subnet", "web", "--subnet", "web", "--vcpus", "4"
    )
    assert made.lines[-1] == "3 created"
    assert "has no version 9" in furnished("template", "deploy", "web", "x", "--version", "9", expect=4).err
    assert "is the active one" in furnished("template", "delete-version", "web", "1", expect=1).err
    assert "version 1" in furnished("describe", "template", "web").out


def test_maintenance_is_checked_and_entered(furnished: Run) -> None:
    assert furnished("host", "enter-maintenance", "h1", "--check", "-o", "json").data["ok"]
    furnished("host", "enter-maintenance", "h1", "--wait")
    assert furnished("get", "host", "h1", "-o", "json").data[0]["maintenance"]
    assert "maintenance: true -> (unset)" in furnished("host", "exit-maintenance", "h1").out


def test_acli_makes_and_changes_machines(acli: Run, furnished: Run) -> None:
    acli("vm.create fooVM,vm-[01..02] num_vcpus=2 memory=4G")
    acli("vm.nic_create fooVM network=web")
    nic = furnished("get", "nic", "foovm-nic-0", "-o", "json").data[0]
    assert (nic["vm"], nic.get("labels")) == ("vms/foovm", None)
    acli("vm.disk_create fooVM create_size=50G")
    acli("vm.disk_create fooVM cdrom=true empty=true")
    acli("vm.update fooVM,vm-* memory_overcommit=True")
    vms = {vm["name"]: vm for vm in furnished("get", "vms", "-o", "json").data}
    assert all(vm["memory_overcommit"] and vm["memory_mib"] == "4096" for vm in vms.values())
    assert [disk.get("size_bytes") for disk in vms["vms/foovm"]["disks"]] == [str(50 << 30), None]
    acli("vm.clone clone-[01..02] clone_from_vm=fooVM")
    listed = acli("vm.list").out
    assert all(name in listed for name in ("fooVM", "clone-02", "vm-01"))
    acli("vm.delete vm-*")
    assert "vm-01" not in acli("vm.list").out


def test_acli_refuses_what_has_no_meaning_here_and_says_what_to_do(acli: Run) -> None:
    acli("vm.create fooVM memory=1G")
    for line, hint in (
        ("vm.create barVM memory=1G timezone=UTC", "set the zone in the guest"),
        ("vm.create barVM memory=512", "write 4G or 512M"),
        ("vm.disk_create fooVM create_size=1G container=C", "in the store of the machine's host"),
        ("vm.disk_create fooVM create_size=1G bus=nvme", "say scsi, pci, sata or ide"),
        ("vm.disk_create fooVM create_size=1G cdrom=true", "a drive is cdrom=true with"),
        ("vm.clone new clone_from_snapshot=S", "there are no snapshots"),
        ("vm.migrate fooVM live=false", "vm.shutdown it"),
        ("host.enter_maintenance_mode h1 non_migratable_vm_action=acpi_shutdown", "vm.shutdown those"),
    ):
        assert hint in acli(line, expect=2).err, line
    assert "vm.migrate" in acli("ads.update enable=true", expect=1).err
    assert len(acli("vm.list").lines) == 2


def test_acli_groups_are_anti_affinity_that_is_off_at_first(acli: Run, furnished: Run) -> None:
    acli("vm.create vm-[1..2] memory=1G")
    acli("vm_group.create G")
    assert furnished("get", "affinitypolicies", "-o", "json").data[0]["disabled"]
    acli("vm_group.add_vms G vm_list=vm-1,vm-2")
    acli("vm_group.antiaffinity_set G")
    assert acli("vm_group.list").lines[1].split() == ["G", "2", "on", "PROGRAMMED"]
    assert "antiaffinity_unset G" in acli("vm_group.remove_vms G vm_list=vm-*", expect=2).err
    acli("vm_group.remove_vms G vm_list=vm-2")
    assert [line.split()[0] for line in acli("vm_group.list_vms G").lines] == ["VM", "vm-1"]
    acli("vm_group.antiaffinity_unset G")
    acli("vm_group.delete G")


def test_acli_empties_a_host_by_its_address(acli: Run, furnished: Run) -> None:
    acli("host.enter_maintenance_mode_check 192.0.2.1")
    acli("host.enter_maintenance_mode 192.0.2.1 wait=true")
    assert furnished("get", "host", "h1", "-o", "json").data[0]["maintenance"]
    acli("host.exit_maintenance_mode 192.0.2.1")
    assert "maintenance" not in furnished("get", "host", "h1", "-o", "json").data[0]
