"""Which keys changed lately: so that the reconciler and watches need not compare snapshots.

In: the keys of each published change; out: the keys changed after a revision, or None where memory does not reach.
Owns one dictionary, ordered by the last change; a key that changes often takes one place. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterable

from netctl.model.keys import Key

KEYS_MAX = 200_000


class RecentKeys:
    """The last changes by key, at most `keys_max` of them, since the revision it was made at."""

    def __init__(self, revision: int, *, keys_max: int = KEYS_MAX) -> None:
        self._last = revision
        self._complete_after = revision  # every key changed at a later revision is known
        self._keys_max = keys_max
        self._changed: dict[Key, int] = {}  # oldest change first

    def record(self, changed: Iterable[tuple[Key, int]]) -> None:
        """Add keys with the revisions of their changes, in the order of revisions."""
        for key, revision in changed:
            self._changed.pop(key, None)
            self._changed[key] = self._last = revision
        while len(self._changed) > self._keys_max:
            oldest = next(iter(self._changed))
            self._complete_after = self._changed.pop(oldest)

    def since(self, revision: int) -> frozenset[Key] | None:
        """Return the keys changed after `revision`; None when some may be forgotten, or it is yet to come."""
        if not self._complete_after <= revision <= self._last:
            return None
        keys = []
        for key in reversed(self._changed):
            if self._changed[key] <= revision:
                break
            keys.append(key)
        return frozenset(keys)
