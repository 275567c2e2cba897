"""What the connected northbound database can do, by schema and northd version; never by trying a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl.errors import Unsupported

# OVN 22.03 (NB schema 6.1.0) is the oldest that we compile for: every table and column below exists there.
OLDEST_SCHEMA = (6, 1, 0)
REQUIRED_COLUMNS: Mapping[str, frozenset[str]] = {
    "NB_Global": frozenset({"nb_cfg", "sb_cfg", "hv_cfg", "external_ids", "options"}),
    "Logical_Switch": frozenset({"name", "ports", "other_config", "external_ids"}),
    "Logical_Switch_Port": frozenset(
        {
            "name",
            "type",
            "addresses",
            "port_security",
            "enabled",
            "options",
            "dhcpv4_options",
            "tag",
            "external_ids",
        }
    ),
    "DHCP_Options": frozenset({"cidr", "options", "external_ids"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The connected server: schema version `7.0.0`, northd's internal version ("" when northd never ran), columns."""

    schema_version: str
    northd_version: str = ""
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def has(self, table: str, column: str = "") -> bool:
        """Is the table (and column) in the schema?"""
        return table in self.columns and (not column or column in self.columns[table])


def parse_version(text: str) -> tuple[int, ...]:
    """Return `7.0.0` as (7, 0, 0); raises ValueError."""
    return tuple(int(part) for part in text.split("."))


def check_supported(features: Features) -> None:
    """Raise Unsupported, with what to install, when this northbound database lacks what we write."""
    if parse_version(features.schema_version) < OLDEST_SCHEMA:
        oldest = ".".join(map(str, OLDEST_SCHEMA))
        raise Unsupported(
            f"the northbound database has schema {features.schema_version}; netctl needs {oldest} or newer"
            " (OVN 22.03 or newer): upgrade ovn-central"
        )
    for table, columns in REQUIRED_COLUMNS.items():
        missing = sorted(columns - features.columns.get(table, frozenset()))
        if missing:
            raise Unsupported(
                f"the northbound schema {features.schema_version} lacks {table}.{missing[0]}:"
                " upgrade ovn-central to OVN 22.03 or newer"
            )
