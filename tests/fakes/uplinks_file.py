"""FakeUplinksFile: `uplinks.json` in memory; the disk may be full."""

from __future__ import annotations

from collections.abc import Mapping

from netctl_host.uplink_trial import Record

from netctl.errors import HostUnavailable


class FakeUplinksFile:
    """Holds what was saved last."""

    def __init__(self) -> None:
        self.is_full = False
        self.boot_id = ""
        self.records: dict[str, Record] = {}
        self.saves = 0

    def load(self) -> tuple[str, Mapping[str, Record]]:
        """Return what was saved."""
        return self.boot_id, dict(self.records)

    def save(self, boot_id: str, records: Mapping[str, Record]) -> None:
        """Replace it, unless the disk is full."""
        if self.is_full:
            raise HostUnavailable("uplinks.json: No space left on device")
        self.boot_id, self.records = boot_id, dict(records)
        self.saves += 1
