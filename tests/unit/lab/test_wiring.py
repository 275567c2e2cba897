"""Cables and addresses of a topology."""

from pathlib import Path

from netctl.lab.topology import parse_topology
from netctl.lab.wiring import data_cables, mac_address, management_cables

TOPOLOGY = parse_topology((Path(__file__).parents[3] / "containerlab" / "two-hosts.clab.yml").read_text())


def test_every_interface_is_made_once_and_has_an_address_of_its_own() -> None:
    ends = [
        end
        for cable in (*management_cables("x", TOPOLOGY), *data_cables("x", TOPOLOGY))
        for end in cable.ends
    ]
    assert len({(end.namespace, end.interface) for end in ends}) == len(ends) == 18
    addresses = [end.mac_address for end in ends if end.mac_address]
    assert len(set(addresses)) == len(addresses) == 15


def test_a_mac_address_is_stable_unicast_and_not_locally_administered() -> None:
    address = mac_address("x", "h1", "eth1")
    assert address == mac_address("x", "h1", "eth1")
    assert address != mac_address("y", "h1", "eth1")
    assert int(address[:2], 16) & 3 == 0


def test_data_links_join_the_bridges_that_the_file_names() -> None:
    bridges = {
        end.interface: end.bridge for cable in data_cables("x", TOPOLOGY) for end in cable.ends if end.bridge
    }
    assert bridges["h1-eth1"] == "fabric0"
    assert bridges["h2-eth3"] == "fabric1"
