"""`netctl watch`: events as they come, going on by itself when the controller restarts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import grpc

from netctl.cli.client import Client, pause
from netctl.cli.failures import from_rpc
from netctl.cli.kinds import Kind
from netctl.cli.messages import flatten, render_json, unwrap
from netctl.cli.output import note, paint
from netctl.cli.tables import phase_of
from netctl.cli.waiting import close_stream
from netctl.v1 import operations_pb2 as operations

_WORDS = {operations.EVENT_KIND_PUT: "PUT", operations.EVENT_KIND_REMOVED: "REMOVED"}


def follow(
    client: Client, kinds: Sequence[Kind], names: Sequence[str] = ()
) -> Iterator[operations.WatchResponse]:
    """Yield events for ever: after a broken connection from the last revision on, afresh if the log is shorter."""
    revision, synced, again = 0, False, False
    while True:
        request = operations.WatchRequest(
            collections=[kind.collection for kind in kinds], names=names, start_revision=revision
        )
        events = client.watch(request, again=again)
        try:
            for event in events:
                # Before the first SYNCED an event's revision says nothing of what is still to come.
                synced = synced or event.kind == operations.EVENT_KIND_SYNCED
                revision = max(revision, event.revision if synced else 0)
                yield event
        except grpc.RpcError as error:
            failure = from_rpc(error)
            if failure.code == "OUT_OF_RANGE":
                revision, synced = 0, False
            elif failure.code not in ("UNAVAILABLE", "CANCELLED"):
                raise failure from error
            else:
                note("note: the connection to the controller broke; waiting for it to come back")
        finally:
            close_stream(events)
        again = True
        pause(0.1)


def print_events(
    events: Iterator[operations.WatchResponse], output: str, wanted: Callable[[Any], bool]
) -> None:
    """Print each event as it comes: one line, or one JSON object in a line."""
    for event in events:
        resource = unwrap(event.resource) if event.HasField("resource") else None
        if event.kind not in _WORDS or (resource is not None and not wanted(resource)):
            continue
        print(
            _render_json(event, resource) if output == "json" else _render_text(event, resource), flush=True
        )


def _render_text(event: operations.WatchResponse, resource: Any) -> str:
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    line = [now, f"{_WORDS[event.kind]:<7}", event.name]
    if resource is not None:
        line += [
            paint(phase_of(resource)),
            resource.status.reason,
            _address(resource),
            resource.status.message,
        ]
    return "  ".join(part for part in line if part)


def _render_json(event: operations.WatchResponse, resource: Any) -> str:
    data: dict[str, Any] = {"event": _WORDS[event.kind], "name": event.name, "revision": str(event.revision)}
    if resource is not None:
        data["resource"] = render_json(resource)
    return json.dumps(data, ensure_ascii=False)


def _address(resource: Any) -> str:
    """Return what one looks for in a line about a NIC."""
    values = dict(flatten(resource))
    return " ".join(
        f"{path.partition('_')[0]}={values[path]}"
        for path in ("ipv4_address", "address", "host")
        if values.get(path)
    )
