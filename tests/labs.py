"""Labs of tests stay apart from the user's and from other runs': each run has a folder of labs of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from netctl.lab.discover import ENVIRONMENT


@contextmanager
def own_labs() -> Iterator[None]:
    """Keep all labs of the block in a new folder; a short path, because Unix sockets allow only 107 bytes."""
    before = os.environ.get(ENVIRONMENT)
    with tempfile.TemporaryDirectory(prefix="ncl-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ[ENVIRONMENT] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[ENVIRONMENT]
            else:
                os.environ[ENVIRONMENT] = before
