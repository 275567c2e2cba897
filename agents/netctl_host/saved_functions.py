"""Which pair of each network function was in use, on disk, so that an agent that starts anew does not cut what works.

Comes in and goes out: ingress taps by function. Owns one file. What is not such a file counts as none: probes decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from netctl.saved_file import replace_file

log = structlog.get_logger()


class SavedFunctions:
    """`functions.json` in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "functions.json"
        self._on_disk: Mapping[str, str] = {}

    def load(self) -> Mapping[str, str]:
        """Return what was saved, nothing where that cannot be read."""
        try:
            self._on_disk = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("saved pairs cannot be read, ignored", path=str(self._path), error=str(error))
        return self._on_disk

    def save(self, active: Mapping[str, str]) -> None:
        """Replace what was saved when it differs; a full disk stops nothing."""
        if active == self._on_disk:
            return
        try:
            replace_file(self._path, msgspec.json.encode(active))
        except OSError as error:
            log.warning("pairs in use cannot be saved", path=str(self._path), error=str(error))
            return
        self._on_disk = dict(active)
