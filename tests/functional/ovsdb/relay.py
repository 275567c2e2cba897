"""A relay before an OVSDB server that can hold back what the server says: its client acts on what it saw before."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self


class Relay:
    """Passes one connection from the unix socket `at` on to the one at `target`."""

    def __init__(self, target: Path, at: Path) -> None:
        self.remote = f"unix:{at}"
        self.asked = 0  # how often the client has sent something
        self._passing = threading.Event()
        self._passing.set()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(str(target))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(at))
        self._listener.listen(1)
        self._client: socket.socket | None = None
        self._threads = [threading.Thread(target=self._serve)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._passing.set()
        for end in (self._listener, self._client, self._server):
            if end is not None:
                with contextlib.suppress(OSError):  # the other side has gone
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, self._client, self._server):
            if end is not None:
                end.close()

    def hold(self) -> None:
        """Keep what the server says from now on."""
        self._passing.clear()

    def release(self) -> None:
        """Pass on what was kept, and what comes."""
        self._passing.set()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed before anybody came, or while somebody was there
            self._client, _ = self._listener.accept()
            back = threading.Thread(target=self._pass_back, args=(self._client,))
            self._threads.append(back)
            back.start()
            while data := self._client.recv(65536):
                self._server.sendall(data)
                self.asked += 1

    def _pass_back(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                self._passing.wait()
                client.sendall(data)
