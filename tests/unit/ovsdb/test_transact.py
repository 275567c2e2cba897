"""Deltas as operations: their order and number, what is refused beforehand, what answers mean."""

from __future__ import annotations

import json

import pytest

from netctl.errors import Conflict, NorthboundUnavailable, Rejected
from netctl.nb.rows import Delta, MapEdit, Member, Row, Update
from netctl.ovsdb.fence import Progress, fence, progress_of
from netctl.ovsdb.replica import Replica
from netctl.ovsdb.transact import Failure, complete, failure_to_error, find_failure, name_nul, render_delta
from tests.unit.ovsdb.test_replica import SCHEMA, WANTED

SWITCH = Row("Logical_Switch", "s", {"name": "s", "external_ids": {"a": "b"}})
PORT = Row("Logical_Switch_Port", "p", {"name": "p", "tag": frozenset(), "addresses": frozenset({"x", "y"})})
HELD = Member("Logical_Switch", "s", "ports", "p")


def empty() -> Replica:
    """Return a replica of an empty database."""
    return Replica(SCHEMA, WANTED, "us")


def test_references_come_before_what_dies_of_them() -> None:
    delta = Delta(
        insert=(SWITCH,),
        update=(Update("Logical_Switch", "t", columns={"name": "t"}),),
        delete=(("Logical_Switch_Port", "q"),),
        add=(HELD,),
        remove=(Member("Logical_Switch", "t", "ports", "q"),),
    )
    operations = render_delta(delta, SCHEMA)
    assert [operation["op"] for operation in operations] == ["insert", "update", "mutate", "mutate", "delete"]


def test_members_of_one_parent_are_one_mutation() -> None:
    add = tuple(Member("Logical_Switch", "s", "ports", f"p{number}") for number in range(1000))
    remove = tuple(Member("Logical_Switch", "s", "ports", f"q{number}") for number in range(1000))
    (operation,) = render_delta(Delta(add=add, remove=remove), SCHEMA)
    assert [mutation[1] for mutation in operation["mutations"]] == ["delete", "insert"]
    assert [len(mutation[2][1]) for mutation in operation["mutations"]] == [1000, 1000]


def test_an_insert_says_only_what_is_not_the_default() -> None:
    (operation,) = render_delta(Delta(insert=(PORT,)), SCHEMA)
    assert operation["row"].keys() == {"name", "addresses"}
    (operation,) = render_delta(Delta(update=(Update(*PORT.key, columns={"tag": frozenset()}),)), SCHEMA)
    assert operation["row"] == {"tag": ["set", []]}


def test_map_keys_are_set_and_removed_one_by_one() -> None:
    edit = MapEdit({"new": "1"}, frozenset({"old"}))
    (operation,) = render_delta(Delta(update=(Update(*SWITCH.key, maps={"external_ids": edit}),)), SCHEMA)
    assert operation["mutations"] == [
        ["external_ids", "delete", ["set", ["new", "old"]]],
        ["external_ids", "insert", ["map", [("new", "1")]]],
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("Nowhere", "u", {}), "no table Nowhere"),
        (Row("Logical_Switch", "u", {"shape": "round"}), "no column shape"),
        (Row("Logical_Switch", "u", {"external_ids": "text"}), "external_ids cannot hold 'text'"),
        (Row("Logical_Switch", "u", {"external_ids": frozenset({"x"})}), "external_ids cannot hold"),
    ],
)
def test_what_the_schema_has_not_is_refused_by_name(row: Row, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        render_delta(Delta(insert=(row,)), SCHEMA)


def test_a_row_that_would_vanish_is_refused() -> None:
    with pytest.raises(Rejected, match="Logical_Switch_Port p: nothing in the transaction"):
        complete(Delta(insert=(SWITCH, PORT)), empty())
    assert complete(Delta(insert=(SWITCH, PORT), add=(HELD,)), empty()).insert == (SWITCH, PORT)


def test_a_row_that_is_there_is_updated_and_keeps_the_keys_of_others() -> None:
    replica = empty()
    replica.update({"Logical_Switch": {"s": {"initial": {"name": "old"}}}})
    result = complete(Delta(insert=(SWITCH,)), replica)
    assert result.insert == ()
    assert result.update == (
        Update("Logical_Switch", "s", {"name": "s"}, {"external_ids": MapEdit(put={"a": "b"})}),
    )


def test_a_dying_row_leaves_every_set_that_holds_it_but_those_that_die_too() -> None:
    replica = empty()
    held = {"initial": {"ports": ["uuid", "p"]}}
    replica.update(
        {"Logical_Switch": {"s": held, "t": held, "u": held}, "Logical_Switch_Port": {"p": {"initial": {}}}}
    )
    delta = Delta(delete=(PORT.key, ("Logical_Switch", "u")), remove=(HELD,))
    assert set(complete(delta, replica).remove) == {HELD, Member("Logical_Switch", "t", "ports", "p")}


def test_answers() -> None:
    operations = render_delta(Delta(insert=(PORT,)), SCHEMA)
    assert find_failure([{}, {"count": 1}, None]) is None
    failure = find_failure([{"error": "constraint violation", "details": "why"}, None])
    assert failure == Failure(0, "constraint violation", "why")
    error = failure_to_error(failure, operations)
    assert isinstance(error, Rejected)
    assert error.message == "insert Logical_Switch_Port p: constraint violation: why"
    at_commit = failure_to_error(Failure(1, "referential integrity violation", "why"), operations)
    assert isinstance(at_commit, Rejected)
    assert at_commit.message == "commit: referential integrity violation: why"
    assert isinstance(failure_to_error(Failure(0, "duplicate uuid", ""), operations), NorthboundUnavailable)
    assert isinstance(
        failure_to_error(Failure(1, "cluster error", "not leader"), operations), NorthboundUnavailable
    )


def test_a_nul_is_named_and_its_escape_as_text_is_not() -> None:
    bad = Row("Logical_Switch", "bad", {"external_ids": {"k": "a\0b"}})
    fine = Row("Logical_Switch", "fine", {"name": "\\u0000"})
    assert name_nul(render_delta(Delta(insert=(fine, bad)), SCHEMA)) == "insert Logical_Switch bad"
    assert name_nul(render_delta(Delta(insert=(fine,)), SCHEMA)) == ""


def global_row(**marks: str) -> Row:
    """Return an NB_Global row with an epoch of owner `us`."""
    return Row("NB_Global", "g", {"nb_cfg": 3, "sb_cfg": 2, "external_ids": dict(marks)})


def test_the_fence_checks_before_it_writes_and_knows_who_is_newer() -> None:
    key = "netctl:epoch:us"
    assert [op["op"] for op in fence(None, "us", 1)] == ["wait", "insert"]
    assert [op["op"] for op in fence(global_row(), "us", 1)] == ["mutate", "wait"]
    assert [op["op"] for op in fence(global_row(**{key: "1"}), "us", 1)] == ["wait"]
    taking = fence(global_row(**{key: "9"}), "us", 10)
    assert [op["op"] for op in taking] == ["wait", "mutate"]
    assert '"9"' in json.dumps(taking[0])
    with pytest.raises(Conflict, match="epoch 10"):
        fence(global_row(**{key: "10"}), "us", 9)
    # Somebody wrote nonsense by hand: taken over, not obeyed.
    assert [op["op"] for op in fence(global_row(**{key: "x"}), "us", 1)] == ["wait", "mutate"]
    assert [op["op"] for op in fence(global_row(**{"netctl:epoch:them": "10"}), "us", 1)] == [
        "mutate",
        "wait",
    ]


def test_progress() -> None:
    assert progress_of(None) == Progress()
    assert progress_of(global_row()) == Progress(nb_cfg=3, sb_cfg=2, hv_cfg=0)
