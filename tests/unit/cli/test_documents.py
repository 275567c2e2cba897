"""YAML into resources."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from netctl.cli.documents import read_documents
from netctl.cli.failures import Failure
from netctl.cli.messages import render_json
from netctl.model.intent import Intent, key_of
from netctl.server.nouns import BY_KIND
from netctl.v1 import network_pb2
from tests.unit.server import vpc_nouns


def read_one(text: str) -> Any:
    (document,) = read_documents(text, "f.yaml").items
    return document.resource


def test_every_spelling_of_a_subnet_is_the_same() -> None:
    snake = "kind: Subnet\nname: web\nsubnet_kind: vlan\nvirtual_switches: [vs0]\nvlan_id: 10\n"
    camel = (
        "kind: subnets\nname: subnets/web\nsubnetKind: SUBNET_KIND_VLAN\n"
        "virtualSwitches: [virtualSwitches/vs0]\nvlanId: '10'\n"
    )
    bare = "name: subnets/web\nkind: VLAN\nvirtual_switches: [vs0]\nvlan_id: 10\n"
    json = '{"name": "subnets/web", "kind": "vlan", "virtual_switches": ["vs0"], "vlan_id": 10}'
    expected = network_pb2.Subnet(
        name="subnets/web",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=("virtualSwitches/vs0",),
        vlan_id=10,
    )
    assert [read_one(text) for text in (snake, camel, bare, json)] == [expected] * 4


@pytest.mark.parametrize("mac", ["50:16:10:20:30:40", "50:6b:8d:00:00:01"])
def test_text_is_taken_as_written(mac: str) -> None:
    nic = read_one(
        f"kind: nic\nname: a\nmac_address: {mac}\nlabels: {{on: yes, version: 1.10, none: null}}\n"
    )
    assert nic.mac_address == mac, "YAML 1.1 reads the first one as a number of base 60"
    assert dict(nic.labels) == {"on": "yes", "version": "1.10", "none": ""}


def test_one_line_forms_and_messages_are_the_same() -> None:
    short = "kind: host\nname: h1\nuplinks: ['vs0=eth1,eth2']\n"
    long = "kind: host\nname: h1\nuplinks: [{virtual_switch: vs0, interfaces: [eth1, eth2]}]\n"
    assert read_one(short) == read_one(long)
    ranges = read_one("kind: subnet\nname: a\nipv4: {pools: [10.0.0.1-10.0.0.9, 10.0.0.20]}\n").ipv4.pools
    assert [(it.start, it.end) for it in ranges] == [("10.0.0.1", "10.0.0.9"), ("10.0.0.20", "10.0.0.20")]


def test_presence_and_false_are_told_apart() -> None:
    assert not read_one("kind: nic\nname: a\n").HasField("connected")
    assert not read_one("kind: nic\nname: a\nconnected: null\n").HasField("connected")
    nic = read_one("kind: nic\nname: a\nconnected: off\n")
    assert nic.HasField("connected")
    assert not nic.connected
    assert read_one("kind: subnet\nname: a\nipv4: {}\n").HasField("ipv4")


def test_documents_lists_and_sets() -> None:
    text = "kind: Cluster\nname: a\n---\n- {kind: Cluster, name: b}\n- {kind: Cluster, name: c}\n---\n---\nset: x\n"
    found = read_documents(text + "resources:\n- {kind: Cluster, name: d}\n", "f.yaml")
    assert found.set_name == "x"
    assert [(it.resource.name, it.where) for it in found.items] == [
        ("clusters/a", "f.yaml:1"),
        ("clusters/b", "f.yaml:4"),
        ("clusters/c", "f.yaml:5"),
        ("clusters/d", "f.yaml:10"),
    ]


def test_anchors_and_merges() -> None:
    text = "- &a {kind: Nic, name: a, subnet: web, labels: {tier: web}}\n- {<<: *a, name: b}\n"
    first, second = (document.resource for document in read_documents(text, "f.yaml").items)
    assert (second.name, second.subnet, second.labels["tier"]) == ("nics/b", first.subnet, "web")


def test_of_several_merges_the_first_counts_and_many_take_no_time() -> None:
    chain = ["- &a0 {kind: Nic, name: n0, subnet: web, host: h1}", "- &b {kind: Nic, name: b, host: h2}"]
    chain += [f"- &a{i} {{name: n{i}, <<: [{', '.join([f'*a{i - 1}'] * 9)}, *b]}}" for i in range(1, 30)]
    last = read_documents("\n".join(chain), "f.yaml").items[-1].resource
    assert (last.name, last.subnet, last.host) == ("nics/n29", "subnets/web", "hosts/h1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- &a {kind: Nic, name: a, <<: *a}\n", "1: `<<` merges this into itself"),
        ("kind: Subnet\nname: a\nvlanid: 1\n", "3: Subnet has no field 'vlanid'; did you mean 'vlan_id'?"),
        ("kind: Subnt\nname: a\n", "1: 'Subnt' is no kind; did you mean 'subnet'?"),
        ("name: a\n", "1: there is no `kind`; write one of Cluster, VirtualSwitch, Host, Vpc, Subnet, Nic, FloatingIp"),
        ("kind: Nic\n", "1: there is no `name`"),
        ("---\nkind: Nic\nname: a\n---\nkind: Nic\nname: nics/a\n", "5: nics/a is already in f.yaml:2"),
        ("kind: Nic\nname: subnets/a\n", "2: 'subnets/a' does not name a nic"),
        ("kind: Subnet\nname: a\nvlan_id: ten\n", "3: `vlan_id`: 'ten' is not a whole number"),
        ("kind: Subnet\nname: a\nvlan_id: 99999999999\n", "3: `vlan_id`: 99999999999 is too large"),
        ("kind: Nic\nname: a\nconnected: 2\n", "3: `connected`: '2' is neither true nor false"),
        ("kind: Nic\nname: a\nsubnet: [b]\n", "3: a single value belongs here"),
        ("kind: Nic\nname: a\nname: b\n", "3: 'name' is there twice"),
        ("kind: Host\nname: a\nuplinks: vs0=eth1\n", "3: `uplinks` is a list: write [a, b]"),
        ("kind: Subnet\nname: a\nipv4: 10.0.0.0/24\n", "3: `ipv4`: '10.0.0.0/24' is a single value"),
        ("just text\n", "1: this is not a mapping"),
        ("kind: [\n", "2: not YAML: "),
        ("\nkey: " + "[" * 100_000, "2: lists and mappings nest more than 100 deep"),
        ("- " * 100_000, "1: lists and mappings nest more than 100 deep"),
        ("set: a\nkind: Nic\n", "2: a document with `set` holds"),
        ("? [a]\n: b\n", "1: a single value belongs here"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_and_line(text: str, problem: str) -> None:
    with pytest.raises(Failure) as failure:
        read_documents(text, "f.yaml")
    assert failure.value.message.replace("document 1: ", "").startswith(f"f.yaml:{problem}")


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(vpc_nouns.intents)
def test_what_get_prints_of_any_resource_says_all_of_it(intent: Intent) -> None:
    noun = BY_KIND[key_of(intent)[0]]
    printed = render_json(noun.to_request(intent))
    (document,) = read_documents(yaml.safe_dump([printed], allow_unicode=True), "f").items
    assert noun.from_proto(document.resource) == intent
