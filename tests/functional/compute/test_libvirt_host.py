"""The private libvirt that every other test here stands on: it survives what it should, and leaves nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from netctl.lab import namespaces
from netctl.loop import wait_until
from tests.functional.compute.libvirt_host import PrivateLibvirt

_GUEST = """
<domain type='qemu'>
  <name>bare</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm></devices>
</domain>
"""
_LEFT_ALONE = """
import pathlib, sys
from tests.functional.compute.libvirt_host import libvirt_hosts
with libvirt_hosts(pathlib.Path(sys.argv[1]), 1) as (host,):
    (host.host.directory / "guest.xml").write_text(sys.argv[2])
    host.virsh("create", str(host.host.directory / "guest.xml"))
    print(host.namespace, flush=True)
    input()
"""


def _create(host: PrivateLibvirt) -> int:
    file = host.host.directory / "guest.xml"
    file.write_text(_GUEST)
    host.virsh("create", str(file))
    (pid,) = host.qemu_pids()
    return pid


def test_a_guest_outlives_its_libvirtd(libvirt_host: PrivateLibvirt) -> None:
    pid = _create(libvirt_host)
    libvirt_host.kill()
    assert libvirt_host.qemu_pids() == [pid]
    libvirt_host.start()
    assert libvirt_host.virsh("domstate", "bare").strip() == "running"
    assert libvirt_host.qemu_pids() == [pid]


def test_a_guest_with_a_tpm_moves_to_the_other_host(libvirt_pair: list[PrivateLibvirt]) -> None:
    source, destination = libvirt_pair
    _create(source)
    to = (destination.host.peer_uri, "--migrateuri", destination.host.migrate_uri)
    source.virsh("migrate", "--live", "--p2p", "bare", *to)
    assert destination.virsh("domstate", "bare").strip() == "running"
    assert source.qemu_pids() == []
    assert len(destination.qemu_pids()) == 1


def test_nothing_is_left_of_a_test_that_is_killed(short_path: Path) -> None:
    argv = [sys.executable, "-c", _LEFT_ALONE, str(short_path), _GUEST]
    test = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert test.stdin is not None
    assert test.stdout is not None
    with test.stdin, test.stdout:
        namespace = test.stdout.readline().strip()
        try:
            assert len(list(namespaces.pids_in([namespace]))) >= 3  # libvirtd, swtpm, QEMU
            test.send_signal(signal.SIGKILL)
            test.wait(timeout=10)
            wait_until(lambda: not list(namespaces.pids_in([namespace])), timeout_s=10, what="processes gone")
        finally:
            test.kill()
            for name in (namespace, namespace.rpartition("-")[0]):
                namespaces.remove(name)
