"""What every admission shares: its context, what it answers, the stamp on an intent and the wording of refusals."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TypeVar

from netctl.errors import InUse, InvalidIntent, NotFound
from netctl.model.infra import Meta
from netctl.model.intent import KIND_OF, Intent
from netctl.model.keys import Key, Uid, resource_name
from netctl.model.vm import Sealed

DEPENDENTS_MAX = 100  # named in an answer; the total is given as well
_EXAMPLES = 3  # named in a message


def _unsealable(_: str) -> Sealed:
    return Sealed("sealed: nobody can open this")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the core may not know by itself: the revision being made, the time, fresh uids, what OVN can."""

    revision: int
    time_s: float
    new_uid: Callable[[], Uid]
    # Whether this OVN may be asked to answer DHCPv6 (CVE-2026-5367).
    dhcpv6: bool = True
    # Whether it has network functions (OVN 26.03): service chains of overlay subnets need them.
    network_functions: bool = False
    # Seals a secret, and makes a random one to be sealed (server/sealing.py).
    seal: Callable[[str], Sealed] = _unsealable
    new_secret: Callable[[], str] = str
    # The most that any host can give one virtual machine; 0 as long as no host has said it.
    largest_memory_mib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What became of one intent: None before or after at its ends; the same object for both when nothing changed."""

    key: Key
    before: Intent | None
    after: Intent | None


T = TypeVar("T", bound=Meta | Intent)
N = TypeVar("N", bound=Intent)
_SETTERS: dict[type, tuple[tuple[str, Callable[[object, object], None]], ...]] = {
    kind: tuple((field.name, getattr(kind, field.name).__set__) for field in fields(kind))
    for kind in (Meta, *KIND_OF)
}


def replace_unchecked(value: T, **changes: object) -> T:
    """Copy a value with some fields changed, without gate 1: `dataclasses.replace` checks all of it again.

    For values made of parts that passed it, where some us for each of 10,000 NICs are felt. A slot's own setter is
    what a frozen dataclass leaves open.
    """
    copy = object.__new__(type(value))
    for name, set_slot in _SETTERS[type(value)]:
        set_slot(copy, changes[name] if name in changes else getattr(value, name))
    return copy


def stamp(asked: Meta, before: Intent | None, context: Context) -> Meta:
    """Return what `asked` says under the identity of `before`; a new identity without one."""
    if before is None:
        return replace_unchecked(
            asked,
            uid=context.new_uid(),
            revision=context.revision,
            create_time_s=context.time_s,
            update_time_s=context.time_s,
        )
    return replace_unchecked(
        asked,
        uid=before.meta.uid,
        revision=before.meta.revision,
        create_time_s=before.meta.create_time_s,
        update_time_s=before.meta.update_time_s,
    )


def updated(intent: N, context: Context) -> N:
    """Return a changed intent with the revision and time of its change."""
    meta = replace_unchecked(intent.meta, revision=context.revision, update_time_s=context.time_s)
    return replace_unchecked(intent, meta=meta)


def absent(key: Key, field: str) -> NotFound:
    """Return the error for a reference to nothing."""
    return NotFound(f"{resource_name(key)[:100]} does not exist: create it first", field=field)


def check_kept(field: str, before: object, asked: object) -> None:
    """Refuse to change a field that cannot change."""
    if before != asked:
        raise InvalidIntent(
            field,
            f"cannot change from {before or 'unset'} to {asked or 'unset'}: remove the resource and create it",
        )


def in_motion(vm: str, migration: str, field: str) -> InUse:
    """Return the error for what would disturb a migration."""
    text = f"vms/{vm} is moved by vmMigrations/{migration}: wait for its end, or abort it"
    error = InUse(text, dependents=(f"vmMigrations/{migration}",), total=1)
    error.field = field
    return error


def in_use(message: str, dependents: Iterable[Key], *, field: str = "") -> InUse:
    """Return the error that names the dependents."""
    names = [resource_name(key) for key in dependents]
    first = heapq.nsmallest(DEPENDENTS_MAX, names)
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    text = f"{message} by {', '.join(first[:_EXAMPLES])}{more}: change or remove them first"
    error = InUse(text, dependents=tuple(first), total=len(names))
    error.field = field
    return error
