"""What a node needs on disk before its daemons start, and what it forgets when its power goes."""

from __future__ import annotations

import shutil
import subprocess

from netctl.errors import Unavailable
from netctl.lab.daemons import Place


def prepare(place: Place) -> None:
    """Make a node's directories, databases and configuration where they are missing."""
    place.directory.mkdir(exist_ok=True)
    (place.directory / "state").mkdir(exist_ok=True)
    for database, schema in place.databases.items():
        if not database.exists():
            run(["ovsdb-tool", "create", str(database), str(schema)])
    if place.node.compute:
        place.libvirt.prepare()


def forget(place: Place, *, keep_ovs: bool) -> None:
    """Remove what does not outlive a loss of power: OVS' database, unless it is kept, and what is in /run."""
    if not keep_ovs:
        for database in place.databases:
            database.unlink(missing_ok=True)
    if place.node.compute:
        shutil.rmtree(place.libvirt.directory / "run", ignore_errors=True)


def run(argv: list[str]) -> None:
    """Run a program that says nothing when all is well."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(argv)}: {done.stderr.strip()[-500:]}")
