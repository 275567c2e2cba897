"""A lab with plain OVN: it carries packets, survives the death of anything, and leaves nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netctl.errors import InvalidIntent, NotFound
from netctl.lab import discover, namespaces, processes
from netctl.lab.lab import Lab, lab_names, take_down
from netctl.loop import wait_until
from tests.functional.lab import plain_ovn
from tests.functional.lab.conftest import TOPOLOGY, lab_name

LabMaker = Callable[[str], Lab]


@pytest.fixture(scope="module")
def ovn_lab() -> Iterator[Lab]:
    lab = Lab(TOPOLOGY, name=lab_name("ovn"))
    try:
        lab.up(without=plain_ovn.WITHOUT)
        plain_ovn.set_up(lab)
        yield lab
    finally:
        lab.down()


def traces(name: str) -> list[str]:
    """Name whatever a lab left on the machine."""
    directory = discover.run_dir(name)
    # Not by what the lab takes for its own: that is in question here.
    left = [f"namespace {path.name}" for path in namespaces.DIRECTORY.glob(f"netctl.{name}.*")]
    left += [f"path {directory}"] if directory.exists() else []
    owned = {pid: processes.identity_of(pid) for pid in namespaces.all_pids()}
    return left + [
        f"process {pid}" for pid, identity in owned.items() if identity.startswith(f"{directory}/")
    ]


def running(lab: Lab) -> dict[tuple[str, str], int]:
    """Return the process numbers of everything that runs."""
    return {(p.daemon.node, p.name): pid for p in lab.processes() if (pid := p.pid())}


def test_guests_lease_addresses_and_reach_each_other_across_hosts(ovn_lab: Lab) -> None:
    for name, (_, _, _, address) in plain_ovn.GUESTS.items():
        lease = ovn_lab.lease(name)
        assert lease.address == f"{address}/24"
        assert lease.mtu_bytes == plain_ovn.MTU_BYTES
        link = json.loads(ovn_lab.exec(name, ["ip", "-j", "link", "show", "eth0"]).stdout)
        assert link[0]["mtu"] == plain_ovn.MTU_BYTES
    assert ovn_lab.ping("v1", "10.0.1.12").ok
    assert ovn_lab.ping("o1", "10.0.0.12").ok
    assert not ovn_lab.ping("o1", "10.0.1.11", timeout_s=1).ok


def test_checksums_are_complete_so_that_tcp_passes(ovn_lab: Lab) -> None:
    for target, interface in (("h1", "eth1"), ("h1", "tap-o1"), ("o1", "eth0"), ("fabric", "h1-eth1")):
        features = ovn_lab.exec(target, ["ethtool", "-k", interface]).stdout
        assert "tx-checksumming: off" in features, (target, interface)
    ovn_lab.set_address("o1", "10.0.0.11/24")
    ovn_lab.set_address("o2", "10.0.0.12/24")
    command, environment = ovn_lab.command("o2", ["python3", "-c", SERVE])
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        assert ovn_lab.exec("o1", ["python3", "-c", FETCH]).stdout == "100000\n"


SERVE = """
import socket
with socket.create_server(("10.0.0.12", 8000)) as listener:
    print("ready", flush=True)
    connection, _ = listener.accept()
    with connection:
        connection.sendall(bytes(100000))
"""
FETCH = """
import socket
with socket.create_connection(("10.0.0.12", 8000), timeout=10) as connection:
    print(sum(map(len, iter(lambda: connection.recv(65536), b""))))
"""


def mac_of(lab: Lab, host: str, interface: str) -> str:
    return str(json.loads(lab.exec(host, ["ip", "-j", "link", "show", interface]).stdout)[0]["address"])


def test_a_rebooted_host_starts_from_nothing_and_gets_its_taps_back(ovn_lab: Lab) -> None:
    mac = mac_of(ovn_lab, "h2", "br0")
    assert mac == mac_of(ovn_lab, "h2", "eth1")
    ovn_lab.reboot("h2", without=plain_ovn.WITHOUT)
    assert "br0" not in ovn_lab.exec("h2", ["ovs-vsctl", "list-br"]).stdout
    plain_ovn.set_up_host(ovn_lab, "h2")
    plain_ovn.wait_for_ports(ovn_lab)
    ovn_lab.lease("v1")
    ovn_lab.lease("v2")
    wait_until(lambda: ovn_lab.ping("v1", "10.0.1.12").ok, timeout_s=10, what="guests of h2 back")
    # h1 still has the tunnel's other end in its neighbour cache: the overlay works only with the same address.
    assert mac_of(ovn_lab, "h2", "br0") == mac
    for name in ("o1", "o2"):
        ovn_lab.lease(name)
    assert ovn_lab.ping("o1", "10.0.0.12").ok


def test_a_guests_name_is_its_own(ovn_lab: Lab) -> None:
    taken = ovn_lab.guests()[0]
    for name in (taken.name, "h1", "fabric"):
        with pytest.raises(InvalidIntent, match="take another name"):
            ovn_lab.add_guest("h1", "tap-other", "02:00:00:00:0f:01", name=name)
    assert ovn_lab.guests().count(taken) == 1


def test_a_guest_can_be_removed(ovn_lab: Lab) -> None:
    ovn_lab.add_guest("h1", "tap-spare", "02:00:00:00:02:01")
    assert "tap-spare" in ovn_lab.exec("h1", ["ip", "link"]).stdout
    ovn_lab.remove_guest("tap-spare")
    with pytest.raises(NotFound):
        ovn_lab.guest("tap-spare")
    assert "tap-spare" not in ovn_lab.exec("h1", ["ip", "link"]).stdout


def test_up_again_starts_only_what_died(new_lab: LabMaker) -> None:
    lab = new_lab("again")
    lab.up(without=plain_ovn.WITHOUT)
    before = running(lab)
    assert len(before) == 9
    lab.process("central", "nb").kill()
    lab.process("h1", "ovs-vswitchd").kill()
    lab.process("h2", "ovn-controller").stop()
    assert len(running(lab)) == 6
    Lab.open(lab.name).up(without=plain_ovn.WITHOUT)
    after = running(lab)
    assert after.keys() == before.keys()
    assert len([key for key in before if before[key] != after[key]]) == 3


def test_two_labs_of_one_topology_do_not_meet(new_lab: LabMaker) -> None:
    first, second = new_lab("a"), new_lab("a-b")  # one name is the beginning of the other
    for lab in (first, second):
        lab.up(without=plain_ovn.WITHOUT)
    assert not set(running(first).values()) & set(running(second).values())
    assert discover.default_server() is None
    first.down()
    assert not traces(first.name)
    assert len(running(second)) == 9
    assert second.exec("h1", ["ping", "-c1", "-w2", second.topology.central.management_ip]).returncode == 0


def test_the_lab_of_another_run_folder_is_left_alone(
    new_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab("theirs")
    lab.up(without=plain_ovn.WITHOUT)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv(discover.ENVIRONMENT, str(tmp_path_factory.mktemp("runs")))
        assert lab.name not in lab_names(), "`down --all` would take it down"
        for refused in (lab.down, lab.up):
            with pytest.raises(InvalidIntent, match=f"runs in .*{lab.name}: take another name"):
                refused()
    assert len(running(lab)) == 9


def test_down_removes_the_ruins_of_a_crash(new_lab: LabMaker) -> None:
    lab = new_lab("ruins")
    lab.up(without=plain_ovn.WITHOUT)
    lab.add_guest("h1", "tap0", "02:00:00:00:00:01")
    pids = running(lab)
    os.kill(pids["h1", "ovs-vswitchd"], signal.SIGKILL)
    lab.process("h2", "ovsdb-server").pid_file.unlink()  # alive, and no pid file says so
    namespaces.remove(namespaces.node_namespace(lab.name, "central"))  # its daemons live on without a name
    shutil.rmtree(lab.directory / "guests")
    assert lab.name in lab_names()
    take_down(lab.name)
    assert not traces(lab.name)
    take_down(lab.name)  # nothing left to do is no error


def test_a_stranger_with_a_number_from_a_pid_file_is_left_alone(new_lab: LabMaker) -> None:
    lab = new_lab("stranger")
    lab.up(without=plain_ovn.WITHOUT)
    process = lab.process("h1", "ovn-controller")
    process.kill()
    process.pid_file.write_text(str(os.getpid()))
    assert process.pid() == 0
    process.kill()
    lab.down()
    assert not traces(lab.name)


def test_the_killed_builder_leaves_nothing_that_down_does_not_find(new_lab: LabMaker, tmp_path: Path) -> None:
    lab = new_lab("builder")
    file = tmp_path / "lab.yml"
    file.write_text(TOPOLOGY)
    script = (
        "import sys; from pathlib import Path; from netctl.lab.lab import Lab;"
        "Lab(Path(sys.argv[1]).read_text(), name=sys.argv[2]).up()"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(file), lab.name]) as builder:
        wait_until(lambda: len(namespaces.namespaces_of(lab.name)) >= 2, timeout_s=20, what="builder at work")
        builder.kill()
    lab.down()
    assert not traces(lab.name)


def test_another_topology_under_the_same_name_is_refused(new_lab: LabMaker) -> None:
    lab = new_lab("same")
    lab.up(without=plain_ovn.WITHOUT)
    other = Lab(TOPOLOGY.replace("192.168.77.12/24", "192.168.77.13/24"), name=lab.name)
    with pytest.raises(InvalidIntent, match="another topology"):
        other.up(without=plain_ovn.WITHOUT)
    assert len(running(lab)) == 9
