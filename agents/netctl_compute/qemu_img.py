"""Runs qemu-img: by execve with an argument list of our own, never a shell; with limits; it dies with the agent.

Paths are the store's, absolute (so none is read as a protocol), and every format is given. Locks are never overridden
(`-U`): a disk that a virtual machine uses is refused by qemu-img itself. All raise Problem, and Stopped when the ticket
says so; what a copy left then is the caller's to remove.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from netctl_compute.problem import Problem
from netctl_compute.qcow2 import QCOW2, Content, read_content
from netctl_compute.storage_state import DiskFile
from netctl_compute.work import Ticket

_STALL_S = 3600.0  # what neither gets on nor writes for so long is given up
_MEMORY_BYTES = 2 * 2**30  # an image can be made to cost memory
_POLL_S = 0.25
_OUTPUT_BYTES_MAX = 2**20
_COMPLAINT_BYTES_MAX = 400
_PROGRESS = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")
# A child of an agent that was killed must not write on (PR_SET_PDEATHSIG). The pid stays: each of them execs the next.
_UNDER = ("setpriv", "--pdeathsig", "KILL", "--")
_LIMITED = ("prlimit", f"--as={_MEMORY_BYTES}", "--core=0", "--", "qemu-img")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    status: int
    output: bytes
    complaint: str


def check_image(path: Path, ticket: Ticket) -> Content:
    """Say what a file from outside holds, once it is known to be whole and to name no other file.

    Raises Problem IMAGE_REFUSED.
    """
    content = read_content(path)
    if content.format == QCOW2:
        _check_named(path, content, ticket)
        _check_whole(path, ticket)
    return content


def create(path: Path, size_bytes: int, ticket: Ticket) -> None:
    """Make an empty disk; it takes room as it is written."""
    _well(_run(("create", "-q", "-f", QCOW2, str(path), str(size_bytes)), ticket), "create")


def grow(path: Path, size_bytes: int, ticket: Ticket) -> None:
    """Make a disk larger; refused while it is in use."""
    _well(_run(("resize", "-q", "-f", QCOW2, str(path), str(size_bytes)), ticket), "resize")


def copy(source: DiskFile, target: Path, ticket: Ticket) -> None:
    """Copy a disk to a new qcow2 file, and say how far it is."""
    argv = ("convert", "-p", "-f", source.format, "-O", QCOW2, str(source.path), str(target))
    _well(_run(argv, ticket, written=lambda: _written(target)), "convert")


def _check_named(path: Path, content: Content, ticket: Ticket) -> None:
    """Refuse what qemu-img finds in spite of our own look at the header."""
    ended = _run(("info", "--output=json", "-f", QCOW2, str(path)), ticket)
    _well(ended, "info", reason="IMAGE_REFUSED")
    said = _answer(ended)
    specific: dict[str, Any] = said.get("format-specific", {}).get("data", {})
    named = {"backing-filename", "full-backing-filename", "backing-filename-format"} & said.keys()
    if (
        named
        or said.get("encrypted")
        or {"data-file", "encrypt"} & specific.keys()
        or specific.get("corrupt")
    ):
        raise Problem("IMAGE_REFUSED", "the image has a backing file or data file, is encrypted or corrupt")
    if said.get("virtual-size") != content.size_bytes:
        raise Problem("IMAGE_REFUSED", "the image's size is not what its header says")


def _answer(ended: _Ended) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(ended.output)
    except ValueError as error:
        raise Problem("IMAGE_REFUSED", f"qemu-img says of the image what is no JSON: {error}") from error
    return said


def _check_whole(path: Path, ticket: Ticket) -> None:
    """Refuse what refers beyond its end: a copy would read zeros there and be content."""
    # It complains line by line, without end; the numbers say enough.
    ended = _run(("check", "--output=json", "-f", QCOW2, str(path)), ticket, complaints=False)
    # 2: corrupt; 3: clusters that nobody uses, so room is lost and nothing else.
    if ended.status not in (0, 2, 3):
        raise Problem("IMAGE_REFUSED", f"the image cannot be checked (qemu-img check: {ended.status})")
    said = _answer(ended)
    wrong = int(said.get("corruptions", 0)) + int(said.get("check-errors", 0))
    if wrong or ended.status == 2:
        raise Problem("IMAGE_REFUSED", f"the image is truncated or corrupt: {wrong} errors (qemu-img check)")


def _run(
    argv: tuple[str, ...],
    ticket: Ticket,
    *,
    complaints: bool = True,
    written: Callable[[], int] = lambda: 0,
) -> _Ended:
    """Run qemu-img to its end, or until the ticket says stop or nothing gets on."""
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            (*_UNDER, *_LIMITED, *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said if complaints else subprocess.DEVNULL,
            # PATH alone: QEMU's tools can be told things by the environment.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
        with child:
            assert child.stdout is not None
            try:
                output = _follow(child.stdout, ticket, written)
                status = child.wait()
            finally:
                child.kill()
        said.seek(0)
        complaint = said.read(_COMPLAINT_BYTES_MAX).decode(errors="replace").strip()
    return _Ended(status=status, output=output, complaint=complaint)


def _follow(stream: IO[bytes], ticket: Ticket, written: Callable[[], int]) -> bytes:
    """Read what a child prints to its end; tell the ticket how far it says it is."""
    output, percent = b"", 0.0
    seen, moved_s = (0.0, 0, 0), time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            ticket.progress(percent)
            if selector.select(_POLL_S):
                if not (data := os.read(stream.fileno(), 65536)):
                    return output
                output = (output + data)[-_OUTPUT_BYTES_MAX:]
                if found := _PROGRESS.findall(output[-64:]):
                    percent = float(found[-1])
            now = (percent, written(), len(output))
            if now != seen:
                seen, moved_s = now, time.monotonic()
            elif time.monotonic() - moved_s > _STALL_S:
                raise Problem("STORE_STALLED", f"qemu-img has not got on for {_STALL_S:g} s")


def _written(path: Path) -> int:
    try:
        return path.lstat().st_blocks
    except FileNotFoundError:
        return 0


def _well(ended: _Ended, command: str, *, reason: str = "") -> None:
    """Raise Problem unless a command ended well."""
    if ended.status == 0:
        return
    if not reason:
        reason = next((word for text, word in _REASONS.items() if text in ended.complaint), "DISK_FAILED")
    raise Problem(reason, f"qemu-img {command} ended with {ended.status}: {ended.complaint}")


_REASONS = {"lock": "DISK_IN_USE", "No space left": "STORE_FULL", "quota": "STORE_FULL"}
