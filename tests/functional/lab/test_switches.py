"""Leaf switches that speak LACP, cables that fail in two ways, network functions; hosts with plain Open vSwitch."""

import json
import re
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from netctl.lab import daemons
from netctl.lab.commands import app
from netctl.lab.guests import Guest
from netctl.lab.lab import Lab
from netctl.lab.namespaces import guest_namespace
from netctl.loop import wait_until
from tests.e2e.talk import End, udp
from tests.functional.lab.conftest import FOLDER, lab_name

WITHOUT = (daemons.CONTROLLER, daemons.AGENT, daemons.OVN_CONTROLLER, daemons.NB, daemons.SB, daemons.NORTHD)
BOND = "active-backup"
FAST = "other_config:lacp-time=fast"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab((FOLDER / "bonded-hosts.clab.yml").read_text(), name=lab_name("leaf"))
    try:
        lab.up(without=WITHOUT, register=False)
        yield lab
    finally:
        lab.down()


@pytest.fixture(autouse=True)
def bonded(lab: Lab) -> Iterator[None]:
    """Bonds as a host has them at first, whole cables, no groups on the switch."""
    for number in (1, 2):
        make_bond(lab, f"h{number}", number)
    yield
    for number in (1, 2):
        lab.link(f"h{number}", "up")
        lab.set_lag("leaf1", f"h{number}", "off")
        lab.exec(f"h{number}", ["ovs-vsctl", "--if-exists", "del-br", "br0"])


def make_bond(lab: Lab, host: str, number: int) -> None:
    bridge = ["--may-exist", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"]
    bond = ["add-bond", "br0", "up", "eth1", "eth2", f"bond_mode={BOND}", "other_config:bond-primary=eth1"]
    lab.exec(host, ["ovs-vsctl", *bridge, "--", *bond])
    lab.exec(host, ["ip", "addr", "replace", f"10.9.0.{number}/24", "dev", "br0"])
    lab.exec(host, ["ip", "link", "set", "br0", "up"])


def reaches(lab: Lab) -> bool:
    return lab.exec("h1", ["ping", "-n", "-c1", "-W0.5", "10.9.0.2"], check=False).returncode == 0


def appctl(lab: Lab, node: str, *words: str) -> str:
    directory = lab.place(node).directory
    pid = (directory / "ovs-vswitchd.pid").read_text().strip()
    return lab.exec(node, ["ovs-appctl", "-t", f"{directory}/ovs-vswitchd.{pid}.ctl", *words]).stdout


def active(lab: Lab) -> str:
    found = re.search(r"active member mac: \S+\((\S+)\)", appctl(lab, "h1", "bond/show", "up"))
    return found[1] if found else ""


def carrier(lab: Lab, interface: str) -> bool:
    links = json.loads(lab.exec("h1", ["ip", "-j", "link", "show", interface]).stdout)
    return "NO-CARRIER" not in links[0]["flags"]


def negotiated(lab: Lab) -> bool:
    return "lacp_status: negotiated" in appctl(lab, "h1", "bond/show", "up")


def speak_lacp(lab: Lab, host: str) -> None:
    settings = ["lacp=active", "bond_mode=balance-tcp", FAST, "other_config:lacp-fallback-ab=true"]
    lab.exec(host, ["ovs-vsctl", "set", "Port", "up", *settings])


def test_a_pulled_cable_has_no_carrier_and_a_silent_one_has(lab: Lab) -> None:
    wait_until(lambda: reaches(lab), timeout_s=10, what="h2 answers")
    assert active(lab) == "eth1"
    lab.link("h1:eth1", "silent")
    assert not reaches(lab)
    assert carrier(lab, "eth1")
    lab.link("h1:eth1", "up")
    assert reaches(lab)
    lab.link("h1:eth1", "down")
    assert not carrier(lab, "eth1")
    assert carrier(lab, "eth2")
    wait_until(lambda: reaches(lab), timeout_s=5, what="h2 answers over the other cable")
    assert active(lab) == "eth2"
    lab.link("leaf1", "down")  # the switch has no power
    assert not carrier(lab, "eth2")
    lab.link("leaf1", "up")
    wait_until(lambda: carrier(lab, "eth1") and reaches(lab), timeout_s=5, what="the switch is back")


def test_lacp_agrees_with_the_switch_and_not_without(lab: Lab) -> None:
    speak_lacp(lab, "h1")
    wait_until(lambda: reaches(lab), timeout_s=10, what="fallback")
    assert not negotiated(lab)
    lab.set_lag("leaf1", "h1", "lacp")
    wait_until(lambda: negotiated(lab), timeout_s=10, what="LACP agreed on")
    assert reaches(lab)
    lab.link("h1:eth1", "silent")
    wait_until(
        lambda: "member eth1: disabled" in appctl(lab, "h1", "bond/show"), timeout_s=5, what="eth1 left"
    )


def test_a_switch_that_speaks_lacp_is_no_way_for_a_host_that_does_not(lab: Lab) -> None:
    lab.set_lag("leaf1", "h1", "lacp")
    assert not reaches(lab)
    lab.set_lag("leaf1", "h1", "off")
    wait_until(lambda: reaches(lab), timeout_s=10, what="ports of their own")


def test_a_rebooted_host_finds_its_group_again(lab: Lab) -> None:
    lab.set_lag("leaf1", "h1", "lacp")
    lab.reboot("h1", without=WITHOUT)
    make_bond(lab, "h1", 1)
    speak_lacp(lab, "h1")
    wait_until(lambda: negotiated(lab), timeout_s=10, what="LACP after the reboot")
    wait_until(lambda: reaches(lab), timeout_s=5, what="h2 answers")


def test_the_switch_announces_itself(lab: Lab) -> None:
    seen = lab.exec("h1", ["python3", "-c", HEAR_LLDP])
    assert "leaf1" in seen.stdout
    assert "h1-eth2" in seen.stdout


HEAR_LLDP = """
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88CC))
wire.settimeout(5)
wire.bind(("eth2", 0x88CC))
print(wire.recv(2000).decode(errors="replace"))
"""


def test_a_function_passes_counts_drops_and_hangs(lab: Lab) -> None:
    """A guest behind a function behind a bridge: all ports pass but one; killed, nothing does, carrier or not."""
    lab.add_guest("h1", "tap-g", "02:00:00:00:00:01", name="g")
    lab.add_guest("h1", "tap-far", "02:00:00:00:00:02", name="far")
    pair = (("tap-in", "02:00:00:00:00:03"), ("tap-out", "02:00:00:00:00:04"))
    function = lab.add_function("h1", *pair, name="fw")
    lab.functions.start(function, [23])
    for name, taps in (("near", ("tap-g", "tap-in")), ("wide", ("tap-out", "tap-far"))):
        bridge = ["add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev"]
        tagged = [word for tap in taps for word in ("--", "add-port", name, tap)]
        lab.exec("h1", ["ovs-vsctl", *bridge, *tagged, "--", "set", "Port", taps[name == "wide"], "tag=7"])
    for number, name in enumerate(("g", "far"), start=1):
        lab.set_address(name, f"10.8.0.{number}/24")
    near, far = end(lab, "tap-g", 1), end(lab, "tap-far", 2)
    wait_until(lambda: udp(near, far, far.address, 24) == near.address, timeout_s=5, what="port 24 passes")
    assert udp(near, far, far.address, 23) == ""
    assert udp(near, far, far.address, 24) == near.address
    counted = wait_until(lambda: enough(lab, function), timeout_s=2, what="answers counted on the other side")
    assert counted["ingress dropped vlan 7 port 23"] == 1
    lab.functions.kill(function)
    assert udp(near, far, far.address, 24) == ""
    lab.functions.start(function)
    assert udp(near, far, far.address, 24) == near.address
    assert udp(near, far, far.address, 23) == "", "it drops what it dropped before"


def end(lab: Lab, tap: str, number: int) -> End:
    return End(namespace=guest_namespace(lab.name, tap), address=f"10.8.0.{number}")


def enough(lab: Lab, function: Guest) -> dict[str, int]:
    counts = lab.functions.counts(function)
    return counts if counts.get("egress passed vlan 7 port 24", 0) >= 2 else {}


def test_cables_groups_and_functions_by_command(lab: Lab) -> None:
    def say(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--name", lab.name])

    assert say("link", "h1:eth2", "down").exit_code == 0
    assert not carrier(lab, "eth2")
    assert say("link", "h1", "up").exit_code == 0
    assert carrier(lab, "eth2")
    assert say("lag", "leaf1", "h1", "lacp").exit_code == 0
    assert "lag-h1" in lab.exec("fabric", ["ovs-vsctl", "list-ports", "leaf1"]).stdout
    refused = say("lag", "leaf1", "h9", "lacp")
    assert (refused.exit_code, "there are h1, h2" in refused.stderr) == (1, True)
    assert say("link", "h9:eth1", "down").exit_code == 4
    taps = ("tap-ci=02:00:00:00:01:01", "tap-ce=02:00:00:00:01:02")
    assert say("function", "add", "h2", *taps, "--as", "wall", "--drop-port", "23").exit_code == 0
    assert say("function", "kill", "wall").exit_code == 0
    assert say("function", "start", "wall").exit_code == 0
    assert say("function", "counts", "wall").exit_code == 0
    assert say("guest", "del", "wall").exit_code == 0
