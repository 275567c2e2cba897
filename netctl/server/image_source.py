"""Where images are fetched from: http and https, and files of the import folder. Blocks; used in threads.

In: a URI that a client wrote; out: its bytes. Nothing else is ever opened: no other scheme, no file outside the folder,
wherever links point. Who may create images can make the controller ask any web server that it reaches.
"""

from __future__ import annotations

import http.client
import os
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from netctl.errors import InvalidIntent, Unavailable

CHUNK_BYTES = 1 << 20
SILENCE_MAX_S = 30.0
TIME_MAX_S = 6 * 3600.0
_SCHEMES = ("http", "https")


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https and nothing else: the usual one knows file: and ftp:."""
    opener = urllib.request.OpenerDirector()
    handlers: tuple[type[urllib.request.BaseHandler], ...] = (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPRedirectHandler,
        urllib.request.UnknownHandler,
    )
    for handler in handlers:
        opener.add_handler(handler())
    return opener


@contextmanager
def opened(uri: str, import_dir: Path | None) -> Iterator[tuple[BinaryIO, int]]:
    """Yield the bytes of a URI and how many there are, 0 unknown; errors say what to do."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        with _imported(unquote(parts.path), import_dir) as file:
            yield file, os.fstat(file.fileno()).st_size
        return
    if parts.scheme not in _SCHEMES:
        raise InvalidIntent("source_uri", f"{uri[:60]!r} is not http, https or file")
    request = urllib.request.Request(uri, headers={"User-Agent": "netctl", "Accept-Encoding": "identity"})
    with _told():
        response = _opener().open(request, timeout=SILENCE_MAX_S)
    with response:
        size = response.headers.get("Content-Length") or "0"
        yield response, int(size) if size.isdecimal() else 0


def chunks(
    source: tuple[BinaryIO, int], stopped: Callable[[], bool], *, time_max_s: float = TIME_MAX_S
) -> Iterator[bytes]:
    """Yield all bytes of an opened source; Unavailable when they stop short, or take for ever."""
    file, size = source
    came, deadline = 0, time.monotonic() + time_max_s
    while data := _read(file):
        came += len(data)
        yield data
        if stopped():
            raise Unavailable("the fetch was stopped")
        if time.monotonic() > deadline:
            raise Unavailable(f"it took longer than {time_max_s / 3600:g} hours; import it as a file")
    if size and came != size:
        raise Unavailable(f"{came} of {size} bytes came: the connection broke; it is tried again")


def _read(file: BinaryIO) -> bytes:
    with _told():
        return file.read(CHUNK_BYTES)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what the web, or a disk, refuses as an error of ours."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, too
        raise Unavailable(f"the server answers {error.code} {error.reason}; is the address right?") from None
    except urllib.error.URLError as error:
        raise Unavailable(f"the server cannot be reached: {error.reason}") from None
    except TimeoutError:
        raise Unavailable(f"the server was silent for {SILENCE_MAX_S:g} s") from None
    except (http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"the server gives no proper answer: {type(error).__name__} {error}") from None
    except OSError as error:
        raise Unavailable(f"it cannot be read: {error.strerror or error}") from None


@contextmanager
def _imported(path: str, import_dir: Path | None) -> Iterator[BinaryIO]:
    if import_dir is None:
        raise InvalidIntent("source_uri", "files can be imported when the controller has --import-dir")
    outside = InvalidIntent("source_uri", f"{path[:80]!r} is no file of the import folder: put it there")
    try:
        folder = import_dir.resolve(strict=True)
        # NONBLOCK: a pipe that somebody put there must not keep a thread for ever.
        handle = os.open(
            folder / path.lstrip("/"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except (OSError, ValueError):
        raise outside from None
    # What was opened counts, not what the path meant a moment before.
    found = Path(os.readlink(f"/proc/self/fd/{handle}"))
    if not stat.S_ISREG(os.fstat(handle).st_mode) or not found.is_relative_to(folder):
        os.close(handle)
        raise outside
    with os.fdopen(handle, "rb") as file:
        yield file
