"""Admission, what holds of every kind: names, revisions, no change, removal, identity."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, Conflict, InUse, InvalidIntent, NotFound
from netctl.model.infra import Meta
from netctl.model.intent import Create, Intent, Remove, Replace, key_of
from netctl.model.keys import HostId, Kind, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.route import Bfd
from netctl.model.vpc import VpcKind
from tests.unit.model.world import (
    World,
    cluster,
    contents,
    external,
    floating,
    host,
    ipv4,
    ipv6,
    nic,
    overlay,
    policy,
    reservation,
    route,
    switch,
    vlan,
    vpc,
)

ASKED: tuple[Intent, ...] = (
    cluster(),
    switch(),
    host("h1", "192.0.2.1/24", "c1", "vs0"),
    vlan("web", 10, ipv4=ipv4()),
    vlan("db", 20, ipv4=ipv4("10.2.0.0/24")),
    nic("n1", "web", host=HostId("h1"), mode=NicMode.TRUNK, trunk_vlans=(TrunkVlan(vlan_id=20),)),
    external("ext", ipv4=ipv4("203.0.113.0/24", "203.0.113.1"), ipv6=ipv6("2001:db8::/64", "2001:db8::1")),
    vpc("hub", "ext", kind=VpcKind.TRANSIT),
    external("in", vpc=VpcId("hub"), ipv4=ipv4("100.64.0.0/24")),
    vpc("v1", "ext", "in", externally_routable_prefixes=("198.51.100.0/24",)),
    overlay("s1", vpc=VpcId("v1"), ipv4=ipv4("10.1.0.0/24"), ipv6=ipv6()),
    overlay("s2", vpc=VpcId("v1"), ipv6=ipv6("fd00:2::/80")),
    nic("n2", "s1", port_security=False),
    floating("f1", nic="n2"),
    floating("f2", vpc=VpcId("v1"), private_address="10.1.0.77"),
    route("r1", "v1", "0.0.0.0/0", "ext", "203.0.113.99", bfd=Bfd()),
    policy("p1", "v1", 100, "10.1.0.2"),
    reservation("k1", "s1", count=3),
    reservation("k2", "s1", ip_version=6, ranges="fd00::5-fd00::9"),
)


def full() -> World:
    return World(*ASKED)


KEYS = [key_of(intent) for intent in ASKED]
of_each_kind = pytest.mark.parametrize(("kind", "id"), KEYS)


@of_each_kind
def test_a_name_is_taken_once(kind: Kind, id: str) -> None:
    world = full()
    stored = world.stored(kind, id)
    world.refuse(Create(intent=stored), AlreadyExists, "name", f"{kind.value}/{id} exists")


@of_each_kind
def test_what_is_not_there_cannot_be_replaced(kind: Kind, id: str) -> None:
    stored = full().stored(kind, id)
    world = World()
    world.refuse(
        Replace(intent=stored), NotFound, "name", f"{kind.value}/{id} does not exist: create it first"
    )
    world.refuse(Replace(intent=stored, or_create=True, if_revision=3), NotFound, "name")


@of_each_kind
def test_replacing_by_the_same_is_no_change(kind: Kind, id: str) -> None:
    world = full()
    stored = world.stored(kind, id)
    before = contents(world.draft)
    stale = replace(stored, meta=replace(stored.meta, revision=0, create_time_s=0.0, update_time_s=0.0))
    for asked in (stored, stale):
        (admitted,) = world.admit(Replace(intent=asked))
        assert admitted.key == (kind, id)
        assert admitted.before is admitted.after is stored
    assert contents(world.draft) == before


@of_each_kind
def test_unset_fields_that_admission_allocates_keep_their_value(kind: Kind, id: str) -> None:
    world = full()
    asked = ASKED[KEYS.index((kind, id))]
    (admitted,) = world.admit(Replace(intent=asked, or_create=True))
    assert admitted.before is admitted.after


@of_each_kind
def test_a_change_keeps_the_identity_and_gets_a_revision(kind: Kind, id: str) -> None:
    world = full()
    before = world.stored(kind, id)
    world.revision = 40
    asked: Any = replace(before, meta=Meta(display_name='Déjà "vu" $1 @home 🚀', labels={"tier": "web"}))
    (admitted,) = world.admit(Replace(intent=asked, if_revision=before.meta.revision))
    after: Any = admitted.after
    assert [admitted.before] == [before]
    assert after is world.stored(kind, id)
    assert after.meta == Meta(
        uid=before.meta.uid,
        display_name='Déjà "vu" $1 @home 🚀',
        labels={"tier": "web"},
        revision=41,
        create_time_s=before.meta.create_time_s,
        update_time_s=41.0,
    )
    assert replace(after, meta=before.meta) == before


@of_each_kind
def test_a_stale_revision_is_refused_with_both_numbers(kind: Kind, id: str) -> None:
    world = full()
    stored = world.stored(kind, id)
    texts = (f"{kind.value}/{id} is at revision {stored.meta.revision}, not 99", "read it again")
    world.refuse(Replace(intent=stored, if_revision=99), Conflict, "if_revision", *texts)
    world.refuse(Remove(key=(kind, id), if_revision=99), Conflict, "if_revision", *texts)
    world.revision = 40
    world.replace(stored, meta=Meta(display_name="of revision 41"))
    old = stored.meta.revision
    world.refuse(Replace(intent=stored, if_revision=old), Conflict, "if_revision", f"41, not {old}")
    world.refuse(Remove(key=(kind, id), if_revision=old), Conflict, "if_revision", f"41, not {old}")


@of_each_kind
def test_creating_stamps_and_ignores_the_stamp_asked_for(kind: Kind, id: str) -> None:
    stored = full().stored(kind, id)
    assert stored.meta.uid
    assert stored.meta.revision == KEYS.index((kind, id)) + 1
    assert stored.meta.create_time_s == stored.meta.update_time_s == float(stored.meta.revision)


def test_a_name_used_again_gets_a_new_uid() -> None:
    world = full()
    first = world.stored(Kind.NIC, "n1")
    world.remove(Kind.NIC, "n1")
    second = world.create(first)
    assert second.meta.uid != first.meta.uid


@of_each_kind
def test_removing_answers_what_was(kind: Kind, id: str) -> None:
    world = full()
    stored = world.stored(kind, id)
    for dependent in reversed(KEYS[KEYS.index((kind, id)) + 1 :]):
        world.remove(*dependent)
    (admitted,) = world.admit(Remove(key=(kind, id), if_revision=stored.meta.revision))
    assert (admitted.key, admitted.before, admitted.after) == ((kind, id), stored, None)
    assert world.draft.get((kind, id)) is None
    world.refuse(Remove(key=(kind, id)), NotFound, "name", f"{kind.value}/{id} does not exist")


@pytest.mark.parametrize(
    ("key", "dependents"),
    [
        (
            (Kind.CLUSTER, "c1"),
            (
                "hosts/h1",
                "hosts/h2",
                "subnets/app",
                "subnets/in",
                "subnets/s1",
                "subnets/s2",
                "virtualSwitches/vs0",
            ),
        ),
        ((Kind.VIRTUAL_SWITCH, "vs0"), ("hosts/h1", "subnets/db", "subnets/ext", "subnets/web")),
        ((Kind.HOST, "h1"), ("nics/n1",)),
        ((Kind.SUBNET, "web"), ("nics/n1",)),
        ((Kind.SUBNET, "db"), ("nics/n1",)),
        ((Kind.SUBNET, "ext"), ("floatingIps/f1", "floatingIps/f2", "routes/r1", "vpcs/hub", "vpcs/v1")),
        ((Kind.SUBNET, "in"), ("vpcs/v1",)),
        (
            (Kind.SUBNET, "s1"),
            ("addressReservations/k1", "addressReservations/k2", "floatingIps/f2", "nics/n2"),
        ),
        ((Kind.VPC, "hub"), ("subnets/in",)),
        (
            (Kind.VPC, "v1"),
            ("floatingIps/f2", "routes/r1", "routingPolicies/p1", "subnets/s1", "subnets/s2"),
        ),
        ((Kind.NIC, "n2"), ("floatingIps/f1", "routingPolicies/p1")),
    ],
)
def test_what_is_in_use_stays(key: tuple[Kind, str], dependents: tuple[str, ...]) -> None:
    world = full()
    world.create(host("h2", "192.0.2.2/24"))
    world.create(overlay("app"))
    world.refuse_in_use(Remove(key=key), "name", *dependents)


def test_at_most_a_hundred_dependents_are_named() -> None:
    world = World(cluster(), overlay("app"))
    for i in range(150):
        world.create(nic(f"n{i:03}", "app"))
    error = world.refuse(Remove(key=(Kind.SUBNET, "app")), InUse, "name", "nics/n000", "and 147 more")
    assert isinstance(error, InUse)
    assert error.dependents == tuple(f"nics/n{i:03}" for i in range(100))
    assert error.total == 150


def test_a_huge_unknown_name_is_not_echoed() -> None:
    error = World().refuse(Remove(key=(Kind.NIC, "x" * 65536)), NotFound, "name")
    assert len(error.message) < 200


def test_later_edits_of_a_batch_see_earlier_ones_and_all_can_be_undone() -> None:
    world = full()
    before = contents(world.draft)
    mark = world.draft.mark()
    world.create(overlay("app", ipv4=ipv4("10.9.0.0/29", "10.9.0.1")))
    assert world.create(nic("m2", "app")).ipv4_address == "10.9.0.2"
    with pytest.raises(InvalidIntent):
        world.create(nic("m3", "app", ipv4_address="10.8.0.1"))
    assert world.create(nic("m3", "app")).ipv4_address == "10.9.0.3"
    world.remove(Kind.NIC, "m2")
    world.draft.rollback(mark)
    assert contents(world.draft) == before
