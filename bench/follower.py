"""Follows NB_Global of a northbound server: when each transaction of netctl's was committed, and how many there were.

Where there is no ovn-northd it stands in for one that takes no time: it answers each nb_cfg with the same sb_cfg.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import orjson

from bench.ports import DATABASE

_MONITOR = {"NB_Global": [{"columns": ["nb_cfg"]}]}
_END = (ConnectionError, OSError)


class Follower:
    """A context manager; `seen` are the times (time.monotonic) at which each nb_cfg was there."""

    def __init__(self, path: str, *, acknowledge: bool = True) -> None:
        self.seen: list[tuple[int, float]] = []
        self.changed = threading.Condition()
        self._acknowledge = acknowledge
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._number = 0
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def __enter__(self) -> Self:
        self._call("monitor", [DATABASE, "cfg", _MONITOR])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def after(self, nb_cfg: int, *, timeout_s: float = 60.0) -> tuple[int, float]:
        """Return the first nb_cfg above this one, and when it was there."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.latest > nb_cfg, timeout_s):
                raise TimeoutError(f"no transaction after nb_cfg {nb_cfg} within {timeout_s:g} s")
            return next(seen for seen in self.seen if seen[0] > nb_cfg)

    @property
    def latest(self) -> int:
        """The newest nb_cfg; 0 before the first."""
        return self.seen[-1][0] if self.seen else 0

    def _call(self, method: str, params: list[Any]) -> None:
        self._number += 1
        self._socket.sendall(orjson.dumps({"id": self._number, "method": method, "params": params}))

    def _run(self) -> None:
        text = b""
        while True:
            try:
                piece = self._socket.recv(1 << 16)
            except _END:
                return
            if not piece:
                return
            now = time.monotonic()
            text += piece
            messages, text = _split(text)
            for message in messages:
                self._take(message, now)

    def _take(self, message: dict[str, Any], now: float) -> None:
        body = message["params"][1] if message.get("method") == "update" else message.get("result")
        rows = body.get("NB_Global", {}) if isinstance(body, dict) else {}
        for row in rows.values():
            nb_cfg = row.get("new", {}).get("nb_cfg", 0)
            if nb_cfg == self.latest:
                continue
            with self.changed:
                self.seen.append((nb_cfg, now))
                self.changed.notify_all()
            if self._acknowledge:
                done = {"op": "update", "table": "NB_Global", "where": [], "row": {"sb_cfg": nb_cfg}}
                self._call("transact", [DATABASE, done])


def _split(text: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """Return whole messages and the rest; no string in them holds a brace."""
    messages, depth, start = [], 0, 0
    for index, byte in enumerate(text):
        depth += (byte == 0x7B) - (byte == 0x7D)
        if byte == 0x7D and depth == 0:
            messages.append(orjson.loads(text[start : index + 1]))
            start = index + 1
    return messages, text[start:]
