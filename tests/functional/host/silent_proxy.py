"""A TCP proxy whose connections can go silent: what is sent is taken and lost, nobody closes anything.

What a host sees when the controller's machine loses power or a firewall forgets the connection.
"""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self


class SilentProxy:
    """Forwards from `address` to the unix socket at `target`; `connections` counts those accepted."""

    def __init__(self, target: str, here: str = "127.0.0.1") -> None:
        self._target = target
        self._listener = socket.create_server((here, 0))
        self.address = f"{here}:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._peers: dict[socket.socket, socket.socket] = {}
        self._silent: set[socket.socket] = set()
        self._stop_here, self._stop_there = socket.socketpair()
        self._thread = threading.Thread(target=self._forward)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop_here.close()
        self._thread.join()
        for end in (self._listener, self._stop_there, *self._peers):
            end.close()

    def silence(self) -> None:
        """Let nothing through the connections there are; later ones work."""
        self._silent = set(self._peers)

    def _forward(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stop_there, selectors.EVENT_READ)
            while True:
                for key, _events in selector.select():
                    if key.fileobj is self._stop_there:
                        return
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    else:
                        assert isinstance(key.fileobj, socket.socket)
                        self._pass_on(key.fileobj, selector)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _address = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._target)
        except OSError:  # nobody serves there now
            client.close()
            server.close()
            return
        self.connections += 1
        self._peers |= {client: server, server: client}
        for end in (client, server):
            selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            data = end.recv(65536)
        except OSError:  # reset: the other end gave up
            data = b""
        if end not in self._silent:
            with suppress(OSError):  # the other end is gone
                if data:
                    self._peers[end].sendall(data)
                else:
                    self._peers[end].shutdown(socket.SHUT_WR)
        if not data:
            selector.unregister(end)
