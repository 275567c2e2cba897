"""What the lab tells the controller of its topology."""

from pathlib import Path

from netctl.lab.api import infrastructure
from netctl.lab.topology import parse_topology

FOLDER = Path(__file__).parents[3] / "containerlab"
TOPOLOGY = parse_topology((FOLDER / "two-hosts.clab.yml").read_text())


def test_each_resource_follows_what_it_refers_to() -> None:
    assert [name for name, _ in infrastructure(TOPOLOGY)] == [
        "clusters/lab",
        "virtualSwitches/vs0",
        "virtualSwitches/vs1",
        "hosts/h1",
        "hosts/h2",
    ]


def test_hosts_and_mtus_are_the_topologys() -> None:
    found = dict(infrastructure(TOPOLOGY))
    assert found["clusters/lab"].cluster.underlay_mtu_bytes == 9000
    assert found["virtualSwitches/vs1"].virtual_switch.mtu_bytes == 9000
    host = found["hosts/h2"].host
    assert host.tunnel_address == "192.168.77.12/24"
    assert host.tunnel_virtual_switch == "virtualSwitches/vs0"
    assert [(uplink.virtual_switch, list(uplink.interfaces)) for uplink in host.uplinks] == [
        ("virtualSwitches/vs0", ["eth1", "eth2"]),
        ("virtualSwitches/vs1", ["eth3"]),
    ]


def test_each_cluster_has_its_own_virtual_switches_hosts_and_underlay() -> None:
    found = dict(infrastructure(parse_topology((FOLDER / "two-clusters.clab.yml").read_text())))
    assert list(found) == [
        *("clusters/a", "clusters/b"),
        *("virtualSwitches/va0", "virtualSwitches/vb0"),
        *("hosts/a1", "hosts/b1"),
    ]
    assert [found[f"clusters/{c}"].cluster.underlay_mtu_bytes for c in "ab"] == [9000, 1600]
    assert (
        found["virtualSwitches/vb0"].virtual_switch.cluster == found["hosts/b1"].host.cluster == "clusters/b"
    )
