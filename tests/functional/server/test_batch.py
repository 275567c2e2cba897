"""Batches: all or nothing, in order, and an error says which edit."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as pb
from tests.functional.server.world import World, host, nic, refused, vlan_subnet


def create(id_: str, **fields: Any) -> pb.Edit:
    return pb.Edit(create=pb.Resource(nic=a_nic(id_, **fields)))


def apply(id_: str, **fields: Any) -> pb.Edit:
    return pb.Edit(apply=pb.Resource(nic=a_nic(id_, **fields)))


def update(id_: str, *paths: str, if_revision: int = 0, **fields: Any) -> pb.Edit:
    resource = pb.Resource(nic=network.Nic(name=f"nics/{id_}", **fields))
    mask = FieldMask(paths=paths)
    return pb.Edit(update=pb.UpdateEdit(resource=resource, update_mask=mask, if_revision=if_revision))


def delete(name: str, if_revision: int = 0) -> pb.Edit:
    return pb.Edit(delete=pb.DeleteEdit(name=name, if_revision=if_revision))


def a_nic(id_: str, **fields: Any) -> network.Nic:
    return network.Nic(**{"name": f"nics/{id_}", "subnet": "subnets/web", **fields})


async def batch(world: World, *edits: pb.Edit, **fields: Any) -> pb.BatchResponse:
    return await world.batches.Batch(pb.BatchRequest(edits=edits, **fields))


async def test_a_backup_comes_back_with_its_mac_addresses(world: World) -> None:
    """Who gets an address by itself (the DHCP server) stands before the NIC that asks for the one which is next."""
    site = [
        pb.Resource(cluster=infra.Cluster(name="clusters/c1")),
        pb.Resource(virtual_switch=infra.VirtualSwitch(name="virtualSwitches/vs0", cluster="clusters/c1")),
        pb.Resource(subnet=vlan_subnet("web", 10, "10.0.0.0/24")),
        pb.Resource(subnet=vlan_subnet("app", 11, "10.0.1.0/24")),
    ]
    macs = [f"50:6b:8d:00:00:{last:02x}" for last in (1, 2, 3)]
    nics = [pb.Resource(nic=a_nic(f"n{i}", mac_address=mac)) for i, mac in enumerate(macs)]
    answer = await batch(world, *(pb.Edit(apply=resource) for resource in (*site, *nics)))
    assert [one.nic.mac_address for one in answer.resources[-3:]] == macs


async def test_a_site_is_made_and_unmade_in_one_change(world: World) -> None:
    resources = [
        pb.Resource(cluster=infra.Cluster(name="clusters/c1")),
        pb.Resource(virtual_switch=infra.VirtualSwitch(name="virtualSwitches/vs0", cluster="clusters/c1")),
        pb.Resource(host=host(1)),
        pb.Resource(subnet=vlan_subnet("web", 10, "10.0.0.0/24")),
        pb.Resource(nic=a_nic("a", host="hosts/h1")),
    ]
    answer = await batch(world, *(pb.Edit(apply=resource) for resource in resources))
    assert (answer.revision, answer.changed) == (1, 5)
    assert [one.WhichOneof("resource") for one in answer.resources] == [
        "cluster",
        "virtual_switch",
        "host",
        "subnet",
        "nic",
    ]
    assert answer.resources[4].nic.ipv4_address == "10.0.0.1"
    assert answer.resources[4].nic.status.phase == 1
    assert {answer.resources[4].nic.revision, answer.resources[0].cluster.revision} == {1}

    again = await batch(world, *(pb.Edit(apply=resource) for resource in resources))
    assert (again.revision, again.changed) == (1, 0)
    assert again.resources == answer.resources

    names = ["nics/a", "subnets/web", "hosts/h1", "virtualSwitches/vs0", "clusters/c1"]
    gone = await batch(world, *map(delete, names))
    assert (gone.revision, gone.changed) == (2, 5)
    assert [one.WhichOneof("resource") for one in gone.resources] == [None] * 5
    assert len(world.store.read_changes()) == 10


async def test_one_bad_row_of_fifty_and_nothing_happens(world: World) -> None:
    await world.furnish()
    before = world.admission.snapshot()
    rows = [create(f"n{number}") for number in range(50)]
    rows[37].create.nic.ipv4_address = "10.0.1.5"
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "edits[37].create.nic.ipv4_address"):
        await batch(world, *rows)
    rows[37].create.nic.ipv4_address = "10.0.0.300"
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "edits[37].create.nic.ipv4_address"):
        await batch(world, *rows)
    rows[37].create.nic.ipv4_address = ""
    rows[37].create.nic.name = "nics/n36"
    async with refused(grpc.StatusCode.ALREADY_EXISTS, "edits[37].create.nic.name"):
        await batch(world, *rows)
    assert world.admission.snapshot() is before
    rows[37].create.nic.name = "nics/n37"
    assert (await batch(world, *rows)).changed == 50


@pytest.mark.parametrize(
    ("edit", "code", "field"),
    [
        (pb.Edit(), "INVALID_ARGUMENT", "edits[1]"),
        (pb.Edit(create=pb.Resource()), "INVALID_ARGUMENT", "edits[1].create"),
        (pb.Edit(update=pb.UpdateEdit()), "INVALID_ARGUMENT", "edits[1].update.resource"),
        (create("b", subnet="web"), "INVALID_ARGUMENT", "edits[1].create.nic.subnet"),
        (create("b", subnet="subnets/none"), "NOT_FOUND", "edits[1].create.nic.subnet"),
        (apply("b", host="hosts/none"), "NOT_FOUND", "edits[1].apply.nic.host"),
        (update("none", "display_name"), "NOT_FOUND", "edits[1].update.resource.nic.name"),
        (update("none", subnet="subnets/web"), "NOT_FOUND", "edits[1].update.resource.nic.name"),
        (update("a", "uid"), "INVALID_ARGUMENT", "edits[1].update.update_mask"),
        (update("a", "labels", if_revision=-1), "INVALID_ARGUMENT", "edits[1].update.if_revision"),
        (update("a", "labels", if_revision=1), "ABORTED", "edits[1].update.if_revision"),
        (
            update("a", "mac_address", mac_address="x"),
            "INVALID_ARGUMENT",
            "edits[1].update.resource.nic.mac_address",
        ),
        (delete("web"), "INVALID_ARGUMENT", "edits[1].delete.name"),
        (delete("nics/none"), "NOT_FOUND", "edits[1].delete.name"),
        (delete("nics/a", 1), "ABORTED", "edits[1].delete.if_revision"),
        (delete("subnets/web"), "FAILED_PRECONDITION", "edits[1].delete.name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_error_says_which_edit_and_field(world: World, edit: pb.Edit, code: str, field: str) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))
    async with refused(grpc.StatusCode[code], field):
        await batch(world, create("new"), edit, create("b2"))
    assert world.admission.snapshot().revision == 6


async def test_later_edits_see_earlier_ones(world: World) -> None:
    await world.furnish()
    answer = await batch(
        world,
        create("a", labels={"x": "1", "y": "2"}),
        update("a", "labels.x", labels={"x": "9"}),
        update("a", "host", host="hosts/h1"),
        delete("nics/a"),
        create("a", display_name="second"),
        apply("a", display_name="third"),
        update("a", "labels.z", labels={"z": "3"}),
    )
    nics = [one.nic for one in answer.resources]
    assert dict(nics[1].labels) == {"x": "9", "y": "2"}
    assert (nics[2].host, nics[2].uid, nics[2].ipv4_address) == (
        "hosts/h1",
        nics[0].uid,
        nics[0].ipv4_address,
    )
    assert answer.resources[3].WhichOneof("resource") is None
    assert nics[4].uid != nics[0].uid
    assert (nics[6].display_name, dict(nics[6].labels)) == ("third", {"z": "3"})
    async with refused(grpc.StatusCode.NOT_FOUND, "edits[1].update.resource.nic.name"):
        await batch(world, delete("nics/a"), update("a", "labels"))


async def test_what_was_allocated_stays_when_applied_again(world: World) -> None:
    await world.furnish()
    first = (await batch(world, apply("a"))).resources[0].nic
    second = (await batch(world, apply("a", display_name="A"))).resources[0].nic
    assert (second.mac_address, second.ipv4_address) == (first.mac_address, first.ipv4_address)
    assert second.revision == first.revision + 1


async def test_repeats_and_validation(world: World) -> None:
    await world.furnish()
    before = world.admission.snapshot()
    tried = await batch(world, create("a"), validate_only=True)
    assert tried.resources[0].nic.uid
    assert world.admission.snapshot() is before
    first = await batch(world, create("a"), request_id="b1")
    assert await batch(world, create("a"), request_id="b1") == first
    short = await batch(world, create("b"), omit_resources=True)
    assert (len(short.resources), short.changed) == (0, 1)


async def test_masked_updates_of_batches_race_with_others_and_lose_nothing(world: World) -> None:
    await world.furnish()
    await batch(world, create("a"), create("b"))

    async def both(number: int) -> None:
        key = f"k{number}"
        while True:
            try:
                await batch(world, *(update(id_, f"labels.{key}", labels={key: "x"}) for id_ in ("a", "b")))
                return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.ABORTED:
                    raise

    await asyncio.gather(*(both(number) for number in range(10)))
    for id_ in ("a", "b"):
        got = (await world.nics.GetNic(network.GetNicRequest(name=f"nics/{id_}"))).nic
        assert len(got.labels) == 10


async def test_ten_thousand_are_taken_and_one_more_is_not(world: World) -> None:
    await world.furnish("10.0.0.0/16")
    edits = [create(f"n{number}") for number in range(10_000)]
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "edits", text="at most 10000"):
        await batch(world, *edits, create("more"))
    answer = await batch(world, *edits)
    assert answer.changed == 10_000
    assert len({one.nic.ipv4_address for one in answer.resources}) == 10_000
    # A client with gRPC's default limit could read it.
    assert answer.ByteSize() < 4 << 20
