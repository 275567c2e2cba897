"""Which of this host's addresses leads to the controller? Asked of the kernel's routing table; no packet is sent.

In: the controller's gRPC address. Out: an address, "" where there is none: no route, a socket on this machine, a name
that is not resolved yet. Names are resolved on a thread of their own: that may take long, and the loop does not wait.
"""

from __future__ import annotations

import ipaddress
import socket
import threading

_RETRY_S = 5.0
_ANY_PORT = 9  # discard; for a route only the address counts


class ControllerWay:
    """Asks in the network namespace of the calling thread."""

    def __init__(self, target: str) -> None:
        self._host = parse_host(target)
        self._address = self._host if _is_address(self._host) else ""
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if self._host and not self._address:
            self._thread = threading.Thread(target=self._resolve, name="resolve", daemon=True)
            self._thread.start()

    def read(self) -> str:
        """Return the address."""
        if not self._address:
            return ""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.connect((self._address, _ANY_PORT))
                return str(asking.getsockname()[0])
        except OSError:
            return ""

    def close(self) -> None:
        """End the thread; one that waits for a name server ends with the process."""
        self._closing.set()

    def _resolve(self) -> None:
        while not self._closing.is_set():
            try:
                found = socket.getaddrinfo(self._host, None, type=socket.SOCK_DGRAM)
            except OSError:
                self._closing.wait(_RETRY_S)
                continue
            self._address = str(found[0][4][0])
            return


def parse_host(target: str) -> str:
    """Return the host of a gRPC address (`HOST:PORT`, `ipv4:HOST:PORT`, `dns:///HOST:PORT`), "" of a Unix socket."""
    for scheme in ("unix:", "unix-abstract:", "vsock:"):
        if target.startswith(scheme):
            return ""
    for scheme in ("dns:", "ipv4:", "ipv6:"):
        target = target.removeprefix(scheme)
    target = target.rpartition("/")[2]
    if target.startswith("["):
        return target[1:].partition("]")[0]
    return target if _is_address(target) else target.rpartition(":")[0] or target


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
