"""Which statuses changed, in order: what a watch has to send again.

In: the status of intents as they are looked at; out: the keys whose status changed since a place in this log. One entry
for each key, so that it grows with the intents and not with their history. Belongs to the event loop.
"""

from __future__ import annotations

from collections.abc import Callable

from netctl.model.keys import Key
from netctl.model.status import Status


class StatusLog:
    """The last known status of each key, ordered by when it changed."""

    def __init__(self) -> None:
        self.place = 0
        self._known: dict[Key, Status] = {}
        # key -> (place, store revision when it was noticed); oldest first.
        self._changed: dict[Key, tuple[int, int]] = {}

    def note(self, key: Key, status: Status | None, revision: int) -> bool:
        """Take what a status is now, with the store at `revision`; tell whether that is news to somebody."""
        if status is None:
            self._known.pop(key, None)
            self._changed.pop(key, None)
            return False
        before = self._known.get(key)
        if before == status:
            return False
        self._known[key] = status
        if before is None:
            return False  # nobody was told anything else
        self.place += 1
        self._changed.pop(key, None)
        self._changed[key] = (self.place, revision)
        return True

    def keys(self) -> list[Key]:
        """Return all keys whose status is known."""
        return list(self._known)

    def after(self, place: int) -> list[Key]:
        """Return the keys whose status changed after `place`."""
        return self._until(lambda entry: entry[0] <= place)

    def noticed_from(self, revision: int) -> list[Key]:
        """Return the keys whose status changed while the store was at `revision` or later."""
        return self._until(lambda entry: entry[1] < revision)

    def _until(self, is_old: Callable[[tuple[int, int]], bool]) -> list[Key]:
        keys = []
        for key in reversed(self._changed):
            if is_old(self._changed[key]):
                break
            keys.append(key)
        return keys
