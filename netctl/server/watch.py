"""WatchService: intents and their status as they change.

A round sends every key that changed, as it is when its turn comes; only the last event of a round carries the new
revision, so that a client that resumes from any event misses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

from netctl.errors import InvalidIntent
from netctl.model.keys import Key, resource_name
from netctl.server.convert import parse_key, parse_kind
from netctl.server.edge import Context
from netctl.server.facts import Facts
from netctl.server.nouns import opened, wrapped
from netctl.server.ports import Ports
from netctl.server.watch_hub import Watcher, WatchHub, everything, ordered
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import operations_pb2_grpc

NAMES_MAX = 10_000
# After so many revisions of which nothing was to be sent, the client is told a newer one to resume from.
_SILENT_REVISIONS = 1000

Wanted = Callable[[Key], bool]


class WatchService(operations_pb2_grpc.WatchServiceServicer):
    """A stream of what changes."""

    def __init__(self, ports: Ports) -> None:
        """Begin; needs the running event loop."""
        self._hub, self._facts = WatchHub(ports), Facts(ports)

    def close(self) -> None:
        """End all watches."""
        self._hub.close()

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.WatchResponse]:
        """Stream what changes, beginning with what is there or with what changed after a revision."""
        if request.start_revision < 0:
            raise InvalidIntent("start_revision", f"{request.start_revision} is negative")
        names = _names(request.names)
        wanted = _wanted(request.collections, names)
        watcher = self._hub.add()
        try:
            told = request.start_revision
            if told:
                keys = await self._hub.resume(watcher, told)
            else:
                keys = ordered(names) if names else everything(self._hub.snapshot())
            for key in filter(wanted, keys):
                event = self._event(key, told)
                # At the beginning there is nothing that the client could have seen and that is gone.
                if told or event.kind == pb.EVENT_KIND_PUT:
                    yield event
            yield pb.WatchResponse(kind=pb.EVENT_KIND_SYNCED, revision=watcher.revision)
            async with aclosing(self._rounds(watcher, wanted)) as events:
                async for event in events:
                    yield event
        finally:
            self._hub.discard(watcher)

    async def _rounds(self, watcher: Watcher, wanted: Wanted) -> AsyncGenerator[pb.WatchResponse, None]:
        told = watcher.revision
        while True:
            await self._hub.wait(watcher)
            keys = ordered(filter(wanted, await self._hub.advance(watcher)))
            for key in keys[:-1]:
                yield self._event(key, told)
            if keys:
                told = watcher.revision
                yield self._event(keys[-1], told)
            elif watcher.revision - told >= _SILENT_REVISIONS:
                told = watcher.revision
                yield pb.WatchResponse(kind=pb.EVENT_KIND_SYNCED, revision=told)

    def _event(self, key: Key, revision: int) -> pb.WatchResponse:
        snapshot = self._hub.snapshot()
        event = pb.WatchResponse(name=resource_name(key), revision=revision)
        intent = snapshot.get(key)
        if intent is None:
            event.kind = pb.EVENT_KIND_REMOVED
        else:
            event.kind = pb.EVENT_KIND_PUT
            event.resource.CopyFrom(wrapped(key, intent, self._hub.status(key, snapshot)))
            self._facts.add(opened(event.resource, "")[1], intent, snapshot)
        return event


def _names(names: Sequence[str]) -> frozenset[Key]:
    if len(names) > NAMES_MAX:
        raise InvalidIntent("names", f"has {len(names)} names; at most {NAMES_MAX} are allowed")
    return frozenset(parse_key(f"names[{index}]", name) for index, name in enumerate(names))


def _wanted(collections: Sequence[str], names: frozenset[Key]) -> Wanted:
    kinds = {parse_kind(f"collections[{index}]", name) for index, name in enumerate(collections)}
    if names:
        return lambda key: key in names and (not kinds or key[0] in kinds)
    return lambda key: not kinds or key[0] in kinds
