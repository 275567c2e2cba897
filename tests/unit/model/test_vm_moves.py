"""Where virtual machines are: placement, their NICs with them, and how they go."""

from dataclasses import replace

import pytest

from netctl.errors import AlreadyExists, Conflict, Exhausted, InvalidIntent, NotFound
from netctl.model.category import Category
from netctl.model.chain import NicPair
from netctl.model.disk import Disk, DiskKind
from netctl.model.intent import Create, Purge, Remove, Replace
from netctl.model.keys import CategoryId, HostId, ImageId, Kind, NicId, SubnetId, VmId
from netctl.model.nic import FunctionSide, NicMode, TrunkVlan
from netctl.model.vm import PowerState
from netctl.model.vm_migration import Stage
from tests.compute import (
    STAGES,
    a_migration,
    a_policy,
    a_template,
    a_version,
    a_vm,
    advanced,
    an_image,
    empty_disk,
    nic_of,
    place,
    placed,
    switched_on,
)
from tests.unit.model.chains import function, side
from tests.unit.model.world import World, cluster, external, floating, host, ipv4, over, overlay, switch, vpc

VM1, H2 = VmId("vm1"), HostId("h2")


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        cluster("c2", mac_prefix="52:54:00"),
        switch(),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        host("h2", "192.0.2.2/24"),
        host("far", "192.0.2.1/24", "c2"),
        overlay("app"),
        overlay("db"),
        overlay("alien", "c2"),
    )


def remove(kind: Kind, id: str) -> Remove:
    return Remove(key=(kind, id))


def hosts(world: World) -> dict[str, str]:
    return {nic.id: nic.host for nic in world.draft.of_kind(Kind.NIC)}  # type: ignore[union-attr]


def test_nics_are_where_their_machine_is(world: World) -> None:
    world.create(a_vm())
    first = world.create(nic_of(id="n1"))
    assert (first.host, first.ipv4_address) == ("", first.ipv4_address)
    done = world.admit(place())
    assert [one.key for one in done] == [(Kind.VM, "vm1"), (Kind.NIC, "n1")]
    assert all(one.after is not None and one.after.meta.revision == world.revision for one in done)
    world.create(nic_of(id="n2", subnet="db"))
    assert hosts(world) == {"n1": "h1", "n2": "h1"}
    world.admit(place(host="h2"))
    assert hosts(world) == {"n1": "h2", "n2": "h2"}
    again = world.admit(place(host="h2"))
    assert len(again) == 1
    assert again[0].before is again[0].after
    other = world.admit(place(host="h2", cpu_model="EPYC"))
    assert [one.key for one in other] == [(Kind.VM, "vm1")]
    assert {nic.id for nic in world.draft.nics_of_vm(VM1)} == {"n1", "n2"}
    assert {vm.id for vm in world.draft.vms_of_host(H2)} == {"vm1"}
    assert not list(world.draft.vms_of_host(HostId("h1")))


def test_a_nic_s_place_is_not_asked_for(world: World) -> None:
    placed(world, a_vm())
    stored = world.create(nic_of())
    text = "is that of vms/vm1, h1: leave it empty"
    world.refuse(Replace(intent=replace(stored, host=H2)), InvalidIntent, "host", text)
    world.refuse(Create(intent=nic_of(id="n2", host=H2)), InvalidIntent, "host", text)
    world.create(a_vm("vm2"))
    world.refuse(Create(intent=nic_of("vm2", "n2", host=H2)), InvalidIntent, "host", "none yet")
    # What was read may be written back, and a file says nothing of it.
    assert world.replace(stored, connected=False).host == "h1"
    assert world.replace(stored, host=HostId("")).host == "h1"
    world.refuse(Replace(intent=replace(stored, vm=VmId("vm2"))), InvalidIntent, "vm", "from vm1 to vm2")
    world.refuse(Replace(intent=replace(stored, vm=VmId(""))), InvalidIntent, "vm", "from vm1 to unset")


def test_references_of_a_nic_are_checked(world: World) -> None:
    world.refuse(Create(intent=nic_of("none")), NotFound, "vm", "vms/none does not exist")
    world.create(a_vm())
    world.refuse(
        Create(intent=nic_of(subnet="alien")),
        InvalidIntent,
        "vm",
        "vms/vm1 is in clusters/c1, subnets/alien in clusters/c2",
    )
    mac = world.create(nic_of()).mac_address
    world.refuse(Create(intent=nic_of(id="n2", mac_address=mac)), AlreadyExists, "mac_address", "nics/n1")


def test_a_machine_has_32_nics(world: World) -> None:
    world.create(a_vm())
    for i in range(32):
        world.create(nic_of(id=f"n{i}"))
    world.refuse(Create(intent=nic_of(id="more")), InvalidIntent, "vm", "has 32 NICs; at most 32")
    world.remove(Kind.NIC, "n7")
    world.create(nic_of(id="more"))


def test_the_macs_of_functions_are_of_the_machine_s_cluster(world: World) -> None:
    world.create(a_vm("fw", "c2"))
    assert world.create(side("i1", FunctionSide.INGRESS, "", vm=VmId("fw"))).mac_address.startswith(
        "52:54:00"
    )


def test_a_place_must_be_one(world: World) -> None:
    world.create(a_vm())
    world.refuse(place("none"), NotFound, "name", "vms/none does not exist")
    world.refuse(place(host="h9"), NotFound, "host", "hosts/h9 does not exist")
    world.refuse(
        place(host="far"), InvalidIntent, "host", "hosts/far is in clusters/c2, vms/vm1 in clusters/c1"
    )
    world.refuse(replace(place(), if_revision=1), Conflict, "if_revision", "not 1")
    world.admit(place())
    world.remove(Kind.VM, "vm1")
    world.refuse(place(host="h2"), InvalidIntent, "name", "is being deleted")


def test_a_machine_that_moves_is_placed_by_its_migration(world: World) -> None:
    placed(world, switched_on(a_vm()))
    world.create(a_migration())
    world.refuse_in_use(place(host="h2"), "name", "vmMigrations/m1")


def test_both_nics_of_a_pair_come_together(world: World) -> None:
    world.create(a_vm("fw"))
    world.create(side("i1", FunctionSide.INGRESS, "", vm=VmId("fw")))
    world.create(side("e1", FunctionSide.EGRESS, "", vm=VmId("fw")))
    world.create(function("fw", NicPair(ingress_nic=NicId("i1"), egress_nic=NicId("e1"))))
    world.admit(place("fw", "h1"))
    world.admit(place("fw", "h2"))
    assert hosts(world) == {"i1": "h2", "e1": "h2"}
    world.refuse_in_use(remove(Kind.VM, "fw"), "name", "networkFunctions/fw")


def test_a_machine_without_a_host_goes_at_once(world: World) -> None:
    world.create(a_vm())
    world.create(nic_of())
    done = world.admit(remove(Kind.VM, "vm1"))
    assert [(one.key, one.after) for one in done] == [((Kind.VM, "vm1"), None), ((Kind.NIC, "n1"), None)]
    assert world.draft.count(Kind.VM) == world.draft.count(Kind.NIC) == 0


def test_a_machine_with_a_host_is_removed_by_it(world: World) -> None:
    placed(world, replace(switched_on(a_vm()), graceful_off=True))
    world.create(nic_of())
    world.refuse(Purge(vm=VM1), InvalidIntent, "vm", "is not being deleted: remove it first")
    done = world.admit(remove(Kind.VM, "vm1"))
    assert [one.key for one in done] == [(Kind.VM, "vm1"), (Kind.NIC, "n1")]
    left = world.stored(Kind.VM, "vm1")
    assert (left.deleting, left.power_state, left.graceful_off, left.host) == (
        True,
        PowerState.OFF,
        False,
        "h1",
    )
    again = world.admit(remove(Kind.VM, "vm1"))
    assert again[0].before is again[0].after
    for edit, field in (
        (Replace(intent=replace(left, deleting=False)), "name"),
        (Create(intent=nic_of(id="n2")), "vm"),
        (Create(intent=a_policy(vms=(VM1,), hosts=(H2,))), "vms[0]"),
        (Create(intent=a_migration()), "vm"),
        (Create(intent=an_image("i", source_vm=VM1)), "source_vm"),
    ):
        world.refuse(edit, InvalidIntent, field, "is being deleted")
    world.refuse(Create(intent=a_vm()), AlreadyExists, "name", "vms/vm1 exists")
    world.admit(Purge(vm=VM1))
    assert world.draft.count(Kind.VM) == 0
    world.refuse(Purge(vm=VM1), NotFound, "name", "vms/vm1 does not exist")


def test_ended_migrations_go_with_their_machine(world: World) -> None:
    placed(world, switched_on(a_vm()))
    world.create(a_migration())
    advanced(world, "m1", *STAGES[1:])
    world.remove(Kind.VM, "vm1")
    assert world.draft.count(Kind.VM_MIGRATION) == 1
    done = world.admit(Purge(vm=VM1))
    assert [one.key for one in done] == [(Kind.VM, "vm1"), (Kind.VM_MIGRATION, "m1")]
    assert world.draft.count(Kind.VM_MIGRATION) == 0


def test_who_holds_a_machine(world: World) -> None:
    placed(world, switched_on(a_vm(disks=(empty_disk(),))))
    world.create(external())
    world.create(vpc("v1", "ext"))
    world.create(overlay("routed", vpc="v1", ipv4=ipv4("10.9.0.0/24", "10.9.0.1")))
    world.create(nic_of(subnet="routed"))
    world.create(floating(nic=NicId("n1")))
    world.refuse_in_use(remove(Kind.VM, "vm1"), "name", "floatingIps/f1")
    world.create(a_policy(vms=(VM1,), hosts=(HostId("h1"),)))
    world.refuse_in_use(remove(Kind.VM, "vm1"), "name", "affinityPolicies/together", "floatingIps/f1")
    world.remove(Kind.AFFINITY_POLICY, "together")
    world.remove(Kind.FLOATING_IP, "f1")
    world.create(a_migration())
    world.refuse_in_use(remove(Kind.VM, "vm1"), "name", "vmMigrations/m1")
    advanced(world, "m1", Stage.FAILED)
    world.replace(world.stored(Kind.VM, "vm1"), power_state=PowerState.OFF)
    world.create(a_vm("copy", disks=(Disk(source_vm=VM1),)))
    world.create(an_image("made", source_vm=VM1))
    world.refuse_in_use(remove(Kind.VM, "vm1"), "name", "images/made", "vms/copy")
    world.admit(place("copy"))
    world.remove(Kind.IMAGE, "made")
    world.remove(Kind.VM, "vm1")


def test_who_holds_a_host(world: World) -> None:
    placed(world, switched_on(a_vm()), "h2")
    world.refuse_in_use(remove(Kind.HOST, "h2"), "name", "vms/vm1")
    world.create(a_vm("vm2", affinity_hosts=(H2,)))
    world.create(a_policy(vms=(VmId("vm2"),), hosts=(H2,)))
    world.refuse_in_use(remove(Kind.HOST, "h2"), "name", "affinityPolicies/together", "vms/vm1", "vms/vm2")
    world.remove(Kind.AFFINITY_POLICY, "together")
    world.remove(Kind.VM, "vm2")
    world.create(a_migration(destination="h1"))
    world.refuse_in_use(remove(Kind.HOST, "h1"), "name", "vmMigrations/m1")
    world.refuse_in_use(remove(Kind.HOST, "h2"), "name", "vmMigrations/m1", "vms/vm1")
    advanced(world, "m1", Stage.FAILED)
    world.remove(Kind.VM, "vm1")
    # Its host alone could remove what is left: with that goes the rest.
    done = world.admit(remove(Kind.HOST, "h2"))
    gone = [(Kind.HOST, "h2"), (Kind.VM, "vm1"), (Kind.VM_MIGRATION, "m1")]
    assert [one.key for one in done] == gone


def test_who_holds_a_cluster_a_category_and_an_image(world: World) -> None:
    web = CategoryId("web")
    world.create(Category(id=web, key="app", value="web"))
    world.create(an_image())
    disks = (Disk(image=ImageId("debian")),)
    world.create(a_vm(disks=disks, categories=(web,)))
    world.create(a_vm("vm2", "c2"))
    world.create(a_policy(vm_categories=(web,), hosts=(H2,)))
    world.replace(world.stored(Kind.HOST, "h1"), categories=(web,))
    world.refuse_in_use(
        remove(Kind.CATEGORY, "web"), "name", "affinityPolicies/together", "hosts/h1", "vms/vm1"
    )
    world.refuse_in_use(remove(Kind.CLUSTER, "c2"), "name", "hosts/far", "subnets/alien", "vms/vm2")
    world.refuse_in_use(remove(Kind.IMAGE, "debian"), "name", "vms/vm1")
    world.admit(place())  # now it has its copy
    world.create(a_template("golden", a_version(images=(ImageId("debian"),), disks=disks)))
    world.refuse_in_use(remove(Kind.IMAGE, "debian"), "name", "vmTemplates/golden")
    world.remove(Kind.VM_TEMPLATE, "golden")
    world.create(a_vm("vm3", disks=(Disk(kind=DiskKind.CDROM, image=ImageId("debian")),)))
    world.admit(place("vm3"))
    world.refuse_in_use(remove(Kind.IMAGE, "debian"), "name", "vms/vm3")
    world.remove(Kind.VM, "vm3")
    world.remove(Kind.IMAGE, "debian")


def test_a_category_of_a_host_exists(world: World) -> None:
    h1 = world.stored(Kind.HOST, "h1")
    world.refuse(
        Replace(intent=replace(h1, categories=(CategoryId("web"),))),
        NotFound,
        "categories[0]",
        "categories/web",
    )


def test_a_cluster_has_32_hosts(world: World) -> None:
    for i in range(3, 33):
        world.create(host(f"h{i}", f"192.0.2.{i}/24"))
    world.refuse(
        Create(intent=host("h33", "192.0.2.33/24")), Exhausted, "cluster", "clusters/c1 has 32 hosts"
    )
    world.create(host("far2", "192.0.2.33/24", "c2"))


def test_a_subnet_stays_in_the_clusters_of_machines_on_it(world: World) -> None:
    wide = world.create(over("c1", "c2", id="wide"))
    world.create(a_vm())
    world.create(nic_of(subnet="wide"))
    edit = Replace(intent=replace(wide, clusters=wide.clusters[1:]))
    world.refuse_in_use(edit, "clusters", "nics/n1")
    # So it does in that which one is on its way to.
    world.admit(place())
    world.replace(world.stored(Kind.VM, "vm1"), power_state=PowerState.ON)
    world.admit(place())
    world.create(a_migration(destination="far", cross_cluster=True))
    world.refuse_in_use(Replace(intent=replace(wide, clusters=wide.clusters[:1])), "clusters", "nics/n1")


def test_a_trunk_follows_its_machine(world: World) -> None:
    placed(world, a_vm())
    tag = TrunkVlan(vlan_id=5, subnet=SubnetId("db"))
    world.create(nic_of(mode=NicMode.TRUNK, trunk_vlans=(tag,)))
    world.admit(place(host="h2"))
    assert {nic.id for nic in world.draft.trunks_of_subnet(SubnetId("db"))} == {"n1"}
    assert {nic.id for nic in world.draft.nics_of_host(H2)} == {"n1"}
