"""Which set columns hold members, and which keys of map columns are ours."""

from __future__ import annotations

from collections.abc import Mapping

from netctl.nb.rows import ID_KEY, KIND_KEY, OWNER_KEY

# Set columns whose elements are facts of their own (nb/rows.py, Member): others add to them too, and they grow large.
MEMBER_COLUMNS: Mapping[str, frozenset[str]] = {"Logical_Switch": frozenset({"ports"})}

_IDENTITY = frozenset({OWNER_KEY, KIND_KEY, ID_KEY})

# Keys that a compiler may write. One that is here and no longer desired is removed; any other key is foreign and stays.
MANAGED_KEYS: Mapping[tuple[str, str], frozenset[str]] = {
    ("Logical_Switch", "external_ids"): _IDENTITY,
    ("Logical_Switch", "other_config"): frozenset({"requested-tnl-key"}),
    ("Logical_Switch_Port", "external_ids"): _IDENTITY,
    ("Logical_Switch_Port", "options"): frozenset({"network_name", "requested-chassis"}),
    ("DHCP_Options", "external_ids"): _IDENTITY,
    ("DHCP_Options", "options"): frozenset(
        {
            "server_id",
            "server_mac",
            "lease_time",
            "router",
            "mtu",
            "dns_server",
            "ntp_server",
            "domain_name",
            "domain_search_list",
            "tftp_server",
            "bootfile_name",
            "classless_static_route",
        }
    ),
}
