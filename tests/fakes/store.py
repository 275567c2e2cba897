"""A store in memory that keeps the promises of `netctl.store.records.Store`, and fails when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence

from netctl.errors import OutOfRange, StoreUnavailable
from netctl.model.intent import Change, Intent
from netctl.model.keys import Key
from netctl.store.records import REMEMBER_S, Loaded, Position, Remembered


class FakeStore:
    """`failing` set, every call raises it as StoreUnavailable; `fail_at` n, the n-th call from now does.

    `bug` set, the next commit raises it, having stored everything: a fault that nobody foresaw. While `gate` is
    cleared, commits wait. `commits` counts what each commit was given.
    """

    def __init__(self, *, owner: str = "f0000000-0000-4000-8000-000000000001") -> None:
        self.owner = owner
        self.failing = ""
        self.fail_at = 0
        self.bug: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.commits: list[tuple[int, int]] = []
        self._intents: dict[Key, Intent] = {}
        self._changes: list[Change] = []
        self._answers: dict[str, Remembered] = {}
        self._epoch = self._revision = self._log_start = 0

    def load(self) -> Loaded:
        self._may_fail()
        return Loaded(
            revision=self._revision,
            intents=tuple(self._intents.values()),
            epoch=self._epoch,
            owner=self.owner,
        )

    def commit(self, changes: Sequence[Change], answers: Sequence[Remembered]) -> None:
        assert self.gate.wait(30), "nobody opened the gate"
        self._may_fail()
        positions = {(change.revision, change.index) for change in self._changes}
        if any((change.revision, change.index) in positions for change in changes):
            raise StoreUnavailable("the revision is there already")
        for change in changes:
            if change.after is None:
                self._intents.pop(change.key, None)
            else:
                self._intents[change.key] = change.after
            self._revision = max(self._revision, change.revision)
        self._changes += changes
        self._answers |= {answer.request_id: answer for answer in answers}
        self.commits.append((len(changes), len(answers)))
        if self.bug is not None:
            bug, self.bug = self.bug, None
            raise bug

    def check(self) -> None:
        self._may_fail()

    def find_answers(self, request_ids: Collection[str], *, since_s: float) -> Mapping[str, Remembered]:
        self._may_fail()
        return {
            id_: answer
            for id_ in request_ids
            if (answer := self._answers.get(id_)) is not None and answer.time_s >= since_s
        }

    def read_changes(
        self, *, before: Position | None = None, limit: int = 100, key: Key | None = None
    ) -> tuple[Change, ...]:
        self._may_fail()
        older = (
            change
            for change in sorted(self._changes, key=lambda c: (c.revision, c.index), reverse=True)
            if (before is None or (change.revision, change.index) < before) and key in (None, change.key)
        )
        return tuple(older)[:limit]

    def changed_keys_since(self, revision: int) -> list[tuple[Key, int]]:
        self._may_fail()
        if not self._log_start <= revision <= self._revision:
            raise OutOfRange(
                f"the change log cannot tell what changed after {revision}; read everything again"
            )
        last = {change.key: change.revision for change in self._changes if change.revision > revision}
        return sorted(last.items(), key=lambda item: (item[1], item[0]))

    def purge(self, now_s: float) -> int:
        self._may_fail()
        old = [id_ for id_, answer in self._answers.items() if answer.time_s < now_s - REMEMBER_S]
        for id_ in old:
            del self._answers[id_]
        return len(old)

    def next_epoch(self) -> int:
        self._may_fail()
        self._epoch += 1
        return self._epoch

    def close(self) -> None:
        """Nothing to let go of: a new controller can be given the same object."""

    def _may_fail(self) -> None:
        if self.fail_at:
            self.fail_at -= 1
            if not self.fail_at:
                raise StoreUnavailable("told to fail at this call")
        if self.failing:
            raise StoreUnavailable(self.failing)
