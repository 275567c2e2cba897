"""One-line forms and columns of the host's network: what people write of uplinks, functions, chains and mirrors."""

from __future__ import annotations

from typing import Any

import pytest

from netctl.cli.kinds import KINDS, parse_kind
from netctl.cli.messages import flatten
from netctl.cli.tables import columns_of, rows_of
from netctl.cli.values import set_path
from netctl.v1 import chain_pb2, infra_pb2, network_pb2, security_pb2


@pytest.mark.parametrize(
    ("message", "path", "given", "printed"),
    [
        (
            infra_pb2.Host(),
            "uplinks",
            ["vs0=eth1,eth2 active eth2 address 192.0.2.5/24,2001:db8::5/64"],
            "virtualSwitches/vs0=eth1,eth2 active eth2 address 192.0.2.5/24,2001:db8::5/64",
        ),
        (
            infra_pb2.Host(),
            "internal_ports",
            ["storage0=vs0/20 address 192.0.2.5/24 mtu 9000"],
            "storage0=virtualSwitches/vs0/20 address 192.0.2.5/24 mtu 9000",
        ),
        (infra_pb2.Host(), "internal_ports", ["storage0=vs0"], "storage0=virtualSwitches/vs0"),
        (
            infra_pb2.Host(),
            "internal_bridge",
            ["virbr0 address 192.168.5.1/24 port vnet0,vnet1"],
            "virbr0 address 192.168.5.1/24 port vnet0,vnet1",
        ),
        (
            chain_pb2.NetworkFunction(),
            "nic_pairs",
            ["fw1-in,fw1-out disabled"],
            "nics/fw1-in,nics/fw1-out disabled",
        ),
        (chain_pb2.NetworkFunction(), "nic_pairs", ["tap-1"], "nics/tap-1"),
        (chain_pb2.TrafficMirror(), "sources", ["nic/web-1 ingress"], "nics/web-1 ingress"),
        (chain_pb2.TrafficMirror(), "sources", ["vs/vs0"], "virtualSwitches/vs0"),
        (chain_pb2.ServiceChain(), "network_functions", ["firewall,nf/ids"], None),
        (network_pb2.Subnet(), "service_chain", ["inspect"], "serviceChains/inspect"),
    ],
    ids=str,
)
def test_forms_read_what_they_print(message: Any, path: str, given: list[str], printed: str | None) -> None:
    set_path(message, path, given)
    text = dict(flatten(message))[path]
    assert text == (printed or "networkFunctions/firewall, networkFunctions/ids")
    again = type(message)()
    set_path(again, path, [text])
    assert again == message


@pytest.mark.parametrize(
    ("message", "path", "text", "said"),
    [
        (infra_pb2.Host(), "uplinks", "vs0=eth1 active", "nothing follows 'active'"),
        (infra_pb2.Host(), "uplinks", "vs0=eth1 primary eth1", "'primary' is none of active, address"),
        (infra_pb2.Host(), "uplinks", "vs0", "VIRTUAL_SWITCH=INTERFACE"),
        (infra_pb2.Host(), "internal_ports", "storage0", "NAME=VIRTUAL_SWITCH"),
        (chain_pb2.NetworkFunction(), "nic_pairs", "a,b off", "INGRESS_NIC,EGRESS_NIC"),
        (chain_pb2.TrafficMirror(), "sources", "web-1", "nic/ID or vs/ID"),
        (chain_pb2.TrafficMirror(), "sources", "subnet/web", "nic/ID or vs/ID"),
        (chain_pb2.TrafficMirror(), "sources", "nic/web-1 sideways", "'sideways' is none of ingress"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_form(message: Any, path: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        set_path(message, path, [text])


def test_a_rule_names_a_chain_by_one_word() -> None:
    policy = security_pb2.SecurityPolicy()
    set_path(policy, "rules", ["scan allow from any tcp/80 through inspect"])
    (rule,) = policy.rules
    assert (rule.name, rule.service_chain, list(rule.peers)) == ("scan", "serviceChains/inspect", [])
    assert dict(flatten(policy))["rules.scan"] == "allow from any tcp/80 through serviceChains/inspect"


def cells(message: Any, word: str) -> dict[str, str]:
    columns = columns_of(parse_kind(word), wide=True)
    return dict(zip((column.header for column in columns), rows_of(columns, [message])[0], strict=True))


def test_columns_say_what_an_operator_looks_for() -> None:
    switch = infra_pb2.VirtualSwitch(
        name="virtualSwitches/vs0",
        bond_mode=infra_pb2.BOND_MODE_BALANCE_TCP,
        lacp_mode=infra_pb2.LACP_MODE_ACTIVE,
        lacp_timeout=infra_pb2.LACP_TIMEOUT_FAST,
        lacp_fallback=True,
        pending_hosts=["hosts/h2", "hosts/h3"],
        igmp_snooping=infra_pb2.IgmpSnooping(
            enabled=True, timeout_s=300, querier=True, querier_vlan_ids=[0, 5]
        ),
    )
    shown = cells(switch, "vs")
    assert (shown["BOND"], shown["WAITING-HOSTS"], shown["LACP"]) == (
        "balance-tcp",
        "h2,h3",
        "active fast, falls back",
    )
    assert shown["IGMP-SNOOPING"] == "300s, asks in 0,5"
    subnet = network_pb2.Subnet(kind=network_pb2.SUBNET_KIND_VLAN, service_chain="serviceChains/inspect")
    assert cells(subnet, "sn")["MIGRATION"] == ""
    subnet.migration.state = network_pb2.SubnetMigration.STATE_FAILED
    subnet.migration.moved_nics, subnet.migration.nics = 12, 40
    assert (cells(subnet, "sn")["MIGRATION"], cells(subnet, "sn")["CHAIN"]) == ("failed 12/40", "inspect")
    nic = network_pb2.Nic(
        kind=network_pb2.NIC_KIND_NETWORK_FUNCTION,
        network_function_side=network_pb2.NETWORK_FUNCTION_SIDE_INGRESS,
        model=network_pb2.NIC_MODEL_VIRTIO,
        queues=4,
    )
    assert (cells(nic, "nic")["KIND"], cells(nic, "nic")["MODEL"]) == (
        "network-function ingress",
        "virtio x4",
    )
    function = chain_pb2.NetworkFunction(
        mode=chain_pb2.FORWARDING_MODE_INLINE,
        failure_handling=chain_pb2.FAILURE_HANDLING_FAIL_OPEN,
        nic_pairs=[
            chain_pb2.NicPair(ingress_nic="nics/a", egress_nic="nics/b"),
            chain_pb2.NicPair(ingress_nic="nics/c", egress_nic="nics/d", disabled=True),
        ],
    )
    assert cells(function, "nf")["PAIRS"] == "a,b c,d(disabled)"
    assert cells(function, "nf")["ON-FAILURE"] == "fail-open"


def test_every_kind_has_one_short_word_of_its_own() -> None:
    shorts = [short for kind in KINDS for short in kind.shorts]
    assert len(shorts) == len(set(shorts))
    assert {parse_kind(word).word for word in ("nf", "sc", "chain", "tm", "mirror")} == {
        "networkfunction",
        "servicechain",
        "trafficmirror",
    }
