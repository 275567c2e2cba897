"""What was confirmed and what is being tried of each uplink bridge, on disk.

Comes in and goes out: records by bridge, with the boot that they were written in: a trial's deadline counts from the
machine's start. Owns one file, replaced as a whole. What is not such a file counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from netctl.errors import HostUnavailable
from netctl.saved_file import replace_file
from netctl_host.uplink_trial import Record

log = structlog.get_logger()

VERSION = 1


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    boot_id: str
    records: tuple[Record, ...]


class SavedUplinks:
    """`uplinks.json` in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "uplinks.json"

    def load(self) -> tuple[str, Mapping[str, Record]]:
        """Return the boot and the records by bridge; nothing where they cannot be read."""
        try:
            saved = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return "", {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("saved uplinks cannot be read, ignored", path=str(self._path), error=str(error))
            return "", {}
        if saved.version != VERSION:
            log.warning("saved uplinks of another version", path=str(self._path), version=saved.version)
            return "", {}
        return saved.boot_id, {record.bridge: record for record in saved.records}

    def save(self, boot_id: str, records: Mapping[str, Record]) -> None:
        """Replace what was saved; raise HostUnavailable when the disk refuses."""
        file = _File(version=VERSION, boot_id=boot_id, records=tuple(records.values()))
        try:
            replace_file(self._path, msgspec.json.encode(file))
        except OSError as error:
            raise HostUnavailable(f"{self._path}: {error}") from error
