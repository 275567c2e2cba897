"""What a guest is told reaches its host and nobody else: no answer, no watch, no log, no file holds it in plain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.model.keys import VmId
from netctl.v1 import compute_pb2 as compute
from netctl.v1 import operations_pb2 as operations
from tests.functional.server.compute import ComputeAgent, place, vm
from tests.functional.server.world import World, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
SESAME, KEY = "open-sesame-4711", "QW3RT-Y1U2I-O3P4A-S5D6F-G7H8J"
ANSWER_FILE = f'<unattend xmlns="urn:schemas-microsoft-com:unattend"><p>{SESAME}</p></unattend>'
LINUX = compute.GuestCustomization(
    user_data=f"#cloud-config\npassword: {SESAME}\n",
    meta_data=f"instance-id: {SESAME}\n",
    network_config=f"# {SESAME}\nversion: 2\n",
)
WINDOWS = compute.GuestCustomization(sysprep_unattend_xml=ANSWER_FILE, windows_license_key=KEY)


def assert_closed(*answers: Any) -> None:
    for answer in answers:
        raw = answer.SerializeToString() + str(answer).encode()
        assert b"sealed1:" not in raw
        for secret in (SESAME, KEY):
            assert secret.encode() not in raw, f"{type(answer).__name__} tells a secret"


def files_of(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


async def answers_about(world: World, name: str = "vms/web-1") -> list[Any]:
    """Return all that can be asked about a machine."""
    events = []
    call = world.watches.Watch(operations.WatchRequest(names=[name]))
    async for event in call:
        if event.kind == operations.EVENT_KIND_SYNCED:
            break
        events.append(event)
    assert events
    call.cancel()
    return [
        *events,
        await world.vms.GetVm(compute.GetVmRequest(name=name)),
        await world.vms.ListVms(compute.ListVmsRequest()),
        await world.changes.ListChanges(operations.ListChangesRequest()),
        await world.templates.ListVmTemplates(compute.ListVmTemplatesRequest()),
    ]


@pytest.mark.parametrize("told", [LINUX, WINDOWS], ids=["cloud-init", "sysprep"])
async def test_secrets_stay_closed(
    world: World, told: compute.GuestCustomization, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await world.furnish()
    request = vm(customization=told, vtpm=True)
    request.validate_only = True
    dry = await world.vms.CreateVm(request)
    request.validate_only, request.request_id = False, "create"
    created = await world.vms.CreateVm(request)
    assert dry.vm.customization == created.vm.customization == compute.GuestCustomization(has_secrets=True)
    again = await world.vms.CreateVm(request)
    assert again.vm == created.vm
    clone = await world.vms.CloneVm(compute.CloneVmRequest(source="vms/web-1", name="vms/web-2"))
    version = await world.templates.CreateTemplateVersion(
        compute.CreateTemplateVersionRequest(template="vmTemplates/shop", vm="vms/web-1", customization=told)
    )
    assert version.vm_template.versions[0].vm.customization.has_secrets
    deployed = await world.templates.DeployTemplate(
        compute.DeployTemplateRequest(template="vmTemplates/shop", name="vms/shop-1")
    )
    resource = operations.Resource(vm=compute.Vm(name="vms/b", cluster="clusters/c1", memory_mib=512))
    resource.vm.customization.CopyFrom(told)
    batch = await world.batches.Batch(
        operations.BatchRequest(edits=[operations.Edit(apply=resource), operations.Edit(apply=resource)])
    )
    assert batch.changed == 1  # the same secret again is no change
    await place(world)
    await place(world, "shop-1", "h2")
    assert_closed(dry, created, again, clone, version, deployed, batch, *await answers_about(world))
    async with ComputeAgent(world) as one, ComputeAgent(world, "h2") as two:
        # The control: what is looked for is what their hosts get.
        for host in (one, two):
            got = (await host.assignment()).vms[0].customization
            got.ClearField("has_secrets")
            assert got == told
    files = files_of(tmp_path)
    assert b"sealed1:" in files
    logged = "".join(capfd.readouterr())
    assert "compute agent connected" in logged
    for secret in (SESAME, KEY):
        assert secret.encode() not in files
        assert secret not in logged


async def test_an_update_keeps_changes_and_replaces_them(world: World) -> None:
    await world.furnish()
    await world.vms.CreateVm(vm(customization=LINUX))

    def stored() -> Any:
        found = world.admission.snapshot().vm(VmId("web-1"))
        assert found is not None
        return found.customization

    first = stored()
    change = compute.Vm(name="vms/web-1", description="new", memory_mib=512, cluster="clusters/c1")
    for mask in (FieldMask(paths=["description"]), FieldMask(), FieldMask(paths=["*"])):
        change.description += "!"
        await world.vms.UpdateVm(compute.UpdateVmRequest(vm=change, update_mask=mask))
        assert stored() == first
    change.customization.user_data = "#cloud-config\npassword: other\n"
    mask = FieldMask(paths=["customization.user_data"])
    await world.vms.UpdateVm(compute.UpdateVmRequest(vm=change, update_mask=mask))
    assert stored().user_data != first.user_data
    assert stored().meta_data == first.meta_data
    async with refused(INVALID, "update_mask", text="is set by the server"):
        await world.vms.UpdateVm(
            compute.UpdateVmRequest(vm=change, update_mask=FieldMask(paths=["customization.has_secrets"]))
        )


@pytest.mark.parametrize(
    ("told", "field", "text"),
    [
        ({"windows_license_key": "QW3RT-Y1U2I"}, "windows_license_key", "is not a product key"),
        ({"windows_license_key": KEY + "\n"}, "windows_license_key", "is not a product key"),
        ({"windows_license_key": KEY.lower()}, "windows_license_key", "is not a product key"),
        ({"windows_license_key": KEY}, "windows_license_key", "give the answer file, too"),
        ({"user_data": "a\0b"}, "user_data", "control character"),
        ({"user_data": "x" * 300_000}, "user_data", "at most 131072"),
        ({"sysprep_unattend_xml": "<unattend>"}, "sysprep_unattend_xml", "well-formed"),
        ({"sysprep_unattend_xml": "<html/>"}, "sysprep_unattend_xml", "<unattend>"),
        (
            {"sysprep_unattend_xml": '<!DOCTYPE u [<!ENTITY a "b">]><unattend>&a;</unattend>'},
            "sysprep_unattend_xml",
            "holds a document type",
        ),
    ],
)
async def test_what_cannot_be_told_is_refused_and_not_repeated(
    world: World, told: dict[str, Any], field: str, text: str
) -> None:
    await world.furnish()
    request = vm(customization=compute.GuestCustomization(**told))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await world.vms.CreateVm(request)
    said = str(failed.value.details()) + str(failed.value.trailing_metadata())
    assert all(value not in said for value in told.values())
    async with refused(INVALID, f"vm.customization.{field}", text=text):
        await world.vms.CreateVm(request)


async def test_nothing_is_found_by_a_secret(world: World) -> None:
    await world.furnish()
    await world.vms.CreateVm(vm(customization=LINUX))
    for path in ("customization.user_data", "customization.has_secrets"):
        async with refused(INVALID, "filter", text="is secret"):
            await world.vms.ListVms(compute.ListVmsRequest(filter=f'{path} = ""'))
    async with refused(INVALID, "filter", text="is secret"):
        await world.templates.ListVmTemplates(
            compute.ListVmTemplatesRequest(filter='versions.vm.customization.user_data:"x"')
        )


async def test_a_watch_that_goes_on_tells_no_secret(world: World) -> None:
    await world.furnish()
    call: Any = world.watches.Watch(operations.WatchRequest(collections=["vms"]))
    assert (await call.read()).kind == operations.EVENT_KIND_SYNCED
    await world.vms.CreateVm(vm(customization=LINUX))
    event = await asyncio.wait_for(call.read(), 5)
    assert event.resource.vm.customization.has_secrets
    assert_closed(event)
    call.cancel()
