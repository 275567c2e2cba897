"""Upstreams: what is beyond the fabric, set up by the command lines of the topology file.

The commands are not made to be run twice, so what they made is known by a mark in the run directory that names the
namespace they ran in; a namespace without its mark is made anew.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from netctl.errors import Unavailable
from netctl.lab import daemons, links, namespaces, processes
from netctl.lab.daemons import Place
from netctl.lab.processes import Process
from netctl.lab.topology import Vlans
from netctl.loop import wait_until

COMMAND_TIMEOUT_S = 20.0


def forget_unfinished(places: list[Place]) -> None:
    """Remove the namespaces of upstreams that were not set up to the end."""
    for place in places:
        if not _is_done(place):
            processes.end_all([place.namespace])
            namespaces.remove(place.namespace)


def set_up(places: list[Place]) -> None:
    """Make VLANs, and run the commands of upstreams that are new; the first that fails raises Unavailable."""
    for place in places:
        place.directory.mkdir(exist_ok=True)
        for wanted in place.node.vlans:
            make_vlans(place.namespace, place.directory, place.node.id, wanted)
        if _is_done(place):
            continue
        for command in place.node.commands:
            _run(place, command)
        _mark(place).write_text(_identity(place))


def make_vlans(namespace: str, directory: Path, node: str, wanted: Vlans) -> None:
    """Make the VLAN sub-interfaces of an interface; return when they are up."""
    Process(daemons.vlans(namespace, directory, node, wanted)).start()
    names = {f"{wanted.interface}.{vlan_id}" for vlan_id in wanted.vlan_ids}
    wait_until(
        lambda: names <= links.interfaces_up(namespace), timeout_s=10, what=f"VLANs of {wanted.interface} up"
    )


def _run(place: Place, command: tuple[str, ...]) -> None:
    argv = [*processes.enter(place.namespace), *command]
    what = f"{' '.join(command)} on {place.node.id}"
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what}: not done within {COMMAND_TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        raise Unavailable(f"{what}: exit {done.returncode}: {done.stderr.strip()[-300:]}")


def _is_done(place: Place) -> bool:
    try:
        return _mark(place).read_text() == _identity(place)
    except FileNotFoundError:
        return False


def _mark(place: Place) -> Path:
    return place.directory / "upstream.done"


def _identity(place: Place) -> str:
    return str((namespaces.DIRECTORY / place.namespace).stat().st_ino)
