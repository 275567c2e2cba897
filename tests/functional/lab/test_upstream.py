"""What is beyond the fabric: VLANs carried to a host's uplink, set up once, repaired, and gone with the lab."""

from collections.abc import Iterator

import pytest

from netctl.lab import daemons, discover, links, namespaces, processes, upstreams
from netctl.lab.lab import Lab
from netctl.lab.topology import Vlans
from tests.functional.lab.conftest import FOLDER, lab_name

# No OVN: an uplink is a bare interface here.
WITHOUT = tuple(name for name in daemons.DAEMONS if name != daemons.OVSDB)
TEXT = (FOLDER / "three-hosts.clab.yml").read_text()


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab(TEXT, name=lab_name("up"))
    try:
        made.up(without=WITHOUT)
        yield made
    finally:
        made.down()


def ping(lab: Lab, node: str, address: str, *options: str) -> bool:
    return lab.exec(node, ["ping", "-c1", "-W1", *options, address], check=False).returncode == 0


def test_each_vlan_ends_in_its_own_interface_and_full_frames_pass(lab: Lab) -> None:
    h1 = lab.place("h1")
    upstreams.make_vlans(h1.namespace, h1.directory, "h1", Vlans(interface="eth2", vlan_ids=(100, 101)))
    lab.exec("h1", ["ip", "addr", "add", "198.51.100.9/24", "dev", "eth2.100"])
    assert ping(lab, "h1", "198.51.100.1", "-M", "do", "-s", "1472")
    assert not ping(lab, "h1", "192.0.2.1")
    # The same address on the wrong VLAN reaches nobody.
    lab.exec("h1", ["ip", "addr", "del", "198.51.100.9/24", "dev", "eth2.100"])
    lab.exec("h1", ["ip", "addr", "add", "198.51.100.9/24", "dev", "eth2.101"])
    assert not ping(lab, "h1", "198.51.100.1")
    lab.exec("h1", ["ip", "addr", "add", "192.0.2.9/24", "dev", "eth2.101"])
    assert ping(lab, "h1", "192.0.2.1")
    lab.exec("h1", ["ip", "route", "add", "203.0.113.80", "via", "192.0.2.1"])
    assert ping(lab, "h1", "203.0.113.80")


def test_up_again_repairs_what_was_killed_and_repeats_no_command(lab: Lab) -> None:
    vlans = lab.process("upstream", "vlans-eth2")
    vlans.kill()
    lab.exec("upstream", ["ip", "addr", "add", "192.0.2.77/24", "dev", "eth2.101"])
    lab.up(without=WITHOUT)
    assert vlans.pid()
    assert "192.0.2.77" in lab.exec("upstream", ["ip", "addr"]).stdout, "it was not made anew"
    lab.reboot("upstream")
    found = lab.exec("upstream", ["ip", "addr"]).stdout
    assert "192.0.2.77" not in found
    assert "192.0.2.1/24" in found


def test_an_upstream_that_was_not_finished_is_made_anew_and_down_leaves_nothing(lab: Lab) -> None:
    lab.exec("upstream", ["ip", "addr", "add", "192.0.2.77/24", "dev", "eth2.101"])
    (lab.place("upstream").directory / "upstream.done").unlink()
    lab.up(without=WITHOUT)
    assert "192.0.2.77" not in lab.exec("upstream", ["ip", "addr"]).stdout
    pids = [lab.process("upstream", f"vlans-eth{n}").pid() for n in (1, 2)]
    links.remove(namespaces.node_namespace(lab.name, "upstream"), "eth2")
    lab.down()
    assert all(pids)
    assert not [pid for pid in pids if processes.identity_of(pid)], "dead, if not reaped yet"
    assert not namespaces.namespaces_of(lab.name)
    assert not discover.run_dir(lab.name).exists()
