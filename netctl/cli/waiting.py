"""Wait until resources are in the network, by watching their status."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import grpc

from netctl.cli import api
from netctl.cli.client import Client, pause
from netctl.cli.failures import NOT_FOUND, TIMED_OUT, Failure, from_rpc
from netctl.cli.messages import unwrap
from netctl.cli.output import Progress
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import status_pb2

# Beyond this a request that lists the names is larger than the events that it would save.
_NAMES_MAX = 500
# Reasons of FAILED that end without another change of intents.
_MAY_END = frozenset(
    {
        *("TAP_MISSING", "HOST_DOWN", "UPLINK_DOWN", "HOST_PROBLEM"),
        *("COMPUTE_AGENT_DOWN", "LIBVIRT_DOWN", "COMPUTE_PROBLEM"),
        *("FALLBACK", "NEXT_HOP_DEAD", "NO_GATEWAY", "GATEWAYS_SPLIT", "NOT_WORKING"),
    }
)
# Reasons of PENDING that last until somebody changes the intent.
_STAYS = frozenset(
    {
        *("NOT_ATTACHED", "NOT_ASSOCIATED", "SAVED", "NOT_USED"),
        *("NOT_MIRRORED", "NO_SOURCE", "NO_DESTINATION"),
        *("VM_OFF", "WAITING_FOR_UPLOAD"),
    }
)
_RESUMABLE = ("UNAVAILABLE", "CANCELLED", "OUT_OF_RANGE")


def is_settled(resource: Any, revision: int) -> bool:
    """Say whether the status speaks of `revision` and will not change by waiting.

    A floating NIC is PENDING for as long as nobody attaches it, a floating IP until somebody associates it, a function
    or chain until something passes it. A
    FAILED that ends when a guest, an agent, a router or a cable comes is waited for like PENDING.
    """
    status = resource.status
    if status.revision < revision:
        return False
    if status.phase == status_pb2.PHASE_PENDING:
        return status.reason in _STAYS
    if status.phase == status_pb2.PHASE_FAILED:
        return status.reason not in _MAY_END
    return bool(status.phase == status_pb2.PHASE_PROGRAMMED)


def wait_until_settled(client: Client, wanted: Mapping[str, int], timeout_s: float) -> dict[str, Any]:
    """Wait for each name at (at least) its revision; return the resources; refuse when one FAILED or time is up."""
    waiting = _Waiting(wanted)
    progress = Progress()
    deadline = time.monotonic() + timeout_s
    again = False
    try:
        while not waiting.is_over:
            progress.show(waiting.describe())
            request = operations.WatchRequest(names=sorted(wanted) if len(wanted) <= _NAMES_MAX else [])
            events = client.watch(request, timeout_s=max(0.01, deadline - time.monotonic()), again=again)
            _follow(events, waiting, progress)
            again = True
            if time.monotonic() >= deadline:
                break
    finally:
        progress.clear()
    waiting.refuse_unless_programmed(timeout_s)
    return waiting.seen


def wait_until_removed(client: Client, revision: int, timeout_s: float) -> None:
    """Wait until the northbound database equals `revision` or a later one: what was removed is gone from it."""
    deadline = time.monotonic() + timeout_s
    while (reached := api.controller(client).northbound_revision) < revision:
        if time.monotonic() > deadline:
            raise Failure(
                f"not removed from the network in {timeout_s:g} s: the northbound database is at revision"
                f" {reached}, the removal is {revision}",
                exit_status=TIMED_OUT,
                code="TIMED_OUT",
                hint="`netctl status` says what holds the controller up",
            )
        pause(0.1)


def _follow(events: Iterator[operations.WatchResponse], waiting: _Waiting, progress: Progress) -> None:
    """Note events until all is settled, the time is up or the connection ends."""
    try:
        for event in events:
            waiting.note(event)
            progress.show(waiting.describe())
            if waiting.is_over:
                return
    except grpc.RpcError as error:
        failure = from_rpc(error)
        if failure.code == "DEADLINE_EXCEEDED":
            return
        if failure.code not in _RESUMABLE:
            raise failure from error
        pause(0.1)
    finally:
        close_stream(events)


def close_stream(events: Iterator[object]) -> None:
    """End a stream that is not read to its end."""
    cancel = getattr(events, "cancel", None)
    if cancel is not None:
        cancel()


class _Waiting:
    """What was asked for and what was seen of it."""

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self.seen: dict[str, Any] = {}
        self._wanted = wanted
        self._open = set(wanted)

    @property
    def is_over(self) -> bool:
        """All is settled."""
        return not self._open

    def note(self, event: operations.WatchResponse) -> None:
        """Take in one event; refuse what does not exist."""
        if event.kind == operations.EVENT_KIND_SYNCED:
            missing = sorted(self._open - self.seen.keys())
            if missing:
                raise Failure(f"{missing[0]} does not exist", exit_status=NOT_FOUND, code="NOT_FOUND")
        elif event.name not in self._wanted:
            return
        elif event.kind == operations.EVENT_KIND_REMOVED:
            raise Failure(f"{event.name} was removed while waiting", exit_status=NOT_FOUND, code="NOT_FOUND")
        else:
            self._note_resource(event.name, unwrap(event.resource))

    def describe(self) -> str:
        """Return one line: how many are open, and of the first why."""
        done, total = len(self._wanted) - len(self._open), len(self._wanted)
        first = min(self._open, default="")
        return f"{done} of {total} settled; {_explain(first, self.seen.get(first))}" if first else ""

    def refuse_unless_programmed(self, timeout_s: float) -> None:
        """Refuse when something FAILED, else when something is still open."""
        settled = sorted(self.seen.keys() - self._open)
        failed = [name for name in settled if self.seen[name].status.phase == status_pb2.PHASE_FAILED]
        if self._open:
            raise Failure(
                f"not in the network after {timeout_s:g} s: {self._list([*sorted(self._open), *failed])}",
                exit_status=TIMED_OUT,
                code="TIMED_OUT",
            )
        if failed:
            raise Failure(self._list(failed), code="NOT_PROGRAMMED")

    def _note_resource(self, name: str, resource: Any) -> None:
        self.seen[name] = resource
        if is_settled(resource, self._wanted[name]):
            self._open.discard(name)
        else:
            self._open.add(name)

    def _list(self, names: Iterable[str]) -> str:
        lines = [_explain(name, self.seen.get(name)) for name in names]
        more = f"\n  and {len(lines) - 20} more" if len(lines) > 20 else ""
        return "\n  ".join(lines[:20]) + more


def _explain(name: str, resource: Any) -> str:
    if resource is None:
        return f"{name} not seen yet"
    status = resource.status
    phase = status_pb2.Phase.Name(status.phase).removeprefix("PHASE_")
    reason = f"{status.reason}:" if status.message else status.reason
    progress = status.message or render_progress(resource)
    return " ".join(part for part in (name, phase, reason, progress) if part)


def render_progress(resource: Any) -> str:
    """Return how far something is that takes its time: NICs that moved, hosts whose turn is to come; else ""."""
    if resource.DESCRIPTOR.name == "Subnet" and resource.HasField("migration"):
        return f"{resource.migration.moved_nics} of {resource.migration.nics} NICs moved"
    if resource.DESCRIPTOR.name == "VirtualSwitch" and resource.pending_hosts:
        turn, *others = (host.partition("/")[2] for host in resource.pending_hosts)
        return f"it is the turn of {turn}" + (f", then {', '.join(others)}" if others else "")
    return ""
