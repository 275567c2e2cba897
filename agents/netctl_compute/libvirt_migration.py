"""libvirt's migrations: start one and wait for its end, look at it, stop it.

In: how to copy (`Copy`). Out: how it ended, statistics in plain numbers, errors of ours. libvirtd is the source of
truth: when the connection to it breaks, how a copy ended is not known (HostUnavailable).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import libvirt

from netctl.errors import HostUnavailable
from netctl_compute.libvirt_connection import LibvirtConnection
from netctl_compute.migration_watch import Copy, CopyEnd, JobStats

# The last statistics come by an event, which may be a moment behind the call's return.
_LAST_WORD_S = 1.0
_OUTGOING = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
_AWAY = {
    libvirt.VIR_ERR_SYSTEM_ERROR,
    libvirt.VIR_ERR_NO_CONNECT,
    libvirt.VIR_ERR_RPC,
    libvirt.VIR_ERR_AUTH_FAILED,
    libvirt.VIR_ERR_GNUTLS_ERROR,
}
# In words alone, with codes of anything: qemu_migration.c and virnetclient.c of libvirt 9.
_LOST = (
    "Lost connection to destination",
    "client socket is closed",
    "keepalive timeout",
    "End of file while",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """How it ended, libvirt's words if it failed, and the last statistics if libvirt told them."""

    end: CopyEnd
    message: str = ""
    stats: JobStats | None = None


@dataclass(slots=True)
class _LastWord:
    """What the event of a job's end says."""

    said: threading.Event = field(default_factory=threading.Event)
    stats: JobStats | None = None

    def hear(self, _connection: object, _domain: object, stats: Mapping[str, int], _opaque: object) -> None:
        self.stats = _read_stats(stats)
        self.said.set()


class LibvirtMigration:
    """Any thread."""

    def __init__(self, connection: LibvirtConnection) -> None:
        self._connection = connection

    def copy(self, uid: str, copy: Copy) -> CopyResult:
        """Copy the guest to another host and return when that ended, however long it takes.

        Raise HostUnavailable when libvirtd was lost meanwhile, NotFound when the domain is not here.
        """
        return self._connection.call(
            f"migrate {uid}",
            lambda connection: _copy(connection, uid, copy),
            timeout_s=threading.TIMEOUT_MAX,
        )

    def stats(self, uid: str) -> JobStats | None:
        """Return where a copy is, or None when there is none; raise NotFound when the domain is not here."""
        return self._about(uid, "look at the migration of", _stats)

    def stop(self, uid: str) -> None:
        """Have a copy stopped; raise HostUnavailable when there is none, or it can no longer be stopped."""
        self._about(uid, "stop the migration of", lambda domain: domain.abortJob() and None)

    def resume(self, uid: str) -> None:
        """Let a guest run again that a copy left paused."""
        self._about(uid, "resume", lambda domain: domain.resume() and None)

    def _about(
        self, uid: str, what: str, do: Callable[[libvirt.virDomain], JobStats | None]
    ) -> JobStats | None:
        return self._connection.call(
            f"{what} {uid}", lambda connection: do(connection.lookupByUUIDString(uid)), about=uid
        )


def _copy(connection: libvirt.virConnect, uid: str, copy: Copy) -> CopyResult:
    domain = connection.lookupByUUIDString(uid)
    last_word = _LastWord()
    event = connection.domainEventRegisterAny(
        domain, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, last_word.hear, None
    )
    try:
        domain.migrateSetMaxDowntime(copy.pause_max_ms)
        domain.migrateToURI3(copy.peer_uri, _parameters(copy), _flags(copy))
    except libvirt.libvirtError as error:
        if not _is_alive(connection):
            raise HostUnavailable(f"migrate {uid}: libvirtd was lost: {error.get_error_message()}") from error
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return CopyResult(end=_end(error), message=error.get_error_message() or str(error))
    else:
        last_word.said.wait(_LAST_WORD_S)
        return CopyResult(end=CopyEnd.DONE, stats=last_word.stats)
    finally:
        _deregister(connection, event)


def _parameters(copy: Copy) -> dict[str, str | int]:
    parameters: dict[str, str | int] = {libvirt.VIR_MIGRATE_PARAM_URI: copy.migrate_uri}
    if copy.bandwidth_mib_s:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = copy.bandwidth_mib_s
    return parameters


def _flags(copy: Copy) -> int:
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_AUTO_CONVERGE
    if copy.encrypted:
        flags |= libvirt.VIR_MIGRATE_TLS
    if copy.copy_disks:
        return int(flags | libvirt.VIR_MIGRATE_NON_SHARED_DISK)
    # libvirt takes only some file systems for shared; ours are known to be by the id in the store.
    return int(flags | libvirt.VIR_MIGRATE_UNSAFE)


def _end(error: libvirt.libvirtError) -> CopyEnd:
    code = error.get_error_code()
    if code == libvirt.VIR_ERR_OPERATION_ABORTED:
        return CopyEnd.ABORTED
    if code in _AWAY or any(words in (error.get_error_message() or "") for words in _LOST):
        return CopyEnd.UNREACHABLE
    return CopyEnd.LIBVIRT


def _is_alive(connection: libvirt.virConnect) -> bool:
    """Ask libvirtd something: what `isAlive` knows may be older than the error."""
    try:
        connection.getLibVersion()
    except libvirt.libvirtError:
        return False
    return True


def _deregister(connection: libvirt.virConnect, event: int) -> None:
    try:
        connection.domainEventDeregisterAny(event)
    except libvirt.libvirtError:
        return  # the connection is gone, and the event with it


def _stats(domain: libvirt.virDomain) -> JobStats | None:
    stats = domain.jobStats()
    if stats.get("type", 0) == libvirt.VIR_DOMAIN_JOB_NONE or stats.get("operation", _OUTGOING) != _OUTGOING:
        return None
    return _read_stats(stats)


def _read_stats(stats: Mapping[str, int]) -> JobStats:
    def number(name: str) -> int:
        return int(stats.get(name, 0))

    return JobStats(
        iteration=number(libvirt.VIR_DOMAIN_JOB_MEMORY_ITERATION),
        total=number(libvirt.VIR_DOMAIN_JOB_DATA_TOTAL),
        processed=number(libvirt.VIR_DOMAIN_JOB_DATA_PROCESSED),
        remaining=number(libvirt.VIR_DOMAIN_JOB_DATA_REMAINING),
        dirty_bps=number(libvirt.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE)
        * number(libvirt.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE),
        throughput_bps=number(libvirt.VIR_DOMAIN_JOB_MEMORY_BPS),
        throttle_percent=number(libvirt.VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE),
        downtime_ms=number(libvirt.VIR_DOMAIN_JOB_DOWNTIME),
        elapsed_ms=number(libvirt.VIR_DOMAIN_JOB_TIME_ELAPSED),
    )
