"""The last assignment on disk, so that a host comes up without its controller.

Comes in and goes out: an Assignment. Owns one file, replaced as a whole: after a crash it holds the assignment of
before or of after. What is not such a file counts as none; the controller sends a fresh one at the next connection.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from netctl.errors import HostUnavailable
from netctl.saved_file import replace_file
from netctl_host.assignment import Assignment

log = structlog.get_logger()

VERSION = 1


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    assignment: msgspec.Raw


class SavedAssignment:
    """`assignment.json` in `directory`, which is made when it is not there."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "assignment.json"

    def load(self) -> Assignment | None:
        """Return the saved assignment, None where there is none that can be read."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("saved assignment cannot be read", path=str(self._path), error=str(error))
            return None
        try:
            saved = msgspec.json.decode(text, type=_File)
            if saved.version != VERSION:
                log.warning(
                    "saved assignment of another version", path=str(self._path), version=saved.version
                )
                return None
            return msgspec.json.decode(saved.assignment, type=Assignment)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("saved assignment is damaged, ignored", path=str(self._path), error=str(error))
            return None

    def save(self, assignment: Assignment) -> None:
        """Replace the saved assignment; raise HostUnavailable when the disk refuses."""
        text = msgspec.json.encode(
            _File(version=VERSION, assignment=msgspec.Raw(msgspec.json.encode(assignment)))
        )
        try:
            replace_file(self._path, text)
        except OSError as error:
            raise HostUnavailable(f"{self._path}: {error}") from error
