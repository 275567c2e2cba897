"""Hypothesis strategies for the nouns of virtual machines, as a client could ask for them."""

from __future__ import annotations

from hypothesis import strategies as st

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.disk import Disk, DiskBus, DiskKind
from netctl.model.image import Image, ImageFormat
from netctl.model.intent import Intent
from netctl.model.keys import (
    AffinityPolicyId,
    ClusterId,
    HostId,
    ImageId,
    VmId,
    VmMigrationId,
    VmTemplateId,
)
from netctl.model.template import VmTemplate
from netctl.model.vm import (
    BootDevice,
    Firmware,
    GuestCustomization,
    MachineType,
    PowerState,
    RestartPolicy,
    Sealed,
    Vm,
)
from netctl.model.vm_migration import VmMigration
from tests.unit.server.nouns import category_lists, ids, metas, text

_none_or_id = st.just("") | ids
_host_lists = st.lists(ids.map(HostId), max_size=3, unique=True).map(tuple)
_sealed = st.just("") | st.binary(min_size=1, max_size=8).map(lambda raw: f"sealed1:{raw.hex()}")
_sha256 = st.just("") | st.binary(min_size=32, max_size=32).map(bytes.hex)


@st.composite
def disk_lists(draw: st.DrawFn) -> tuple[Disk, ...]:
    """Return disks with a source or a size, and CD-ROMs, each at a place of its own."""
    found = []
    for index in range(draw(st.integers(0, 3))):
        place = draw(st.just(-1) | st.just(index))
        if draw(st.booleans()):
            bus = draw(st.sampled_from([DiskBus.AUTO, DiskBus.SATA, DiskBus.IDE]))
            image = ImageId(draw(_none_or_id))
            found.append(Disk(kind=DiskKind.CDROM, bus=bus, index=place, image=image))
            continue
        source = draw(ids)
        copied = draw(st.booleans())
        found.append(
            Disk(
                bus=draw(st.sampled_from([DiskBus.AUTO, DiskBus.SCSI, DiskBus.PCI])),
                index=place,
                size_bytes=512 * draw(st.integers(0, 1 << 37)),
                image=ImageId("" if copied else source),
                source_vm=VmId(source if copied else ""),
                source_index=draw(st.integers(0, 7)) if copied else 0,
            )
        )
    return tuple(found)


@st.composite
def customizations(draw: st.DrawFn) -> GuestCustomization:
    first, second, third = (Sealed(draw(_sealed)) for _ in range(3))
    if draw(st.booleans()):
        return GuestCustomization(user_data=first, meta_data=second, network_config=third)
    return GuestCustomization(sysprep_unattend_xml=first, windows_license_key=second if first else Sealed(""))


@st.composite
def vms(draw: st.DrawFn) -> Vm:
    secure_boot, overcommit = draw(st.booleans()), draw(st.booleans())
    machine_types = [MachineType.AUTO, MachineType.Q35] if secure_boot else list(MachineType)
    devices = draw(st.booleans()) and not overcommit
    passthrough = draw(st.booleans())
    return Vm(
        id=VmId(draw(ids)),
        meta=draw(metas),
        cluster=ClusterId(draw(ids)),
        description=draw(text),
        num_vcpus=draw(st.integers(1, 8)),
        num_cores_per_vcpu=draw(st.integers(1, 4)),
        num_threads_per_core=draw(st.integers(1, 2)),
        memory_mib=draw(st.integers(16, 4_718_592)),
        memory_overcommit=overcommit,
        num_vnuma_nodes=0 if overcommit else draw(st.integers(0, 1)),
        disks=draw(disk_lists()),
        boot_order=tuple(draw(st.lists(st.sampled_from(BootDevice), min_size=1, max_size=3, unique=True))),
        firmware=Firmware.UEFI if secure_boot else draw(st.sampled_from(Firmware)),
        machine_type=draw(st.sampled_from(machine_types)),
        secure_boot=secure_boot,
        vtpm=draw(st.booleans()),
        power_state=draw(st.sampled_from(PowerState)),
        graceful_off=draw(st.booleans()),
        restart_policy=draw(st.sampled_from(RestartPolicy)),
        categories=draw(category_lists),
        affinity_hosts=(HostId(draw(ids)),) if devices else draw(_host_lists),
        cpu_model="" if passthrough else draw(st.sampled_from(["", "Haswell", "EPYC-Rome"])),
        cpu_passthrough=passthrough,
        agent_vm=draw(st.booleans()),
        pci_devices=("0000:3b:00.0",) if devices else (),
        gpu_profiles=() if overcommit else draw(st.sampled_from([(), ("nvidia-35", "nvidia-35")])),
        customization=draw(customizations()),
    )


images = st.builds(
    Image,
    id=ids.map(ImageId),
    meta=metas,
    format=st.sampled_from(ImageFormat),
    source_uri=st.just("") | st.just("https://images.example/debian.qcow2"),
    source_vm=st.just(VmId("")),
    sha256=_sha256,
) | st.builds(Image, id=ids.map(ImageId), meta=metas, source_vm=ids.map(VmId), source_index=st.integers(0, 3))
templates = st.builds(
    VmTemplate,
    id=ids.map(VmTemplateId),
    meta=metas,
    active_version=st.integers(0, 9),
    description=text,
)
_vm_lists = st.lists(ids.map(VmId), min_size=1, max_size=3, unique=True).map(tuple)
affinities = st.builds(
    AffinityPolicy,
    id=ids.map(AffinityPolicyId),
    meta=metas,
    kind=st.just(AffinityKind.VM_HOST),
    vms=_vm_lists,
    vm_categories=category_lists,
    hosts=st.lists(ids.map(HostId), min_size=1, max_size=3, unique=True).map(tuple),
    host_categories=category_lists,
    disabled=st.booleans(),
) | st.builds(
    AffinityPolicy,
    id=ids.map(AffinityPolicyId),
    meta=metas,
    kind=st.just(AffinityKind.VM_ANTI_AFFINITY),
    vms=_vm_lists,
    vm_categories=category_lists,
    disabled=st.booleans(),
)
migrations = st.builds(
    VmMigration,
    id=ids.map(VmMigrationId),
    meta=metas,
    vm=ids.map(VmId),
    destination=_none_or_id.map(HostId),
    bandwidth_mbps=st.integers(0, 100_000),
    cross_cluster=st.booleans(),
    retries=st.integers(0, 10),
    abort=st.booleans(),
)

intents: st.SearchStrategy[Intent] = st.one_of(vms(), images, templates, affinities, migrations)
