"""compile: exact rows of VPCs, their subnets, connections, NAT and spokes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.compiler import identity
from netctl.compiler.observed import Observed
from netctl.model.intent import Intent
from netctl.model.keys import HostId, SubnetId
from netctl.model.subnet import IpConfig, Ipv6Mode
from netctl.model.vpc import ExternalConnection
from tests.intents import host, meta, uid_of
from tests.unit.compiler.rows import columns, marks, rows_of, tables
from tests.vpcs import connection, external, floating, guest, inside, mac_of, retold, routed, transit, vpc

BLUE, EXT, WEB = uid_of("blue"), uid_of("ext"), uid_of("web")
ROUTER = identity.router_uuid(BLUE)
OUTER, OUTER_NAME = identity.external_port_uuid(BLUE, EXT), f"lrp-{BLUE}-{EXT}"
EMPTY: frozenset[str] = frozenset()
DHCPV6 = Observed(dhcpv6=True)


def test_a_vpc_alone_is_a_router() -> None:
    rows = rows_of(replace(vpc("blue"), vni=777))
    assert set(rows) == {("Logical_Router", ROUTER)}
    assert columns(rows, "Logical_Router", ROUTER) == {
        "name": "blue",
        "options": {
            "requested-tnl-key": "777",
            "always_learn_from_arp_request": "false",
            "dynamic_neigh_routers": "true",
            "mac_binding_age_threshold": "300",
        },
        "external_ids": marks("vpcs", "blue"),
    }


def test_a_subnet_is_a_port_of_its_router() -> None:
    rows = rows_of(vpc("blue"), routed("web", ipv6="fd00:1::/64"))
    port, peer = identity.gateway_port_uuid(WEB), identity.gateway_peer_uuid(WEB)
    assert columns(rows, "Logical_Router_Port", port) == {
        "name": f"lrp-{WEB}",
        "mac": mac_of("web"),
        "networks": {"10.0.1.1/24", "fd00:1::1/64"},
        "ha_chassis_group": EMPTY,
        "options": {},
        "ipv6_ra_configs": {
            "address_mode": "slaac",
            "send_periodic": "true",
            "max_interval": "600",
            "min_interval": "200",
            "mtu": "1442",
        },
        "external_ids": marks("subnets", "web"),
    }
    assert columns(rows, "Logical_Switch_Port", peer) == {
        "name": f"lsp-{WEB}",
        "type": "router",
        "addresses": {"router"},
        "options": {"router-port": f"lrp-{WEB}"},
        "external_ids": marks("subnets", "web"),
    }
    assert ("Logical_Router", ROUTER, "ports", port) in rows
    assert ("Logical_Switch", identity.switch_uuid(WEB), "ports", peer) in rows
    assert not tables(rows, "NAT")


def test_a_subnet_without_its_vpc_or_gateway_is_not_routed() -> None:
    bare = replace(routed("web"), ipv4=IpConfig(version=4, cidr="10.0.1.0/24"), dhcp=None)
    for intents in ((routed("web"),), (vpc("blue"), bare)):
        assert not tables(rows_of(*intents), "Logical_Router_Port")


def test_a_connection_is_two_ports_and_its_gateways() -> None:
    rows = rows_of(vpc("blue", connection(gateways=("h2", "h1"))), external())
    peer, group = identity.external_peer_uuid(BLUE, EXT), identity.gateway_group_uuid(BLUE, EXT)
    first, second = (identity.gateway_uuid(BLUE, EXT, name) for name in ("h2", "h1"))
    own = marks("vpcs", "blue")
    assert columns(rows, "Logical_Router_Port", OUTER) == {
        "name": OUTER_NAME,
        "mac": mac_of("ext 10"),
        "networks": {"203.0.100.10/24"},
        "ha_chassis_group": {group},
        "options": {},
        "ipv6_ra_configs": {},
        "external_ids": own,
    }
    assert columns(rows, "Logical_Switch_Port", peer) == {
        "name": f"lsp-{BLUE}-{EXT}",
        "type": "router",
        "addresses": {"router"},
        "options": {
            "router-port": OUTER_NAME,
            "nat-addresses": "router",
            "exclude-lb-vips-from-garp": "true",
        },
        "external_ids": own,
    }
    assert columns(rows, "HA_Chassis_Group", group) == {
        "name": f"{BLUE}-{EXT}",
        "ha_chassis": {first, second},
        "external_ids": own,
    }
    assert columns(rows, "HA_Chassis", first) == {"chassis_name": "h2", "priority": 100, "external_ids": own}
    assert columns(rows, "HA_Chassis", second) == {"chassis_name": "h1", "priority": 99, "external_ids": own}
    assert ("Logical_Router", ROUTER, "ports", OUTER) in rows
    assert ("Logical_Switch", identity.switch_uuid(EXT), "ports", peer) in rows


def test_a_gateway_that_failed_comes_last() -> None:
    fallen = Observed(fallen=(HostId("h1"),))
    rows = rows_of(vpc("blue", connection(gateways=("h1", "h2"))), external(), observed=fallen)
    assert columns(rows, "HA_Chassis", identity.gateway_uuid(BLUE, EXT, "h2"))["priority"] == 100
    assert columns(rows, "HA_Chassis", identity.gateway_uuid(BLUE, EXT, "h1"))["priority"] == 99


def test_a_subnet_leaves_by_snat_of_its_own_network() -> None:
    rows = rows_of(vpc("blue", connection()), external(), routed("web"))
    (row,) = tables(rows, "NAT")
    assert row == {
        "type": "snat",
        "external_ip": "203.0.100.10",
        "logical_ip": "10.0.1.0/24",
        "logical_port": EMPTY,
        "external_mac": EMPTY,
        "gateway_port": {OUTER},
        "external_ids": marks("subnets", "web"),
    }


def test_an_ovn_without_the_column_is_not_told_the_gateway_port() -> None:
    old = Observed(nat_gateway_port=False)
    rows = rows_of(vpc("blue", connection()), external(), routed("web"), observed=old)
    assert ["gateway_port" in row for row in tables(rows, "NAT")] == [False]


def test_each_family_is_translated_to_an_address_of_its_own() -> None:
    both = replace(connection(), ipv6_address="2001:db8:100::10")
    rows = rows_of(vpc("blue", both), external(ipv6=True), routed("web", ipv6="fd00:1::/64"))
    assert {(row["logical_ip"], row["external_ip"]) for row in tables(rows, "NAT")} == {
        ("10.0.1.0/24", "203.0.100.10"),
        ("fd00:1::/64", "2001:db8:100::10"),
    }


def test_the_outside_is_kept_from_private_addresses_where_there_is_nat() -> None:
    rows = rows_of(vpc("blue", connection()), external(), routed("web"))
    (row,) = tables(rows, "Logical_Router_Policy")
    assert row == {
        "priority": 30_000,
        "match": f'inport == "{OUTER_NAME}" && outport == "lrp-{WEB}" && (!ct.trk || (!ct.dnat && !ct.rel))',
        "action": "drop",
        "nexthops": EMPTY,
        "external_ids": marks("subnets", "web"),
    }


def test_a_routed_external_subnet_translates_and_keeps_out_nothing() -> None:
    rows = rows_of(vpc("blue", connection()), external(nat=False), routed("web"))
    assert not tables(rows, "NAT")
    assert not tables(rows, "Logical_Router_Policy")


@pytest.mark.parametrize(
    ("external_mtu", "web_mtu", "db_mtu", "told"),
    [
        (1500, 1442, 1442, {}),
        (1300, 1442, 1442, {"ext": "1300"}),
        (1500, 1300, 1442, {"web": "1300"}),
        (1200, 1300, 1442, {"web": "1300", "ext": "1200"}),
    ],
)
def test_who_sends_too_large_packets_is_told(
    external_mtu: int, web_mtu: int, db_mtu: int, told: dict[str, str]
) -> None:
    rows = rows_of(
        vpc("blue", connection()),
        external(mtu_bytes=external_mtu),
        routed("web", mtu_bytes=web_mtu),
        routed("db", third=2, mtu_bytes=db_mtu),
    )
    ports = {
        "ext": OUTER,
        "web": identity.gateway_port_uuid(WEB),
        "db": identity.gateway_port_uuid(uid_of("db")),
    }
    for name, port in ports.items():
        want = {"gateway_mtu": told[name]} if name in told else {}
        assert columns(rows, "Logical_Router_Port", port)["options"] == want


@pytest.mark.parametrize(
    ("mode", "observed", "address_mode", "answers"),
    [
        (Ipv6Mode.STATIC, DHCPV6, None, None),
        (Ipv6Mode.SLAAC, DHCPV6, "slaac", None),
        (Ipv6Mode.DHCPV6_STATELESS, DHCPV6, "dhcpv6_stateless", {"dhcpv6_stateless": "true"}),
        (Ipv6Mode.DHCPV6_STATEFUL, DHCPV6, "dhcpv6_stateful", {}),
        # CVE-2026-5367: OVN is not asked to answer.
        (Ipv6Mode.DHCPV6_STATELESS, Observed(), "slaac", None),
        (Ipv6Mode.DHCPV6_STATEFUL, Observed(), "dhcpv6_stateful", None),
    ],
)
def test_how_guests_learn_their_ipv6_addresses(
    mode: Ipv6Mode, observed: Observed, address_mode: str | None, answers: dict[str, str] | None
) -> None:
    subnet = replace(routed("web", ipv6="fd00:1::/64"), ipv6_mode=mode)
    nic = replace(guest("g1"), ipv6_address="fd00:1::5")
    blue = vpc("blue", dns_servers=("192.0.2.53", "2001:db8::53"))
    rows = rows_of(blue, subnet, nic, observed=observed)
    told = columns(rows, "Logical_Router_Port", identity.gateway_port_uuid(WEB))["ipv6_ra_configs"]
    assert isinstance(told, dict)
    assert told.get("address_mode") == address_mode
    assert told.get("rdnss") == ("2001:db8::53" if address_mode else None)
    lease = identity.dhcpv6_uuid(WEB)
    port = columns(rows, "Logical_Switch_Port", identity.port_uuid(uid_of("g1")))
    if answers is None:
        assert ("DHCP_Options", lease) not in rows
        assert port["dhcpv6_options"] == EMPTY
    else:
        assert port["dhcpv6_options"] == frozenset({lease})
        assert columns(rows, "DHCP_Options", lease) == {
            "cidr": "fd00:1::/64",
            "options": {"server_id": mac_of("web"), "dns_server": "{2001:db8::53}", **answers},
            "external_ids": marks("subnets", "web"),
        }


def test_search_domains_are_advertised_and_not_told_by_dhcpv6() -> None:
    """OVN makes one label of them by DHCPv6; in advertisements it takes a blank for a part of the name."""
    web = replace(routed("web", ipv6="fd00:1::/64"), ipv6_mode=Ipv6Mode.DHCPV6_STATEFUL)
    assert web.dhcp is not None
    web = replace(web, dhcp=replace(web.dhcp, domain_search=("a.example", "b.example")))
    rows = rows_of(vpc("blue"), web, observed=DHCPV6)
    told = columns(rows, "Logical_Router_Port", identity.gateway_port_uuid(WEB))["ipv6_ra_configs"]
    assert isinstance(told, dict)
    assert told["dnssl"] == "a.example,b.example"
    answers = columns(rows, "DHCP_Options", identity.dhcpv6_uuid(WEB))["options"]
    assert answers == {"server_id": mac_of("web")}


def test_a_subnet_without_dns_servers_has_those_of_its_vpc() -> None:
    blue, web = vpc("blue", dns_servers=("192.0.2.53", "2001:db8::53")), routed("web")
    assert web.dhcp is not None
    own = replace(web, dhcp=replace(web.dhcp, dns_servers=("10.0.1.9",)))
    for subnet, servers in ((web, "{192.0.2.53}"), (own, "{10.0.1.9}")):
        options = columns(rows_of(blue, subnet), "DHCP_Options", identity.dhcpv4_uuid(WEB))["options"]
        assert isinstance(options, dict)
        assert options["dns_server"] == servers


FIP = identity.floating_uuid(uid_of("fip"))
WORLD = (vpc("blue", connection()), external(), routed("web"), guest("g1"))


def test_a_floating_ip_is_translated_on_the_host_of_its_nic() -> None:
    rows = rows_of(*WORLD, floating(nic="g1"))
    assert columns(rows, "NAT", FIP) == {
        "type": "dnat_and_snat",
        "external_ip": "203.0.100.50",
        "logical_ip": "10.0.1.5",
        "logical_port": {uid_of("g1")},
        "external_mac": {mac_of("fip")},
        "gateway_port": {OUTER},
        "external_ids": marks("floatingIps", "fip"),
    }
    assert ("Logical_Router", ROUTER, "nat", FIP) in rows


@pytest.mark.parametrize(
    "intents",
    [
        (*WORLD, floating(private="10.0.1.5")),
        (*WORLD, host("h1", uplink=""), floating(nic="g1")),
        (*WORLD[:3], guest("g1", host=""), floating(nic="g1")),
    ],
    ids=["private address", "host without uplink", "floating NIC"],
)
def test_a_floating_ip_is_translated_at_the_gateway_where_no_host_can(intents: tuple[Intent, ...]) -> None:
    row = columns(rows_of(*intents), "NAT", FIP)
    assert (row["logical_ip"], row["logical_port"], row["external_mac"]) == ("10.0.1.5", EMPTY, EMPTY)


@pytest.mark.parametrize(
    "intents",
    [
        (*WORLD, floating()),
        (*WORLD[1:], vpc("blue"), floating(nic="g1")),
        (*WORLD, floating(nic="nobody")),
    ],
    ids=["with nothing", "of a VPC that is not connected", "with a NIC that is gone"],
)
def test_a_floating_ip_that_stands_for_nothing_has_no_row(intents: tuple[Intent, ...]) -> None:
    assert ("NAT", FIP) not in rows_of(*intents)


def test_a_floating_ip_of_another_family_takes_the_nics_address_of_that_family() -> None:
    wide = replace(connection(), ipv6_address="2001:db8:100::10")
    world = (
        vpc("blue", wide),
        external(ipv6=True),
        routed("web", ipv6="fd00:1::/64"),
        replace(guest("g1"), ipv6_address="fd00:1::5"),
    )
    rows = rows_of(*world, floating(nic="g1", address="2001:db8:100::50"))
    assert columns(rows, "NAT", FIP)["logical_ip"] == "fd00:1::5"


HUB = (
    transit("hub", connection(number=20)),
    external(),
    inside(),
    vpc(
        "blue",
        ExternalConnection(
            subnet=SubnetId("transfer"), ipv4_address="100.64.0.10", mac_address=mac_of("blue hub")
        ),
        externally_routable_prefixes=("10.0.1.0/24", "fd00:1::/64"),
    ),
    routed("web"),
)


def test_a_spoke_is_routed_and_translated_by_its_transit_vpc() -> None:
    rows = rows_of(*HUB)
    hub, transfer = uid_of("hub"), uid_of("transfer")
    router, own = identity.router_uuid(hub), marks("vpcs", "blue")
    row = identity.spoke_route_uuid(BLUE, transfer, "10.0.1.0/24")
    assert tables(rows, "Logical_Router_Static_Route") == [
        {
            "ip_prefix": "10.0.1.0/24",
            "nexthop": "100.64.0.10",
            "output_port": {f"lrp-{transfer}"},
            "bfd": EMPTY,
            "external_ids": own,
        }
    ]
    assert ("Logical_Router", router, "static_routes", row) in rows
    nat = identity.snat_uuid(BLUE, hub, EXT, "10.0.1.0/24")
    assert columns(rows, "NAT", nat)["external_ip"] == "203.0.100.20"
    assert columns(rows, "NAT", nat)["logical_ip"] == "10.0.1.0/24"
    assert columns(rows, "NAT", nat)["external_ids"] == own
    assert ("Logical_Router", router, "nat", nat) in rows
    # The hub's own external subnet, for spokes that translate to addresses in it.
    assert ("NAT", identity.snat_uuid(transfer, hub, EXT, "100.64.0.0/24")) in rows
    spoke_port = columns(rows, "Logical_Router_Port", identity.external_port_uuid(BLUE, transfer))
    assert spoke_port["ha_chassis_group"] == EMPTY


def test_vpcs_with_the_same_networks_share_no_row_and_no_reference() -> None:
    """Nothing of one tenant stands in another's rows, be their subnets named by the same addresses."""
    green = (
        vpc("green", connection(number=11)),
        replace(routed("red", of="green"), ipv4=routed("web").ipv4),
        replace(guest("g9", "red"), ipv4_address="10.0.1.5"),
    )
    alone, together = rows_of(*WORLD), rows_of(*WORLD, *green)
    assert {key: together[key] for key in alone} == alone
    theirs = {uid_of(name) for name in ("blue", "web", "g1")}
    for key in together.keys() - alone.keys():
        assert not any(uid in repr(together[key]) for uid in theirs)
        assert not any(part in repr(together[key]) for part in (ROUTER, OUTER))


def test_a_vpc_of_the_same_name_is_another_router() -> None:
    blue, web = vpc("blue", connection()), routed("web")
    again = replace(blue, meta=retold(blue.meta, "blue again"))
    before, after = rows_of(blue, external(), web), rows_of(again, external(), web)
    routers = {key[1] for key in before if key[0] == "Logical_Router"}
    assert routers.isdisjoint(key[1] for key in after if key[0] == "Logical_Router")


def test_rows_do_not_depend_on_revisions() -> None:
    blue = vpc("blue", connection())
    touched = replace(blue, meta=meta("blue", 9, updated=True))
    world = (external(), routed("web"))
    assert rows_of(blue, *world) == rows_of(touched, *world)
