"""CPU models out of libvirt's capabilities: usable, or what the host lacks; and what else makes a host's capacity."""

from __future__ import annotations

from pathlib import Path

import pytest
from netctl_compute.assignment import PowerState, VmAssignment, VmRole
from netctl_compute.capacity import CapacitySettings, HypervisorFacts, read_capacity, reserved_mib
from netctl_compute.cpu_report import parse_capabilities, read_cpu_map
from netctl_compute.gpus import Devices
from netctl_compute.problem import Problem
from netctl_compute.reported import CpuModel, GpuProfile
from netctl_compute.store import Store

CAPABILITIES = """
<domainCapabilities>
  <arch>x86_64</arch>
  <os supported='yes'>
    <loader supported='yes'><enum name='secure'><value>yes</value><value>no</value></enum></loader>
  </os>
  <cpu>
    <mode name='host-model' supported='yes'>
      <model fallback='forbid'>Middle</model><vendor>Intel</vendor>
      <feature policy='require' name='extra'/><feature policy='disable' name='broken'/>
    </mode>
    <mode name='custom' supported='yes'>
      <model usable='yes' vendor='Intel'>Old</model>
      <model usable='no' vendor='Intel'>Middle</model>
      <model usable='no' vendor='Intel'>New</model>
      <model usable='no' vendor='Intel'>Unheard-of</model>
    </mode>
  </cpu>
  <devices><tpm supported='yes'><enum name='backendModel'><value>emulator</value></enum></tpm></devices>
</domainCapabilities>
"""
_MAP = {
    "Old": "<feature name='fpu'/>",
    "Middle": "<model name='Old'/><feature name='broken'/><feature name='avx'/>",
    "New": "<model name='Middle'/><feature name='avx512f'/><feature name='extra'/>",
}


@pytest.fixture
def cpu_map(tmp_path: Path) -> Path:
    for name, features in _MAP.items():
        (tmp_path / f"x86_{name}.xml").write_text(f"<cpus><model name='{name}'>{features}</model></cpus>")
    (tmp_path / "arm_Other.xml").write_text("<cpus><model name='Other'><feature name='sve'/></model></cpus>")
    return tmp_path


def test_models_have_the_features_of_those_they_are_built_on(cpu_map: Path) -> None:
    assert read_cpu_map(cpu_map, "x86") == {
        "Old": {"fpu"},
        "Middle": {"fpu", "broken", "avx"},
        "New": {"fpu", "broken", "avx", "avx512f", "extra"},
    }


def test_a_model_that_cannot_be_had_says_what_is_missing(cpu_map: Path) -> None:
    cpu = parse_capabilities(CAPABILITIES, cpu_map)
    assert (cpu.arch, cpu.vendor, cpu.secure_loader, cpu.vtpm) == ("x86_64", "Intel", True, True)
    assert cpu.models == (
        CpuModel(name="Old", usable=True),
        CpuModel(name="Middle", usable=False, missing_features=("broken",)),
        CpuModel(name="New", usable=False, missing_features=("avx512f", "broken")),
        CpuModel(name="Unheard-of", usable=False),
    )


def test_without_the_map_models_are_told_all_the_same(tmp_path: Path) -> None:
    cpu = parse_capabilities(CAPABILITIES, tmp_path / "nothing")
    assert [model.usable for model in cpu.models] == [True, False, False, False]


def test_capacity(tmp_path: Path, cpu_map: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       263844372 kB\nMemFree:  1 kB\n")
    settings = CapacitySettings(
        migration_address="tcp://192.0.2.1",
        domain_type="qemu",
        firmware=tmp_path / "none",
        cpu_map=cpu_map,
        sysfs=tmp_path / "none",
        meminfo=meminfo,
    )
    facts = HypervisorFacts(
        domain_capabilities=CAPABILITIES, libvirt_version=9_000_000, qemu_version=7_002_022
    )
    store = Store(tmp_path / "store", "h1")
    found = read_capacity(store, facts, settings)
    assert (found.libvirt_version, found.qemu_version) == ("9.0.0", "7.2.22")
    assert found.memory_mib == 257_660
    assert found.reserved_memory_mib == 3584 + 5669
    assert found.store_id == store.id
    assert 0 < found.store_free_bytes <= found.store_total_bytes
    assert not found.uefi
    assert not found.secure_boot  # libvirt could, but the firmware is not installed
    assert (
        reserved_mib(257_660, CapacitySettings(migration_address="", domain_type="", reserved_memory_mib=7))
        == 7
    )
    assert reserved_mib(2000, settings) == 2000
    # What does not answer carries nothing.
    assert read_capacity(None, None, settings).cpu_models == ()
    assert read_capacity(None, None, settings).store_id == ""


def test_virtual_gpus_are_counted_made_once_and_given_back(tmp_path: Path) -> None:
    kinds = [tmp_path / f"class/mdev_bus/0000:3b:0{card}.0/mdev_supported_types/nvidia-35" for card in (0, 1)]
    for free, kind in enumerate(kinds):
        (kind / "devices").mkdir(parents=True)
        (kind / "available_instances").write_text(f"{free}\n")
    (kinds[0] / "devices/in-use").mkdir()
    devices = Devices(tmp_path)
    assert devices.gpu_profiles() == (GpuProfile(profile="nvidia-35", free=1, total=2),)
    vm = VmAssignment(
        vm="v",
        uid="11111111-2222-4333-8444-555555555555",
        role=VmRole.RUN,
        power_state=PowerState.ON,
        memory_mib=1,
        gpu_profiles=("nvidia-35",),
    )
    (name,) = devices.mdevs(vm)
    assert (kinds[1] / "create").read_text() == f"{name}\n"
    assert not (kinds[0] / "create").exists()
    made = tmp_path / "bus/mdev/devices" / name
    made.mkdir(parents=True)
    (kinds[1] / "available_instances").write_text("0\n")
    assert devices.mdevs(vm) == (name,)  # it is there: none is made
    devices.remove_mdevs(vm)
    assert (made / "remove").read_text() == "1\n"
    (made / "remove").unlink()
    made.rmdir()
    with pytest.raises(Problem, match="no GPU with room"):
        devices.mdevs(vm)


def test_pci_devices_are_those_that_wait_for_a_guest(tmp_path: Path) -> None:
    bound = tmp_path / "bus/pci/drivers/vfio-pci"
    bound.mkdir(parents=True)
    for name in ("0000:3b:00.0", "module", "new_id", "0000:03:1f.7"):
        (bound / name).touch()
    assert Devices(tmp_path).pci_devices() == ("0000:03:1f.7", "0000:3b:00.0")
    assert Devices(tmp_path / "none").pci_devices() == ()
    assert Devices(tmp_path / "none").gpu_profiles() == ()
