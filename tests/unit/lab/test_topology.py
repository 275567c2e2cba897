"""A topology file is read strictly where it is ours, and every refusal names the key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from netctl.errors import InvalidIntent
from netctl.lab.topology import Endpoint, check_lab_name, parse_topology

FOLDER = Path(__file__).parents[3] / "containerlab"
FILE = FOLDER / "two-hosts.clab.yml"
Change = Callable[[dict[str, Any]], object]


def changed(change: Change, file: Path = FILE) -> str:
    document = yaml.safe_load(file.read_text())
    change(document)
    return yaml.safe_dump(document, sort_keys=False)


def test_the_shipped_file_is_two_hosts_with_two_virtual_switches() -> None:
    topology = parse_topology(FILE.read_text())
    assert topology.name == "two-hosts"
    assert topology.cluster == "lab"
    assert topology.virtual_switches == ("vs0", "vs1")
    assert topology.bridges == ("fabric0", "fabric1")
    assert [host.id for host in topology.hosts] == ["h1", "h2"]
    assert topology.hosts[0].tunnel_address == "192.168.77.11/24"
    assert topology.hosts[0].tunnel_virtual_switch == "vs0"
    assert topology.hosts[0].uplinks[0].interfaces == ("eth1", "eth2")
    assert topology.links[0].ends == (
        Endpoint(node="h1", interface="eth1"),
        Endpoint(node="fabric0", interface="h1-eth1"),
    )
    assert topology.mtu_bytes("vs0") == 9000


def test_a_name_given_replaces_the_files() -> None:
    assert parse_topology(FILE.read_text(), name="mine").name == "mine"


def test_the_smallest_mtu_of_a_virtual_switch_counts() -> None:
    topology = parse_topology(changed(lambda d: d["topology"]["links"][4].update(mtu=1600)))
    assert topology.mtu_bytes("vs0") == 1600
    assert topology.mtu_bytes("vs1") == 9000


def test_management_addresses_are_found_where_none_is_said() -> None:
    def change(document: dict[str, Any]) -> None:
        for node in document["topology"]["nodes"].values():
            node.pop("mgmt-ipv4", None)
        document["topology"]["nodes"]["h1"]["mgmt-ipv4"] = "192.168.76.2"

    topology = parse_topology(changed(change))
    addresses = [node.management_ip for node in topology.nodes]
    assert addresses == ["192.168.76.3", "192.168.76.2", "192.168.76.4"]


def test_keys_that_only_containerlab_uses_are_left_to_it() -> None:
    def change(document: dict[str, Any]) -> None:
        document["prefix"] = "__lab-name"
        document["topology"]["nodes"]["h1"] |= {"binds": ["/tmp:/tmp"], "exec": ["true"]}
        document["topology"]["nodes"]["h1"]["labels"]["color"] = "blue"

    assert len(parse_topology(changed(change)).hosts) == 2


def test_three_hosts_of_which_two_have_the_way_out_and_what_is_beyond() -> None:
    topology = parse_topology((FOLDER / "three-hosts.clab.yml").read_text())
    assert [host.id for host in topology.hosts] == ["h1", "h2", "h3"]
    assert [len(host.uplinks) for host in topology.hosts] == [2, 2, 1]
    assert (topology.mtu_bytes("vs0"), topology.mtu_bytes("vs1")) == (9000, 1500)
    [upstream] = topology.upstreams
    assert upstream in topology.nodes
    assert [(vlans.interface, vlans.vlan_ids) for vlans in upstream.vlans] == [
        ("eth1", (102,)),
        ("eth2", (100, 101)),
    ]
    assert ("ip", "addr", "add", "198.51.100.1/24", "dev", "eth2.100") in upstream.commands


def test_hosts_that_run_virtual_machines_and_those_that_share_a_store() -> None:
    topology = parse_topology((FOLDER / "compute-hosts.clab.yml").read_text())
    assert [(host.id, host.compute, host.store) for host in topology.hosts] == [
        ("h1", True, "shared"),
        ("h2", True, "shared"),
        ("h3", True, ""),
    ]
    assert not any(host.compute for host in parse_topology(FILE.read_text()).hosts)


@pytest.mark.parametrize(
    "labels",
    [
        {"netctl.compute": "yes"},
        {"netctl.compute": True},
        {"netctl.store": "shared"},
        {"netctl.compute": "true", "netctl.store": "../etc"},
        {"netctl.compute": "true", "netctl.store": 5},
    ],
)
def test_labels_of_virtual_machines_that_cannot_be(labels: dict[str, object]) -> None:
    label = list(labels)[-1]
    with pytest.raises(InvalidIntent) as raised:
        parse_topology(changed(lambda d: d["topology"]["nodes"]["h1"]["labels"].update(labels)))
    assert raised.value.field == f"topology.nodes.h1.labels.{label}"


def test_two_clusters_each_with_its_own_virtual_switch() -> None:
    topology = parse_topology((FOLDER / "two-clusters.clab.yml").read_text())
    assert topology.clusters == ("a", "b")
    assert [topology.cluster_of(switch) for switch in topology.virtual_switches] == ["a", "b"]
    assert [[host.id for host in topology.hosts_of(cluster)] for cluster in "ab"] == [["a1"], ["b1"]]


def upstream(document: dict[str, Any], **changes: object) -> None:
    document["topology"]["nodes"]["up"] = {"labels": {"netctl.role": "upstream"}} | changes


UP = "topology.nodes.up"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: upstream(d, exec="true"), f"{UP}.exec"),
        (lambda d: upstream(d, exec=["true", 1]), f"{UP}.exec"),
        (lambda d: upstream(d, exec=["true", "echo '"]), f"{UP}.exec[1]"),
        (lambda d: upstream(d, exec=[""]), f"{UP}.exec[0]"),
        (
            lambda d: upstream(d, labels={"netctl.role": "upstream", "netctl.vlans.eth1": "4095"}),
            f"{UP}.labels.netctl.vlans.eth1",
        ),
        (
            lambda d: upstream(d, labels={"netctl.role": "upstream", "netctl.vlans.eth1": "5"}),
            f"{UP}.labels.netctl.vlans.eth1",
        ),
        (lambda d: labels(d).update({"netctl.cluster": "x"}), "topology.nodes.h2.labels.netctl.uplink.vs0"),
    ],
)
def test_what_is_beyond_and_clusters_are_read_strictly(change: Change, field: str) -> None:
    with pytest.raises(InvalidIntent) as refused:
        parse_topology(changed(change))
    assert refused.value.field == field


def node(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["topology"]["nodes"][name]
    return found


def labels(document: dict[str, Any], name: str = "h1") -> dict[str, Any]:
    found: dict[str, Any] = node(document, name)["labels"]
    return found


H1 = "topology.nodes.h1"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d.pop("name"), "name"),
        (lambda d: d.update(name="Not/a name"), "name"),
        (lambda d: d.update(topology=[]), "topology"),
        (lambda d: d["mgmt"].update({"ipv4-subnet": "nonsense"}), "mgmt.ipv4-subnet"),
        (lambda d: d["mgmt"].update({"ipv4-subnet": "192.168.76.0/30"}), "topology.nodes.h1.mgmt-ipv4"),
        (lambda d: node(d, "h1").update({"mgmt-ipv4": "192.168.76.12"}), "topology.nodes.h2.mgmt-ipv4"),
        (lambda d: node(d, "h1").update(kind="nokia_srlinux"), f"{H1}.kind"),
        (lambda d: node(d, "h1").update(labels="host"), f"{H1}.labels"),
        (lambda d: labels(d).update({"netctl.role": "router"}), f"{H1}.labels.netctl.role"),
        (lambda d: labels(d).pop("netctl.role"), f"{H1}.labels.netctl.role"),
        (lambda d: labels(d).update({"netctl.rolle": "host"}), f"{H1}.labels.netctl.rolle"),
        (lambda d: labels(d).pop("netctl.tunnel-address"), f"{H1}.labels.netctl.tunnel-address"),
        (
            lambda d: labels(d).update({"netctl.tunnel-address": "10.0.0"}),
            f"{H1}.labels.netctl.tunnel-address",
        ),
        (
            lambda d: labels(d).update({"netctl.tunnel-virtual-switch": "vs7"}),
            f"{H1}.labels.netctl.tunnel-virtual-switch",
        ),
        (lambda d: labels(d).update({"netctl.uplink.vs0": "eth9"}), f"{H1}.labels.netctl.uplink.vs0"),
        (lambda d: labels(d).update({"netctl.uplink.vs1": "eth1"}), f"{H1}.labels.netctl.uplink.vs1"),
        (lambda d: node(d, "central")["labels"].update({"netctl.role": "host"}), "topology.nodes"),
        (
            lambda d: d["topology"]["nodes"].update({"much-too-long": {"labels": labels(d) | {}}}),
            "topology.nodes.much-too-long",
        ),
        (lambda d: d["topology"]["nodes"].update(br={"kind": "bridge"}), "topology.nodes.br"),
        (lambda d: d["topology"]["links"][0].update(endpoints=["h1:eth1"]), "topology.links[0].endpoints"),
        (
            lambda d: d["topology"]["links"][0].update(endpoints=["h1:eth0", "fabric0:x"]),
            "topology.links[0].endpoints",
        ),
        (
            lambda d: d["topology"]["links"][1].update(endpoints=["h1:eth1", "fabric0:x"]),
            "topology.links[1].endpoints",
        ),
        (
            lambda d: d["topology"]["links"][1].update(endpoints=["h9:eth1", "fabric0:x"]),
            "topology.links[1].endpoints",
        ),
        (lambda d: d["topology"]["links"][0].update(mtu=100), "topology.links[0].mtu"),
        (
            lambda d: d["topology"]["links"][2].update(endpoints=["h1:eth3", "fabric1:h1-eth1"]),
            "topology.links",
        ),
    ],
)
def test_a_refusal_names_the_key(change: Change, field: str) -> None:
    text = changed(change)
    with pytest.raises(InvalidIntent) as refused:
        parse_topology(text)
    assert refused.value.field == field
    assert refused.value.message


@pytest.mark.parametrize("text", ["", "[", "- a\n", "1: 2\n", "name: x\n\tbad"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(InvalidIntent):
        parse_topology(text)


def test_one_to_ten_hosts() -> None:
    def with_hosts(count: int) -> Change:
        def change(document: dict[str, Any]) -> None:
            nodes = document["topology"]["nodes"]
            template = nodes.pop("h1")
            nodes.pop("h2")
            document["topology"]["links"] = []
            for i in range(count):
                own = {"netctl.role": "host", "netctl.tunnel-address": f"10.9.0.{i + 1}/24"}
                nodes[f"n{i}"] = {"labels": own | {"netctl.uplink.vs0": "eth1"}}
                document["topology"]["links"].append({"endpoints": [f"n{i}:eth1", f"fabric0:n{i}"]})
            assert template

        return change

    assert len(parse_topology(changed(with_hosts(10))).hosts) == 10
    for count in (0, 11):
        with pytest.raises(InvalidIntent):
            parse_topology(changed(with_hosts(count)))


@pytest.mark.parametrize("name", ["a", "two-hosts", "t123-a"])
def test_names_for_labs(name: str) -> None:
    assert check_lab_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a.b", "a/b", "..", "a" * 32, "ä", "a\n"])
def test_no_names_for_labs(name: str) -> None:
    with pytest.raises(InvalidIntent):
        check_lab_name(name)
