"""What admission is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.admit import Admitted
from netctl.model.intent import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Edits to admit as one atomic change.

    `request_id` "" is never remembered. `body_hash` tells whether a request with an id seen before is the same
    request: a digest of everything the client sent but the id. `deadline_s` is on the monotonic clock; past it the
    client has gone, and nothing is admitted any more. `batch`: an error's field is named within `edits[i]`.
    """

    edits: tuple[Edit, ...]
    actor: str = "local"
    request_id: str = ""
    reason: str = ""
    validate_only: bool = False
    body_hash: bytes = b""
    deadline_s: float | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the edits did: `results` has one for each edit, in order; unchanged where before is after.

    `revision` is that of the change, or the store's current one when nothing changed or was to be changed.
    """

    revision: int
    results: tuple[Admitted, ...]
    replayed: bool = False
    would: tuple[Admitted, ...] = ()
