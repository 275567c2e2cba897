"""Names of acli into ids of netctl."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.cli.acli.names import ID_MAX, to_id

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("vlan.10", "vlan-10"),
        ("fooVM", "foovm"),
        ("web", "web"),
        ("web-1", "web-1"),
        ("My_Net (old)", "my-net-old"),
        ("Büro", "buro"),
        ("__overlay-vm1", "overlay-vm1"),
        ("10.0.0.0", "net-10-0-0-0"),
    ],
)
def test_names_people_use(name: str, id_: str) -> None:
    assert to_id(name, prefix="net") == id_


@given(name=st.text(min_size=1), room=st.integers(20, ID_MAX))
def test_every_name_becomes_an_id_and_an_id_stays(name: str, room: int) -> None:
    made = to_id(name, room=room)
    assert _ID.match(made)
    assert len(made) <= room
    assert to_id(made, room=room) == made


def test_long_names_that_begin_alike_stay_two() -> None:
    assert to_id("a" * 70 + "1") != to_id("a" * 70 + "2")


def test_names_without_a_letter_of_ours_stay_two() -> None:
    assert to_id("服务器") != to_id("网络")
