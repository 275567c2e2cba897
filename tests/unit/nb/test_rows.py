"""Row identities."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.nb.rows import NETCTL_NAMESPACE, Row, collect, row_uuid


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1))
def test_a_row_uuid_is_uuid5_of_table_and_key(key: list[str]) -> None:
    assert row_uuid("Logical_Switch", *key) == str(
        uuid.uuid5(NETCTL_NAMESPACE, "/".join(["Logical_Switch", *key]))
    )


def test_the_namespace_is_for_ever() -> None:
    assert row_uuid("Logical_Switch", "a") == "7a4e8633-cae1-5ef5-bcc0-dad0f1fe7002"


def test_a_fact_compiled_twice_is_refused() -> None:
    row = Row("Logical_Switch", "u", {})
    with pytest.raises(ValueError, match="compiled twice"):
        collect([row, Row("Logical_Switch", "u", {})])
