"""Every verb of every noun, as a client sees it."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.model.keys import Kind, SubnetId
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import status_pb2
from tests.functional.server.verbs import NOUNS, Verbs
from tests.functional.server.world import World, nic, refused, vlan_subnet


@pytest.mark.parametrize("verbs", NOUNS, ids=lambda verbs: verbs.noun)
async def test_a_resource_lives_and_dies(world: World, verbs: Verbs) -> None:
    await verbs.furnish(world)
    asked = verbs.another
    created = getattr(await verbs.call(world, "Create", **{verbs.noun: asked}), verbs.noun)
    assert created.name == asked.name
    assert created.uid
    assert created.revision == world.admission.snapshot().revision
    assert created.create_time == created.update_time
    assert created.status.phase == status_pb2.PHASE_PENDING
    assert created.status.revision == created.revision

    got = getattr(await verbs.call(world, "Get", name=asked.name), verbs.noun)
    assert got == created
    listed = await verbs.call(world, "List", filter=f"name = {asked.name}")
    assert list(getattr(listed, verbs.plural)) == [created]
    assert listed.revision == created.revision

    change = type(asked)(name=asked.name, display_name="Dépôt 😀", labels={"tier": "web"})
    mask = FieldMask(paths=["display_name", "labels"])
    updated = getattr(await verbs.call(world, "Update", **{verbs.noun: change}, update_mask=mask), verbs.noun)
    expected = type(asked)()
    expected.CopyFrom(created)
    expected.display_name, expected.revision = "Dépôt 😀", created.revision + 1
    expected.labels["tier"] = "web"
    expected.update_time.CopyFrom(updated.update_time)
    expected.status.CopyFrom(updated.status)
    assert updated == expected

    removed = await verbs.call(world, "Delete", name=asked.name)
    assert removed.revision == updated.revision + 1
    async with refused(grpc.StatusCode.NOT_FOUND, "name", text=f"{asked.name} does not exist"):
        await verbs.call(world, "Get", name=asked.name)
    again = getattr(await verbs.call(world, "Create", **{verbs.noun: asked}), verbs.noun)
    assert again.uid != created.uid


@pytest.mark.parametrize("verbs", NOUNS, ids=lambda verbs: verbs.noun)
async def test_wrong_calls_say_what_is_wrong(world: World, verbs: Verbs) -> None:
    await verbs.furnish(world)
    asked, invalid = verbs.another, grpc.StatusCode.INVALID_ARGUMENT
    async with refused(invalid, "name", text="write it like"):
        await verbs.call(world, "Get", name="web")
    async with refused(invalid, "name", text="is empty"):
        await verbs.call(world, "Delete")
    async with refused(invalid, f"{verbs.noun}.name", text="is empty"):
        nameless = (
            network.Subnet(kind=network.SUBNET_KIND_OVERLAY) if verbs.noun == "subnet" else type(asked)()
        )
        await verbs.call(world, "Create", **{verbs.noun: nameless})
    async with refused(grpc.StatusCode.NOT_FOUND, "name"):
        await verbs.call(world, "Delete", name=asked.name)
    mask = FieldMask(paths=["display_name"])
    async with refused(grpc.StatusCode.NOT_FOUND, f"{verbs.noun}.name"):
        await verbs.call(world, "Update", **{verbs.noun: asked}, update_mask=mask)
    async with refused(grpc.StatusCode.NOT_FOUND, f"{verbs.noun}.name"):
        await verbs.call(world, "Update", **{verbs.noun: asked})
    async with refused(invalid, "if_revision"):
        await verbs.call(world, "Delete", name=asked.name, if_revision=-1)
    await verbs.call(world, "Create", **{verbs.noun: asked})
    async with refused(grpc.StatusCode.ALREADY_EXISTS, f"{verbs.noun}.name"):
        await verbs.call(world, "Create", **{verbs.noun: asked})
    async with refused(invalid, "update_mask", text="set by the server"):
        await verbs.call(world, "Update", **{verbs.noun: asked}, update_mask=FieldMask(paths=["uid"]))
    async with refused(invalid, "page_size"):
        await verbs.call(world, "List", page_size=-5)
    async with refused(invalid, "filter"):
        await verbs.call(world, "List", filter="name = ")


@pytest.mark.parametrize("verbs", NOUNS, ids=lambda verbs: verbs.noun)
async def test_what_is_only_validated_changes_nothing(world: World, verbs: Verbs) -> None:
    await verbs.furnish(world)
    before = world.admission.snapshot()
    asked = verbs.another
    would = getattr(
        await verbs.call(world, "Create", **{verbs.noun: asked}, validate_only=True, request_id="r1"),
        verbs.noun,
    )
    assert would.name == asked.name
    assert would.uid
    assert world.admission.snapshot() is before
    await verbs.call(world, "Create", **{verbs.noun: asked}, request_id="r1")
    stored = world.admission.snapshot()
    change = type(asked)(name=asked.name, display_name="New")
    mask = FieldMask(paths=["display_name"])
    fields = {verbs.noun: change, "update_mask": mask, "validate_only": True}
    assert getattr(await verbs.call(world, "Update", **fields), verbs.noun).display_name == "New"
    await verbs.call(world, "Delete", name=asked.name, validate_only=True)
    assert world.admission.snapshot() is stored
    assert len(world.store.read_changes()) == stored.revision


async def test_an_update_without_a_mask_replaces_all_that_a_client_may_set(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a", host="hosts/h1"))
    before = (await world.nics.GetNic(network.GetNicRequest(name="nics/a"))).nic
    for mask in (None, FieldMask(paths=["*"])):
        labelled = network.Nic(name="nics/a", subnet="subnets/web", labels={"x": "y"})
        labelled.connected = False
        request = network.UpdateNicRequest(nic=labelled, update_mask=mask)
        after = (await world.nics.UpdateNic(request)).nic
        assert (after.host, dict(after.labels), after.connected) == ("", {"x": "y"}, False)
        # What the server allocated stays.
        assert (after.ipv4_address, after.mac_address) == (before.ipv4_address, before.mac_address)
        assert (after.tap_name, after.uid) == (before.tap_name, before.uid)


async def test_masks_reach_into_groups(world: World) -> None:
    await world.furnish()
    change = network.Subnet(name="subnets/web", ipv4=network.IpConfig(gateway="10.0.0.254"))
    mask = FieldMask(paths=["ipv4.gateway"])
    subnet = (
        await world.subnets.UpdateSubnet(network.UpdateSubnetRequest(subnet=change, update_mask=mask))
    ).subnet
    assert (subnet.ipv4.cidr, subnet.ipv4.gateway, subnet.vlan_id) == ("10.0.0.0/24", "10.0.0.254", 100)
    change = network.Subnet(name="subnets/web", dhcp=network.DhcpOptions(dns_servers=["192.0.2.53"]))
    mask = FieldMask(paths=["dhcp.dns_servers"])
    subnet = (
        await world.subnets.UpdateSubnet(network.UpdateSubnetRequest(subnet=change, update_mask=mask))
    ).subnet
    assert list(subnet.dhcp.dns_servers) == ["192.0.2.53"]
    assert subnet.mtu_bytes == 1500


async def test_an_mtu_that_follows_the_underlay_goes_on_following_it(world: World) -> None:
    await world.furnish()
    overlay = network.Subnet(name="subnets/o", kind=network.SUBNET_KIND_OVERLAY, clusters=("clusters/c1",))
    first = (await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=overlay))).subnet
    renamed = network.UpdateSubnetRequest(
        subnet=network.Subnet(name="subnets/o", display_name="O"),
        update_mask=FieldMask(paths=["display_name"]),
    )
    assert (await world.subnets.UpdateSubnet(renamed)).subnet.mtu_bytes == first.mtu_bytes
    stored = world.admission.snapshot().subnet(SubnetId("o"))
    assert stored is not None
    assert stored.auto_mtu


async def test_statuses_are_shown_and_can_be_asked_for(world: World) -> None:
    await world.furnish()
    for id_ in ("a", "b"):
        await world.nics.CreateNic(nic(id_))
    world.statuses.settle((Kind.NIC, "a"), 10**6)
    got = (await world.nics.GetNic(network.GetNicRequest(name="nics/a"))).nic
    assert got.status.phase == status_pb2.PHASE_PROGRAMMED
    waiting = await world.nics.ListNics(network.ListNicsRequest(filter="status.phase != PROGRAMMED"))
    assert [one.name for one in waiting.nics] == ["nics/b"]


async def test_what_is_in_use_is_not_deleted_and_says_by_whom(world: World) -> None:
    await world.furnish()
    for number in range(3):
        await world.nics.CreateNic(nic(f"n{number}", host="hosts/h1"))
    async with refused(
        grpc.StatusCode.FAILED_PRECONDITION, "name", dependents=["nics/n0", "nics/n1", "nics/n2"]
    ):
        await world.subnets.DeleteSubnet(network.DeleteSubnetRequest(name="subnets/web"))
    async with refused(
        grpc.StatusCode.FAILED_PRECONDITION, "name", dependents=["nics/n0", "nics/n1", "nics/n2"]
    ):
        await world.hosts.DeleteHost(infra.DeleteHostRequest(name="hosts/h1"))
    async with refused(
        grpc.StatusCode.FAILED_PRECONDITION,
        "name",
        dependents=["hosts/h1", "hosts/h2", "virtualSwitches/vs0"],
    ):
        await world.clusters.DeleteCluster(infra.DeleteClusterRequest(name="clusters/c1"))


async def test_unknown_references_name_their_field(world: World) -> None:
    await world.furnish()
    missing = grpc.StatusCode.NOT_FOUND
    async with refused(missing, "nic.subnet", text="subnets/none"):
        await world.nics.CreateNic(nic("a", subnet="subnets/none"))
    async with refused(missing, "nic.host", text="hosts/h9"):
        await world.nics.CreateNic(nic("a", host="hosts/h9"))
    async with refused(missing, "subnet.virtual_switches[0]", text="virtualSwitches/vs9"):
        subnet = vlan_subnet("x", 5)
        subnet.virtual_switches[:] = ["virtualSwitches/vs9"]
        await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=subnet))


async def test_vlan_edges(world: World) -> None:
    await world.furnish()
    for vlan_id in (0, 4094):
        await world.subnets.CreateSubnet(
            network.CreateSubnetRequest(subnet=vlan_subnet(f"v{vlan_id}", vlan_id))
        )
    for vlan_id in (4095, -1, 2**31 - 1):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "subnet.vlan_id"):
            await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=vlan_subnet("x", vlan_id)))
    async with refused(grpc.StatusCode.ALREADY_EXISTS, "subnet.vlan_id"):
        await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=vlan_subnet("twin", 4094)))
