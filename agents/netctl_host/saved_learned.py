"""The learned addresses on disk, so that an agent that starts anew does not take them back.

Comes in and goes out: what was learned. Owns one file. What is not such a file counts as none: guests speak again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from netctl.errors import HostUnavailable
from netctl.saved_file import replace_file
from netctl_host.learned import Learned, Owner
from netctl_host.state import LearnedAddress

log = structlog.get_logger()


class _Nic(msgspec.Struct):
    owner: Owner
    addresses: tuple[LearnedAddress, ...]


class SavedLearned:
    """`learned.json` in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "learned.json"
        self._on_disk: Learned | None = None

    def load(self) -> Learned:
        """Return what was saved, nothing where that cannot be read."""
        try:
            nics = msgspec.json.decode(self._path.read_bytes(), type=tuple[_Nic, ...])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("saved addresses cannot be read, ignored", path=str(self._path), error=str(error))
            return {}
        self._on_disk = {nic.owner: nic.addresses for nic in nics}
        return self._on_disk

    def save(self, learned: Learned) -> None:
        """Replace what was saved when it differs; raise HostUnavailable when the disk refuses."""
        if learned == (self._on_disk or {}):
            return
        nics = tuple(_Nic(owner, addresses) for owner, addresses in learned.items())
        try:
            replace_file(self._path, msgspec.json.encode(nics))
        except OSError as error:
            raise HostUnavailable(f"{self._path}: {error}") from error
        self._on_disk = learned
