"""What goes into a store and comes out of it, and the Protocol that every store fulfils.

In: changes (the log's entries, `model.intent.Change`) and remembered answers. Out: all intents at the last revision.
A store owns the truth about intents; everything else in the controller can be computed again from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from netctl.model.intent import Change, Intent
from netctl.model.keys import Key

# AIP-155 leaves the time to the server; the API promises 24 h.
REMEMBER_S = 24 * 3600.0

# What one edit did: key, before, after. Before *is* after where it changed nothing.
Outcome = tuple[Key, Intent | None, Intent | None]
# (revision, index): the place of an entry in the change log.
Position = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Everything that is stored; `owner` is the installation's UUID, made with the store."""

    revision: int
    intents: Sequence[Intent]
    epoch: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A request that was answered: its id, the hash of its body, and the answer to give again.

    The outcomes that changed something are, in order, the log entries of `revision` but for those at the indexes
    `extras`, which came along: an edit may change more than its own intent.
    """

    request_id: str
    body_hash: bytes
    time_s: float
    revision: int
    outcomes: tuple[Outcome, ...]
    extras: tuple[int, ...] = ()


class Store(Protocol):
    """Intents and the change log. Any thread may read; one thread at a time commits.

    Every method raises StoreUnavailable when the medium fails; the store is usable again when the medium is.
    """

    @property
    def owner(self) -> str:
        """Return the installation's UUID, the value of `netctl:owner` in the northbound database."""

    def load(self) -> Loaded:
        """Return everything."""

    def commit(self, changes: Sequence[Change], answers: Sequence[Remembered]) -> None:
        """Make all of it durable, or none. `changes` are ordered by revision and index."""

    def check(self) -> None:
        """Write something small durably: raise StoreUnavailable while the store cannot be written."""

    def find_answers(self, request_ids: Collection[str], *, since_s: float) -> Mapping[str, Remembered]:
        """Return what is remembered of these requests, of those answered at `since_s` or later."""

    def read_changes(
        self, *, before: Position | None = None, limit: int = 100, key: Key | None = None
    ) -> tuple[Change, ...]:
        """Return entries of the change log, newest first: older than `before`, only of `key` when given."""

    def changed_keys_since(self, revision: int) -> list[tuple[Key, int]]:
        """Return keys changed after `revision` with the revision of the last change, oldest first.

        OutOfRange when the log does not reach back to `revision`, or the store never had it.
        """

    def purge(self, now_s: float) -> int:
        """Forget answers older than REMEMBER_S and changes past their retention; return how many rows."""

    def next_epoch(self) -> int:
        """Return the number of this start of the controller: one more than the last, durable."""

    def close(self) -> None:
        """Let go of the medium."""
