"""diff: exact deltas from small dictionaries."""

from __future__ import annotations

from netctl.nb.diff import diff
from netctl.nb.rows import Delta, MapEdit, Member, Row, Update, collect

ROW = Row("Logical_Switch", "u1", {"name": "a", "other_config": {"requested-tnl-key": "5"}})
PORT = Member("Logical_Switch", "u1", "ports", "p1")


def test_equal_is_empty() -> None:
    assert not diff(collect([ROW, PORT]), collect([ROW, PORT]))


def test_missing_is_inserted_and_added() -> None:
    assert diff(collect([ROW, PORT]), {}) == Delta(insert=(ROW,), add=(PORT,))


def test_unwanted_is_deleted_and_a_deleted_parent_takes_its_members() -> None:
    assert diff({}, collect([ROW, PORT])) == Delta(delete=(ROW.key,))


def test_unwanted_member_of_a_kept_parent_is_removed() -> None:
    assert diff(collect([ROW]), collect([ROW, PORT])) == Delta(remove=(PORT,))


def test_only_differing_columns_are_updated() -> None:
    have = Row("Logical_Switch", "u1", {"name": "b", "other_config": {"requested-tnl-key": "5"}})
    assert diff(collect([ROW]), collect([have])) == Delta(
        update=(Update("Logical_Switch", "u1", {"name": "a"}),)
    )


def test_foreign_keys_of_a_map_stay_and_ours_go() -> None:
    want = Row("Logical_Switch", "u1", {"other_config": {}})
    have = Row("Logical_Switch", "u1", {"other_config": {"requested-tnl-key": "5", "mcast_snoop": "true"}})
    edit = MapEdit({}, frozenset({"requested-tnl-key"}))
    assert diff(collect([want]), collect([have])) == Delta(
        update=(Update("Logical_Switch", "u1", {}, {"other_config": edit}),)
    )


def test_a_column_that_we_do_not_compile_is_not_ours() -> None:
    have = Row("Logical_Switch", "u1", {**ROW.columns, "acls": frozenset({"x"})})
    assert not diff(collect([ROW]), collect([have]))


def test_only_the_keys_asked_for_are_compared() -> None:
    assert not diff(collect([ROW, PORT]), {}, keys=[])
    assert diff(collect([ROW, PORT]), {}, keys=[PORT.key]) == Delta(add=(PORT,))
