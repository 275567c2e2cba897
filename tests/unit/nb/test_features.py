"""Gate on schema: an OVN that lacks what we write is refused with what to do, before anything is written."""

from __future__ import annotations

import pytest

from netctl.errors import Unsupported
from netctl.nb.features import REQUIRED_COLUMNS, Features, check_supported, parse_version


def test_the_oldest_supported_passes() -> None:
    check_supported(Features(schema_version="6.1.0", columns=REQUIRED_COLUMNS))


def test_an_older_schema_is_refused_with_the_release_to_install() -> None:
    with pytest.raises(Unsupported, match=r"has schema 5\.32\.1.*OVN 22\.03 or newer"):
        check_supported(Features(schema_version="5.32.1", columns=REQUIRED_COLUMNS))


def test_a_missing_column_is_named() -> None:
    columns = {**REQUIRED_COLUMNS, "DHCP_Options": frozenset({"cidr", "external_ids"})}
    with pytest.raises(Unsupported, match=r"lacks DHCP_Options\.options"):
        check_supported(Features(schema_version="7.0.0", columns=columns))


def test_versions_compare_as_numbers() -> None:
    assert parse_version("7.10.0") > parse_version("7.9.9")


def test_features_know_tables_and_columns() -> None:
    features = Features(schema_version="7.0.0", columns={"ACL": frozenset({"action"})})
    assert features.has("ACL")
    assert features.has("ACL", "action")
    assert not features.has("ACL", "tier")
    assert not features.has("Sample")
