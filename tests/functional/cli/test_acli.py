"""netctl acli against the real server: what AHV's commands make of intents."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from netctl.cli.acli.commands import COMMANDS
from netctl.v1 import agent_pb2, agent_pb2_grpc
from tests.controllers import Controller
from tests.functional.cli.conftest import Ran, Run
from tests.unit.cli.acli.lines import LINES

SEED = "vm.nic_create fooVM vlan_mode=kTrunked trunked_networks=10,20,30 network=vlan.10"
MAC = "50:6b:8d:11:11:11"


@pytest.fixture
def acli(furnished: Run) -> Run:
    """Run one acli line; the subnet `web` of the furniture is VLAN 10 as a controller VLAN, so it goes first."""

    def run(line: str, expect: int = 0) -> Ran:
        return furnished("acli", line, expect=expect)

    furnished("delete", "subnet", "web")
    return run


@pytest.fixture
def agent(furnished: Run, controller: Controller) -> Iterator[None]:
    """Host h1 with four interfaces: two of 10 Gbit/s with a link, one without, one of 1 Gbit/s."""
    links = [
        agent_pb2.LinkReport(interface=name, present=True, up=up, speed_mbps=mbps, bridge=bridge)
        for name, up, mbps, bridge in (
            ("eth0", True, 1000, ""),
            ("eth1", True, 10000, "br0"),
            ("eth2", False, 10000, ""),
            ("eth3", True, 10000, ""),
        )
    ]
    bond = agent_pb2.BondReport(bond="br0-up", active_interface="eth1", up_interfaces=["eth1"])
    report = agent_pb2.HostReport(host_id="h1", agent_version="1", links=links, bonds=[bond])
    leaving = threading.Event()

    def say() -> Iterator[agent_pb2.ConnectRequest]:
        yield agent_pb2.ConnectRequest(report=report)
        leaving.wait(60)

    with grpc.insecure_channel(controller.address) as channel:
        stream = agent_pb2_grpc.AgentServiceStub(channel).Connect(say())
        assert next(iter(stream)).assignment.host_id == "h1", "the report is heard once the answer is there"
        yield
        leaving.set()
        stream.cancel()


def test_the_line_of_the_seed_makes_a_trunk(acli: Run) -> None:
    for vlan in (10, 20, 30):
        acli(f"net.create vlan.{vlan} vlan={vlan} ip_config=10.0.{vlan}.1/24")
    acli(SEED)
    (nic,) = acli("vm.get fooVM -o json").data["data"]["fooVM"]["config"]["resources"]
    assert nic["name"] == "nics/foovm-nic-0"
    assert nic["labels"] == {"vm": "fooVM"}
    assert (nic["subnet"], nic["mode"], nic["basic"]) == ("subnets/vlan-10", "NIC_MODE_TRUNK", True)
    assert [(it["vlan_id"], it["subnet"]) for it in nic["trunk_vlans"]] == [
        (20, "subnets/vlan-20"),
        (30, "subnets/vlan-30"),
    ], "the network's own VLAN is untagged in the guest"


def test_a_list_of_the_own_vlan_alone_is_no_trunk_of_all_vlans(acli: Run) -> None:
    acli("net.create vlan.10 vlan=10")
    acli("vm.nic_create a vlan_mode=kTrunked trunked_networks=10 network=vlan.10")
    acli("vm.nic_create b vlan_mode=kTrunked network=vlan.10")
    rows = acli("vm.nic_list a,b -o json").data["data"]
    assert [(row["vlan_mode"], row["trunked_networks"]) for row in rows] == [
        ("kAccess", []),
        ("kTrunked", ["all"]),
    ]


def test_a_network_from_its_making_to_its_end(acli: Run, furnished: Run) -> None:
    acli("net.create vlan.20 vlan=20 ip_config=10.1.1.1/24 annotation='General VM Network' mtu=1400")
    subnet = furnished("get", "subnet", "vlan-20", "-o", "json").data[0]
    assert (subnet["display_name"], subnet["kind"]) == ("vlan.20", "SUBNET_KIND_VLAN_BASIC")
    assert (subnet["virtual_switches"], subnet["vlan_id"]) == (["virtualSwitches/vs0"], 20)
    assert (subnet["ipv4"]["cidr"], subnet["ipv4"]["gateway"]) == ("10.1.1.0/24", "10.1.1.1")
    assert (subnet["labels"], subnet["mtu_bytes"]) == ({"annotation": "General VM Network"}, 1400)
    acli("net.add_dhcp_pool vlan.20 start=10.1.1.50 end=10.1.1.99")
    acli("net.add_dhcp_pool VLAN.20 start=10.1.1.150 end=10.1.1.199")
    acli("net.delete_dhcp_pool vlan-20 start=10.1.1.50")
    missing = acli("net.delete_dhcp_pool vlan.20 start=10.1.1.50", expect=4)
    assert "it has 10.1.1.150-10.1.1.199" in missing.err
    acli("net.update_dhcp_dns vlan.20 servers=10.1.1.2,10.1.1.3 domains=example.net")
    acli("net.update_dhcp_dns vlan.20 servers=10.1.1.4")
    subnet = acli("net.get vlan.20 -o json").data["data"]["vlan.20"]
    assert subnet["ipv4"]["pools"] == [{"start": "10.1.1.150", "end": "10.1.1.199"}]
    assert (subnet["dhcp"]["dns_servers"], subnet["dhcp"]["domain_search"]) == (["10.1.1.4"], ["example.net"])
    acli("vm.nic_create fooVM network=vlan.20")
    refused = acli("net.delete vlan.20", expect=1)
    assert "in use by nics/foovm-nic-0" in refused.err
    acli(f"vm.nic_delete fooVM {acli('vm.nic_list fooVM -o json').data['data'][0]['mac_addr']}")
    assert acli("net.delete vlan.20").lines == ["deleted    subnets/vlan-20"]
    assert acli("net.list -o json").data == {"status": 0, "data": [], "error": None}


def test_a_network_without_addresses_has_no_pools(acli: Run) -> None:
    acli("net.create vlan.20 vlan=20")
    for line in (
        "net.add_dhcp_pool vlan.20 start=10.1.1.5 end=10.1.1.9",
        "net.update_dhcp_dns vlan.20 servers=10.1.1.2",
    ):
        refused = acli(line, expect=1)
        assert "vlan.20 has no addresses of its own" in refused.err
        assert "ip_config=GATEWAY/PREFIX" in refused.err


def test_networks_of_all_stacks_are_listed(acli: Run, furnished: Run) -> None:
    furnished("create", "subnet", "ctl", "--kind", "vlan", "--virtual-switch", "vs0", "--vlan-id", "30")
    furnished(
        "create", "subnet", "over", "--kind", "overlay", "--cluster", "c1", "--ipv4-cidr", "10.9.0.0/24"
    )
    acli("net.create vlan.20 vlan=20 ip_config=10.1.1.1/24")
    rows = {row["name"]: row for row in acli("net.list -o json").data["data"]}
    stacks = {name: (row["stack"], row["id"], row["ip_config"]) for name, row in rows.items()}
    assert stacks == {
        "ctl": ("VLAN", 30, ""),
        "over": ("OVERLAY", None, "10.9.0.0/24"),
        "vlan.20": ("VLAN_BASIC", 20, "10.1.1.1/24"),
    }
    header, *lines = acli("net.list").lines
    assert header.split() == ["NETWORK", "UUID", "VLAN", "IP-CONFIG", "STACK", "VSWITCH", "PHASE"]
    assert [line.split()[0] for line in lines] == ["ctl", "over", "vlan.20"]


def test_two_names_with_one_id_are_refused_and_the_first_is_found(acli: Run) -> None:
    acli("net.create vlan.20 vlan=20")
    assert "subnets/vlan-20 exists" in acli("net.create vlan_20 vlan=21", expect=1).err
    assert "did you mean 'vlan.20'?" in acli("net.get vlan.2", expect=4).err
    assert acli("net.get vlan-20").lines == acli("net.get vlan.20").lines


def test_which_switch_must_be_said_where_there_is_a_choice(acli: Run, furnished: Run) -> None:
    furnished("create", "virtualswitch", "vs1", "--cluster", "c1")
    acli("net.create a vlan=20")
    acli("net.create b vlan=20 vswitch_name=vs1")
    furnished("create", "virtualswitch", "vs9", "--cluster", "c1")
    rows = {row["name"]: row["vswitch_name"] for row in acli("net.list -o json").data["data"]}
    assert rows == {"a": ["vs0"], "b": ["vs1"]}
    furnished("delete", "subnet", "a")
    for host in ("h1", "h2"):
        furnished("delete", "host", host)
    furnished("delete", "virtualswitch", "vs0")
    refused = acli("net.create c vlan=20", expect=2)
    assert "which virtual switch" in refused.err
    assert "vs1, vs9" in refused.err


def test_nics_of_many_machines_are_one_change(acli: Run, furnished: Run) -> None:
    acli(
        "net.create vlan.20 vlan=20 ip_config=10.1.1.1/30"
    )  # the gateway, the DHCP server, and no room for two
    refused = acli("vm.nic_create web-[01..03] network=vlan.20", expect=1)
    assert "hint" in refused.err
    assert furnished("get", "nics", "-o", "name").lines == []
    acli("net.create vlan.30 vlan=30 ip_config=10.1.2.1/24")
    acli("vm.nic_create web-[01..03] network=vlan.30")
    assert furnished("get", "nics", "-o", "name").lines == [f"nics/web-0{n}-nic-0" for n in (1, 2, 3)]
    assert [row["name"] for row in acli("vm.list -o json").data["data"]] == ["web-01", "web-02", "web-03"]
    assert len(acli("vm.nic_list web-*").lines) == 4
    assert "cannot share one mac" in acli(f"vm.nic_create a,b network=vlan.30 mac={MAC}", expect=2).err
    change = furnished("history", "nic/web-01-nic-0", "-o", "json").out
    assert "acli vm.nic_create 'web-[01..03]' network=vlan.30" in change


def test_a_nic_is_where_its_machine_is(acli: Run, furnished: Run) -> None:
    acli("net.create vlan.20 vlan=20")
    acli("vm.nic_create floating network=vlan.20")
    acli("vm.nic_create fooVM network=vlan.20 host=192.0.2.2")
    acli("vm.nic_create fooVM network=vlan.20")
    furnished("delete", "host", "h1")
    acli("vm.nic_create only network=vlan.20")
    rows = acli("vm.list -o json").data["data"]
    assert {row["name"]: row["host"] for row in rows} == {"floating": [], "fooVM": ["h2"], "only": ["h2"]}


def test_a_nic_is_changed_in_place_or_made_anew_with_its_addresses(acli: Run) -> None:
    acli("net.create vlan.20 vlan=20 ip_config=10.1.1.1/24")
    acli("net.create vlan.30 vlan=30 ip_config=10.1.2.1/24")
    acli(f"vm.nic_create fooVM network=vlan.20 mac={MAC} ip=10.1.1.77 host=h1")

    def nic() -> dict[str, object]:
        found: dict[str, object] = acli(f"vm.nic_get fooVM {MAC} -o json").data["data"][MAC]
        return found

    first = nic()
    acli(f"vm.nic_update fooVM {MAC} connected=false queues=2 model=virtio")
    assert (nic()["uid"], nic()["connected"], nic()["queues"]) == (first["uid"], False, 2)
    silent = acli(f"vm.nic_update fooVM {MAC} trunked_networks=30", expect=2)
    assert "update_vlan_trunk_info=true" in silent.err
    ran = acli(f"vm.nic_update fooVM {MAC} trunked_networks=30,40 update_vlan_trunk_info=true")
    assert "made anew" in ran.err
    trunk = nic()
    assert (trunk["mode"], trunk["ipv4_address"], trunk["host"]) == (
        "NIC_MODE_TRUNK",
        "10.1.1.77",
        "hosts/h1",
    )
    assert (trunk["name"], trunk["connected"], trunk["queues"]) == (first["name"], False, 2)
    acli(f"vm.nic_update fooVM {MAC} trunked_networks=40 update_vlan_trunk_info=true")
    assert (nic()["uid"], nic()["trunk_vlans"]) == (trunk["uid"], [{"vlan_id": 40}])
    acli(f"vm.nic_update fooVM {MAC} vlan_mode=kAccess update_vlan_trunk_info=true")
    assert (nic()["mode"], "trunk_vlans" in nic()) == ("NIC_MODE_ACCESS", False)
    acli(f"vm.nic_update fooVM {MAC} network=vlan.30")
    assert nic()["subnet"] == "subnets/vlan-30"
    assert str(nic()["ipv4_address"]).startswith("10.1.2."), (
        "an address of the other network is not taken along"
    )


def test_kinds_of_nics(acli: Run) -> None:
    acli("net.create vlan.20 vlan=20")
    acli("vm.nic_create nf type=kNetworkFunctionNic network_function_nic_type=kIngress")
    acli("vm.nic_create nf type=kNetworkFunctionNic network_function_nic_type=kEgress")
    acli("vm.nic_create span type=kSpanDestinationNic")
    acli("vm.nic_create direct type=kDirectNic network=vlan.20 model=e1000")
    rows = acli("vm.nic_list nf,span,direct -o json").data["data"]
    assert [(row["vm_name"], row["nic"], row["type"]) for row in rows] == [
        ("nf", "nf-nic-0", "kNetworkFunctionNic"),
        ("nf", "nf-nic-1", "kNetworkFunctionNic"),
        ("span", "span-nic-0", "kSpanDestinationNic"),
        ("direct", "direct-nic-0", "kDirectNic"),
    ]
    assert "network is missing" in acli("vm.nic_create a", expect=2).err
    assert "network_function_side" in acli("vm.nic_create a type=kNetworkFunctionNic", expect=1).err


def test_a_machine_is_found_by_its_id_too_and_gets_no_twin(acli: Run) -> None:
    acli("net.create vlan.20 vlan=20")
    acli("vm.nic_create fooVM network=vlan.20")
    acli("vm.nic_create foovm network=vlan.20")
    assert [(row["name"], row["nics"]) for row in acli("vm.list -o json").data["data"]] == [("fooVM", 2)]
    assert len(acli("vm.nic_list foovm").lines) == 3


def test_who_is_on_a_network_also_by_tag(acli: Run) -> None:
    for vlan in (10, 20, 30):
        acli(f"net.create vlan.{vlan} vlan={vlan} ip_config=10.0.{vlan}.1/24")
    acli(SEED)
    acli("vm.nic_create bar network=vlan.20")
    rows = acli("net.list_vms vlan.20 -o json").data["data"]
    assert [(row["vm_name"], row["vlan"]) for row in rows] == [("bar", None), ("fooVM", 20)]


def test_a_virtual_switch_is_changed_with_its_hosts_in_one_change(acli: Run, furnished: Run) -> None:
    acli(
        "net.update_virtual_switch vs0 bond_type=kBalanceTcp lacp_fallback=false lacp_timeout=kSlow "
        "host_uplink_config select all eth3,eth4 quick_mode=true"
    )
    switch = acli("net.get_virtual_switch name=VS0 -o json").data["data"]["vs0"]
    assert (switch["bond_mode"], switch["rollout"]) == ("BOND_MODE_BALANCE_TCP", "ROLLOUT_QUICK")
    assert (switch["lacp_timeout"], switch["lacp_fallback"]) == ("LACP_TIMEOUT_SLOW", False)
    hosts = furnished("get", "hosts", "-o", "json").data
    assert [host["uplinks"][0]["interfaces"] for host in hosts] == [["eth3", "eth4"]] * 2
    assert len({resource["revision"] for resource in (switch, *hosts)}) == 1
    ran = acli(
        "net.update_virtual_switch vs0 bond_type=kActiveBackup host_uplink_config h1:eth1;192.0.2.2:eth2"
    )
    assert "rollout: QUICK -> ROLLING" in ran.out
    hosts = furnished("get", "hosts", "-o", "json").data
    assert [host["uplinks"][0]["interfaces"] for host in hosts] == [["eth1"], ["eth2"]]
    acli(
        "net.update_virtual_switch vs0 mtu=9000 enable_igmp_snooping=true enable_igmp_querier=true "
        "igmp_query_vlan_list=0,20"
    )
    switch = acli("net.get_virtual_switch vs0 -o json").data["data"]["vs0"]
    assert (switch["mtu_bytes"], switch["bond_mode"]) == (9000, "BOND_MODE_ACTIVE_BACKUP")
    assert switch["igmp_snooping"]["querier_vlan_ids"] == [0, 20]
    assert "nothing to change" in acli("net.update_virtual_switch vs0", expect=2).err
    twice = acli("net.update_virtual_switch vs0 host_uplink_config h1:eth1;h1:eth2", expect=2)
    assert "h1 is there twice" in twice.err
    assert (
        "none of the forms"
        in acli("net.update_virtual_switch vs0 host_uplink_config select eth1", expect=2).err
    )


@pytest.mark.usefixtures("agent")
def test_uplinks_are_chosen_by_speed_as_the_host_reports_it(acli: Run, furnished: Run) -> None:
    acli("manage_ovs --bridge_name br0 --bond_name br0-up --interfaces 10g --host h1 update_uplinks")
    assert furnished("get", "host", "h1", "-o", "json").data[0]["uplinks"][0]["interfaces"] == [
        "eth1",
        "eth3",
    ]
    acli("net.update_virtual_switch vs0 host_uplink_config select h1 1g")
    assert furnished("get", "host", "h1", "-o", "json").data[0]["uplinks"][0]["interfaces"] == ["eth0"]
    acli("manage_ovs --interfaces 10g --require_link=false --host h1 update_uplinks")
    assert acli("manage_ovs --host h1 --bridge_name br0 show_uplinks").lines == [
        "Bridge: br0",
        "  Bond: br0-up",
        "    bond_mode: active-backup",
        "    interfaces: eth1 eth2 eth3",
        "    lacp: off",
        "    lacp-fallback: True",
        "    lacp_speed: off",
        "    active: eth1",
        "    up: eth1",
    ]
    assert "h2 has not said" in acli("manage_ovs --interfaces 10g --host h2 update_uplinks", expect=1).err
    assert (
        "has no interface with a link that '40g' names"
        in acli("net.update_virtual_switch vs0 host_uplink_config select h1 40g", expect=1).err
    )


@pytest.mark.usefixtures("agent")
def test_manage_ovs_is_a_command_of_its_own_too(furnished: Run) -> None:
    shown = furnished("manage_ovs", "--host", "h1", "show_interfaces").lines
    assert [line.split() for line in shown] == [
        ["name", "mode", "link", "speed"],
        ["eth0", "1000", "True", "1000"],
        ["eth1", "10000", "True", "10000"],
        ["eth2", "10000", "False", "10000"],
        ["eth3", "10000", "True", "10000"],
    ]
    assert "h2 has said nothing" in furnished("manage-ovs", "show_interfaces").err
    assert "on which host?" in furnished("manage_ovs", "--interfaces", "eth1", "update_uplinks", expect=2).err
    assert (
        "br0-up"
        in furnished("manage_ovs", "--bond_name", "x", "--interfaces", "e", "update_uplinks", expect=2).err
    )
    ran = furnished("manage_ovs", "--bridge_name", "br0", "--bond_mode", "balance-tcp", "update_uplinks")
    assert "they come to all of its hosts" in ran.err
    assert "bond_mode: ACTIVE_BACKUP -> BALANCE_TCP" in ran.out
    assert "there are br0" in furnished("manage_ovs", "--bridge_name", "br7", "show_uplinks", expect=4).err


def test_hosts_are_found_by_their_address(acli: Run) -> None:
    assert [row["ip"] for row in acli("host.list -o json").data["data"]] == ["192.0.2.1", "192.0.2.2"]
    assert acli("host.get 192.0.2.2").lines == acli("host.get h2").lines
    assert "`host.list` lists them" in acli("host.get 203.0.113.9", expect=4).err


def test_a_machine_without_nics_has_an_empty_list_with_a_header(acli: Run) -> None:
    ran = acli("vm.nic_list nobody")
    assert (len(ran.lines), ran.err) == (1, "no NIC is of a virtual machine 'nobody'\n")
    acli("vm.get nobody", expect=4)


def test_a_script_makes_networks_and_stops_where_it_is_wrong(
    acli: Run, furnished: Run, tmp_path: Path
) -> None:
    script = tmp_path / "networks.acli"
    lines = ["# the networks of the office", "", "net.create vlan.20 vlan=20", "net.create vlan.21 vlan=5000"]
    script.write_text("\n".join([*lines, "net.create vlan.22 vlan=22"]))
    stopped = furnished("acli", "-f", str(script), expect=1)
    assert stopped.err.startswith(f"error: {script}:4: ")
    assert [row["name"] for row in acli("net.list -o json").data["data"]] == ["vlan.20"]
    went = furnished("acli", "--keep-going", "-f", str(script), expect=1)
    assert went.err.count("error: ") == 2
    assert [row["name"] for row in acli("net.list -o json").data["data"]] == ["vlan.20", "vlan.22"]


def test_every_public_line_is_answered_in_words(acli: Run, furnished: Run, tmp_path: Path) -> None:
    script = tmp_path / "all.acli"
    script.write_text("\n".join(LINES))
    ran = furnished("acli", "--keep-going", "-f", str(script), expect=1)
    assert len(LINES) > ran.err.count("error: ") > 0
    assert ran.err.count("netctl has no scheduler") == sum(
        COMMANDS[line.split()[0]].later for line in LINES if line[0] != "-"
    )


def test_the_users_own_shell_completes_commands_keys_and_names(
    acli: Run, furnished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    acli("net.create vlan.20 vlan=20")
    monkeypatch.setenv("_NETCTL_COMPLETE", "complete_bash")
    for line, expected in (
        ("netctl acli net.add", ["net.add_dhcp_pool"]),
        ("netctl acli net.get v", ["vlan.20"]),
        ("netctl acli vm.nic_create a vlan_m", ["vlan_mode="]),
        ("netctl manage_ovs show_i", ["show_interfaces"]),
        ("netctl manage_ovs --host h", ["h1", "h2"]),
    ):
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        assert furnished().out.split() == expected
