"""ChangeService: the change log, newest first."""

from __future__ import annotations

import asyncio
import re

from netctl.errors import InvalidIntent
from netctl.model.intent import Change
from netctl.model.keys import resource_name
from netctl.server import paging
from netctl.server.convert import parse_key, set_time
from netctl.server.edge import Context
from netctl.server.nouns import BY_KIND
from netctl.server.ports import Ports
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import operations_pb2_grpc

_PLACE = re.compile(r"([0-9]{1,19})/([0-9]{1,9})\Z")


class ChangeService(operations_pb2_grpc.ChangeServiceServicer):
    """The change log."""

    def __init__(self, ports: Ports) -> None:
        self._changes = ports.changes

    async def ListChanges(self, request: pb.ListChangesRequest, context: Context) -> pb.ListChangesResponse:
        """Return a page of changes; a token is the place in the log, so that new changes move nothing."""
        size = paging.page_size(request.page_size)
        query = f"changes {request.resource_name}"
        token = paging.parse_token(request.page_token, query)
        key = parse_key("resource_name", request.resource_name) if request.resource_name else None
        # One more than asked for tells whether there is another page.
        changes = await asyncio.to_thread(
            self._changes.read_changes, before=_place(token) if token else None, limit=size + 1, key=key
        )
        response = pb.ListChangesResponse()
        used = 0
        for index, change in enumerate(changes):
            message = change_to_proto(change)
            used += message.ByteSize()
            if index == size or (index and used > paging.MAX_BYTES):
                last = changes[index - 1]
                response.next_page_token = paging.render_token(f"{last.revision}/{last.index}", query)
                break
            response.changes.append(message)
        return response


def _place(token: str) -> tuple[int, int]:
    found = _PLACE.match(token)
    if found is None:
        raise InvalidIntent(
            "page_token", "is not a page token; use next_page_token of the page before as it is"
        )
    return int(found[1]), int(found[2])


def change_to_proto(change: Change) -> pb.Change:
    """Return the message of an entry of the log."""
    message = pb.Change()
    message.revision = change.revision
    message.index = change.index
    set_time(message.time, change.time_s)
    message.actor = change.actor
    message.request_id = change.request_id
    message.reason = change.reason
    message.resource_name = resource_name(change.key)
    noun = BY_KIND[change.key[0]]
    if change.before is not None:
        getattr(message.before, noun.field).CopyFrom(noun.to_proto(change.before, None))
    if change.after is not None:
        getattr(message.after, noun.field).CopyFrom(noun.to_proto(change.after, None))
    return message
