"""Installations with many NICs or VPCs in them, made once for all benchmarks of a run through the public API."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import mkdtemp

from bench import vpc_layout
from bench.controllers import World, world
from bench.nics import batches

ENVIRONMENT = "NETCTL_BENCH_CACHE"
_CHUNK = 10_000
_KEPT = ("nb.db", "state")


def loaded(size: int) -> Path:
    """Return a directory with the northbound database and the store of an installation with `size` NICs."""

    def fill(here: World) -> None:
        for request in batches(size, min(size, _CHUNK)):
            here.batch(request)
        here.wait_ports(size)

    return _made(str(size), lambda making: world(making), fill)


def loaded_vpcs(size: int) -> Path:
    """Return the same of an installation with `size` VPCs and all that is in them."""

    def fill(here: World) -> None:
        for request in vpc_layout.batches(size):
            here.batch(request)
        here.wait_ports(size * vpc_layout.PORTS)

    return _made(f"vpcs-{size}", lambda making: world(making, ground=vpc_layout.ground), fill)


def _made(
    name: str, empty: Callable[[Path], AbstractContextManager[World]], fill: Callable[[World], None]
) -> Path:
    kept = _cache() / name
    if not kept.exists():
        making = kept.with_suffix(".making")
        making.mkdir(parents=True)
        with empty(making) as here:
            fill(here)
        for path in making.iterdir():
            if path.name not in _KEPT and not path.is_dir():
                path.unlink()
        making.rename(kept)
    return kept


def _cache() -> Path:
    if ENVIRONMENT not in os.environ:
        directory = mkdtemp(prefix="netctl-bench-")
        atexit.register(shutil.rmtree, directory)
        os.environ[ENVIRONMENT] = directory
    return Path(os.environ[ENVIRONMENT])
