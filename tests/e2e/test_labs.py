"""Two labs side by side know nothing of each other, and what is taken down leaves nothing, whole or in ruins."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from netctl.lab import namespaces
from netctl.lab.lab import Lab, lab_names, take_down
from netctl.lab.processes import IDENTITY
from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e.site import Site, site


@pytest.fixture
def two() -> Iterator[tuple[Site, Site]]:
    with site("one") as one, site("two") as two:
        yield one, two


def add(here: Site, name: str, host: str, address: str) -> network_pb2.Nic:
    nic = here.create_nic(
        network_pb2.Nic(
            name=f"nics/{name}", subnet="subnets/vlan", host=f"hosts/{host}", ipv4_address=address
        )
    )
    here.plug(nic)
    return here.wait_status(nic.name, "")


def test_two_labs_do_not_see_each_other_and_leave_nothing(two: tuple[Site, Site]) -> None:
    """The same topology, VLAN and addresses twice: each guest reaches its own lab's, and ruins touch no other."""
    one, other = two
    here, there = add(one, "a", "h1", "10.10.0.50"), add(other, "a", "h1", "10.10.0.50")
    add(one, "b", "h2", "10.10.0.60")
    one.wait_ping(here, "10.10.0.60")
    assert not other.ping_once(there, "10.10.0.60"), "a guest of the other lab answered"
    add(other, "c", "h2", "10.10.0.70")
    other.wait_ping(there, "10.10.0.70")
    assert not one.ping_once(here, "10.10.0.70"), "a guest of the other lab answered"

    pids = {process.pid() for process in one.lab.processes()}
    assert len(pids) == len(one.lab.processes())
    assert 0 not in pids
    kill_everything(one.lab)
    take_down(one.lab.name)
    assert remains(one.lab) == []
    assert other.ping_once(there, "10.10.0.70")
    assert all(process.pid() for process in other.lab.processes())
    other.lab.down()
    assert remains(other.lab) == []
    other.lab.down()  # again is no error


def kill_everything(lab: Lab) -> None:
    """Kill every process that runs in a namespace of the lab, all at once; return when all are dead."""
    for pid in namespaces.pids_in(namespaces.namespaces_of(lab.name)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not any(process.pid() for process in lab.processes()), timeout_s=10, what="all processes dead"
    )


def remains(lab: Lab) -> list[str]:
    """Name what is left of a lab on this machine, found without the lab's own bookkeeping."""
    found = [
        f"namespace {entry.name}" for entry in Path("/run/netns").iterdir() if f".{lab.name}." in entry.name
    ]
    found += [f"directory {path}" for path in (lab.directory,) if path.exists()]
    found += [f"lab {name}" for name in lab_names() if name == lab.name]
    needle = f"{IDENTITY}={lab.directory}/".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if needle in (entry / "environ").read_bytes():
                    found.append(f"process {entry.name}")
    return found
