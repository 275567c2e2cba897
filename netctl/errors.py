"""Every error that crosses a room boundary, named by who must act.

    NetctlError
      InvalidIntent     the caller must change the request
      NotFound          the caller named something that is not there
      AlreadyExists     the caller must choose another name
      InUse             the caller must remove the dependents first
      Unsupported       this OVN, OVS or kernel cannot; the text says which could
      Exhausted         an operator must enlarge a pool
      Forbidden         this principal may not
      Conflict          somebody else wrote first; read again and retry
      OutOfRange        the change log no longer reaches back that far; start afresh
      Unavailable       a peer is down; we retry for ever
        StoreUnavailable
        NorthboundUnavailable
        SouthboundUnavailable
        HostUnavailable
      Rejected          OVN refused our transaction: our bug

`netctl.server.status_code` is the one table that maps them to gRPC codes.
"""

from __future__ import annotations


class NetctlError(Exception):
    """The root: `message` says what is wrong and what to do, `field` which request field (or "")."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidIntent(NetctlError):
    """A value is malformed or does not fit the others; `field` is the path in the resource, e.g. `ipv4.cidr`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason, field=field)


class NotFound(NetctlError):
    """The named resource does not exist."""


class AlreadyExists(NetctlError):
    """A resource with this name or unique value exists."""


class InUse(NetctlError):
    """Other resources depend on this one; `dependents` are their names, at most 100, `total` how many there are."""

    def __init__(self, message: str, *, dependents: tuple[str, ...], total: int) -> None:
        super().__init__(message)
        self.dependents = dependents
        self.total = total


class Unsupported(NetctlError):
    """The installed OVN, OVS or kernel cannot do this; the message names the version that could."""


class Exhausted(NetctlError):
    """A pool is empty; the message names the pool and its size."""


class Forbidden(NetctlError):
    """The caller is known and may not do this."""


class Conflict(NetctlError):
    """The resource changed since it was read."""


class OutOfRange(NetctlError):
    """The change log does not reach back to the revision asked for."""


class Unavailable(NetctlError):
    """A peer does not answer; the same call may succeed later."""


class StoreUnavailable(Unavailable):
    """The intent store cannot be read or written."""


class NorthboundUnavailable(Unavailable):
    """The northbound database is not connected or not in sync."""


class SouthboundUnavailable(Unavailable):
    """The southbound database does not answer."""


class HostUnavailable(Unavailable):
    """The host's local databases or its agent do not answer."""


class Rejected(NetctlError):
    """OVN refused a transaction: a bug of ours, or a foreign row in the way."""
