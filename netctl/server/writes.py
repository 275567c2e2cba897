"""What all calls that change something share: who asks, why, which key, until when; and the way to admission."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import unquote

from google.protobuf.descriptor import Descriptor

from netctl.errors import InvalidIntent, NetctlError
from netctl.model import shape
from netctl.model.intent import Edit
from netctl.server.edge import Context
from netctl.server.ports import Intents
from netctl.server.requests import Answer, Request

REASON_MAX = 1024
_REQUEST_ID = re.compile(r"[!-~]{0,36}\Z")


class Mutation(Protocol):
    """A request message of any call that changes something; most have `validate_only`, too."""

    DESCRIPTOR: Descriptor
    request_id: str
    change_reason: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


async def submit(
    intents: Intents, edits: Sequence[Edit], call: tuple[Mutation, Context], *, batch: bool = False
) -> Answer:
    """Have edits admitted as one change; a caller that goes away takes them back as long as they wait."""
    message, context = call
    if not _REQUEST_ID.match(message.request_id):
        raise InvalidIntent("request_id", "must be at most 36 visible ASCII characters, e.g. a UUID")
    if message.change_reason:
        shape.check_text("change_reason", message.change_reason, REASON_MAX)
    remaining_s = context.time_remaining()
    request = Request(
        edits=tuple(edits),
        actor=actor_of(context.peer()),
        request_id=message.request_id,
        reason=message.change_reason,
        validate_only=getattr(message, "validate_only", False),
        body_hash=body_hash(message) if message.request_id else b"",
        deadline_s=None if remaining_s is None else time.monotonic() + remaining_s,
        batch=batch,
    )
    return await asyncio.wrap_future(intents.submit(request))


def body_hash(message: Mutation) -> bytes:
    """Return the digest of everything that the client asked for but the request's id."""
    request_id, message.request_id = message.request_id, ""
    raw = message.SerializeToString(deterministic=True)
    message.request_id = request_id
    return hashlib.sha256(message.DESCRIPTOR.full_name.encode() + b"\0" + raw).digest()


def actor_of(peer: str) -> str:
    """Return who asks: the address of a peer without its port, `local` for a Unix socket."""
    if peer.startswith("unix"):
        return "local"
    address, _, _ = unquote(peer).rpartition(":")
    return address.removeprefix("ipv4:").removeprefix("ipv6:") or "unknown"


def check_revision(field: str, revision: int) -> int:
    """Return an `if_revision`; InvalidIntent when it cannot be one."""
    if revision < 0:
        raise InvalidIntent(field, f"{revision} is negative; give the revision that was read, or 0")
    return revision


def locate(error: NetctlError, prefix: str, descriptor: Descriptor) -> None:
    """Name the field of an error within the request: what is wrong in a NIC is wrong in `nic.ipv4_address`."""
    if re.split(r"[.\[]", error.field, maxsplit=1)[0] in descriptor.fields_by_name:
        error.field = f"{prefix}.{error.field}"


@contextmanager
def within(prefix: str, descriptor: Descriptor) -> Iterator[None]:
    """Locate all errors of a block."""
    try:
        yield
    except NetctlError as error:
        locate(error, prefix, descriptor)
        raise
