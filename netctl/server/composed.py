"""Operations that are several ordinary edits in one change: all of them, or none.

In: how to make the edits of a snapshot; out: admission's answer. What rests on intents that change meanwhile is made
anew; a repetition is answered as the first time, whatever is stored by now.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from netctl.errors import Conflict, NetctlError, NotFound
from netctl.model.intent import Edit, Remove
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot
from netctl.server.edge import Context
from netctl.server.ports import Intents
from netctl.server.requests import Answer
from netctl.server.writes import Mutation, submit

_ATTEMPTS = 4
_PLACE = re.compile(r"edits\[(\d+)\](?:\.(.+))?\Z", re.DOTALL)
# No intent is ever at it: an edit that asks for it fails, unless its request was answered before.
_NEVER = 1 << 62

Call = tuple[Mutation, Context]
Plan = Callable[[Snapshot], Sequence[Edit]]
# What a field of the n-th edit is called in the request.
Locate = Callable[[int, str], str]


async def submit_composed(intents: Intents, plan: Plan, call: Call, locate: Locate) -> Answer:
    """Have the edits of a plan admitted as one change."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            edits = await asyncio.to_thread(plan, intents.snapshot())
        except NetctlError:
            before = await answered_before(intents, call)
            if before is None:
                raise
            return before
        try:
            return await submit(intents, edits, call, batch=True)
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
        except NetctlError as error:
            found = _PLACE.match(error.field)
            if found is not None:
                error.field = locate(int(found[1]), found[2] or "")
            raise
    raise AssertionError("the last attempt returned or raised")


async def answered_before(intents: Intents, call: Call) -> Answer | None:
    """Return the answer to an earlier request with the same id, None when there was none."""
    if not call[0].request_id:
        return None
    try:
        return await submit(intents, (Remove(key=(Kind.CLUSTER, "none"), if_revision=_NEVER),), call)
    except (NotFound, Conflict):
        return None
