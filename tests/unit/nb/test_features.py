"""Gate on schema: an OVN that lacks what we write is refused with what to do, before anything is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netctl.errors import Unsupported
from netctl.nb.features import (
    REQUIRED_COLUMNS,
    WANTED_COLUMNS,
    Features,
    check_supported,
    has_network_functions,
    may_answer_dhcpv6,
    may_reject,
    parse_version,
    tells_no_memory,
)


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


def test_what_is_wanted_is_required_and_what_only_newer_ones_have() -> None:
    assert WANTED_COLUMNS["NAT"] == REQUIRED_COLUMNS["NAT"] | {"gateway_port"}
    check_supported(Features(schema_version="7.0.0", columns=WANTED_COLUMNS))


@pytest.mark.parametrize(
    ("northd", "safe"),
    [
        ("", False),
        ("unknown", False),
        ("23.03.1-20.27.0-70.6", False),
        ("23.09.6", False),
        ("24.03.7-20.33.0-72.6", False),
        ("24.03.8-20.33.0-72.6", True),
        ("24.09.3", False),
        ("24.09.4", True),
        ("25.03.2", False),
        ("25.03.10", True),
        ("25.09.2", False),
        ("25.09.3", True),
        ("26.03.0", False),
        ("26.03.1", True),
        ("26.03", False),
        ("26.09.0", True),
        ("27.03.0-21.1.0", True),
    ],
)
def test_dhcpv6_is_asked_for_only_where_it_does_not_leak(northd: str, safe: bool) -> None:
    """CVE-2026-5367; the releases are those of the advisory of 2026-04-20."""
    assert tells_no_memory(Features(schema_version="7.0.0", northd_version=northd)) is safe


MAY = pytest.mark.parametrize("may", [may_answer_dhcpv6, may_reject])


@MAY
@pytest.mark.parametrize("northd", ["", "23.03.1-20.27.0-70.6", "26.03.1"])
def test_an_operator_who_vouches_for_ovn_is_believed(may: Callable[..., bool], northd: str) -> None:
    features = Features(schema_version="7.0.0", northd_version=northd)
    assert may(features) is tells_no_memory(features)
    assert may(features, trusted=True)


@MAY
def test_before_ovn_says_its_version_only_the_operator_can_say_that_it_is_safe(
    may: Callable[..., bool],
) -> None:
    assert not may(None)
    assert may(None, trusted=True)


@pytest.mark.parametrize(
    ("northd", "has"),
    [
        ("26.03.1-21.6.0-90.0", True),
        ("26.09.0-21.6.0-90.0", True),
        ("25.09.2-21.5.0-88.0", False),
        ("", False),
        ("strange", False),
    ],
)
def test_network_functions_need_a_northd_that_has_them(northd: str, has: bool) -> None:
    features = Features(schema_version="7.18.0", northd_version=northd, columns=WANTED_COLUMNS)
    assert has_network_functions(features) is has


def test_network_functions_need_all_of_their_schema() -> None:
    northd = "26.03.1-21.6.0-90.0"
    assert not has_network_functions(None)
    for table, column in (
        ("ACL", "network_function_group"),
        ("Network_Function_Group", "fallback"),
        ("Network_Function", "id"),
    ):
        columns = {**WANTED_COLUMNS, table: WANTED_COLUMNS[table] - {column}}
        features = Features(schema_version="7.13.0", northd_version=northd, columns=columns)
        assert not has_network_functions(features)
    assert not has_network_functions(
        Features(schema_version="7.0.0", northd_version=northd, columns=REQUIRED_COLUMNS)
    )
