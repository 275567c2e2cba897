"""The host's network by command: functions, chains, mirrors, migrations, and how hosts are connected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from netctl_host.reported import (
    BondReport,
    BridgeReport,
    FunctionReport,
    HostReport,
    LinkReport,
    NicReport,
    PairReport,
)
from netctl_host.state import LldpNeighbor

from netctl.cli.client import Client
from netctl.model.keys import HostId, Kind
from netctl.model.status import Phase
from netctl.reconciler.migration import MigrationState
from tests.controllers import Controller
from tests.functional.cli.conftest import Run
from tests.functional.cli.hosts import host_agent

CHAIN = """
- {kind: TrafficMirror, name: watch-web, host: h1, sources: [nic/web-1 ingress], destinations: [span-1]}
- {kind: Subnet, name: dmz, subnet_kind: vlan-basic, virtual_switches: [vs0], vlan_id: 30, service_chain: inspect,
   ipv4: {cidr: 10.3.0.0/24}}
- {kind: ServiceChain, name: inspect, network_functions: [firewall]}
- kind: NetworkFunction
  name: firewall
  mode: inline
  failure_handling: fail-close
  nic_pairs: ["fw-in,fw-out"]
  health_check: {interval_ms: 500}
- {kind: Nic, name: fw-in, nic_kind: network-function, network_function_side: ingress, host: h1}
- {kind: Nic, name: fw-out, nic_kind: network-function, network_function_side: egress, host: h1}
- {kind: Nic, name: span-1, nic_kind: span-destination, host: h1}
- {kind: Nic, name: web-1, subnet: web, host: h1}
"""
LEAF = LldpNeighbor(chassis_id="02:00:00:00:00:99", port_id="Eth1/7", system_name="leaf1")
REPORT = HostReport(
    host_id="h1",
    ovn_controller_connected=True,
    bridges=(BridgeReport(bridge="br0", physnet="physnet-vs0", up=True, settings_id="s1"),),
    bonds=(
        BondReport(
            bond="br0-up",
            active_interface="",
            up_interfaces=("eth1",),
            bond_mode="balance-tcp",
            lacp_status="negotiated",
        ),
    ),
    links=(
        LinkReport(
            interface="eth1",
            present=True,
            up=True,
            mtu_bytes=1500,
            uplink=True,
            speed_mbps=25_000,
            full_duplex=True,
            driver="mlx5_core",
            bridge="br0",
            neighbor=LEAF,
        ),
        LinkReport(interface="eth9", present=True, up=False, mtu_bytes=1500, addresses=("192.0.2.9/24",)),
    ),
)


@pytest.fixture
def client(controller: Controller) -> Iterator[Client]:
    with closing(Client(controller.address)) as client:
        yield client


@pytest.fixture
def chained(furnished: Run, tmp_path: Path) -> Run:
    file = tmp_path / "chain.yaml"
    file.write_text(CHAIN)
    assert furnished("apply", "-f", str(file)).lines[-1] == "8 created"
    return furnished


def test_documents_in_any_order_make_a_chain_and_take_it_away(chained: Run, tmp_path: Path) -> None:
    assert chained("get", "nf").lines == [
        "NAME      MODE    ON-FAILURE  PAIRS         PHASE       REASON",
        "firewall  inline  fail-close  fw-in,fw-out  PROGRAMMED  -",
    ]
    assert chained("get", "chain").lines[1].split()[:2] == ["inspect", "firewall"]
    assert chained("get", "mirror").lines[1].split()[:5] == [
        "watch-web",
        "h1",
        "nics/web-1",
        "ingress",
        "span-1",
    ]
    assert "network-function ingress" in chained("get", "nic", "fw-in", "-o", "wide").out
    dmz = chained("get", "subnet", "dmz", "-o", "wide").out
    assert "VLAN_BASIC" in dmz
    assert "inspect" in dmz
    # What `get` prints can be applied, own kinds and output-only fields and all.
    listed = tmp_path / "listed.yaml"
    listed.write_text(chained("get", "nic,subnet,nf,sc,tm", "-o", "yaml").out)
    assert chained("apply", "-f", str(listed)).lines[-1] == "9 unchanged"
    described = chained("describe", "nf", "firewall").out
    assert "serviceChains/inspect" in described.partition("Used by (1)")[2]
    assert "subnets/dmz" in chained("describe", "sc", "inspect").out.partition("Used by (1)")[2]
    assert "trafficMirrors/watch-web" in chained("describe", "nic", "web-1").out
    refused = chained("delete", "nf", "firewall", expect=1)
    assert "serviceChains/inspect" in refused.err
    chained("update", "subnet", "dmz", "--service-chain", "")
    assert chained("delete", "sc", "inspect").lines == ["deleted    serviceChains/inspect"]


def test_flags_say_all_of_it(furnished: Run) -> None:
    furnished("create", "nic", "in", "--kind", "network-function", "--side", "ingress", "--host", "h1")
    furnished("create", "nic", "out", "--kind", "network-function", "--side", "egress", "--host", "h1")
    furnished(
        *("create", "nf", "fw", "--mode", "inline", "--failure-handling", "fail-open", "--pair", "in,out"),
        *("--probe-interval", "500", "--failure-threshold", "4"),
    )
    function = furnished("get", "nf", "fw", "-o", "json").data[0]
    assert function["health_check"] == {
        "interval_ms": 500,
        "timeout_ms": 200,
        "success_threshold": 3,
        "failure_threshold": 4,
    }
    furnished("create", "sc", "c", "--function", "fw")
    made = furnished("update", "subnet", "web", "--service-chain", "c")
    assert "service_chain: (unset) -> serviceChains/c" in made.out
    furnished(
        *(
            "update",
            "vs",
            "vs0",
            "--bond-mode",
            "balance-tcp",
            "--lacp-timeout",
            "slow",
            "--rollout",
            "quick",
        ),
        *("--igmp-snooping", "true", "--igmp-querier", "true", "--igmp-querier-vlan", "0,10"),
    )
    shown = furnished("get", "vs", "-o", "wide").lines[1]
    assert "balance-tcp" in shown
    assert "active slow, falls back" in shown
    assert "300s, asks in 0,10" in shown
    # The LACP that followed the bond mode follows it back.
    furnished("update", "vs", "vs0", "--bond-mode", "active-backup")
    assert furnished("get", "vs", "-o", "json").data[0]["lacp_mode"] == "LACP_MODE_OFF"
    furnished("update", "host", "h1", "--uplink", "vs0=eth1,eth2 active eth2 address 198.51.100.1/24")
    furnished("update", "host", "h1", "--internal-port", "storage0=vs0/20 mtu 1400")
    furnished("update", "host", "h1", "--internal-bridge", "virbr0 address 192.168.5.1/24 port vnet0")
    described = furnished("describe", "host", "h1").out
    assert "virtualSwitches/vs0=eth1,eth2 active eth2 address 198.51.100.1/24" in described
    assert "storage0=virtualSwitches/vs0/20 mtu 1400" in described
    assert "virbr0 address 192.168.5.1/24 port vnet0" in described
    wrong = furnished("update", "vs", "vs0", "--bond-mode", "lacp", expect=2)
    assert "'lacp' is none of active-backup, balance-slb, balance-tcp, none" in wrong.err


def test_uplinks_are_shown_as_hosts_said(furnished: Run, controller: Controller, client: Client) -> None:
    silent = furnished("host", "show-uplinks", "h2").lines
    assert silent[1].split()[:4] == ["h2", "br0", "vs0", "unknown"]
    with host_agent(client, REPORT):
        lines = furnished("host", "show-uplinks", "h1").lines
        assert lines == [
            "HOST  BRIDGE  SWITCH  STATE  BOND         LACP        INTERFACE  ACTIVE  LINK     SPEED  NEIGHBOR",
            "h1    br0     vs0     up     balance-tcp  negotiated  eth1       yes     up       25G    leaf1 Eth1/7",
            "h1    br0     vs0     up     balance-tcp  negotiated  eth2       no      missing  -      -",
        ]
        assert len(furnished("host", "show-uplinks").lines) == 5
        (data,) = furnished("host", "show-uplinks", "hosts/h1", "-o", "json").data
        assert (data["host"], data["bridge"], data["lacp_status"], data["rolled_back"]) == (
            "h1",
            "br0",
            "negotiated",
            False,
        )
        assert [(it["interface"], it["active"]) for it in data["members"]] == [
            ("eth1", True),
            ("eth2", False),
        ]
        assert data["members"][0]["neighbor"]["system_name"] == "leaf1"
        interfaces = furnished("host", "show-interfaces", "h1").lines
        assert interfaces[1].split()[:7] == ["eth1", "up", "25G", "1500", "-", "mlx5_core", "vs0"]
        assert interfaces[2].split()[:4] == ["eth9", "down", "-", "1500"]
        controller.derived.waiting["vs0"] = (HostId("h2"), HostId("h1"))
        assert furnished("host", "show-uplinks", "h1").lines[1].split()[3] == "waiting"
        described = furnished("describe", "vs", "vs0").out
        assert "eth1 up (active), eth2 missing" in described.partition("On hosts")[2]
        assert "WAITING-HOSTS" in furnished("get", "vs").lines[0]
        assert "h2,h1" in furnished("get", "vs").lines[1]
    gone = furnished("host", "show-uplinks", "h1").lines
    assert "agent gone" in gone[1]
    missing = furnished("host", "show-uplinks", "h9", expect=4)
    assert "hosts/h9 does not exist" in missing.err


def test_bonds_and_mac_tables_are_asked_of_the_host(furnished: Run, client: Client) -> None:
    away = furnished(
        "host", "show-bonds", "h1", "-o", "json", expect=1
    )  # at once: to repeat it leads nowhere
    assert json.loads(away.err)["error"] == {
        "code": "HOST_UNAVAILABLE",
        "message": "host h1: its agent is not connected",
        "exit_status": 1,
        "hint": "`netctl describe host` says what it said last",
    }
    with host_agent(client, REPORT):
        bonds = furnished("host", "show-bonds", "h1", "--bridge", "br0").lines
        assert bonds[1].split()[:8] == [
            *("br0", "br0-up", "balance-tcp", "negotiated", "02:00:00:00:00:99", "eth1", "active", "up"),
        ]
        assert bonds[2].split()[5:9] == ["eth2", "disabled", "down", "expired"]
        assert furnished("host", "show-bonds", "h1", "-o", "json").data[0]["members"][0]["bytes"] == "7"
        macs = furnished("host", "show-macs", "h1")
        assert macs.lines[1].split() == ["br0", "br0-up", "7", "50:6b:8d:00:00:01", "3s"]
        assert "note: this is not whole: br1 is missing" in macs.err
        wrong = furnished("host", "show-macs", "h1", "--bridge", "br9", expect=1)
        assert "'br9' is no uplink bridge of hosts/h1; it has br0" in wrong.err


def test_a_change_that_a_host_undid_is_told(furnished: Run, controller: Controller, client: Client) -> None:
    bridge = BridgeReport(
        bridge="br0", physnet="physnet-vs0", up=True, settings_id="s1", rolled_back_settings_id="s2"
    )
    bond = BondReport(
        bond="br0-up", active_interface="eth1", up_interfaces=("eth1",), lacp_status="configured"
    )
    report = HostReport(host_id="h1", bridges=(bridge,), bonds=(bond,), links=REPORT.links)
    controller.derived.waiting["vs0"] = (HostId("h1"),)
    with host_agent(client, report):
        shown = furnished("host", "show-uplinks", "h1")
        assert "rolled back" in shown.lines[1]
        assert "h1 undid the last change of vs0: it did not reach the controller any more" in shown.err
        assert "does not speak LACP" in shown.err
        assert "a change cut the host off and was undone" in furnished("describe", "host", "h1").out


def test_what_works_on_hosts_is_described(chained: Run, client: Client) -> None:
    nics = {name: chained("get", "nic", name, "-o", "json").data[0] for name in ("web-1", "fw-in", "span-1")}
    plugged = tuple(
        NicReport(
            iface_id=nic["uid"], tap_present=True, plugged=name != "span-1", ovn_installed=name == "web-1"
        )
        for name, nic in nics.items()
    )
    pairs = (PairReport(ingress_tap="tap1", healthy=False, reason="probes lost"),)
    function = FunctionReport(function_id="firewall", active_ingress_tap="", pairs=pairs)
    report = HostReport(host_id="h1", nics=plugged, functions=(function,))
    before = chained("describe", "nf", "firewall").out
    assert "the host's agent is not connected" in before.partition("On hosts")[2]
    with host_agent(client, report):
        on_hosts = chained("describe", "nf", "firewall").out.partition("On hosts")[2]
        assert "h1  no pair works, 0 of 1 healthy; tap1: probes lost" in on_hosts
        on_chain = chained("describe", "sc", "inspect").out.partition("On hosts")[2]
        assert "firewall  h1  no pair works" in on_chain
        tap = nics["web-1"]["tap_name"]
        assert f"h1  {tap} is plugged, has its flows" in chained("describe", "nic", "web-1").out
        assert "is not plugged" in chained("describe", "tm", "watch-web").out.partition("On hosts")[2]
        data = chained("describe", "nf", "firewall", "-o", "json").data
        assert data["live"]["hosts"]["h1"]["report"]["pairs"][0]["reason"] == "probes lost"


def test_subnets_migrate_and_the_way_is_told(furnished: Run, controller: Controller) -> None:
    furnished("create", "nic", "web-1", "--subnet", "web", "--host", "h1")
    furnished("create", "subnet", "db", "--kind", "vlan", "--virtual-switch", "vs0", "--vlan-id", "20")
    dry = furnished("subnet", "migrate", "web", "db", "--to", "vlan-basic", "--dry-run")
    assert dry.lines[:3] == [
        "1 NIC would move",
        "updated    subnets/web  kind: VLAN -> VLAN_BASIC",
        "updated    subnets/db  kind: VLAN -> VLAN_BASIC",
    ]
    assert "dry run: nothing was changed" in dry.err
    assert furnished("get", "subnet", "web", "-o", "json").data[0]["kind"] == "SUBNET_KIND_VLAN"
    moved = furnished(
        "subnet", "migrate", "web", "db", "--to", "vlan-basic", "--reason", "no more OVN", "--wait"
    )
    assert moved.lines[0] == "1 NIC will move"
    assert moved.lines[-1] == "2 PROGRAMMED"
    assert "no more OVN" in furnished("history", "subnet/web").out
    moving = controller.derived.moving
    moving["web"] = MigrationState(moved=12, nics=40)
    assert "12/40" in furnished("get", "subnet", "web", "-o", "wide").out
    back = ("subnet", "migrate", "web", "db", "--to", "vlan", "--wait")
    slow = furnished(*back, "--timeout", "0.3", expect=5)
    assert "12 of 40 NICs moved" in slow.err.splitlines()
    assert "not moved in 0.3 s: subnets/web 12 of 40 NICs moved" in slow.err
    timer = threading.Timer(0.7, lambda: moving.pop("web"))
    timer.start()
    assert furnished(*back).lines[-1] == "2 PROGRAMMED"
    timer.join()
    moving["web"] = MigrationState(moved=12, nics=40, failed=True, message="web-1 did not come up")
    failed = furnished(*back, "--timeout", "5", expect=1)
    assert "error: subnets/web 12 of 40 NICs moved: web-1 did not come up" in failed.err
    described = furnished("describe", "subnet", "web").out
    assert "web-1 did not come up" in described
    assert "failed 12/40" in furnished("get", "subnet", "web", "-o", "wide").out
    wrong = furnished("subnet", "migrate", "web", "--to", "overlay", expect=2)
    assert "'overlay' is not one of 'vlan', 'vlan-basic'" in wrong.err
    refused = furnished("subnet", "migrate", "none", "--to", "vlan", expect=4)
    assert "subnets/none does not exist" in refused.err


def test_whose_turn_it_is_is_told_while_one_waits(furnished: Run, controller: Controller) -> None:
    controller.derived.waiting["vs0"] = (HostId("h1"), HostId("h2"))
    controller.statuses.say((Kind.VIRTUAL_SWITCH, "vs0"), Phase.PENDING, "ROLLING")
    slow = furnished("update", "vs", "vs0", "--mtu", "1600", "--wait", "--timeout", "0.3", expect=5)
    assert "it is the turn of h1, then h2" in slow.err


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("netctl host show-uplinks h", ["h1", "h2"]),
        ("netctl subnet migrate w", ["web"]),
        ("netctl subnet migrate web --to v", ["vlan", "vlan-basic"]),
        ("netctl create nf fw --failure-handling fail-", ["fail-open", "fail-close"]),
        ("netctl create subnet x --service-chain i", ["inspect"]),
        ("netctl create nic x --kind n", ["normal", "network-function"]),
    ],
)
def test_the_installed_command_completes_it(chained: Run, words: str, offered: list[str]) -> None:
    parts = words.split(" ")
    environment = {
        **os.environ,
        "_NETCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(parts) - 1),
    }
    program = Path(sys.executable).parent / "netctl"
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == offered, done.stderr
