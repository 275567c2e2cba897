"""Virtual machines, images, templates, affinity policies and migrations to store; a part of samples.py."""

from __future__ import annotations

from dataclasses import replace

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.disk import Disk, DiskBus, DiskKind
from netctl.model.image import Image, ImageFormat
from netctl.model.infra import Meta
from netctl.model.intent import Intent
from netctl.model.keys import (
    AffinityPolicyId,
    CategoryId,
    ClusterId,
    HostId,
    ImageId,
    NicId,
    SubnetId,
    Uid,
    VmId,
    VmMigrationId,
    VmTemplateId,
)
from netctl.model.nic import Nic, NicModel
from netctl.model.template import TemplateNic, TemplateVersion, VmTemplate
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
from netctl.model.vm_migration import Evidence, Stage, StageEntered, VmMigration

META = Meta(uid=Uid("6c1b7a2e-6b8f-4e44-8d5a-6a6a8f9f2f12"), labels={"tier": "db"}, revision=11)
C1, H1, H2 = ClusterId("c1"), HostId("h1"), HostId("h2")
DEBIAN, DB = ImageId("debian"), CategoryId("db")
DISK_UID, OTHER_UID = Uid("d15c0000-0000-4000-8000-000000000001"), Uid("d15c0000-0000-4000-8000-000000000002")
VM = Vm(
    id=VmId("db-1"),
    meta=META,
    cluster=C1,
    description="the first database",
    num_vcpus=2,
    num_cores_per_vcpu=3,
    num_threads_per_core=2,
    memory_mib=65536,
    num_vnuma_nodes=2,
    disks=(
        Disk(uid=DISK_UID, bus=DiskBus.PCI, index=0, size_bytes=64 << 40, image=DEBIAN),
        Disk(
            uid=OTHER_UID,
            bus=DiskBus.SCSI,
            index=1,
            source_vm=VmId("db-0"),
            source_index=1,
            source_disk=DISK_UID,
            source_vm_uid=META.uid,
        ),
        Disk(uid=Uid("d15c0000-0000-4000-8000-000000000003"), kind=DiskKind.CDROM, bus=DiskBus.SATA, index=0),
    ),
    boot_order=(BootDevice.NETWORK, BootDevice.CDROM),
    firmware=Firmware.UEFI,
    machine_type=MachineType.Q35,
    secure_boot=True,
    vtpm=True,
    power_state=PowerState.PAUSED,
    graceful_off=True,
    restart_policy=RestartPolicy.ALWAYS,
    categories=(DB,),
    affinity_hosts=(H1,),
    cpu_passthrough=True,
    agent_vm=True,
    pci_devices=("0000:3b:00.0",),
    gpu_profiles=("nvidia-35", "nvidia-35"),
    customization=GuestCustomization(
        user_data=Sealed("s1"), meta_data=Sealed("s2"), network_config=Sealed("s3")
    ),
    host=H1,
    generation_id=Uid("9e0e0000-0000-4000-8000-000000000001"),
    vtpm_secret=Sealed("s4"),
    effective_cpu_model="host-passthrough",
    power_epoch=4,
    reset_epoch=2,
    deleting=True,
    template=VmTemplateId("golden"),
    template_version=3,
)
# What does not go with the one above.
OVERCOMMITTED = Vm(
    id=VmId("win-1"),
    cluster=C1,
    memory_mib=4096,
    memory_overcommit=True,
    cpu_model="Broadwell-noTSX",
    customization=GuestCustomization(sysprep_unattend_xml=Sealed("s5"), windows_license_key=Sealed("s6")),
)
IMAGE = Image(
    id=DEBIAN,
    meta=META,
    format=ImageFormat.QCOW2,
    source_vm=VmId("db-0"),
    source_index=1,
    source_disk=DISK_UID,
    source_vm_uid=META.uid,
    sha256="ab" * 32,
    size_bytes=2 << 30,
    stored_bytes=300 << 20,
)
FETCHED = Image(id=ImageId("alpine"), source_uri="https://images.example.com/alpine.iso?arch=x86_64")
TEMPLATE = VmTemplate(
    id=VmTemplateId("golden"),
    meta=META,
    versions=(
        TemplateVersion(
            number=2,
            vm=replace(VM, host=HostId(""), deleting=False),
            nics=(
                TemplateNic(
                    subnet=SubnetId("app"),
                    model=NicModel.E1000,
                    queues=1,
                    connected=False,
                    categories=(DB,),
                ),
                TemplateNic(subnet=SubnetId("app"), queues=4),
            ),
            images=(DEBIAN, ImageId("golden-v2-disk1"), ImageId("")),
            description="with the patches of May",
            create_time_s=1_700_000_000.5,
        ),
    ),
    active_version=2,
    description="databases",
)
HOST_POLICY = AffinityPolicy(
    id=AffinityPolicyId("licensed"),
    meta=META,
    kind=AffinityKind.VM_HOST,
    vms=(VM.id,),
    vm_categories=(DB,),
    hosts=(H1, H2),
    host_categories=(CategoryId("licensed"),),
    disabled=True,
)
MIGRATION = VmMigration(
    id=VmMigrationId("m1"),
    meta=META,
    vm=VM.id,
    destination=H2,
    bandwidth_mbps=1000,
    cross_cluster=True,
    retries=3,
    abort=True,
    source=H1,
    stage=Stage.ABORTING,
    failure="FAILED_TO_CONVERGE",
    failure_message="the guest writes faster than the network carries",
    evidence=Evidence(
        iterations=50,
        memory_bytes=1,
        transferred_bytes=2,
        remaining_bytes=3,
        dirty_rate_bps=4,
        throughput_bps=5,
        throttle_percent=99,
        pause_ms=6,
        announce_ms=7,
        network_gap_ms=8,
        copy_ms=9,
        round_trip_us=10,
    ),
    steps=(StageEntered(stage=Stage.QUEUED, time_s=1.5, message="another try"),),
    attempt=2,
    cause="maintenance",
)
MACHINE_NIC = Nic(id=NicId("db-1-a"), meta=META, subnet=SubnetId("app"), host=H1, vm=VM.id)
COMPUTE_OF_EACH: tuple[Intent, ...] = (
    VM,
    OVERCOMMITTED,
    IMAGE,
    FETCHED,
    TEMPLATE,
    HOST_POLICY,
    MIGRATION,
    MACHINE_NIC,
)
COMPUTE_BARE: tuple[Intent, ...] = (
    Vm(id=VmId("bare"), cluster=C1, memory_mib=512),
    Image(id=ImageId("bare")),
    VmTemplate(id=VmTemplateId("bare")),
    AffinityPolicy(id=AffinityPolicyId("bare"), kind=AffinityKind.VM_ANTI_AFFINITY, vm_categories=(DB,)),
    VmMigration(id=VmMigrationId("bare"), vm=VM.id),
)
