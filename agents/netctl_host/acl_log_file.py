"""ovn-controller's log file, followed: what ACLs have written since the last look.

In: the file, which is rotated, cut off and missing as it likes. Out: AclLogs. Owns the open file and how far it was
read; what stood in it before the first look is old, and not told. The file is the source of truth. What a look costs
is bounded: at most `LINES_PER_S` lines are looked into, the rest is only counted, and `BYTES_MAX` read.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from netctl.loop import Loop, Pace, Wake
from netctl_host.acl_log import MARK, AclLog, AclLogs, parse_line

LINES_PER_S = 1000
LOOK_S = 0.25
# ovn-controller writes some 10 MB/s at most.
BYTES_MAX = 8 << 20
_CHUNK_BYTES = 1 << 18
_LINE_BYTES_MAX = 1 << 16


class AclLogFile:
    """The file at `path`; one thread."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._second_s = 0.0
        self._lines = 0  # of this second
        self._rest = b""  # of the last line, whose end is not written yet
        self._file: FileIO | None = None
        self._is_first = True

    def read(self) -> AclLogs:
        """Return what was written since the last call; raise OSError."""
        now = self._clock()
        if now - self._second_s >= 1.0:
            self._second_s, self._lines = now, 0
        logs: list[AclLog] = []
        dropped, left = 0, BYTES_MAX
        while left > 0:
            chunk = self._read_on(min(left, _CHUNK_BYTES))
            if not chunk:
                break
            left -= len(chunk)
            dropped += self._take(chunk, logs)
        return AclLogs(logs=tuple(logs), dropped=dropped)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take(self, chunk: bytes, logs: list[AclLog]) -> int:
        """Add to `logs` what whole lines say; return how many are left out."""
        whole, end, rest = (self._rest + chunk).rpartition(b"\n")
        self._rest = rest if len(rest) <= _LINE_BYTES_MAX else b""
        if not end or MARK not in whole:
            return 0
        if self._lines >= LINES_PER_S:
            return whole.count(MARK)
        dropped = 0
        for line in whole.split(b"\n"):
            if MARK not in line:
                continue
            if self._lines >= LINES_PER_S:
                dropped += 1
                continue
            self._lines += 1
            log = parse_line(line)
            if log is not None:
                logs.append(log)
        return dropped

    def _read_on(self, size: int) -> bytes:
        """Return more of the file, of the next one when it was rotated; b"" when there is no more now."""
        if self._file is None:
            self._file = self._open()
            if self._file is not None and self._is_first:
                self._skip_what_is_there(self._file)
            self._is_first = False
            if self._file is None:
                return b""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)  # cut off: copytruncate of logrotate(8)
            self._rest = b""
        return self._file.read(size) or self._read_following(self._file, size)

    def _read_following(self, file: FileIO, size: int) -> bytes:
        """Go on to the file that took this one's place, if there is one that ovn-controller writes into."""
        following = self._open()
        if following is None:
            return b""
        # A new file may lie there for a while before it is written into; this one is, until then.
        is_new = not _is_same(following, file) and os.fstat(following.fileno()).st_size > 0
        last = file.read(size) if is_new else b""
        if last or not is_new:
            following.close()
            return last or b""
        file.close()
        self._file, self._rest = following, b""
        return following.read(size) or b""

    def _open(self) -> FileIO | None:
        try:
            return FileIO(self._path)
        except FileNotFoundError:
            return None

    def _skip_what_is_there(self, file: FileIO) -> None:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        if file.read(1) not in (b"", b"\n"):
            self._rest = b"half a line"  # the other half is not one


class AclLogFollower:
    """Reads the file on a thread of its own, four times a second, and hands on what is there."""

    def __init__(self, path: Path, offer: Callable[[AclLogs], None]) -> None:
        self._file = AclLogFile(path)
        self._offer = offer
        self._loop = Loop("acl log", self._look, Wake(), pace=Pace(resync_s=LOOK_S))
        self._thread = threading.Thread(target=self._loop.run, name="acl log", daemon=True)

    def start(self) -> None:
        """Begin."""
        with suppress(OSError):  # the loop meets and tells it
            self._look()  # from here on: what is written before the thread first runs is told
        self._thread.start()

    def close(self) -> None:
        """End the thread and close the file."""
        self._loop.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._file.close()

    def _look(self) -> None:
        found = self._file.read()
        if found.logs or found.dropped:
            self._offer(found)


def _is_same(one: FileIO, other: FileIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))
