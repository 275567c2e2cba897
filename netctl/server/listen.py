"""Where the server listens: `unix:PATH`, only for its own user, and HOST:PORT."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc

from netctl.errors import Unavailable

_UNIX = "unix:"


def bind(server: grpc.aio.Server, addresses: Sequence[str]) -> tuple[Path, ...]:
    """Listen on all addresses; return the paths of sockets. Unavailable says which cannot be had."""
    paths = []
    for address in addresses:
        if address.startswith(_UNIX):
            path = Path(address.removeprefix(_UNIX).removeprefix("//"))
            _remove_stale(path)
            with _only_us():
                _bind(server, f"{_UNIX}{path.absolute()}")
            paths.append(path)
        else:
            _bind(server, address)
    return tuple(paths)


def unlink(paths: Sequence[Path]) -> None:
    """Remove sockets that nobody listens on any more."""
    for path in paths:
        path.unlink(missing_ok=True)


def _bind(server: grpc.aio.Server, address: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise Unavailable(f"cannot listen on {address}: {error}; is another controller running?") from None


def _remove_stale(path: Path) -> None:
    """Remove the socket of a controller that was killed; never one that somebody answers on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise Unavailable(f"{path} exists and is not a socket; remove it or listen elsewhere")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise Unavailable(f"another controller listens on {path}; stop it or listen elsewhere")


@contextmanager
def _only_us() -> Iterator[None]:
    """Make what is created mode 0600: a chmod afterwards would leave it open for a moment."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
