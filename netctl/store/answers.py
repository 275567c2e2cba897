"""A remembered answer as bytes: only what the change log does not say already.

In: `Remembered`; out: bytes, and back with the help of the log. What a request changed is the log's entries of its
revision, in order; the answer holds how many outcomes there were, those that changed nothing, and which entries came
along.
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
    # (place among the outcomes, kind, id, body); the body is null where nothing was and nothing is
    unchanged: list[tuple[int, str, str, msgspec.Raw]]
    extras: tuple[int, ...]


_NULL = b"null"
_decode = msgspec.json.Decoder(_Answer).decode


def encode_answer(answer: Remembered) -> bytes:
    """Return the stored form of an answer."""
    unchanged = [
        (place, kind.value, id_, msgspec.Raw(_NULL if after is None else codec.encode(after)))
        for place, ((kind, id_), before, after) in enumerate(answer.outcomes)
        if before is after
    ]
    return msgspec.json.encode(
        _Answer(
            revision=answer.revision, count=len(answer.outcomes), unchanged=unchanged, extras=answer.extras
        )
    )


def decode_answer(
    row: tuple[str, bytes, float, bytes], changes_of: Callable[[int], Sequence[Change]]
) -> Remembered | None:
    """Return the answer of a row (request_id, body_hash, time, answer); None where the log lost its changes."""
    request_id, body_hash, time_s, stored = row
    answer = _decode(stored)
    unchanged: dict[int, Outcome] = {}
    for place, kind, id_, body in answer.unchanged:
        stored = bytes(body)
        intent = None if stored == _NULL else codec.decode(kind, stored)
        unchanged[place] = ((Kind(kind), id_), intent, intent)
    changed = answer.count - len(unchanged)
    changes = changes_of(answer.revision) if changed else ()
    own = [(c.key, c.before, c.after) for c in changes if c.index not in answer.extras]
    if len(own) != changed:
        return None
    rest = iter(own)
    return Remembered(
        request_id=request_id,
        body_hash=body_hash,
        time_s=time_s,
        revision=answer.revision,
        outcomes=tuple(
            unchanged[place] if place in unchanged else next(rest) for place in range(answer.count)
        ),
        extras=answer.extras,
    )
