"""Leaf switches and their link aggregation groups are read strictly; their cables are found by either end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from netctl.errors import InvalidIntent, NotFound
from netctl.lab import daemons
from netctl.lab.cables import find_cables
from netctl.lab.daemons import Place
from netctl.lab.switches import Lag
from netctl.lab.topology import FABRIC, Node, parse_topology
from netctl.lab.wiring import data_cables

FILE = Path(__file__).parents[3] / "containerlab" / "bonded-hosts.clab.yml"
TOPOLOGY = parse_topology(FILE.read_text())
Change = Callable[[dict[str, Any]], object]


def leaf(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["topology"]["nodes"]["leaf1"]
    return found


def changed(change: Change) -> str:
    document = yaml.safe_load(FILE.read_text())
    change(document)
    return yaml.safe_dump(document, sort_keys=False)


def test_the_shipped_file_has_a_leaf_switch_with_a_group_for_each_host() -> None:
    [switch] = TOPOLOGY.switches
    assert switch.id == "leaf1"
    assert switch.lags == tuple(
        Lag(name=host, ports=(f"{host}-eth1", f"{host}-eth2")) for host in ("h1", "h2")
    )
    assert switch.lag("h2").port == "lag-h2"
    assert TOPOLOGY.bridges == ("fabric1",)
    assert TOPOLOGY.mtu_bytes("vs0") == 9000


WHERE = "topology.nodes.leaf1.labels.netctl.lag"


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"netctl.lag.h1": "h1-eth1,h1-eth9"}, f"{WHERE}.h1"),
        ({"netctl.lag.h1": "h1-eth1"}, f"{WHERE}.h1"),
        ({"netctl.lag.h1": "h1-eth1,h1-eth2", "netctl.lag.h2": "h1-eth2,h2-eth1"}, f"{WHERE}.h2"),
        ({"netctl.lag.much-too-long": "h1-eth1,h1-eth2"}, f"{WHERE}.much-too-long"),
        ({"netctl.lacp": "on"}, "topology.nodes.leaf1.labels.netctl.lacp"),
    ],
)
def test_a_group_that_cannot_be_is_refused_with_its_label(labels: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidIntent) as refused:
        parse_topology(changed(lambda document: leaf(document).update(labels=labels)))
    assert refused.value.field == field


def test_an_unknown_group_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidIntent, match="no group h9 on leaf1; there are h1, h2"):
        TOPOLOGY.switches[0].lag("h9")


def test_a_switchs_ports_are_in_the_fabric_and_in_no_linux_bridge() -> None:
    ports = [
        end for cable in data_cables("x", TOPOLOGY) for end in cable.ends if end.namespace.endswith(FABRIC)
    ]
    assert {port.interface for port in ports} >= {"h1-eth1", "h2-eth2", "up-eth1", "central"}
    assert {
        port.bridge for port in ports if "eth3" not in port.interface and "eth4" not in port.interface
    } == {""}


def test_a_cable_is_found_by_either_end_and_all_of_a_node_by_the_node() -> None:
    [by_host] = find_cables("x", TOPOLOGY, "h1:eth1")
    [by_port] = find_cables("x", TOPOLOGY, "leaf1:h1-eth1")
    assert by_host == by_port
    assert by_host.ends[0].namespace.endswith(FABRIC), "the end that is pulled"
    [management] = find_cables("x", TOPOLOGY, "h2:eth0")
    assert {end.interface for end in management.ends} == {"mgmt-h2", "eth0"}
    assert len(find_cables("x", TOPOLOGY, "leaf1")) == 6
    assert len(find_cables("x", TOPOLOGY, "h1")) == 4
    for unknown in ("h9", "h1:eth9"):
        with pytest.raises(NotFound, match=r"there are .*h1:eth1"):
            find_cables("x", TOPOLOGY, unknown)


def test_the_fabric_runs_a_switch_and_its_lldp_only_where_there_is_one() -> None:
    place = Place(lab="x", central=TOPOLOGY.central, node=Node(id=FABRIC, management_ip=""))
    found = {daemon.name: daemon for daemon in daemons.fabric(place, TOPOLOGY)}
    assert list(found) == [daemons.OVSDB, daemons.VSWITCHD, "lldp-leaf1"]
    assert set(found["lldp-leaf1"].argv) >= {"leaf1", "h1-eth1", "h2-eth2", "central"}
    plain = parse_topology(FILE.with_name("two-hosts.clab.yml").read_text())
    assert daemons.fabric(place, plain) == ()
