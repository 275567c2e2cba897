"""Flows of a bridge, written and read back by ovs-ofctl(8), which belongs to the OVS package.

In: a bridge's management socket and the flows as text. Out: the flows that are there. Each change is one OpenFlow
bundle: no packet meets half of it. ovs-vswitchd is the source of truth. Raises HostUnavailable with what it said.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from netctl.errors import HostUnavailable

TIMEOUT_S = 5.0
_VERSION = ("-O", "OpenFlow15")  # bundles; and ovs-vswitchd has it enabled everywhere


def replace_all(socket: Path, flows: tuple[str, ...]) -> None:
    """Make these the bridge's only flows; those that are there and right are not touched."""
    _run(("--bundle", "replace-flows", f"unix:{socket}", "-"), "\n".join((*flows, "")))


def change(socket: Path, before: tuple[str, ...], flows: tuple[str, ...]) -> None:
    """Turn flows that are known to be there into others: what is in both is not even named."""
    heads = {_head(flow) for flow in flows}
    known = set(before)
    gone = (f"delete_strict {head}" for head in map(_head, before) if head not in heads)
    new = (f"add {flow}" for flow in flows if flow not in known)
    _run(("--bundle", "add-flows", f"unix:{socket}", "-"), "\n".join((*gone, *new, "")))


def differs(socket: Path, flows: tuple[str, ...]) -> bool:
    """Has the bridge other flows than these?"""
    found = _run(("diff-flows", f"unix:{socket}", "/dev/stdin"), "\n".join((*flows, "")), differ=2)
    return bool(found)


def replace_own(socket: Path, cookie: int, flows: tuple[str, ...]) -> None:
    """Make these the bridge's only flows with `cookie`; others' stay."""
    own = (f"add cookie={cookie:#x},{flow}" for flow in flows)
    _run(
        ("--bundle", "add-flows", f"unix:{socket}", "-"),
        "\n".join((f"delete cookie={cookie:#x}/-1", *own, "")),
    )


def read(socket: Path, cookie: int | None = None) -> tuple[str, ...]:
    """Return the flows (with `cookie`) without what changes by itself, sorted."""
    match = () if cookie is None else (f"cookie={cookie:#x}/-1",)
    text = _run(("--no-names", "--no-stats", "dump-flows", f"unix:{socket}", *match), "")
    lines = (line.strip() for line in text.splitlines())
    return tuple(sorted(line for line in lines if re.match(r"(cookie=|table=|priority=|\w.*actions=)", line)))


def _head(flow: str) -> str:
    """Return a flow without its actions: table, priority and match, which no two flows share."""
    return flow.partition(",actions=")[0]


def _run(arguments: tuple[str, ...], text: str, *, differ: int = 0) -> str:
    """Return what it says; `differ` is an exit status that is no failure."""
    try:
        done = subprocess.run(
            ("ovs-ofctl", *_VERSION, f"--timeout={TIMEOUT_S:.0f}", *arguments),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S + 1,
        )
    except FileNotFoundError as error:
        raise HostUnavailable("ovs-ofctl is not installed; it comes with Open vSwitch") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostUnavailable(f"ovs-ofctl: {error}") from error
    if done.returncode not in (0, differ):
        command = next(argument for argument in arguments if not argument.startswith("-"))
        raise HostUnavailable(f"ovs-ofctl {command}: {done.stderr.strip()[:300]}")
    return done.stdout
