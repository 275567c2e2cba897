"""The datapath benchmark's ways differ in what their names say."""

from bench import datapath, datapath_layout
from netctl.lab.topology import parse_topology
from netctl.v1 import security_pb2


def test_echoes_are_allowed_by_the_last_of_fifty_rules() -> None:
    rules = datapath_layout.policy().rules
    assert len(rules) == datapath_layout.RULES == 50
    icmp = [
        i
        for i, rule in enumerate(rules)
        for s in rule.services
        if s.protocol == security_pb2.SERVICE_PROTOCOL_ICMP
    ]
    assert icmp == [49]


def test_plain_ovs_has_an_uplink_that_netctl_does_not_use() -> None:
    topology = parse_topology(datapath_layout.topology(), name="bench")
    for host in topology.hosts:
        used = {interface for uplink in host.uplinks for interface in uplink.interfaces}
        wired = {end.interface for link in topology.links for end in link.ends if end.node == host.id}
        assert datapath_layout.PLAIN_UPLINK in wired - used


def test_every_way_has_a_vlan_of_its_own_and_each_target_two_ways() -> None:
    ways = {way.name: way for way in datapath.WAYS}
    assert len({way.vlan_id for way in ways.values()}) == len(ways) == len(datapath.WAYS)
    for target in datapath.TARGETS:
        assert ways[target.peer].plain
        assert ways[target.peer].functions == ways[target.way].functions
