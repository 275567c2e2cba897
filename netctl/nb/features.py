"""What the connected northbound database can do, by schema and northd version; never by trying a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl.errors import Unsupported

# OVN 22.03 (NB schema 6.1.0) is the oldest that we compile for: every table and column below exists there.
OLDEST_SCHEMA = (6, 1, 0)
REQUIRED_COLUMNS: Mapping[str, frozenset[str]] = {
    "NB_Global": frozenset({"nb_cfg", "sb_cfg", "hv_cfg", "external_ids", "options"}),
    "Logical_Switch": frozenset({"name", "ports", "acls", "other_config", "external_ids"}),
    "Logical_Switch_Port": frozenset(
        {
            "name",
            "type",
            "addresses",
            "port_security",
            "enabled",
            "options",
            "dhcpv4_options",
            "dhcpv6_options",
            "tag",
            "parent_name",
            "tag_request",
            "external_ids",
        }
    ),
    "DHCP_Options": frozenset({"cidr", "options", "external_ids"}),
    "Logical_Router": frozenset(
        {"name", "ports", "nat", "static_routes", "policies", "options", "external_ids"}
    ),
    "Logical_Router_Port": frozenset(
        {"name", "mac", "networks", "ha_chassis_group", "options", "ipv6_ra_configs", "external_ids"}
    ),
    "NAT": frozenset({"type", "external_ip", "logical_ip", "logical_port", "external_mac", "external_ids"}),
    "Logical_Router_Static_Route": frozenset({"ip_prefix", "nexthop", "output_port", "bfd", "external_ids"}),
    "Logical_Router_Policy": frozenset({"priority", "match", "action", "nexthops", "external_ids"}),
    "BFD": frozenset({"logical_port", "dst_ip", "min_tx", "min_rx", "detect_mult", "status", "external_ids"}),
    "HA_Chassis_Group": frozenset({"name", "ha_chassis", "external_ids"}),
    "HA_Chassis": frozenset({"chassis_name", "priority", "external_ids"}),
    "ACL": frozenset(
        {
            "name",
            "direction",
            "priority",
            "match",
            "action",
            "log",
            "severity",
            "meter",
            "external_ids",
        }
    ),
    "Port_Group": frozenset({"name", "ports", "acls", "external_ids"}),
    "Address_Set": frozenset({"name", "addresses", "external_ids"}),
    "Meter": frozenset({"name", "unit", "fair", "bands", "external_ids"}),
    "Meter_Band": frozenset({"action", "rate", "burst_size", "external_ids"}),
}
# Columns that we write where they are. NAT.gateway_port: OVN 22.06. ACL.tier: OVN 23.06. Network functions: OVN 26.03.
OPTIONAL_COLUMNS: Mapping[str, frozenset[str]] = {
    "NAT": frozenset({"gateway_port"}),
    "ACL": frozenset({"tier", "network_function_group"}),
    "Network_Function": frozenset({"name", "id", "inport", "outport", "health_check", "external_ids"}),
    "Network_Function_Group": frozenset(
        {"name", "id", "mode", "fallback", "network_function", "external_ids"}
    ),
    "Network_Function_Health_Check": frozenset({"name", "options", "external_ids"}),
}
# What we look at: all that we may write.
WANTED_COLUMNS: Mapping[str, frozenset[str]] = {
    table: REQUIRED_COLUMNS.get(table, frozenset()) | OPTIONAL_COLUMNS.get(table, frozenset())
    for table in (*REQUIRED_COLUMNS, *(table for table in OPTIONAL_COLUMNS if table not in REQUIRED_COLUMNS))
}

# The first OVN with network functions that do without one that does not work (Network_Function_Group.fallback).
NETWORK_FUNCTIONS_SINCE = (26, 3)
# NB_Global.options, ovn-nb(5): between which addresses health checks of functions go. Without, none is ever healthy.
FUNCTION_PROBES: Mapping[str, str] = {
    "svc_monitor_ip": "169.254.254.1",
    "svc_monitor_ip_dst": "169.254.254.2",
}
_FUNCTION_TABLES = ("Network_Function", "Network_Function_Group", "Network_Function_Health_Check")

# CVE-2026-5367: ovn-controller answers DHCPv6 with the client's id and as much of its own memory as the client likes.
# Fixed in these releases, by branch, and in every later branch; branches that ended before are not (oss-security,
# 2026-04-20). No earlier version is safe.
# CVE-2026-5265: an ACL that rejects answers with as much of ovn-controller's memory; fixed with the same releases.
_LEAKS_FIXED: Mapping[tuple[int, ...], int] = {(24, 3): 8, (24, 9): 4, (25, 3): 3, (25, 9): 3, (26, 3): 1}
# For people.
SAFE_RELEASES = "OVN 24.03.8, 25.03.3, 25.09.3, 26.03.1 or newer"


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


def may_answer_dhcpv6(features: Features | None, *, trusted: bool = False) -> bool:
    """May OVN be asked to answer DHCPv6? Where it is safe, and where the operator vouches for it (`trusted`)."""
    return trusted or (features is not None and tells_no_memory(features))


def may_reject(features: Features | None, *, trusted: bool = False) -> bool:
    """May an ACL of OVN tell the sender? Where it is safe, and where the operator vouches for it (`trusted`)."""
    return trusted or (features is not None and tells_no_memory(features))


def has_network_functions(features: Features | None) -> bool:
    """Has this OVN network functions, in its schema and in northd? A server of unknown version has none."""
    if features is None or not features.has("ACL", "network_function_group"):
        return False
    wanted = (
        OPTIONAL_COLUMNS[table] <= features.columns.get(table, frozenset()) for table in _FUNCTION_TABLES
    )
    return all(wanted) and _northd(features)[:2] >= NETWORK_FUNCTIONS_SINCE


def tells_no_memory(features: Features) -> bool:
    """Is this OVN free of CVE-2026-5367 and CVE-2026-5265 by its version? One of unknown version is not.

    northd tells its own version; ovn-controller, which has the fault, is upgraded before it (ovn-upgrades(7)).
    """
    version = _northd(features)
    branch = version[:2]
    if branch in _LEAKS_FIXED:
        return version[2:] >= (_LEAKS_FIXED[branch],)
    return len(version) >= 2 and branch > max(_LEAKS_FIXED)


def _northd(features: Features) -> tuple[int, ...]:
    """Return northd's version, () when it says none."""
    try:
        return parse_version(features.northd_version.split("-", 1)[0])
    except ValueError:
        return ()
