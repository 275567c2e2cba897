"""A remembered answer as bytes: only what the change log does not say already.

In: `Remembered`; out: bytes, and back with the help of the log. What a request changed is the log's entries of its
revision, in order; the answer holds how many outcomes there were and those that changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from netctl.model.intent import Change
from netctl.model.keys import Kind
from netctl.store import codec
from netctl.store.records import Outcome, Remembered


class _Answer(msgspec.Struct, array_like=True):
    revision: int
    count: int
    # (place among the outcomes, kind, id, body); no body where there was nothing before and is nothing after
    unchanged: list[tuple[int, str, str, msgspec.Raw | None]]


_decode = msgspec.json.Decoder(_Answer).decode


def encode_answer(answer: Remembered) -> bytes:
    """Return the stored form of an answer."""
    unchanged = [
        (place, kind.value, id_, None if after is None else msgspec.Raw(codec.encode(after)))
        for place, ((kind, id_), before, after) in enumerate(answer.outcomes)
        if before is after
    ]
    return msgspec.json.encode(
        _Answer(revision=answer.revision, count=len(answer.outcomes), unchanged=unchanged)
    )


def decode_answer(
    row: tuple[str, bytes, float, bytes], changes_of: Callable[[int], Sequence[Change]]
) -> Remembered | None:
    """Return the answer of a row (request_id, body_hash, time, answer); None where the log lost its changes."""
    request_id, body_hash, time_s, stored = row
    answer = _decode(stored)
    unchanged: dict[int, Outcome] = {}
    for place, kind, id_, body in answer.unchanged:
        intent = None if body is None else codec.decode(kind, bytes(body))
        unchanged[place] = ((Kind(kind), id_), intent, intent)
    changed = answer.count - len(unchanged)
    changes = changes_of(answer.revision) if changed else ()
    if len(changes) != changed:
        return None
    rest = iter([(change.key, change.before, change.after) for change in changes])
    outcomes = tuple(unchanged[place] if place in unchanged else next(rest) for place in range(answer.count))
    return Remembered(
        request_id=request_id, body_hash=body_hash, time_s=time_s, revision=answer.revision, outcomes=outcomes
    )
