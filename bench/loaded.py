"""Installations with much in them, made once for all benchmarks of a run through the public API."""

from __future__ import annotations

import atexit
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from bench.controllers import world
from bench.nics import batches

ENVIRONMENT = "NETCTL_BENCH_CACHE"
_CHUNK = 10_000
_KEPT = ("nb.db", "state")


def loaded(size: int) -> Path:
    """Return a directory with the northbound database and the store of an installation with `size` NICs."""
    kept = _cache() / str(size)
    if not kept.exists():
        making = kept.with_suffix(".making")
        making.mkdir(parents=True)
        with world(making) as here:
            for request in batches(size, min(size, _CHUNK)):
                here.batch(request)
            here.wait_ports(size)
        keep(making, kept.name)
    return kept


def keep(directory: Path, name: str) -> Path:
    """Move the northbound database and the store of an installation that was stopped to where all find them."""
    kept = _cache() / name
    if not kept.exists():
        kept.mkdir(parents=True)
        for part in _KEPT:
            shutil.move(directory / part, kept / part)
    return kept


def _cache() -> Path:
    if ENVIRONMENT not in os.environ:
        directory = mkdtemp(prefix="netctl-bench-")
        atexit.register(shutil.rmtree, directory)
        os.environ[ENVIRONMENT] = directory
    return Path(os.environ[ENVIRONMENT])
