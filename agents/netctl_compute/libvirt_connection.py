"""The one connection to libvirtd: made again when it breaks, never waited for without a limit.

In: functions of a `virConnect`. Out: what they return, or errors of ours. libvirt's calls block, and a libvirtd that
hangs blocks them for ever, so each runs on a thread of its own: who waits longer than the limit gets HostUnavailable.
The connection is then left behind, or, when the call was about one domain (`about`), only that domain is refused until
its call returns: one hanging guest must not take the others with it. Keepalives end what hangs in a dead connection.
Owns libvirt's event loop, one daemon thread for the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import libvirt
import structlog

from netctl.errors import AlreadyExists, HostUnavailable, NetctlError, NotFound, Unsupported

log = structlog.get_logger()
T = TypeVar("T")

CALL_S = 15.0
_KEEPALIVE_S, _KEEPALIVES = 5, 3
_NOT_FOUND = {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_SECRET, libvirt.VIR_ERR_DEVICE_MISSING}
_UNSUPPORTED = {
    libvirt.VIR_ERR_NO_SUPPORT,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
}
_events_lock = threading.Lock()
_events: list[threading.Thread] = []


def translate(what: str, error: libvirt.libvirtError) -> NetctlError:
    """Return our error for libvirt's: `what` was tried, in libvirt's words it failed because."""
    message = f"{what}: {error.get_error_message() or error}"
    code = error.get_error_code()
    if code in _NOT_FOUND:
        return NotFound(message)
    if code in _UNSUPPORTED:
        return Unsupported(message)
    if code == libvirt.VIR_ERR_DOM_EXIST:
        return AlreadyExists(message)
    return HostUnavailable(message)


@dataclass(slots=True, eq=False)
class _Link:
    """One connection. libvirt frees it when it is closed, also under calls of other threads: the last one closes it."""

    connection: libvirt.virConnect
    undo: Callable[[], None] = lambda: None
    calls: int = 0
    left: bool = False

    def close(self) -> None:
        """Close it: whatever holds it keeps it open, callbacks, too."""
        self.connection.unregisterCloseCallback()
        self.undo()
        self.connection.close()


@dataclass(slots=True)
class _Call:
    """A call on its thread; `done` is set last."""

    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None


class LibvirtConnection:
    """`opened` is called with each new connection, to register for events, and returns what undoes that.

    `lost` is called when a connection broke.
    """

    def __init__(
        self,
        uri: str,
        *,
        opened: Callable[[libvirt.virConnect], Callable[[], None]] = lambda connection: lambda: None,
        lost: Callable[[], None] = lambda: None,
        call_s: float = CALL_S,
    ) -> None:
        self._uri = uri
        self._opened = opened
        self._lost = lost
        self._call_s = call_s
        self._lock = threading.Lock()  # guards what follows, and every _Link
        self._link: _Link | None = None
        self._opening: _Call | None = None
        self._hanging: dict[str, _Call] = {}
        _run_events()

    def call(
        self,
        what: str,
        function: Callable[[libvirt.virConnect], T],
        *,
        about: str = "",
        timeout_s: float | None = None,
    ) -> T:
        """Return what `function` returns; raise our errors. `what` begins the message, `about` is a domain's uid."""
        self._refuse_if_hanging(about)
        link = self._take()
        limit_s = self._call_s if timeout_s is None else timeout_s
        call = _start(lambda: self._use(link, function))
        if not call.done.wait(limit_s):
            if about:
                with self._lock:
                    self._hanging[about] = call
            else:
                self._drop(link)
            raise HostUnavailable(f"{what}: libvirt does not answer within {limit_s:g} s")
        if isinstance(call.error, libvirt.libvirtError):
            raise translate(what, call.error) from call.error
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[no-any-return]  # it is what `function` returned

    def close(self) -> None:
        """Let go of the connection; guests run on."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            self._leave(link)

    def _refuse_if_hanging(self, about: str) -> None:
        with self._lock:
            hanging = self._hanging.get(about)
            if hanging is not None and hanging.done.is_set():
                del self._hanging[about]
                hanging = None
        if hanging is not None:
            raise HostUnavailable(
                f"a call about {about} hangs in libvirt since before; its guest may hang, too"
            )

    def _take(self) -> _Link:
        """Return the link for one call, a new one when there is none. One attempt at a time, also when it hangs."""
        with self._lock:
            if self._link is not None:
                self._link.calls += 1
                return self._link
            if self._opening is None:
                self._opening = _start(self._open)
            opening = self._opening
        if not opening.done.wait(self._call_s):
            raise HostUnavailable(f"{self._uri}: libvirtd does not answer within {self._call_s:g} s")
        with self._lock:
            if self._opening is opening:
                self._opening = None
                self._link = opening.result
            if self._link is not None:
                self._link.calls += 1
                return self._link
        if isinstance(opening.error, libvirt.libvirtError):
            raise translate(self._uri, opening.error) from opening.error
        raise opening.error or HostUnavailable(f"{self._uri}: the connection broke at once")

    def _open(self) -> _Link:
        connection = libvirt.open(self._uri)
        link = _Link(connection)
        connection.registerCloseCallback(lambda *_: self._drop(link), None)
        try:
            connection.setKeepAlive(_KEEPALIVE_S, _KEEPALIVES)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in _UNSUPPORTED:  # libvirt's own test driver has none
                raise
        link.undo = self._opened(connection)
        log.info("connected to libvirtd", uri=self._uri)
        return link

    def _use(self, link: _Link, function: Callable[[libvirt.virConnect], T]) -> T:
        """Call, and let go of a connection that is dead; on the thread of the call."""
        try:
            return function(link.connection)
        except libvirt.libvirtError:
            if not link.connection.isAlive():
                self._drop(link)
            raise
        finally:
            with self._lock:
                link.calls -= 1
                is_last = link.left and not link.calls
            if is_last:
                link.close()

    def _drop(self, link: _Link) -> None:
        """Leave a connection that broke or hangs."""
        with self._lock:
            if self._link is not link:
                return
            self._link = None
        log.warning("connection to libvirtd is lost", uri=self._uri)
        self._leave(link)
        self._lost()

    def _leave(self, link: _Link) -> None:
        with self._lock:
            link.left = True
            is_last = not link.calls
        if is_last:
            _start(link.close)  # it may hang as well


def _start(function: Callable[[], Any]) -> _Call:
    call = _Call(error=RuntimeError("the call died; its traceback is in the log"))

    def run() -> None:
        try:
            call.result = function()
            call.error = None
        except (libvirt.libvirtError, NetctlError, OSError, ValueError) as error:
            call.error = error
        finally:
            call.done.set()

    threading.Thread(target=run, name="libvirt-call", daemon=True).start()
    return call


def _run_events() -> None:
    """Run libvirt's event loop, once for the process; errors come as exceptions alone, not on stderr."""
    with _events_lock:
        if _events:
            return
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        libvirt.virEventRegisterDefaultImpl()
        thread = threading.Thread(target=_loop, name="libvirt-events", daemon=True)
        _events.append(thread)
        thread.start()


def _loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
