"""The intent store on SQLite: WAL, synchronous=FULL, one fsync for each commit, whatever it holds.

In: changes and answers from admission's writer thread; out: intents, the change log, remembered answers, to any
thread.
Owns the file, its lock and two connections, each under a lock of its own, so that a reader never waits for an fsync.
What `commit` returned from survives `kill -9` and the loss of power. What it raised from is not there for anybody,
and the writing connection is opened again: nothing that SQLite remembers of a bad disk outlives it. (Where the fsync
itself failed, the commit may have reached the medium: a restart then finds it whole. Its client was told
"unavailable", not "no".)

The change log is kept for ever unless `keep_changes_s` says otherwise.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from netctl.crashpoints import crashpoint
from netctl.errors import OutOfRange
from netctl.model.intent import Change, Intent
from netctl.model.keys import Key, Kind
from netctl.store import codec, schema, statements
from netctl.store.answers import decode_answer, encode_answer
from netctl.store.faults import explained
from netctl.store.lock import StoreLock
from netctl.store.records import REMEMBER_S, Loaded, Position, Remembered

_PURGE_ROWS = 5000  # at a time, so that requests wait for one only briefly
_CHANGE = "revision, idx, time, actor, request_id, reason, kind, id, before, after"


class SqliteStore:
    """A `records.Store` in one file; see there for what the methods promise."""

    def __init__(self, path: Path | str, *, keep_changes_s: float | None = None) -> None:
        """Open or make the store; StoreUnavailable says why not. `keep_changes_s` None keeps the log for ever."""
        self.path = Path(path)
        # An answer is put together from the log: while it is remembered, its changes stay.
        self._keep_changes_s = None if keep_changes_s is None else max(keep_changes_s, REMEMBER_S)
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        with contextlib.ExitStack() as undo, explained(self.path):
            lock = StoreLock(self.path)
            undo.callback(lock.release)
            self._writer: sqlite3.Connection | None = schema.open_file(self.path)
            undo.callback(self._drop_writer)
            self._reader = schema.connect(self.path)
            undo.callback(self._reader.close)
            self._reader.execute("PRAGMA query_only = ON")
            self.owner = str(self._meta("owner"))
            self._undo = undo.pop_all()

    def load(self) -> Loaded:
        with self._reading() as reader:
            rows = reader.execute("SELECT kind, body FROM intents").fetchall()
            revision = reader.execute("SELECT max(revision) FROM changes").fetchone()[0] or 0
            epoch = int(self._meta("epoch"))
        intents = [codec.decode(kind, body) for kind, body in rows]
        return Loaded(revision=revision, intents=intents, epoch=epoch, owner=self.owner)

    def commit(self, changes: Sequence[Change], answers: Sequence[Remembered]) -> None:
        bodies = _Bodies()
        entries = [
            (
                c.revision,
                c.index,
                c.time_s,
                c.actor,
                c.request_id,
                c.reason,
                *c.key,
                bodies(c.before),
                bodies(c.after),
            )
            for c in changes
        ]
        last = {change.key: change for change in changes}
        puts = [(*key, c.revision, bodies(c.after)) for key, c in last.items() if c.after is not None]
        removals = [key for key, c in last.items() if c.after is None]
        remembered = [(a.request_id, a.body_hash, a.time_s, encode_answer(a)) for a in answers]
        with self._writing() as writer:
            statements.append_changes(writer, entries)
            statements.put_intents(writer, puts)
            statements.remove_intents(writer, removals)
            statements.remember(writer, remembered)

    def check(self) -> None:
        with self._writing() as writer:
            writer.execute("UPDATE meta SET value = value + 1 WHERE key = 'checks'")

    def find_answers(self, request_ids: Collection[str], *, since_s: float) -> Mapping[str, Remembered]:
        if not request_ids:
            return {}
        wanted = msgspec.json.encode(list(request_ids)).decode()  # one statement, however many there are
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT request_id, body_hash, time, answer FROM requests"
                " WHERE request_id IN (SELECT value FROM json_each(?)) AND time >= ?",
                (wanted, since_s),
            ).fetchall()
            answers = [decode_answer(row, self._changes_of) for row in rows]
        return {answer.request_id: answer for answer in answers if answer is not None}

    def read_changes(
        self, *, before: Position | None = None, limit: int = 100, key: Key | None = None
    ) -> tuple[Change, ...]:
        where, values = ["TRUE"], list[str | int]()
        if before is not None:
            where.append("(revision, idx) < (?, ?)")
            values += before
        if key is not None:
            where.append("(kind, id) = (?, ?)")
            values += key
        with self._reading() as reader:
            rows = reader.execute(
                f"SELECT {_CHANGE} FROM changes WHERE {' AND '.join(where)} ORDER BY revision DESC, idx DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return tuple(_change(row) for row in rows)

    def changed_keys_since(self, revision: int) -> list[tuple[Key, int]]:
        with self._reading() as reader:
            first = int(self._meta("log_start"))
            last = reader.execute("SELECT max(revision) FROM changes").fetchone()[0] or 0
            if not first <= revision <= last:
                raise OutOfRange(
                    f"the change log holds revisions {first + 1} to {last}, it cannot tell what changed after"
                    f" {revision}; read everything again"
                )
            # The + keeps SQLite from walking the index of keys, all of the log, to find the few last revisions.
            rows = reader.execute(
                "SELECT kind, id, max(revision) FROM changes WHERE revision > ? GROUP BY +kind, +id ORDER BY 3, 1, 2",
                (revision,),
            ).fetchall()
        return [((Kind(kind), id_), changed) for kind, id_, changed in rows]

    def purge(self, now_s: float) -> int:
        with self._writing() as writer:
            gone = writer.execute(
                "DELETE FROM requests WHERE request_id IN (SELECT request_id FROM requests WHERE time < ? LIMIT ?)",
                (now_s - REMEMBER_S, _PURGE_ROWS),
            ).rowcount
            if self._keep_changes_s is not None:
                gone += self._purge_changes(writer, now_s - self._keep_changes_s)
        return gone

    def next_epoch(self) -> int:
        with self._writing() as writer:
            writer.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")
            return int(writer.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            self._undo.close()

    def _purge_changes(self, writer: sqlite3.Connection, before_s: float) -> int:
        """Delete the oldest whole revisions, never the last: it is where the count goes on."""
        last, start = writer.execute(
            "SELECT max(revision), (SELECT value FROM meta WHERE key = 'log_start') FROM changes"
        ).fetchone()
        # The first entry that must stay bounds what goes: a clock that was set back leaves no gap in the log.
        stays = writer.execute(
            "SELECT min(revision) FROM (SELECT revision, time FROM changes ORDER BY revision, idx LIMIT ?)"
            " WHERE time >= ?",
            (_PURGE_ROWS, before_s),
        ).fetchone()[0]
        if last is None:
            return 0
        if stays is None:
            stays = writer.execute(
                "SELECT max(revision) FROM (SELECT revision FROM changes ORDER BY revision, idx LIMIT ?)",
                (_PURGE_ROWS,),
            ).fetchone()[0]
        through = min(stays, last) - 1
        if through <= start:
            return 0
        writer.execute("UPDATE meta SET value = ? WHERE key = 'log_start'", (through,))
        return writer.execute("DELETE FROM changes WHERE revision <= ?", (through,)).rowcount

    def _changes_of(self, revision: int) -> list[Change]:
        rows = self._reader.execute(
            f"SELECT {_CHANGE} FROM changes WHERE revision = ? ORDER BY idx", (revision,)
        ).fetchall()
        return [_change(row) for row in rows]

    def _meta(self, key: str) -> str | int:
        value: str | int = self._reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
        return value

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the reading connection in one transaction: what is read belongs together."""
        with self._read_lock, explained(self.path):
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the writing connection in a transaction; commit it, or leave nothing."""
        with self._write_lock, contextlib.ExitStack() as undo, explained(self.path):
            undo.callback(self._drop_writer)
            if self._writer is None:
                self._writer = schema.connect(self.path)
            self._writer.execute("BEGIN IMMEDIATE")
            yield self._writer
            crashpoint("store.before_commit")
            self._writer.execute("COMMIT")
            crashpoint("store.after_commit")
            undo.pop_all()

    def _drop_writer(self) -> None:
        """Close the writing connection, which undoes its transaction; the next commit opens another."""
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()


class _Bodies(dict[int, bytes]):
    """Stored forms by identity: an intent stands in the log, among the intents, and as the next entry's `before`."""

    def __call__(self, intent: Intent | None) -> bytes | None:
        if intent is None:
            return None
        if (body := self.get(id(intent))) is None:
            body = self[id(intent)] = codec.encode(intent)
        return body


def _change(row: tuple[int, int, float, str, str, str, str, str, bytes | None, bytes | None]) -> Change:
    revision, index, time_s, actor, request_id, reason, kind, id_, before, after = row
    return Change(
        revision=revision,
        index=index,
        time_s=time_s,
        actor=actor,
        request_id=request_id,
        reason=reason,
        key=(Kind(kind), id_),
        before=None if before is None else codec.decode(kind, before),
        after=None if after is None else codec.decode(kind, after),
    )
