"""Subnets between VLAN basic and VLAN: one change or none, addresses kept, assigned or released, repeatable."""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.model.intent import Restack
from netctl.model.keys import HostId, NicId
from netctl.reconciler.migration import MigrationState
from netctl.server.requests import Request
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as operations
from tests.functional.server.world import World, nic, refused, vlan_subnet

BASIC, VLAN = network.SUBNET_KIND_VLAN_BASIC, network.SUBNET_KIND_VLAN
ASSIGN, RELEASE = network.MIGRATED_ADDRESSES_ASSIGN, network.MIGRATED_ADDRESSES_RELEASE


async def furnish(world: World) -> None:
    """Make `web` (VLAN, with addresses, two NICs) and `db` (VLAN without, one NIC `d1`)."""
    await world.furnish()
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=vlan_subnet("db", 20)))
    for name in ("a1", "a2"):
        await world.nics.CreateNic(nic(name, host="hosts/h1"))
    await world.nics.CreateNic(nic("d1", subnet="subnets/db", host="hosts/h2"))


async def migrate(
    world: World, *names: str, kind: network.SubnetKind.ValueType = BASIC, **fields: object
) -> network.MigrateSubnetsResponse:
    request = network.MigrateSubnetsRequest(names=[f"subnets/{name}" for name in names], kind=kind, **fields)  # type: ignore[arg-type]
    return await world.subnets.MigrateSubnets(request)


def restack(world: World, name: str, *, basic: bool) -> None:
    """Move a NIC as the reconciler does."""
    edit = Restack(nic=NicId(name), basic=basic)
    world.admission.submit(Request(edits=(edit,), actor="reconciler")).result(timeout=5)


async def test_subnets_change_in_one_step_and_their_nics_follow(world: World) -> None:
    await furnish(world)
    before = world.admission.snapshot().revision
    answer = await migrate(world, "web", "db")
    assert [(one.name, one.kind) for one in answer.subnets] == [("subnets/web", BASIC), ("subnets/db", BASIC)]
    assert (answer.nics, answer.row_change_count) == (3, 0)
    assert world.admission.snapshot().revision == before + 1
    assert {one.revision for one in answer.subnets} == {before + 1}
    # What a NIC is follows later, NIC by NIC; what is left is counted.
    assert not (await world.nics.GetNic(network.GetNicRequest(name="nics/a1"))).nic.basic
    await asyncio.to_thread(restack, world, "a1", basic=True)
    moved = (await world.nics.GetNic(network.GetNicRequest(name="nics/a1"))).nic
    assert (moved.basic, moved.ipv4_address) == (True, "10.0.0.1")
    assert (await migrate(world, "web", "db")).nics == 2
    # And back: the same call with the other kind.
    back = await migrate(world, "web", "db", kind=VLAN)
    assert ([one.kind for one in back.subnets], back.nics) == ([VLAN, VLAN], 1)


async def test_one_that_cannot_go_keeps_all_and_is_named(world: World) -> None:
    await furnish(world)
    await world.furnish_service_chain()
    subnet = network.Subnet(name="subnets/db", service_chain="serviceChains/inspect")
    await world.subnets.UpdateSubnet(
        network.UpdateSubnetRequest(subnet=subnet, update_mask=FieldMask(paths=["service_chain"]))
    )
    before = world.admission.snapshot().revision
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "names[1]", text="subnets/db"):
        await migrate(world, "web", "db")
    overlay = network.Subnet(name="subnets/o", kind=network.SUBNET_KIND_OVERLAY, clusters=["clusters/c1"])
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=overlay))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "names[1]", text="subnets/o is overlay"):
        await migrate(world, "web", "o")
    async with refused(grpc.StatusCode.NOT_FOUND, "names[1]", text="subnets/none does not exist"):
        await migrate(world, "web", "none")
    assert world.admission.snapshot().revision == before + 1  # the overlay subnet
    assert (await migrate(world, "web")).subnets[0].kind == BASIC  # alone it can


async def test_wrong_calls_say_what_is_wrong(world: World) -> None:
    await furnish(world)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    async with refused(invalid, "names", text="name 1 to 100"):
        await migrate(world)
    async with refused(invalid, "names", text="has 101 subnets"):
        await migrate(world, *(f"s{n}" for n in range(101)))
    async with refused(invalid, "names[1]", text="listed twice"):
        await migrate(world, "web", "web")
    async with refused(invalid, "names[0]", text="is not an id"):
        await migrate(world, "Web!")
    async with refused(invalid, "kind", text="is not set; use SUBNET_KIND_VLAN or SUBNET_KIND_VLAN_BASIC"):
        await migrate(world, "web", kind=network.SUBNET_KIND_UNSPECIFIED)
    async with refused(invalid, "kind", text="2 is unknown"):
        await migrate(world, "web", kind=network.SUBNET_KIND_OVERLAY)
    async with refused(invalid, "addresses", text="9 is unknown"):
        await migrate(world, "web", addresses=9)
    async with refused(invalid, "request_id", text="36 visible ASCII"):
        await migrate(world, "web", request_id="é")
    assert (await migrate(world, "web")).nics == 2


async def test_addresses_are_assigned_to_those_without(world: World) -> None:
    await furnish(world)
    # The NIC was there before the subnet managed addresses.
    managed = network.Subnet(name="subnets/db", ipv4=network.IpConfig(cidr="10.9.0.0/29", gateway="10.9.0.1"))
    await world.subnets.UpdateSubnet(
        network.UpdateSubnetRequest(subnet=managed, update_mask=FieldMask(paths=["ipv4"]))
    )
    assert not (await world.nics.GetNic(network.GetNicRequest(name="nics/d1"))).nic.ipv4_address
    revision = world.admission.snapshot().revision
    dry = await migrate(world, "web", "db", addresses=ASSIGN, validate_only=True)
    assert ([one.kind for one in dry.subnets], dry.nics) == ([BASIC, BASIC], 3)
    assert world.admission.snapshot().revision == revision
    kept = await migrate(world, "db")
    assert kept.nics == 1
    assert not (await world.nics.GetNic(network.GetNicRequest(name="nics/d1"))).nic.ipv4_address
    await migrate(world, "web", "db", addresses=ASSIGN)
    assert (await world.nics.GetNic(network.GetNicRequest(name="nics/d1"))).nic.ipv4_address == "10.9.0.2"
    held = (await world.nics.GetNic(network.GetNicRequest(name="nics/a1"))).nic.ipv4_address
    assert held == "10.0.0.1"


async def test_a_pool_that_is_too_small_changes_nothing(world: World) -> None:
    await furnish(world)
    for name in ("d2", "d3", "d4"):
        await world.nics.CreateNic(nic(name, subnet="subnets/db"))
    managed = network.Subnet(name="subnets/db", ipv4=network.IpConfig(cidr="10.9.0.0/30"))
    await world.subnets.UpdateSubnet(
        network.UpdateSubnetRequest(subnet=managed, update_mask=FieldMask(paths=["ipv4"]))
    )
    revision = world.admission.snapshot().revision
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "names[1]", text="subnets/db"):
        await migrate(world, "web", "db", addresses=ASSIGN)
    assert world.admission.snapshot().revision == revision


async def test_addresses_are_released_and_can_be_had_by_others(world: World) -> None:
    await furnish(world)
    held = (await world.nics.GetNic(network.GetNicRequest(name="nics/a1"))).nic.ipv4_address
    async with refused(grpc.StatusCode.ALREADY_EXISTS, "nic.ipv4_address", text="is held by nics/a1"):
        await world.nics.CreateNic(nic("a3", ipv4_address=held))
    answer = await migrate(world, "web", addresses=RELEASE)
    assert answer.nics == 2
    released = (await world.nics.GetNic(network.GetNicRequest(name="nics/a1"))).nic
    assert (released.ipv4_address, released.ipv6_address) == ("", "")
    assert released.mac_address
    await world.nics.CreateNic(nic("a3", ipv4_address=held))


async def test_a_repeated_request_is_done_once(world: World) -> None:
    await furnish(world)
    first = await migrate(world, "web", request_id="r1")
    await migrate(world, "web", kind=VLAN)
    again = await migrate(world, "web", request_id="r1")
    assert [one.kind for one in again.subnets] == [BASIC]  # what it answered then
    assert [one.revision for one in again.subnets] == [one.revision for one in first.subnets]
    now = (await world.subnets.GetSubnet(network.GetSubnetRequest(name="subnets/web"))).subnet
    assert now.kind == VLAN
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "request_id", text="was used for another request"):
        await migrate(world, "web", kind=VLAN, request_id="r1")
    # Also when what it spoke of has gone since.
    for name in ("a1", "a2"):
        await world.nics.DeleteNic(network.DeleteNicRequest(name=f"nics/{name}"))
    await world.subnets.DeleteSubnet(network.DeleteSubnetRequest(name="subnets/web"))
    assert [one.kind for one in (await migrate(world, "web", request_id="r1")).subnets] == [BASIC]
    async with refused(grpc.StatusCode.NOT_FOUND, "names[0]", text="subnets/web does not exist"):
        await migrate(world, "web", request_id="r2")


async def test_what_is_under_way_is_told_wherever_a_resource_is(world: World) -> None:
    await furnish(world)
    world.derived.moving["web"] = MigrationState(moved=12, nics=40, failed=True, message="a1 did not come up")
    world.derived.waiting["vs0"] = (HostId("h2"), HostId("h1"))
    state = network.SubnetMigration
    expected = state(state=state.STATE_FAILED, moved_nics=12, nics=40, message="a1 did not come up")
    got = (await world.subnets.GetSubnet(network.GetSubnetRequest(name="subnets/web"))).subnet
    assert got.migration == expected
    listed = (await world.subnets.ListSubnets(network.ListSubnetsRequest())).subnets
    assert {one.name: one.HasField("migration") for one in listed} == {
        "subnets/db": False,
        "subnets/web": True,
    }
    assert (await migrate(world, "web")).subnets[0].migration == expected
    events = world.watches.Watch(operations.WatchRequest(names=["subnets/web", "virtualSwitches/vs0"]))
    seen = {}
    async for event in events:
        if event.kind == operations.EVENT_KIND_SYNCED:
            break
        seen[event.name] = event.resource
    events.cancel()
    assert seen["subnets/web"].subnet.migration == expected
    assert list(seen["virtualSwitches/vs0"].virtual_switch.pending_hosts) == ["hosts/h2", "hosts/h1"]
    # It is nobody's to say, and nothing to look for.
    change = network.Subnet(name="subnets/db", migration=expected)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "update_mask", text="migration"):
        await world.subnets.UpdateSubnet(
            network.UpdateSubnetRequest(subnet=change, update_mask=FieldMask(paths=["migration"]))
        )
    for call in (
        world.subnets.ListSubnets(network.ListSubnetsRequest(filter="migration.nics = 40")),
        world.switches.ListVirtualSwitches(infra.ListVirtualSwitchesRequest(filter="pending_hosts:hosts/h1")),
    ):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "filter", text="is no part of the intent"):
            await call


async def test_what_others_change_in_between_stays(world: World) -> None:
    await furnish(world)
    for number in range(60):
        kind = (BASIC, VLAN)[number % 2]
        change = network.Subnet(name="subnets/web", display_name=f"no {number}")
        update = network.UpdateSubnetRequest(subnet=change, update_mask=FieldMask(paths=["display_name"]))
        await asyncio.gather(migrate(world, "web", kind=kind), world.subnets.UpdateSubnet(update))
        stored = (await world.subnets.GetSubnet(network.GetSubnetRequest(name="subnets/web"))).subnet
        assert (stored.display_name, stored.kind) == (f"no {number}", kind)
