"""Hosts that run virtual machines: each sees its own libvirt, and nothing outlives what takes the host away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.lab import daemons, namespaces, processes
from netctl.lab.lab import Lab
from netctl.loop import wait_until
from tests.functional.lab.conftest import FOLDER, lab_name

TEXT = (FOLDER / "compute-hosts.clab.yml").read_text()
# No controller and no agents: libvirt and what becomes of its guests.
WITHOUT = tuple(name for name in daemons.DAEMONS if name not in (daemons.OVSDB, daemons.LIBVIRTD))
GUEST = """
<domain type='qemu'><name>bare</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab(TEXT, name=lab_name("vm"))
    try:
        made.up(without=WITHOUT, register=False)
        yield made
    finally:
        pids = list(namespaces.pids_in([made.place(host).namespace for host in ("h1", "h2", "h3")]))
        made.down()
    assert pids
    assert all(processes.has_ended(pid) for pid in pids)


def _running(lab: Lab, host: str) -> list[str]:
    return lab.exec(host, ["virsh", "--quiet", "list", "--name"]).stdout.split()


def _qemu(lab: Lab, host: str) -> list[int]:
    pids = namespaces.pids_in([lab.place(host).namespace])
    return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().startswith("qemu-")]


def _create(lab: Lab, host: str) -> None:
    file = lab.directory / "guest.xml"
    file.write_text(GUEST)
    lab.exec(host, ["virsh", "create", str(file)])


def test_each_host_has_a_libvirt_of_its_own_and_guests_outlive_its_daemon(lab: Lab) -> None:
    _create(lab, "h1")
    assert [_running(lab, host) for host in ("h1", "h2", "h3")] == [["bare"], [], []]
    pids = _qemu(lab, "h1")
    lab.process("h1", daemons.LIBVIRTD).kill()
    assert _qemu(lab, "h1") == pids
    lab.process("h1", daemons.LIBVIRTD).start()
    wait_until(lambda: _running(lab, "h1") == ["bare"], timeout_s=10, what="libvirtd finds its guest")


def test_a_host_that_loses_its_power_has_no_guest_afterwards(lab: Lab) -> None:
    _create(lab, "h2")
    assert len(_qemu(lab, "h2")) == 1
    lab.cut("h2")
    assert lab.place("h2").namespace not in namespaces.namespaces_of(lab.name)
    lab.restore("h2", without=WITHOUT)
    assert _running(lab, "h2") == []
    assert _qemu(lab, "h2") == []


def test_hosts_are_told_apart_by_libvirt(lab: Lab) -> None:
    found = {lab.exec(host, ["virsh", "--quiet", "hostname"]).stdout.strip() for host in ("h1", "h2", "h3")}
    assert found == {"h1", "h2", "h3"}
