"""The migration orders that were begun, on disk: `migrations.json` in the agent's state directory.

A file that is damaged stops every migration from here: without it an order might be carried out twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from netctl.errors import HostUnavailable
from netctl.saved_file import replace_file
from netctl_compute.migration_watch import OrderRecord

Key = tuple[str, int]  # migration and attempt
KEPT = 200  # those that ended; the oldest are forgotten


class SavedOrders:
    """Written before an order is begun, and when it ended."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "migrations.json"

    def load(self) -> dict[Key, OrderRecord]:
        """Return the records in the order in which they were begun; raise HostUnavailable when they cannot be read."""
        try:
            records = msgspec.json.decode(self._path.read_bytes(), type=list[OrderRecord])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HostUnavailable(
                f"{self._path} cannot be read ({error}): nothing is migrated from this host until it is restored or"
                " removed, which may be done when no migration is under way"
            ) from error
        return {(record.migration, record.attempt): record for record in records}

    def save(self, records: Mapping[Key, OrderRecord]) -> None:
        """Replace them; raise HostUnavailable when the disk refuses."""
        try:
            replace_file(self._path, msgspec.json.encode(list(records.values())))
        except OSError as error:
            raise HostUnavailable(f"{self._path}: {error}") from error
