"""The compute agents' stream: assignments go down with their secrets open, reports come up; images' bytes both ways."""

from __future__ import annotations

import base64

from netctl.model.keys import HostId
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2 as compute
from netctl.v1 import network_pb2 as network
from tests.functional.server.compute import ComputeAgent, names, place, vm
from tests.functional.server.world import World, nic, until


async def test_the_assignment_comes_at_once_and_when_it_changes(world: World) -> None:
    await world.furnish()
    async with ComputeAgent(world) as agent:
        first = await agent.assignment()
        assert (first.host_id, first.epoch, names(first)) == ("h1", 1, [])
        # A NIC of nobody, and another host's machine, are none of its business.
        await world.nics.CreateNic(nic("other", host="hosts/h1"))
        await world.vms.CreateVm(vm("other"))
        await place(world, "other", "h2")
        created = (await world.vms.CreateVm(vm(disks=[compute.Disk(size_bytes=1 << 30)]))).vm
        request = nic("web-1-a")
        request.nic.vm = "vms/web-1"
        await world.nics.CreateNic(request)
        await place(world)
        second = await agent.assignment()
        assert names(second) == ["web-1"]
        assert (second.vms[0].uid, second.vms[0].role) == (created.uid, pb.VM_ROLE_RUN)
        assert second.vms[0].disks[0].disk_uid == created.disks[0].uid
        assert [one.nic_id for one in second.vms[0].nics] == ["web-1-a"]
        await world.vms.DeleteVm(compute.DeleteVmRequest(name="vms/web-1"))
        third = await agent.assignment()
        assert [one.role for one in third.vms] == [pb.VM_ROLE_REMOVE]


async def test_secrets_are_open_in_the_assignment_of_its_host_alone(world: World) -> None:
    await world.furnish()
    told = compute.GuestCustomization(user_data="#cloud-config\npassword: sesame\n")
    request = vm(vtpm=True, customization=told)
    await world.vms.CreateVm(request)
    await place(world)
    async with ComputeAgent(world) as agent, ComputeAgent(world, "h2") as other:
        mine = (await agent.assignment()).vms[0]
        assert mine.customization.user_data == told.user_data
        assert len(base64.b64decode(mine.vtpm_secret, validate=True)) == 32
        assert names(await other.assignment()) == []


async def test_reports_are_kept_and_shown(world: World) -> None:
    await world.furnish()
    created = (await world.vms.CreateVm(vm())).vm
    await place(world)
    running = pb.VmReport(vm_id="web-1", uid=created.uid, run_state=compute.VM_RUN_STATE_RUNNING)
    async with ComputeAgent(world, libvirt_connected=True) as agent:
        await agent.assignment()
        await agent.report(vms=[running], libvirt_connected=True)
        await until(lambda: bool(world.ports.compute_reports.get(HostId("h1")).vms))
        shown = (await world.vms.GetVm(compute.GetVmRequest(name="vms/web-1"))).vm
        assert shown.run_state == compute.VM_RUN_STATE_RUNNING
        listed = await world.vms.ListVms(compute.ListVmsRequest(filter="run_state = RUNNING"))
        assert [one.name for one in listed.vms] == ["vms/web-1"]
        nothing = await world.vms.ListVms(compute.ListVmsRequest(filter="run_state != RUNNING"))
        assert not nothing.vms
    await until(lambda: not world.ports.compute_reports.get(HostId("h1")).connected)


async def test_another_machine_of_the_same_name_is_not_taken_for_it(world: World) -> None:
    await world.furnish()
    await world.vms.CreateVm(vm())
    await place(world)
    stranger = pb.VmReport(
        vm_id="web-1", uid="00000000-0000-4000-8000-000000000000", run_state=compute.VM_RUN_STATE_RUNNING
    )
    async with ComputeAgent(world, vms=[stranger]):
        await until(lambda: bool(world.ports.compute_reports.get(HostId("h1")).vms))
        shown = (await world.vms.GetVm(compute.GetVmRequest(name="vms/web-1"))).vm
        assert shown.run_state == compute.VM_RUN_STATE_UNSPECIFIED


async def test_the_second_stream_of_a_host_replaces_the_first(world: World) -> None:
    await world.furnish()
    async with ComputeAgent(world) as first:
        await first.assignment()
        async with ComputeAgent(world) as second:
            assert (await second.assignment()).host_id == "h1"
            await first.ends_with("ABORTED", "another compute agent has connected as host h1")
            assert world.ports.compute_reports.get(HostId("h1")).connected


async def test_nonsense_ends_the_stream(world: World) -> None:
    await world.furnish()
    async with ComputeAgent(world, "h9") as unknown:
        await unknown.ends_with("NOT_FOUND", "hosts/h9 does not exist; create it")
    async with ComputeAgent(world, "../../etc") as hostile:
        await hostile.ends_with("INVALID_ARGUMENT", "is not an id")
    async with ComputeAgent(world) as agent:
        await agent.assignment()
        await agent.report(vms=[pb.VmReport(vm_id="web-1", run_state=compute.VM_RUN_STATE_UNSPECIFIED)])
        await agent.ends_with("INVALID_ARGUMENT", "0 is unknown to this controller")
    async with ComputeAgent(world) as agent:
        await agent.assignment()
        agent.host = "h2"
        await agent.report()
        await agent.ends_with("INVALID_ARGUMENT", "one stream is for one host")


async def test_its_nics_move_with_a_machine(world: World) -> None:
    await world.furnish()
    await world.vms.CreateVm(vm())
    request = nic("web-1-a")
    request.nic.vm = "vms/web-1"
    await world.nics.CreateNic(request)
    await place(world, host="h2")
    shown = (await world.nics.GetNic(network.GetNicRequest(name="nics/web-1-a"))).nic
    assert (shown.host, shown.vm) == ("hosts/h2", "vms/web-1")
