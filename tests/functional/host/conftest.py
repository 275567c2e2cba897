"""A real host for each test: a network namespace with its own ovsdb-server and ovs-vswitchd, gone afterwards."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.host.namespace import NamespaceHost

_numbers = itertools.count()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NamespaceHost]:
    """A host without bridges and links."""
    real = NamespaceHost(f"nch{os.getpid()}-{next(_numbers)}", tmp_path)
    try:
        real.start()
        yield real
    finally:
        real.remove()
