"""Which set columns hold members, and which keys of map columns are ours."""

from __future__ import annotations

from collections.abc import Mapping

from netctl.nb.rows import ID_KEY, KIND_KEY, OWNER_KEY

# Set columns whose elements are facts of their own (nb/rows.py, Member): others add to them too, and they grow large.
MEMBER_COLUMNS: Mapping[str, frozenset[str]] = {
    "Logical_Switch": frozenset({"ports", "acls"}),
    "Port_Group": frozenset({"ports", "acls"}),
    "Logical_Router": frozenset({"ports", "nat", "static_routes", "policies"}),
}

# Those of them that refer weakly: a port may be in groups of others as well, and there it is their member, not ours.
WEAK_COLUMNS = frozenset({("Port_Group", "ports")})

_IDENTITY = frozenset({OWNER_KEY, KIND_KEY, ID_KEY})

# Keys that a compiler may write. One that is here and no longer desired is removed; any other key is foreign and stays.
MANAGED_KEYS: Mapping[tuple[str, str], frozenset[str]] = {
    ("Logical_Switch", "external_ids"): _IDENTITY,
    ("Logical_Switch", "other_config"): frozenset({"requested-tnl-key", "vlan-passthru"}),
    ("Logical_Switch_Port", "external_ids"): _IDENTITY,
    ("Logical_Switch_Port", "options"): frozenset(
        {
            "network_name",
            "requested-chassis",
            "activation-strategy",
            "router-port",
            "nat-addresses",
            "exclude-lb-vips-from-garp",
            "is-nf",
            "nf-linked-port",
            "lsp_learn_fdb",
            "receive_multicast",
        }
    ),
    ("Logical_Router", "external_ids"): _IDENTITY,
    ("Logical_Router", "options"): frozenset(
        {
            "requested-tnl-key",
            "always_learn_from_arp_request",
            "dynamic_neigh_routers",
            "mac_binding_age_threshold",
        }
    ),
    ("Logical_Router_Port", "external_ids"): _IDENTITY,
    ("Logical_Router_Port", "options"): frozenset({"gateway_mtu"}),
    ("Logical_Router_Port", "ipv6_ra_configs"): frozenset(
        {"address_mode", "send_periodic", "max_interval", "min_interval", "mtu", "rdnss", "dnssl"}
    ),
    ("Logical_Router_Static_Route", "external_ids"): _IDENTITY,
    ("Logical_Router_Policy", "external_ids"): _IDENTITY,
    ("NAT", "external_ids"): _IDENTITY,
    ("BFD", "external_ids"): _IDENTITY,
    ("HA_Chassis_Group", "external_ids"): _IDENTITY,
    ("HA_Chassis", "external_ids"): _IDENTITY,
    ("ACL", "external_ids"): _IDENTITY,
    ("Port_Group", "external_ids"): _IDENTITY,
    ("Address_Set", "external_ids"): _IDENTITY,
    ("Meter", "external_ids"): _IDENTITY,
    ("Meter_Band", "external_ids"): _IDENTITY,
    ("Network_Function", "external_ids"): _IDENTITY,
    ("Network_Function_Group", "external_ids"): _IDENTITY,
    ("Network_Function_Health_Check", "external_ids"): _IDENTITY,
    ("Network_Function_Health_Check", "options"): frozenset(
        {"interval", "timeout", "success_count", "failure_count"}
    ),
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
            "domain_search",  # not written any more (compiler/dhcp.py), but removed where it is
            "dhcpv6_stateless",
            "tftp_server",
            "bootfile_name",
            "classless_static_route",
        }
    ),
}
