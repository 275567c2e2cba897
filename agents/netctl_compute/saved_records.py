"""The records of what ran, on disk: `records.json` in the agent's state directory.

A file that cannot be read counts as empty: machines without a record start when they are to be on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from netctl.errors import HostUnavailable
from netctl.saved_file import replace_file
from netctl_compute.records import Record

log = structlog.get_logger()


class SavedRecords:
    """Written only when they differ from what is on disk."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "records.json"
        self._on_disk: dict[str, Record] = {}

    def load(self) -> dict[str, Record]:
        """Return the records, none where there are none that can be read."""
        try:
            self._on_disk = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Record])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("saved records are damaged, ignored", path=str(self._path), error=str(error))
        return dict(self._on_disk)

    def save(self, records: Mapping[str, Record]) -> None:
        """Replace them; raise HostUnavailable when the disk refuses."""
        if records == self._on_disk:
            return
        try:
            replace_file(self._path, msgspec.json.encode(dict(records)))
        except OSError as error:
            raise HostUnavailable(f"{self._path}: {error}") from error
        self._on_disk = dict(records)
