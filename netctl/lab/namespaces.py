"""Network namespaces of labs: made, listed, entered by a thread, removed.

A name is `netctl.LAB.NODE`, or `netctl.LAB.g.TAP` for a guest. Neither a lab's nor a node's name has a dot, so a name
says whose it is, and `down` finds everything by names alone. Source: ip-netns(8), setns(2).
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pyroute2 import netns

from netctl.errors import Forbidden
from netctl.lab.topology import FABRIC

T = TypeVar("T")
DIRECTORY = Path("/run/netns")
_PREFIX = "netctl"
_CLONE_NEWNET = 0x40000000


def node_namespace(lab: str, node: str) -> str:
    """Name the namespace of central, a host or the fabric."""
    return f"{_PREFIX}.{lab}.{node}"


def fabric_namespace(lab: str) -> str:
    """Name the namespace of all bridges."""
    return node_namespace(lab, FABRIC)


def guest_namespace(lab: str, tap_name: str) -> str:
    """Name the namespace of the guest behind a tap."""
    return f"{_PREFIX}.{lab}.g.{tap_name}"


def namespaces_of(lab: str) -> list[str]:
    """List the namespaces of a lab that are there."""
    return sorted(name for name in netns.listnetns() if name.startswith(f"{_PREFIX}.{lab}."))


def labs_with_namespaces() -> set[str]:
    """Name every lab that has a namespace."""
    return {
        name.split(".")[1] for name in netns.listnetns() if name.startswith(f"{_PREFIX}.") and "." in name[7:]
    }


def ensure(name: str) -> bool:
    """Make a namespace unless it is there; say whether it was made."""
    path = DIRECTORY / name
    if path.exists():
        if path.stat().st_dev != DIRECTORY.stat().st_dev:
            return False
        path.unlink()  # whoever made it died between the file and the mount

    def make() -> None:
        # In a thread: unshare(2) is the thread's own, and a fork would meet gRPC's threads.
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            raise Forbidden("cannot make network namespaces: run this as root, for instance with sudo")
        netns.attach(name, threading.get_native_id())

    _in_thread(make)
    return True


def remove(name: str) -> None:
    """Remove a namespace; one that is gone is no error."""
    with suppress(FileNotFoundError):
        netns.remove(name)


def run_in(name: str, function: Callable[[], T]) -> T:
    """Call a function in a namespace: in a thread that enters it and ends with the call."""

    def enter() -> T:
        netns.setns(name, flags=0)
        return function()

    return _in_thread(enter)


def pids_in(names: list[str]) -> Iterator[int]:
    """Find every process, whoever started it, whose network namespace is one of these."""
    inodes = set()
    for name in names:
        with suppress(FileNotFoundError):
            inodes.add((DIRECTORY / name).stat().st_ino)
    for pid in all_pids():
        with suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            if Path(f"/proc/{pid}/ns/net").stat().st_ino in inodes:
                yield pid


def all_pids() -> list[int]:
    """List every process of the machine but this one."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != os.getpid()]


def _in_thread(function: Callable[[], T]) -> T:
    # A pool of one for one call: its thread, which is now in another namespace, is never used again.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="netns") as pool:
        return pool.submit(function).result()
