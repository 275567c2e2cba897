"""The last assignment on disk, so that a host starts its machines without its controller.

Comes in and goes out: a ComputeAssignment, kept without secrets: a machine with a vTPM waits for the controller, and a
guest is not told its customization again. Owns one file that only its user reads, replaced as a whole. What is not such
a file counts as none; the controller sends a fresh one at the next connection.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import structlog

from netctl.errors import HostUnavailable
from netctl.saved_file import replace_file
from netctl_compute.assignment import ComputeAssignment

log = structlog.get_logger()

VERSION = 1
_MODE = 0o600


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    assignment: msgspec.Raw


def without_secrets(assignment: ComputeAssignment) -> ComputeAssignment:
    """Return the assignment as it may be written down."""
    return replace(
        assignment,
        vms=tuple(replace(vm, vtpm_secret="", customization=None) for vm in assignment.vms),
    )


class SavedAssignment:
    """`assignment.json` in `directory`, which is made when it is not there."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "assignment.json"

    def load(self) -> ComputeAssignment | None:
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
            return msgspec.json.decode(saved.assignment, type=ComputeAssignment)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("saved assignment is damaged, ignored", path=str(self._path), error=str(error))
            return None

    def save(self, assignment: ComputeAssignment) -> None:
        """Replace the saved assignment; raise HostUnavailable when the disk refuses."""
        raw = msgspec.Raw(msgspec.json.encode(without_secrets(assignment)))
        text = msgspec.json.encode(_File(version=VERSION, assignment=raw))
        try:
            replace_file(self._path, text, mode=_MODE)
        except OSError as error:
            raise HostUnavailable(f"{self._path}: {error}") from error
