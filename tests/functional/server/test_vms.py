"""What is done to virtual machines beside the standard verbs: power, clones, templates; all of it or nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.model.image import ImageFormat
from netctl.model.intent import StoreImage
from netctl.model.keys import HostId, ImageId, VmId
from netctl.v1 import agent_compute_pb2 as agent
from netctl.v1 import compute_pb2 as compute
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as operations
from tests.functional.server.compute import GIB, ComputeAgent, admit, empty_disk, place, vm
from tests.functional.server.world import World, nic, refused, until

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
ON, OFF, PAUSED = compute.POWER_STATE_ON, compute.POWER_STATE_OFF, compute.POWER_STATE_PAUSED


async def furnish(world: World) -> compute.Vm:
    """Make `web-1` with two disks, a drive and two NICs, placed on h1 and OFF."""
    await world.furnish()
    disks = [empty_disk(2), compute.Disk(kind=compute.DISK_KIND_CDROM), empty_disk(1)]
    await world.vms.CreateVm(vm(disks=disks, num_vcpus=2, labels={"tier": "web"}, vtpm=True))
    for number in (1, 2):
        request = nic(f"web-1-{number}")
        request.nic.vm = "vms/web-1"
        await world.nics.CreateNic(request)
    await place(world)
    return (await world.vms.GetVm(compute.GetVmRequest(name="vms/web-1"))).vm


def power(state: compute.PowerState.ValueType, **fields: object) -> compute.SetVmPowerRequest:
    return compute.SetVmPowerRequest(name="vms/web-1", power_state=state, **fields)  # type: ignore[arg-type]


async def test_power_states_are_asked_for_and_starts_counted(world: World) -> None:
    await furnish(world)
    on = (await world.vms.SetVmPower(power(ON))).vm
    assert (on.power_state, on.power_epoch, on.host) == (ON, 1, "hosts/h1")
    # Once more: a guest that shut itself down is started again.
    assert (await world.vms.SetVmPower(power(ON))).vm.power_epoch == 2
    assert (await world.vms.SetVmPower(power(PAUSED))).vm.power_state == PAUSED
    assert (await world.vms.SetVmPower(power(ON))).vm.power_epoch == 3
    reset = (await world.vms.ResetVm(compute.ResetVmRequest(name="vms/web-1"))).vm
    assert (reset.reset_epoch, reset.power_epoch) == (1, 3)
    off = (await world.vms.SetVmPower(power(OFF, graceful=True))).vm
    assert (off.power_state, off.graceful_off, off.power_epoch) == (OFF, True, 3)
    assert not (await world.vms.SetVmPower(power(OFF))).vm.graceful_off
    async with refused(INVALID, "name", text="only one that is ON can be reset"):
        await world.vms.ResetVm(compute.ResetVmRequest(name="vms/web-1"))
    async with refused(INVALID, "power_state", text="is not set; use POWER_STATE_OFF or POWER_STATE_ON"):
        await world.vms.SetVmPower(compute.SetVmPowerRequest(name="vms/web-1"))
    async with refused(INVALID, "graceful", text="goes with OFF"):
        await world.vms.SetVmPower(power(ON, graceful=True))
    async with refused(MISSING, "name", text="vms/none does not exist"):
        await world.vms.SetVmPower(compute.SetVmPowerRequest(name="vms/none", power_state=ON))


async def test_a_repeated_request_starts_once(world: World) -> None:
    await furnish(world)
    first = await world.vms.SetVmPower(power(ON, request_id="a"))
    assert await world.vms.SetVmPower(power(ON, request_id="a")) == first
    await world.vms.SetVmPower(power(OFF))
    await world.vms.DeleteVm(compute.DeleteVmRequest(name="vms/web-1"))
    # Whatever became of it since, the answer is the same.
    assert (await world.vms.SetVmPower(power(ON, request_id="a"))).vm.power_epoch == 1
    async with refused(INVALID, "request_id", text="was used for another request"):
        await world.vms.SetVmPower(power(OFF, request_id="a"))


def capable(**fields: object) -> agent.HostCapacity:
    return agent.HostCapacity(
        cpus=8,
        memory_mib=8192,
        store_id="store-1",
        store_free_bytes=1 << 40,
        arch="x86_64",
        cpu_vendor="Intel",
        cpu_models=[agent.CpuModel(name="qemu64", usable=True)],
        vtpm=True,
        uefi=True,
        **fields,  # type: ignore[arg-type]
    )


async def test_it_is_started_on_the_host_that_is_named_if_that_can(world: World) -> None:
    await world.furnish()
    await world.vms.CreateVm(vm())
    here: dict[str, Any] = {"capacity": capable(), "libvirt_connected": True}
    async with ComputeAgent(world, **here), ComputeAgent(world, "h2", libvirt_connected=True):
        book = world.ports.compute_reports
        await until(lambda: all(book.get(HostId(id)).connected for id in ("h1", "h2")))
        async with refused(INVALID, "host", text="hosts/h2"):
            await world.vms.SetVmPower(power(ON, host="hosts/h2"))
        assert world.admission.snapshot().vm(VmId("web-1")).power_state.value == "off"  # type: ignore[union-attr]
        async with refused(MISSING, "host", text="hosts/h9 does not exist"):
            await world.vms.SetVmPower(power(ON, host="hosts/h9"))
        on = (await world.vms.SetVmPower(power(ON, host="hosts/h1"))).vm
        assert (on.host, on.effective_cpu_model) == ("hosts/h1", "qemu64")
        async with refused(INVALID, "host", text="is ON already"):
            await world.vms.SetVmPower(power(ON, host="hosts/h1"))
        async with refused(INVALID, "host", text="goes with ON"):
            await world.vms.SetVmPower(power(OFF, host="hosts/h1"))


async def test_a_clone_is_another_machine_with_copies(world: World) -> None:
    source = await furnish(world)
    answer = await world.vms.CloneVm(compute.CloneVmRequest(source="vms/web-1", name="vms/web-2"))
    clone = answer.vm
    assert (clone.num_vcpus, clone.memory_mib, dict(clone.labels)) == (2, 512, {"tier": "web"})
    assert (clone.power_state, clone.host, clone.power_epoch) == (OFF, "", 0)
    assert clone.uid != source.uid
    assert clone.generation_id not in ("", source.generation_id)
    assert not {disk.uid for disk in clone.disks} & {disk.uid for disk in source.disks}
    assert [(disk.source_vm, disk.source_index, disk.size_bytes) for disk in clone.disks] == [
        ("vms/web-1", 0, 2 * GIB),
        ("", 0, 0),
        ("vms/web-1", 2, GIB),
    ]
    stored = world.admission.snapshot()
    assert stored.vm(VmId("web-1")).vtpm_secret != stored.vm(VmId("web-2")).vtpm_secret  # type: ignore[union-attr]
    assert list(answer.nics) == ["nics/web-2-nic-0", "nics/web-2-nic-1"]
    for i, name in enumerate(answer.nics):
        old = (await world.nics.GetNic(network.GetNicRequest(name=f"nics/web-1-{i + 1}"))).nic
        new = (await world.nics.GetNic(network.GetNicRequest(name=name))).nic
        assert (new.vm, new.subnet) == ("vms/web-2", old.subnet)
        assert new.mac_address != old.mac_address
        assert new.ipv4_address != old.ipv4_address


async def test_a_clone_may_differ_where_its_mask_says(world: World) -> None:
    await furnish(world)
    other = compute.Vm(name="vms/elsewhere", memory_mib=1024, description="a copy", num_vcpus=7)
    mask = FieldMask(paths=["memory_mib", "description"])
    request = compute.CloneVmRequest(
        source="vms/web-1", name="vms/web-2", overrides=other, update_mask=mask, validate_only=True
    )
    dry = (await world.vms.CloneVm(request)).vm
    assert (dry.name, dry.memory_mib, dry.description, dry.num_vcpus) == ("vms/web-2", 1024, "a copy", 2)
    async with refused(MISSING, "name"):
        await world.vms.GetVm(compute.GetVmRequest(name="vms/web-2"))
    request.validate_only = False
    assert (await world.vms.CloneVm(request)).vm.memory_mib == 1024


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"source": "vms/none"}, "source", "does not exist"),
        ({"name": "vms/web-1"}, "name", "exists: use another name"),
        ({"name": "web-2"}, "name", "write it like vms/web-1"),
        ({"name": "vms/" + "a" * 60}, "name", "at most 56 fit"),
        ({"name": 'vms/"><script>'}, "name", "is not an id"),
        ({"overrides": compute.Vm(memory_mib=7)}, "update_mask", "name the fields to override"),
        ({"update_mask": FieldMask(paths=["*"])}, "update_mask", "name the fields to override"),
        ({"update_mask": FieldMask(paths=["host"])}, "update_mask", "is set by the server"),
        ({"update_mask": FieldMask(paths=["memory_mib"])}, "overrides.memory_mib", "outside 16"),
        (
            {"update_mask": FieldMask(paths=["cluster"]), "overrides": compute.Vm(cluster="clusters/c9")},
            "overrides.cluster",
            "clusters/c9",
        ),
    ],
)
async def test_a_clone_that_cannot_be_leaves_nothing(
    world: World, fields: dict[str, object], field: str, text: str
) -> None:
    await furnish(world)
    before = world.admission.snapshot().revision
    asked = {"source": "vms/web-1", "name": "vms/web-2"} | fields
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await world.vms.CloneVm(compute.CloneVmRequest(**asked))  # type: ignore[arg-type]
    details = str(failed.value.details())
    assert text in details
    async with refused(failed.value.code(), field, text=text):
        await world.vms.CloneVm(compute.CloneVmRequest(**asked))  # type: ignore[arg-type]
    assert world.admission.snapshot().revision == before


async def test_a_machine_that_is_on_is_not_copied(world: World) -> None:
    await furnish(world)
    await world.vms.SetVmPower(power(ON))
    async with refused(INVALID, "source", text="vms/web-1 is ON: switch it off"):
        await world.vms.CloneVm(compute.CloneVmRequest(source="vms/web-1", name="vms/web-2"))
    async with refused(INVALID, "vm", text="vms/web-1 is ON: switch it off"):
        await world.templates.CreateTemplateVersion(
            compute.CreateTemplateVersionRequest(template="vmTemplates/shop", vm="vms/web-1")
        )


async def make_version(world: World, **fields: object) -> compute.VmTemplate:
    request = compute.CreateTemplateVersionRequest(
        template="vmTemplates/shop",
        vm="vms/web-1",
        **fields,  # type: ignore[arg-type]
    )
    return (await world.templates.CreateTemplateVersion(request)).vm_template


async def test_versions_of_a_template_come_and_go_with_their_images(world: World) -> None:
    source = await furnish(world)
    first = await make_version(world, description="first")
    assert (first.name, first.active_version, len(first.versions)) == ("vmTemplates/shop", 1, 1)
    version = first.versions[0]
    assert version.create_time.seconds > 0
    assert list(version.images) == ["images/shop-v1-disk0", "", "images/shop-v1-disk2"]
    assert (version.vm.name, version.vm.uid, version.vm.host, version.vm.generation_id) == ("", "", "", "")
    assert [disk.uid for disk in version.vm.disks] == ["", "", ""]
    assert (version.vm.memory_mib, version.vm.vtpm) == (source.memory_mib, True)
    assert [one.subnet for one in version.nics] == ["subnets/web", "subnets/web"]
    image = (await world.images.GetImage(compute.GetImageRequest(name="images/shop-v1-disk2"))).image
    assert (image.source_vm, image.source_index) == ("vms/web-1", 2)
    second = await make_version(world)
    assert (second.active_version, [one.number for one in second.versions]) == (1, [1, 2])
    third = await make_version(world, activate=True)
    assert third.active_version == 3

    def delete(number: int) -> compute.DeleteTemplateVersionRequest:
        return compute.DeleteTemplateVersionRequest(template="vmTemplates/shop", number=number)

    async with refused(INVALID, "number", text="version 3 is the active one"):
        await world.templates.DeleteTemplateVersion(delete(3))
    async with refused(MISSING, "number", text="has no version 7; it has 1, 2, 3"):
        await world.templates.DeleteTemplateVersion(delete(7))
    left = (await world.templates.DeleteTemplateVersion(delete(1))).vm_template
    assert [one.number for one in left.versions] == [2, 3]
    async with refused(MISSING, "name"):
        await world.images.GetImage(compute.GetImageRequest(name="images/shop-v1-disk2"))
    await world.images.GetImage(compute.GetImageRequest(name="images/shop-v2-disk2"))
    # Changing the template's own fields leaves its versions; going back is making another one active.
    change = compute.VmTemplate(name="vmTemplates/shop", active_version=2, description="back")
    request = compute.UpdateVmTemplateRequest(
        vm_template=change, update_mask=FieldMask(paths=["active_version", "description"])
    )
    back = (await world.templates.UpdateVmTemplate(request)).vm_template
    assert (back.active_version, [one.number for one in back.versions]) == (2, [2, 3])
    whole = compute.UpdateVmTemplateRequest(vm_template=compute.VmTemplate(name="vmTemplates/shop"))
    assert len((await world.templates.UpdateVmTemplate(whole)).vm_template.versions) == 2


async def store_images(world: World, *ids: str) -> None:
    for id in ids:
        edit = StoreImage(
            image=ImageId(id),
            format=ImageFormat.QCOW2,
            sha256="5e" * 32,
            size_bytes=GIB,
            stored_bytes=1000,
        )
        await admit(world, edit)


async def test_a_template_is_deployed_with_what_differs(world: World) -> None:
    await furnish(world)
    told = compute.GuestCustomization(user_data="#cloud-config\n")
    await make_version(world, customization=told)
    await store_images(world, "shop-v1-disk0", "shop-v1-disk2")
    # The machine that it was made of may go.
    await world.vms.DeleteVm(compute.DeleteVmRequest(name="vms/web-1"))
    request = compute.DeployTemplateRequest(
        template="vmTemplates/shop",
        name="vms/shop-1",
        overrides=compute.Vm(memory_mib=768, power_state=ON),
        update_mask=FieldMask(paths=["memory_mib", "power_state"]),
        request_id="deploy-1",
    )
    answer = await world.templates.DeployTemplate(request)
    made = answer.vm
    assert (made.template, made.template_version) == ("vmTemplates/shop", 1)
    assert (made.memory_mib, made.num_vcpus, made.power_state, made.vtpm) == (768, 2, ON, True)
    assert [disk.image for disk in made.disks] == ["images/shop-v1-disk0", "", "images/shop-v1-disk2"]
    assert [disk.size_bytes for disk in made.disks] == [2 * GIB, 0, GIB]
    assert made.customization.has_secrets
    assert len(answer.nics) == 2
    assert await world.templates.DeployTemplate(request) == answer
    alone = compute.DeployTemplateRequest(
        template="vmTemplates/shop", version=1, name="vms/shop-2", subnets=["subnets/web"]
    )
    assert list((await world.templates.DeployTemplate(alone)).nics) == ["nics/shop-2-nic-0"]
    for fields, code, field, text in (
        ({"version": 5}, MISSING, "version", "has no version 5; it has 1"),
        ({"template": "vmTemplates/none"}, MISSING, "template", "does not exist"),
        ({"subnets": ["subnets/none"]}, MISSING, "subnets[0]", "does not exist"),
        ({"subnets": ["subnets/web"] * 200}, INVALID, "subnets", "at most 32"),
    ):
        asked = {"template": "vmTemplates/shop", "name": "vms/shop-3"} | fields
        async with refused(code, field, text=text):
            await world.templates.DeployTemplate(compute.DeployTemplateRequest(**asked))


async def test_concurrent_clones_have_addresses_of_their_own(world: World) -> None:
    await furnish(world)
    requests = [compute.CloneVmRequest(source="vms/web-1", name=f"vms/c{i}") for i in range(20)]
    answers = await asyncio.gather(*(world.vms.CloneVm(request) for request in requests))
    nics = [
        (await world.nics.GetNic(network.GetNicRequest(name=name))).nic
        for answer in answers
        for name in answer.nics
    ]
    assert len({one.mac_address for one in nics}) == len({one.ipv4_address for one in nics}) == 40
    assert len({answer.vm.generation_id for answer in answers}) == 20


async def test_its_console_is_where_its_host_says(world: World) -> None:
    made = await furnish(world)
    request = compute.GetVmConsoleRequest(name="vms/web-1")
    silent = await world.vms.GetVmConsole(request)
    assert (silent.address, silent.host) == ("", "hosts/h1")
    seen = agent.VmReport(
        vm_id="web-1",
        uid=made.uid,
        run_state=compute.VM_RUN_STATE_RUNNING,
        console_address="vnc://192.0.2.11:5901",
    )
    async with ComputeAgent(world, vms=[seen]):
        await until(lambda: bool(world.ports.compute_reports.get(HostId("h1")).vms))
        assert (await world.vms.GetVmConsole(request)).address == "vnc://192.0.2.11:5901"


async def test_fifty_machines_are_one_change_or_none(world: World) -> None:
    await world.furnish()

    def edits(count: int, memory_mib: int) -> list[operations.Edit]:
        found = []
        for i in range(count):
            memory = memory_mib if i == count - 1 else 512
            machine = compute.Vm(
                name=f"vms/b{i}", cluster="clusters/c1", memory_mib=memory, disks=[empty_disk()]
            )
            found.append(operations.Edit(create=operations.Resource(vm=machine)))
            interface = network.Nic(name=f"nics/b{i}-a", subnet="subnets/web", vm=f"vms/b{i}")
            found.append(operations.Edit(create=operations.Resource(nic=interface)))
        return found

    before = world.admission.snapshot().revision
    async with refused(INVALID, "edits[98].create.vm.memory_mib", text="outside 16 to 4718592 MiB"):
        await world.batches.Batch(operations.BatchRequest(edits=edits(50, 4_718_593)))
    assert world.admission.snapshot().revision == before
    answer = await world.batches.Batch(operations.BatchRequest(edits=edits(50, 4_718_592)))
    assert (answer.revision, answer.changed) == (before + 1, 100)


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"name": "vms/'; reboot #"}, "vm.name", "is not an id"),
        ({"name": "vms/<domain/>"}, "vm.name", "is not an id"),
        ({"cluster": "clusters/c9"}, "vm.cluster", "clusters/c9 does not exist"),
        ({"memory_mib": 0}, "vm.memory_mib", "outside 16"),
        ({"num_vcpus": 256}, "vm.num_vcpus", "outside 1 to 255"),
        ({"num_vcpus": -1}, "vm.num_vcpus", "outside 1 to 255"),
        ({"disks": [compute.Disk(image="images/none")]}, "vm.disks[0].image", "images/none does not exist"),
        ({"disks": [compute.Disk(size_bytes=(64 << 40) + 512)]}, "vm.disks[0].size_bytes", "outside 0"),
        ({"disks": [compute.Disk(size_bytes=512, index=-2)]}, "vm.disks[0].index", "is negative"),
        ({"disks": [empty_disk()] * 65}, "vm.disks", "at most 64"),
        ({"cpu_model": "qemu64'/><evil"}, "vm.cpu_model", "is not the name of a CPU model"),
        ({"pci_devices": ["../../sys"], "affinity_hosts": ["hosts/h1"]}, "vm.pci_devices[0]", "PCI address"),
        ({"gpu_profiles": ["<x>"]}, "vm.gpu_profiles[0]", "is not the name of a GPU profile"),
        ({"boot_order": [99]}, "vm.boot_order[0]", "is unknown to this controller"),
        ({"description": "a\u202eb"}, "vm.description", "control character"),
        ({"secure_boot": True}, "vm.secure_boot", "set firmware UEFI"),
    ],
)
async def test_what_cannot_be_a_machine_is_refused_by_its_field(
    world: World, fields: dict[str, Any], field: str, text: str
) -> None:
    await world.furnish()
    before = world.admission.snapshot().revision
    request = vm()
    request.vm.MergeFrom(compute.Vm(**fields))
    if fields.get("memory_mib") == 0:
        request.vm.memory_mib = 0
    code = MISSING if "does not exist" in text else INVALID
    async with refused(code, field, text=text):
        await world.vms.CreateVm(request)
    assert world.admission.snapshot().revision == before
