"""The limit and the peer of the VPC benchmark leave the very rows that were recorded."""

from pathlib import Path
from typing import Any

import pytest

from bench import vpc_peers
from bench.ports import RawClient
from bench.recorded import Object, load, operations_of, record, save
from bench.vpc_layout import HOPS
from netctl.nb.rows import ID_KEY, KIND_KEY, row_uuid
from tests.servers import ovsdb_server


def marks(kind: str, id: str) -> dict[str, Any]:
    return {"external_ids": ["map", [[ID_KEY, id], [KIND_KEY, kind]]]}


def insert(table: str, name: str, /, **columns: Any) -> dict[str, Any]:
    return {"op": "insert", "table": table, "uuid": row_uuid(table, name), "row": columns}


def reference(table: str, *names: str) -> list[Any]:
    return ["set", [["uuid", row_uuid(table, name)] for name in names]]


PORT, ROUTER_PORT, ROUTE = "Logical_Switch_Port", "Logical_Router_Port", "Logical_Router_Static_Route"
VPC, SUBNET, NIC = marks("vpcs", "v1"), marks("subnets", "v1-s0"), marks("nics", "v1-s0-0")
LAYOUT = [
    insert("Logical_Switch", "out", name="out", ports=reference(PORT, "out-v1"), **marks("subnets", "out")),
    insert("HA_Chassis", "v1", chassis_name="h1", priority=5, **VPC),
    insert("HA_Chassis_Group", "v1", name="v1", ha_chassis=reference("HA_Chassis", "v1"), **VPC),
    insert(
        ROUTER_PORT,
        "out",
        name="lrp-out",
        mac="0a:00:00:00:00:01",
        networks="100.64.0.9/16",
        ha_chassis_group=reference("HA_Chassis_Group", "v1"),
        **VPC,
    ),
    insert(
        PORT, "out-v1", name="lsp-out", type="router", options=["map", [["router-port", "lrp-out"]]], **VPC
    ),
    insert(
        "Logical_Router",
        "v1",
        name="v1",
        ports=reference(ROUTER_PORT, "out", "s0"),
        nat=reference("NAT", "s0"),
        static_routes=reference(ROUTE, "r"),
        **VPC,
    ),
    insert(ROUTER_PORT, "s0", name="lrp-s0", mac="0a:00:00:00:00:02", networks="10.0.0.1/24", **SUBNET),
    insert("Logical_Switch", "s0", name="s0", ports=reference(PORT, "n0"), **SUBNET),
    insert("DHCP_Options", "s0", cidr="10.0.0.0/24", **SUBNET),
    insert(
        "NAT",
        "s0",
        type="snat",
        external_ip="100.64.0.9",
        logical_ip="10.0.0.0/24",
        gateway_port=reference(ROUTER_PORT, "out"),
        **SUBNET,
    ),
    insert(
        PORT,
        "n0",
        name="n0",
        addresses=["set", ["0a:00:00:00:00:03 10.0.0.3", "unknown"]],
        enabled=True,
        dhcpv4_options=reference("DHCP_Options", "s0"),
        **NIC,
    ),
    insert(ROUTE, "r", ip_prefix="0.0.0.0/0", nexthop="100.64.0.1", **marks("routes", "v1")),
    insert("Logical_Switch", "foreign", name="foreign"),
]


def content(objects: list[Object]) -> list[Object]:
    for object in objects:
        object.rows.sort(key=lambda row: row[1])
        object.members.sort()
    return objects


@pytest.fixture
def recorded(tmp_path: Path) -> list[Object]:
    with ovsdb_server(tmp_path, "nb") as server:
        with RawClient(str(server.socket)) as client:
            client.transact(LAYOUT)
        return content(record(str(server.socket)))


def test_an_object_holds_its_rows_and_adds_them_to_those_of_others(recorded: list[Object]) -> None:
    assert [(object.kind, object.id, len(object.rows), len(object.members)) for object in recorded] == [
        ("subnets", "out", 1, 0),
        ("vpcs", "v1", 5, 2),
        ("subnets", "v1-s0", 4, 2),
        ("nics", "v1-s0-0", 1, 1),
        ("routes", "v1", 1, 1),
    ]


@pytest.mark.parametrize("way", [vpc_peers.RAW, vpc_peers.PEER])
def test_each_way_leaves_the_same_rows(recorded: list[Object], tmp_path: Path, way: str) -> None:
    file = tmp_path / "recorded.json"
    save(recorded, file)
    assert load(file) == recorded
    with ovsdb_server(tmp_path, "nb") as server:
        count, _, _ = vpc_peers.write(way, file, server.remote)
        assert count == sum(len(object.rows) for object in recorded)
        assert content(record(str(server.socket))) == recorded


def test_a_transaction_for_one_object_needs_only_those_before_it(
    recorded: list[Object], tmp_path: Path
) -> None:
    with ovsdb_server(tmp_path, "nb") as server, RawClient(str(server.socket)) as client:
        for object in recorded:
            client.transact(operations_of([object]))
        assert content(record(str(server.socket))) == recorded


def test_the_peer_changes_a_route_each_time(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server, RawClient(str(server.socket)) as client:
        vpc_peers.make_router(client, row_uuid(ROUTE, "foreign"))
        assert len(vpc_peers.change(3, server.remote)) == 3
        (found,) = client.transact([{"op": "select", "table": ROUTE, "where": [], "columns": ["nexthop"]}])
        assert [row["nexthop"] for row in found["rows"]] == [HOPS[1]]
