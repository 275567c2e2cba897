"""Hosts of libvirt for the tests of this folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.compute.libvirt_host import PrivateLibvirt, libvirt_hosts


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name leaves room: Unix sockets allow only 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ncv-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def libvirt_host(short_path: Path) -> Iterator[PrivateLibvirt]:
    """One host whose libvirtd answers; it has no domains."""
    with libvirt_hosts(short_path, 1) as (host,):
        yield host


@pytest.fixture
def libvirt_pair(short_path: Path) -> Iterator[list[PrivateLibvirt]]:
    """Two hosts that migrate guests to each other."""
    with libvirt_hosts(short_path, 2) as hosts:
        yield hosts
