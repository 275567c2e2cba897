"""Admission of images, templates and affinity policies."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import InvalidIntent, NotFound
from netctl.model.affinity import AffinityKind
from netctl.model.category import Category
from netctl.model.disk import Disk
from netctl.model.image import Image, ImageFormat
from netctl.model.intent import Create, Replace
from netctl.model.keys import CategoryId, HostId, ImageId, Kind, SubnetId, Uid, VmId
from netctl.model.template import TemplateNic, VmTemplate
from tests.compute import (
    GIB,
    SHA256,
    a_policy,
    a_template,
    a_version,
    a_vm,
    an_image,
    bytes_of,
    empty_disk,
    placed,
    switched_on,
)
from tests.unit.model.world import World, cluster, host, overlay

DEBIAN = (ImageId("debian"),)
COPY = (Disk(image=ImageId("debian")),)
VM1 = VmId("vm1")
WEB = CategoryId("web")


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        host("h1"),
        overlay("app"),
        an_image(),
        Category(id=WEB, key="app", value="web"),
    )


def image(world: World, id: str = "debian") -> Image:
    found: Image = world.stored(Kind.IMAGE, id)
    return found


def test_what_bytes_are_is_said_when_they_are_there(world: World) -> None:
    made = world.create(an_image("new", size_bytes=7, stored_bytes=7, source_disk=Uid("x")))
    assert (made.size_bytes, made.stored_bytes, made.is_stored, made.source_disk) == (0, 0, False, "")
    after = world.admit(bytes_of("new"))[0].after
    assert after == replace(
        made,
        format=ImageFormat.QCOW2,
        sha256=SHA256,
        size_bytes=2 * GIB,
        stored_bytes=300 << 20,
        meta=after.meta,  # type: ignore[union-attr]
    )
    again = world.admit(bytes_of("new"))[0]
    assert again.before is again.after
    world.refuse(bytes_of("new", size_bytes=GIB), InvalidIntent, "size_bytes", "cannot change")
    world.refuse(bytes_of("none"), NotFound, "name", "images/none does not exist")


@pytest.mark.parametrize(
    ("asked", "edit", "field", "text"),
    [
        ({"sha256": "f" * 64}, {}, "sha256", "not ffff"),
        ({"format": ImageFormat.RAW}, {}, "format", "is QCOW2 by its content, not RAW"),
        ({}, {"format": ImageFormat.AUTO}, "stored_bytes", "are known"),
        ({}, {"size_bytes": 0}, "stored_bytes", "are known"),
        ({}, {"stored_bytes": 0}, "stored_bytes", "are known"),
    ],
    ids=str,
)
def test_bytes_are_what_was_asked_for(
    world: World, asked: dict[str, Any], edit: dict[str, Any], field: str, text: str
) -> None:
    world.create(an_image("new", **asked))
    world.refuse(bytes_of("new", **edit), InvalidIntent, field, text)


def test_only_names_of_an_image_change(world: World) -> None:
    made = world.create(an_image("new", source_uri="https://a/x"))
    world.admit(bytes_of("new"))
    stored = image(world, "new")
    changes: tuple[tuple[str, Any], ...] = (
        ("format", ImageFormat.RAW),
        ("sha256", "f" * 64),
        ("source_uri", "https://a/y"),
        ("source_uri", ""),
    )
    for field, value in changes:
        world.refuse(
            Replace(intent=replace(stored, **{field: value})), InvalidIntent, field, "cannot change from"
        )
    named = world.replace(made, meta=replace(made.meta, display_name="new name"))
    assert named == replace(stored, meta=named.meta)
    assert named.meta.display_name == "new name"


def test_an_image_of_a_disk(world: World) -> None:
    asked = an_image("made", source_vm=VM1)
    world.refuse(Create(intent=asked), NotFound, "source_vm", "vms/vm1 does not exist")
    vm = world.create(a_vm(disks=(empty_disk(),)))
    world.refuse(Create(intent=asked), InvalidIntent, "source_vm", "was never started")
    vm = placed(world, a_vm("vm2", disks=(empty_disk(), empty_disk(2))))
    world.refuse(
        Create(intent=replace(asked, source_vm=VmId("vm2"), source_index=2)),
        InvalidIntent,
        "source_index",
        "vms/vm2 has no disk number 2",
    )
    made = world.create(replace(asked, source_vm=VmId("vm2"), source_index=1))
    assert (made.source_disk, made.source_vm_uid) == (vm.disks[1].uid, vm.meta.uid)
    assert [one.id for one in world.draft.images_of_vm(vm.id)] == ["made"]
    world.admit(bytes_of("made", format=ImageFormat.RAW))
    assert not list(world.draft.images_of_vm(vm.id))
    world.admit(Replace(intent=switched_on(vm)))
    world.refuse(
        Create(intent=an_image("m2", source_vm=vm.id)),
        InvalidIntent,
        "source_vm",
        "vms/vm2 is ON: switch it off",
    )
    # It was made: where from does not matter any more.
    assert world.replace(image(world, "made"), meta=replace(made.meta, labels={"a": "b"})).is_stored
    assert {vm.id for vm in world.draft.vms_of_image(ImageId("debian"))} == set()


def template(world: World) -> VmTemplate:
    found: VmTemplate = world.stored(Kind.VM_TEMPLATE, "golden")
    return found


def test_versions_come_and_go(world: World) -> None:
    assert world.create(a_template("empty")).active_version == 0
    first = a_version(3, images=DEBIAN, disks=COPY)
    made = world.create(a_template("golden", first))
    assert (made.active_version, made.versions[0].create_time_s) == (3, made.meta.create_time_s)
    second = a_version(4, memory_mib=1024)
    both = world.replace(made, versions=(*made.versions, second))
    assert [one.number for one in both.versions] == [3, 4]
    assert both.versions[0] == made.versions[0]
    assert both.versions[1].create_time_s == both.meta.update_time_s
    assert both.active_version == 3
    # Who writes without knowing of times changes nothing.
    again = world.admit(Replace(intent=a_template("golden", first, second)))[0]
    assert again.before is again.after
    assert world.replace(both, active_version=4).active_version == 4
    edit = replace(template(world), versions=both.versions[:1], active_version=0)
    world.refuse(Replace(intent=edit), InvalidIntent, "versions", "version 4 is the active one")
    assert [one.number for one in world.replace(template(world), versions=both.versions[1:]).versions] == [4]
    assert {one.id for one in world.draft.of_kind(Kind.VM_TEMPLATE)} == {"empty", "golden"}
    world.remove(Kind.IMAGE, "debian")  # no version has it any more


def test_a_version_never_changes(world: World) -> None:
    made = world.create(a_template("golden", a_version(1), a_version(5)))
    other = a_version(5, memory_mib=4096)
    edit = Replace(intent=replace(made, versions=(made.versions[0], other)))
    world.refuse(edit, InvalidIntent, "versions[1]", "version 5 cannot change: make a new version")
    edit = Replace(intent=replace(made, versions=(made.versions[0], a_version(3), made.versions[1])))
    world.refuse(edit, InvalidIntent, "versions[1].number", "a new version comes after 5")
    edit = Replace(intent=replace(made, active_version=2))
    world.refuse(edit, InvalidIntent, "active_version", "2 is not one of its versions (1, 5)")
    world.refuse(
        Create(intent=a_template("t2", active_version=1)),
        InvalidIntent,
        "active_version",
        "its versions (none)",
    )


def test_references_of_a_new_version_are_checked(world: World) -> None:
    missing = a_version(images=(ImageId("no"),), disks=COPY)
    world.refuse(
        Create(intent=a_template("golden", missing)),
        NotFound,
        "versions[0].images[0]",
        "images/no does not exist",
    )
    nic = TemplateNic(subnet=SubnetId("app"))
    lost = replace(a_version(), nics=(nic, replace(nic, subnet=SubnetId("no"))))
    world.refuse(
        Create(intent=a_template("golden", lost)),
        NotFound,
        "versions[0].nics[1].subnet",
        "subnets/no does not",
    )
    made = world.create(a_template("golden", replace(a_version(), nics=(nic,))))
    world.remove(Kind.SUBNET, "app")  # a template holds no network
    assert world.replace(made, description="of old").description == "of old"


def test_an_affinity_policy_names_what_is_there(world: World) -> None:
    vms, hosts = (VM1,), (HostId("h1"),)
    for asked, field, text in (
        (a_policy(vms=vms, hosts=hosts), "vms[0]", "vms/vm1 does not exist"),
        (a_policy(vm_categories=(WEB,), hosts=(HostId("h9"),)), "hosts[0]", "hosts/h9 does not exist"),
        (
            a_policy(vm_categories=(WEB, CategoryId("no")), hosts=hosts),
            "vm_categories[1]",
            "categories/no does not exist",
        ),
        (
            a_policy(vm_categories=(WEB,), host_categories=(CategoryId("no"),)),
            "host_categories[0]",
            "categories/no does not exist",
        ),
    ):
        world.refuse(Create(intent=asked), NotFound, field, text)
    world.create(a_vm())
    made = world.create(a_policy(vms=vms, vm_categories=(WEB,), hosts=hosts, host_categories=(WEB,)))
    edit = replace(made, kind=AffinityKind.VM_ANTI_AFFINITY, hosts=(), host_categories=())
    world.refuse(Replace(intent=edit), InvalidIntent, "kind", "from VM_HOST to VM_ANTI_AFFINITY")
    assert world.replace(made, disabled=True).disabled
    draft = world.draft
    for found in (
        draft.affinities_of_vm(VM1),
        draft.affinities_of_host(hosts[0]),
        draft.affinities_of_category(WEB),
    ):
        assert [one.id for one in found] == ["together"]
