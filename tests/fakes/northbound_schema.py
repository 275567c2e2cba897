"""The part of OVN's northbound schema that we write, as `tests/fakes/northbound.py` keeps to it."""

from __future__ import annotations

from collections.abc import Mapping

from netctl.errors import Rejected
from netctl.nb.rows import Value

NOTHING: Mapping[str, str] = {}
EMPTY: frozenset[str] = frozenset()
DEFAULTS: Mapping[str, Mapping[str, Value]] = {
    "Logical_Switch": {"name": "", "other_config": NOTHING, "external_ids": NOTHING},
    "Logical_Switch_Port": {
        "name": "",
        "type": "",
        "addresses": EMPTY,
        "port_security": EMPTY,
        "enabled": EMPTY,
        "options": NOTHING,
        "dhcpv4_options": EMPTY,
        "dhcpv6_options": EMPTY,
        "tag": EMPTY,
        "parent_name": EMPTY,
        "tag_request": EMPTY,
        "external_ids": NOTHING,
    },
    "DHCP_Options": {"cidr": "", "options": NOTHING, "external_ids": NOTHING},
    "Logical_Router": {"name": "", "options": NOTHING, "external_ids": NOTHING},
    "Logical_Router_Port": {
        "name": "",
        "mac": "",
        "networks": EMPTY,
        "ha_chassis_group": EMPTY,
        "options": NOTHING,
        "ipv6_ra_configs": NOTHING,
        "external_ids": NOTHING,
    },
    "NAT": {
        "type": "snat",
        "external_ip": "",
        "logical_ip": "",
        "logical_port": EMPTY,
        "external_mac": EMPTY,
        "gateway_port": EMPTY,
        "external_ids": NOTHING,
    },
    "Logical_Router_Static_Route": {
        "ip_prefix": "",
        "nexthop": "",
        "output_port": EMPTY,
        "bfd": EMPTY,
        "external_ids": NOTHING,
    },
    "Logical_Router_Policy": {
        "priority": 0,
        "match": "",
        "action": "allow",
        "nexthops": EMPTY,
        "external_ids": NOTHING,
    },
    "BFD": {
        "logical_port": "",
        "dst_ip": "",
        "min_tx": EMPTY,
        "min_rx": EMPTY,
        "detect_mult": EMPTY,
        "status": EMPTY,
        "external_ids": NOTHING,
    },
    "HA_Chassis_Group": {"name": "", "ha_chassis": EMPTY, "external_ids": NOTHING},
    "HA_Chassis": {"chassis_name": "", "priority": 0, "external_ids": NOTHING},
    "ACL": {
        "name": EMPTY,
        "direction": "from-lport",
        "priority": 0,
        "match": "",
        "action": "drop",
        "log": False,
        "severity": EMPTY,
        "meter": EMPTY,
        "tier": 0,
        "external_ids": NOTHING,
    },
    "Port_Group": {"name": "", "external_ids": NOTHING},
    "Address_Set": {"name": "", "addresses": EMPTY, "external_ids": NOTHING},
    "Meter": {"name": "", "unit": "pktps", "fair": EMPTY, "bands": EMPTY, "external_ids": NOTHING},
    "Meter_Band": {"action": "drop", "rate": 1, "burst_size": 0, "external_ids": NOTHING},
}
SETS = {
    "Logical_Switch": {"ports": "Logical_Switch_Port", "acls": "ACL"},
    "Port_Group": {"ports": "Logical_Switch_Port", "acls": "ACL"},
    "Logical_Router": {
        "ports": "Logical_Router_Port",
        "nat": "NAT",
        "static_routes": "Logical_Router_Static_Route",
        "policies": "Logical_Router_Policy",
    },
}
# Columns that refer to rows of another table: a strong reference keeps its row alive and may not dangle, a weak one
# is emptied when its row goes.
STRONG = {
    ("Logical_Router_Port", "ha_chassis_group"): "HA_Chassis_Group",
    ("HA_Chassis_Group", "ha_chassis"): "HA_Chassis",
    ("Meter", "bands"): "Meter_Band",
}
# Sets that hold no row, and lose what goes.
LOOSE = frozenset({("Port_Group", "ports")})
WEAK = frozenset({"dhcpv4_options", "dhcpv6_options", "gateway_port", "bfd"})
# Rows that die with the last that holds them.
TENDER = frozenset(
    {member for sets in SETS.values() for member in sets.values()} | {"HA_Chassis", "Meter_Band"}
)
UNIQUE = (
    ("Logical_Switch_Port", ("name",)),
    ("Logical_Router_Port", ("name",)),
    ("HA_Chassis_Group", ("name",)),
    ("BFD", ("logical_port", "dst_ip")),
    ("Port_Group", ("name",)),
    ("Address_Set", ("name",)),
    ("Meter", ("name",)),
)
_RANGES = {"tag": (1, 4095), "tag_request": (0, 4095), "priority": (0, 32_767)}


def references(columns: Mapping[str, Value], column: str) -> frozenset[str]:
    found = columns[column]
    return frozenset(map(str, found)) if isinstance(found, frozenset) else frozenset()


def check_columns(table: str, uuid: str, columns: Mapping[str, object]) -> None:
    """Refuse what the schema would: unknown columns, a number out of range, a port without networks, a NUL."""
    for column, value in columns.items():
        if column not in DEFAULTS.get(table, NOTHING):
            raise Rejected(f"{table} {uuid}: the connected schema has no column {column}")
        low, high = _RANGES.get(column, (0, 0))
        numbers = value if isinstance(value, frozenset) else (value,)
        if column in _RANGES and any(isinstance(n, int) and not low <= n <= high for n in numbers):
            raise Rejected(
                f"update {table} {uuid}: constraint violation: {value!r} is not in the valid range"
            )
        if column in ("networks", "bands") and not value:
            raise Rejected(f"update {table} {uuid}: constraint violation: {column} needs at least one")
        if "\\x00" in repr(value):
            raise Rejected(f"{table} {uuid}: a value holds a NUL")
