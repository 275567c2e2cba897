"""A noun as the generic services see it: one descriptor, by which messages and intents of one kind are told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from netctl.model.intent import Intent
from netctl.model.keys import Kind
from netctl.model.status import Status
from netctl.server.convert import AnyResource
from netctl.server.guest_secrets import Sealer

P = TypeVar("P", bound=AnyResource)
N = TypeVar("N", bound=Intent)

# What the server alone sets on every noun; `name` says which resource and never changes.
OUTPUT_ONLY = frozenset({"name", "uid", "revision", "create_time", "update_time", "status"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Noun(Generic[P, N]):
    """One noun between API and core.

    `field` is its name in requests, responses and `Resource`. `to_request` renders the message by which a client
    would ask for a stored intent, which is not answered where it has secrets; `output_only` are paths that no mask may
    name; `references` are fields that hold the name of another resource, those of parts with their path
    (`next_hops.external_subnet`). `terms` are fields that hold names of several collections, in the model as well;
    `derived` those that intents do not hold. `seal` returns a message whose secrets are sealed: a copy, or the same one
    when it has none.
    """

    kind: Kind
    field: str
    message: type[P]
    intent: type[N]
    from_proto: Callable[[P], N]
    to_proto: Callable[[N, Status | None], P]
    to_request: Callable[[N], P]
    references: Mapping[str, str]
    terms: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    output_only: frozenset[str] = dataclasses.field(default=OUTPUT_ONLY)
    derived: frozenset[str] = frozenset()
    seal: Callable[[P, Sealer], P] = lambda message, sealer: message
