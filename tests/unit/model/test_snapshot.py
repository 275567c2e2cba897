"""Snapshot and Draft: accessors, order, sharing, undo."""

from itertools import islice

import pytest

from netctl.errors import NotFound
from netctl.model.indexes import Relation, Space
from netctl.model.infra import Meta
from netctl.model.keys import ClusterId, HostId, Kind, NicId, SubnetId, VirtualSwitchId
from netctl.model.snapshot import Snapshot
from tests.unit.model.world import World, cluster, contents, host, ipv4, nic, overlay, switch, vlan


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        switch(),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        host("h2", "192.0.2.2/24"),
        vlan("web", 10),
        overlay("app", ipv4=ipv4()),
        nic("n2", "app", host=HostId("h1")),
        nic("n1", "app", host=HostId("h2")),
        nic("n3", "web"),
    )


def test_an_empty_snapshot_has_nothing() -> None:
    empty = Snapshot.empty()
    assert empty.revision == 0
    assert list(empty.keys()) == []
    assert empty.get((Kind.NIC, "n1")) is None
    assert list(empty.nics_of_subnet(SubnetId("app"))) == []


def test_intents_are_found_by_key_and_relation(world: World) -> None:
    for view in (world.draft, world.draft.freeze(7)):
        assert view.get((Kind.NIC, "n1")) is view.nic(NicId("n1"))
        assert [x.id for x in view.hosts_of_cluster(ClusterId("c1"))] != []
        assert {x.id for x in view.hosts_of_cluster(ClusterId("c1"))} == {"h1", "h2"}
        assert {x.id for x in view.virtual_switches_of_cluster(ClusterId("c1"))} == {"vs0"}
        assert {x.id for x in view.subnets_of_cluster(ClusterId("c1"))} == {"web", "app"}
        assert {x.id for x in view.overlays_of_cluster(ClusterId("c1"))} == {"app"}
        assert {x.id for x in view.subnets_of_virtual_switch(VirtualSwitchId("vs0"))} == {"web"}
        assert {x.id for x in view.hosts_of_virtual_switch(VirtualSwitchId("vs0"))} == {"h1"}
        assert {x.id for x in view.nics_of_subnet(SubnetId("app"))} == {"n1", "n2"}
        assert {x.id for x in view.nics_of_host(HostId("h1"))} == {"n2"}
        assert {x.id for x in view.of_kind(Kind.SUBNET)} == {"web", "app"}
        assert view.count(Kind.NIC) == 3
        assert not view.related(Relation.NICS_OF_HOST, "nobody")
        absent = [view.cluster(ClusterId("x")), view.host(HostId("x")), view.subnet(SubnetId("x"))]
        assert absent == [None, None, None]
        assert view.virtual_switch(VirtualSwitchId("x")) is None


def test_ids_come_sorted_and_a_page_starts_anywhere(world: World) -> None:
    world.create(nic("n10", "app"))
    for view in (world.draft, world.draft.freeze(7)):
        assert list(view.ids(Kind.NIC)) == ["n1", "n10", "n2", "n3"]
        assert list(islice(view.ids(Kind.NIC, "n10"), 1)) == ["n2"]
        assert list(view.ids(Kind.NIC, "n11")) == ["n2", "n3"]
        assert list(view.ids(Kind.NIC, "z")) == []


def test_keys_come_in_the_order_of_reference(world: World) -> None:
    kinds = [kind for kind, _ in tuple(world.draft.keys())]
    assert kinds == sorted(kinds, key=list(Kind).index)
    assert len(kinds) == 9


def test_a_snapshot_stays_as_it_was(world: World) -> None:
    first = world.draft.freeze(7)
    before = contents(first.draft())
    world.remove(Kind.NIC, "n1")
    world.create(nic("n4", "app"))
    second = world.draft.freeze(8)
    assert contents(first.draft()) == before
    assert (first.revision, second.revision) == (7, 8)
    assert {x.id for x in second.nics_of_subnet(SubnetId("app"))} == {"n2", "n4"}


def test_loading_in_any_order_gives_the_same(world: World) -> None:
    stored = [intent for kind in reversed(Kind) for intent in world.draft.of_kind(kind)]
    loaded = Snapshot.load(9, stored)
    assert loaded.revision == 9
    assert contents(loaded.draft(), cursors=False) == contents(world.draft, cursors=False)


def test_indexes_after_changes_are_those_of_what_is_stored(world: World) -> None:
    world.replace(world.stored(Kind.NIC, "n1"), ipv4_address="10.0.0.77", host=HostId("h1"))
    world.replace(world.stored(Kind.SUBNET, "web"), vlan_id=11, ipv4=ipv4("10.9.0.0/24", "10.9.0.1"))
    world.replace(world.stored(Kind.HOST, "h2"), tunnel_address="192.0.2.9/24")
    world.create(nic("n1b", "app", ipv4_address="10.0.0.78"))
    stored = [intent for kind in Kind for intent in world.draft.of_kind(kind)]
    assert contents(Snapshot.load(9, stored).draft(), cursors=False) == contents(world.draft, cursors=False)


def test_removing_nothing_is_refused() -> None:
    with pytest.raises(NotFound):
        Snapshot.empty().draft().remove((Kind.NIC, "n1"))


def test_rollback_restores_everything(world: World) -> None:
    before = contents(world.draft)
    mark = world.draft.mark()
    world.remove(Kind.NIC, "n1")
    world.replace(world.stored(Kind.NIC, "n2"), host=HostId("h2"), meta=Meta(display_name="moved"))
    inner = world.draft.mark()
    middle = world.draft.nic(NicId("n2"))
    world.create(nic("n1", "web"))
    world.remove(Kind.NIC, "n2")
    world.draft.rollback(inner)
    assert world.draft.nic(NicId("n2")) is middle
    world.remove(Kind.NIC, "n2")
    world.remove(Kind.SUBNET, "app")
    world.draft.rollback(mark)
    assert contents(world.draft) == before


def test_a_mark_does_not_outlive_a_freeze(world: World) -> None:
    mark = world.draft.mark()
    world.create(nic("n9", "app"))
    world.draft.freeze(8)
    with pytest.raises(ValueError, match="older than the last freeze"):
        world.draft.rollback(mark)


def test_reading_a_draft_while_it_changes_shows_what_was_there(world: World) -> None:
    for found in world.draft.nics_of_subnet(SubnetId("app")):
        world.remove(Kind.NIC, found.id)
    assert list(world.draft.nics_of_subnet(SubnetId("app"))) == []


def test_a_freed_value_has_no_owner(world: World) -> None:
    tap = world.stored(Kind.NIC, "n1").tap_name
    claim = ((Space.TAP, ""), tap)
    assert world.draft.owner(claim) == (Kind.NIC, "n1")
    assert world.draft.freeze(1).owner(claim) == (Kind.NIC, "n1")
    world.remove(Kind.NIC, "n1")
    assert world.draft.owner(claim) is None
    assert world.draft.freeze(2).owner(claim) is None
