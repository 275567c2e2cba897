"""Gate 1 of virtual machines, disks, images, templates, affinity policies and migrations."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netctl.errors import InvalidIntent
from netctl.model.affinity import MEMBERS_MAX, AffinityKind
from netctl.model.disk import DISK_BYTES_MAX, DISKS_MAX, Disk, DiskBus, DiskKind
from netctl.model.keys import CategoryId, HostId, ImageId, SubnetId, VmId
from netctl.model.template import VERSIONS_MAX, TemplateNic, TemplateVersion
from netctl.model.vm import (
    DESCRIPTION_MAX,
    MEMORY_MIB_MAX,
    BootDevice,
    Firmware,
    GuestCustomization,
    MachineType,
    Sealed,
    Vm,
)
from netctl.model.vm_migration import NEXT, Stage
from tests.compute import SHA256, a_migration, a_policy, a_template, a_vm, an_image, empty_disk

TIB = 1 << 40
H1 = (HostId("h1"),)


def refused(make: Callable[[], object], field: str, *texts: str) -> None:
    with pytest.raises(InvalidIntent) as caught:
        make()
    assert caught.value.field == field, caught.value
    for text in texts:
        assert text in caught.value.message, caught.value.message


def with_disk(**fields: Any) -> Vm:
    return a_vm(disks=(Disk(**fields),))


def test_the_largest_machine_is_well_formed() -> None:
    made = a_vm(
        num_vcpus=17,
        num_cores_per_vcpu=5,
        num_threads_per_core=3,
        memory_mib=MEMORY_MIB_MAX,
        disks=(Disk(size_bytes=64 * TIB),) * DISKS_MAX,
        description="x" * DESCRIPTION_MAX,
        boot_order=(),
    )
    assert made.vcpus == 255
    assert made.boot_order == (BootDevice.DISK, BootDevice.CDROM, BootDevice.NETWORK)
    assert made.memory_mib == 4.5 * TIB / (1 << 20)
    assert DISK_BYTES_MAX == 64 * TIB


VM_REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"memory_mib": MEMORY_MIB_MAX + 1}, "memory_mib", "4718593 is outside 16 to 4718592 MiB"),
    ({"memory_mib": 0}, "memory_mib", "0 is outside"),
    ({"memory_mib": -1}, "memory_mib", "-1 is outside"),
    ({"num_vcpus": 0}, "num_vcpus", "0 is outside 1 to 255"),
    ({"num_vcpus": 256}, "num_vcpus", "256 is outside 1 to 255"),
    ({"num_vcpus": 16, "num_cores_per_vcpu": 16}, "num_vcpus", "are 256; at most 255"),
    ({"num_cores_per_vcpu": 0}, "num_cores_per_vcpu", "0 is outside"),
    ({"num_threads_per_core": 0}, "num_threads_per_core", "0 is outside"),
    ({"num_vnuma_nodes": 2}, "num_vnuma_nodes", "2 is outside 0 to 1"),
    ({"description": "a\nb"}, "description", "line break"),
    ({"description": "x" * (DESCRIPTION_MAX + 1)}, "description", "at most 1024"),
    ({"description": "\u202egnp.exe"}, "description", "control character"),
    ({"cpu_model": "<feature/>"}, "cpu_model", "not the name of a CPU model"),
    ({"cpu_model": "../../etc/passwd"}, "cpu_model", "not the name of a CPU model"),
    ({"cpu_model": "x" * 64}, "cpu_model", "not the name of a CPU model"),
    ({"cpu_model": "EPYC", "cpu_passthrough": True}, "cpu_model", "cpu_passthrough"),
    ({"boot_order": (BootDevice.DISK,) * 2}, "boot_order[1]", "DISK is listed twice"),
    ({"secure_boot": True}, "secure_boot", "set firmware UEFI"),
    (
        {"secure_boot": True, "firmware": Firmware.UEFI, "machine_type": MachineType.PC},
        "machine_type",
        "use Q35",
    ),
    ({"categories": (CategoryId("a"), CategoryId("a"))}, "categories[1]", "listed twice"),
    ({"affinity_hosts": (HostId("h1"), HostId("h1"))}, "affinity_hosts[1]", "listed twice"),
    ({"affinity_hosts": (HostId("<h1>"),)}, "affinity_hosts[0]", "is not an id"),
    ({"affinity_hosts": (HostId("h1"),) * 33}, "affinity_hosts", "33 entries; at most 32"),
    ({"pci_devices": ("0000:3b:00",), "affinity_hosts": H1}, "pci_devices[0]", "not a PCI address"),
    ({"pci_devices": ("0000:3b:20.0",), "affinity_hosts": H1}, "pci_devices[0]", "not a PCI address"),
    ({"pci_devices": ("../0000:3b:00.0",), "affinity_hosts": H1}, "pci_devices[0]", "not a PCI address"),
    (
        {"pci_devices": ("0000:3b:00.0", "0000:3B:00.0"), "affinity_hosts": H1},
        "pci_devices[1]",
        "listed twice",
    ),
    ({"pci_devices": ("0000:3b:00.0",)}, "affinity_hosts", "exactly one"),
    (
        {"pci_devices": ("0000:3b:00.0",), "affinity_hosts": (*H1, HostId("h2"))},
        "affinity_hosts",
        "exactly one",
    ),
    ({"gpu_profiles": ("'/><x",)}, "gpu_profiles[0]", "not the name of a GPU profile"),
    ({"gpu_profiles": ("nvidia-35",) * 17}, "gpu_profiles", "at most 16"),
    (
        {"memory_overcommit": True, "num_vcpus": 2, "num_vnuma_nodes": 2},
        "memory_overcommit",
        "num_vnuma_nodes",
    ),
    ({"memory_overcommit": True, "gpu_profiles": ("nvidia-35",)}, "memory_overcommit", "gpu_profiles"),
    (
        {"memory_overcommit": True, "pci_devices": ("0000:3b:00.0",), "affinity_hosts": H1},
        "memory_overcommit",
        "pci_devices",
    ),
]


@pytest.mark.parametrize(("fields", "field", "text"), VM_REFUSALS, ids=lambda value: str(value)[:40])
def test_a_malformed_machine_is_refused(fields: dict[str, Any], field: str, text: str) -> None:
    refused(lambda: a_vm(**fields), field, text)


@given(st.text(max_size=20))
@example("a'/><disk")
@example("a b")
def test_names_of_devices_are_words_and_nothing_else(text: str) -> None:
    """They come into XML and into paths of sysfs: what passes has neither quotes, brackets, slashes nor white space."""
    fields: tuple[dict[str, Any], ...] = (
        {"cpu_model": text or "x"},
        {"gpu_profiles": (text,)},
        {"pci_devices": (text,), "affinity_hosts": H1},
    )
    for given_ in fields:
        try:
            a_vm(**given_)
        except InvalidIntent:
            continue
        assert text.isascii()
        assert not set(text) & set("<>&'\"/\\ \t\n\0;$`")


def test_a_pci_address_is_in_lower_case() -> None:
    assert a_vm(pci_devices=("0000:3B:1F.7",), affinity_hosts=H1).pci_devices == ("0000:3b:1f.7",)


def test_one_gpu_profile_may_be_wanted_twice() -> None:
    assert len(a_vm(gpu_profiles=("nvidia-35", "nvidia-35")).gpu_profiles) == 2


DISK_REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"size_bytes": 64 * TIB + 512}, "size_bytes", "is outside 0 to"),
    ({"size_bytes": -512}, "size_bytes", "-512 is outside"),
    ({"size_bytes": 1000}, "size_bytes", "not a multiple of 512"),
    ({}, "size_bytes", "say how large"),
    ({"image": ImageId("../x")}, "image", "is not an id"),
    ({"source_vm": VmId("<x>")}, "source_vm", "is not an id"),
    ({"source_vm": VmId("a"), "source_index": -1}, "source_index", "-1 is outside"),
    ({"source_vm": VmId("a"), "image": ImageId("b")}, "source_vm", "a copy of one thing"),
    ({"size_bytes": 512, "index": 64}, "index", "64 is outside 0 to 63"),
    ({"size_bytes": 512, "index": -2}, "index", "-2 is outside"),
    ({"size_bytes": 512, "bus": DiskBus.IDE, "index": 4}, "index", "4 is outside 0 to 3"),
    ({"size_bytes": 512, "bus": DiskBus.SATA, "index": 6}, "index", "6 is outside 0 to 5"),
    ({"kind": DiskKind.CDROM, "size_bytes": 512}, "size_bytes", "leave it 0"),
    ({"kind": DiskKind.CDROM, "source_vm": VmId("a")}, "source_vm", "shows an image"),
    ({"kind": DiskKind.CDROM, "bus": DiskBus.PCI}, "bus", "PCI has no CD-ROM"),
]


@pytest.mark.parametrize(("fields", "field", "text"), DISK_REFUSALS, ids=lambda value: str(value)[:40])
def test_a_malformed_disk_is_refused(fields: dict[str, Any], field: str, text: str) -> None:
    refused(lambda: with_disk(**fields), f"disks[0].{field}", text)


def test_disks_are_counted_and_apart() -> None:
    refused(lambda: a_vm(disks=(empty_disk(),) * 65), "disks", "65 disks; at most 64")
    twice = (empty_disk(bus=DiskBus.PCI, index=3), empty_disk(bus=DiskBus.PCI, index=3))
    refused(lambda: a_vm(disks=twice), "disks[1].index", "3 of bus PCI is used twice")
    a_vm(disks=(empty_disk(bus=DiskBus.PCI, index=3), empty_disk(bus=DiskBus.SCSI, index=3)))


def test_customization_is_for_one_of_two() -> None:
    one = Sealed("x")
    refused(lambda: GuestCustomization(user_data=one, sysprep_unattend_xml=one), "customization", "of one")
    refused(
        lambda: GuestCustomization(windows_license_key=one),
        "customization.windows_license_key",
        "answer file",
    )
    GuestCustomization(windows_license_key=one, sysprep_unattend_xml=one)


IMAGE_REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"sha256": "ab"}, "sha256", "not 64 hexadecimal digits"),
    ({"sha256": SHA256.upper()}, "sha256", "in lower case"),
    ({"source_uri": "ftp://x/y"}, "source_uri", "use https://, http:// or file:///"),
    ({"source_uri": "javascript:alert(1)"}, "source_uri", "use https://"),
    ({"source_uri": "/etc/passwd"}, "source_uri", "use https://"),
    ({"source_uri": "https://"}, "source_uri", "names no server"),
    ({"source_uri": "https:///x"}, "source_uri", "names no server"),
    ({"source_uri": "https://a:99999/x"}, "source_uri", "is not a URI"),
    ({"source_uri": "https://[::1/x"}, "source_uri", "is not a URI"),
    ({"source_uri": "https://me:secret@a/x"}, "source_uri", "leave them out"),
    ({"source_uri": "https://a/x y"}, "source_uri", "percent-encode"),
    ({"source_uri": "https://a/\nx"}, "source_uri", "percent-encode"),
    ({"source_uri": "https://a/" + "x" * 2048}, "source_uri", "at most 2048"),
    ({"source_uri": "file://server/x"}, "source_uri", "import folder"),
    ({"source_uri": "file:///"}, "source_uri", "import folder"),
    ({"source_uri": "file:///../../etc/shadow"}, "source_uri", "import folder"),
    ({"source_uri": "file:///a/%2e%2E/%2e./etc/shadow"}, "source_uri", "import folder"),
    ({"source_uri": "https://a/x", "source_vm": VmId("b")}, "source_uri", "one place"),
    ({"source_vm": VmId("b"), "source_index": 64}, "source_index", "64 is outside"),
]


@pytest.mark.parametrize(("fields", "field", "text"), IMAGE_REFUSALS, ids=lambda value: str(value)[:60])
def test_a_malformed_image_is_refused(fields: dict[str, Any], field: str, text: str) -> None:
    refused(lambda: an_image(**fields), field, text)


@pytest.mark.parametrize(
    "uri",
    ["https://a/x", "http://[fd00::1]:8080/x?a=b", "file:///debian.qcow2", "file:///iso/de..bian.iso"],
)
def test_an_image_comes_from(uri: str) -> None:
    assert an_image(source_uri=uri, sha256=SHA256).source_uri == uri


def test_versions_of_a_template_ascend() -> None:
    def version(number: int, **fields: Any) -> TemplateVersion:
        return TemplateVersion(number=number, vm=a_vm(), **fields)

    a_template("t", version(1), version(7))
    refused(lambda: a_template("t", version(0)), "versions[0].number", "0 does not ascend")
    refused(lambda: a_template("t", version(2), version(2)), "versions[1].number", "2 does not ascend")
    many = tuple(version(i + 1) for i in range(VERSIONS_MAX + 1))
    refused(lambda: a_template("t", *many), "versions", "delete one first")
    refused(
        lambda: a_template("t", version(1, images=(ImageId("a"),))),
        "versions[0].images",
        "1 images for 0 disks",
    )
    nic = TemplateNic(subnet=SubnetId("app"))
    refused(lambda: a_template("t", version(1, nics=(nic,) * 33)), "versions[0].nics", "at most 32")
    bad = TemplateNic(subnet=SubnetId("app"), queues=0)
    refused(
        lambda: a_template("t", version(1, nics=(nic, bad))), "versions[0].nics[1].queues", "0 is outside"
    )
    refused(lambda: a_template("t", version(1, description="\x1b[2J")), "versions[0].description", "control")


def test_an_affinity_policy_names_members_and_places() -> None:
    vms, category = (VmId("a"), VmId("b")), (CategoryId("c"),)
    apart = AffinityKind.VM_ANTI_AFFINITY
    a_policy(kind=apart, vms=vms)
    a_policy(vm_categories=category, host_categories=category)
    refused(lambda: a_policy(hosts=H1), "vms", "say for which")
    refused(lambda: a_policy(vms=vms), "hosts", "say on which hosts")
    refused(lambda: a_policy(kind=apart, vms=vms, hosts=H1), "hosts", "leave it empty")
    refused(
        lambda: a_policy(kind=apart, vms=vms, host_categories=category), "host_categories", "leave it empty"
    )
    refused(lambda: a_policy(vms=(*vms, vms[0]), hosts=H1), "vms[2]", "vms/a is listed twice")
    refused(lambda: a_policy(vms=(VmId("A"),), hosts=H1), "vms[0]", "is not an id")
    many = tuple(VmId(f"v{i}") for i in range(MEMBERS_MAX + 1))
    refused(lambda: a_policy(vms=many, hosts=H1), "vms", "at most 1024")


def test_a_migration_has_limits() -> None:
    refused(lambda: a_migration(retries=11), "retries", "11 is outside 0 to 10")
    refused(lambda: a_migration(bandwidth_mbps=-1), "bandwidth_mbps", "-1 is outside")
    refused(lambda: a_migration(destination="H2"), "destination", "is not an id")
    refused(lambda: a_migration(vm="../x"), "vm", "is not an id")
    refused(lambda: a_migration(cause="because"), "cause", "none of manual, maintenance")


def test_every_stage_but_the_last_leads_on() -> None:
    assert set(NEXT) == set(Stage)
    assert {stage for stage, ways in NEXT.items() if not ways} == {Stage.DONE, Stage.FAILED}
