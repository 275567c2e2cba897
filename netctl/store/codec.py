"""Intents as JSON, tagged by their kind.

In: intents; out: bytes, and back. Owns the stored form; the nouns of `netctl.model` are its source of truth: each one
gets a twin, a msgspec Struct of the same fields, which reads an order of magnitude faster than the noun itself.

- What was stored is not checked again: gate 1 stood at the door, and a check that became stricter since
  must not keep a controller from starting. Twins have types, no rules.
- A field that is missing was added after the intent was stored: it gets the noun's default.
- A field that is unknown was written by a newer netctl: the intent is refused, for dropping it would lose it.
- Defaults are written out: an intent keeps its meaning when a later version has another default.
"""

from __future__ import annotations

import dataclasses
import operator
import types
import typing
from collections.abc import Callable
from typing import Any, cast

import msgspec

from netctl.errors import StoreUnavailable
from netctl.model.intent import KIND_OF, Intent
from netctl.model.keys import Kind

Restore = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode


def encode(intent: Intent) -> bytes:
    """Return the stored form of an intent."""
    return _encode(intent)


def decode(kind: str, body: bytes) -> Intent:
    """Return the intent of a stored form; StoreUnavailable says what this version cannot read in it."""
    try:
        decoder, restore = _TWINS[kind]
        return cast(Intent, restore(decoder.decode(body)))
    except KeyError:
        raise StoreUnavailable(
            f"the store holds {kind!r}, which this version of netctl does not know: it was written by a newer one"
        ) from None
    except msgspec.DecodeError as error:
        raise StoreUnavailable(
            f"the store holds an intent of {kind} that this version of netctl cannot read ({error}): it was"
            f" written by a newer one, or is damaged: {body[:120]!r}"
        ) from None


def _twin(noun: type) -> tuple[type, Restore]:
    """Return the Struct that reads `noun`, and what makes a noun of it without running its checks."""
    hints = typing.get_type_hints(noun)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    restores: list[Restore | None] = []
    names: list[str] = []
    for field in dataclasses.fields(noun):
        twin, restore = _twin_type(hints[field.name])
        fields.append(_struct_field(field, twin))
        restores.append(restore)
        names.append(field.name)
    struct = msgspec.defstruct(noun.__name__, fields, kw_only=True, gc=False, forbid_unknown_fields=True)
    return struct, _restorer(noun, names, restores)


def _restorer(noun: type, names: list[str], restores: list[Restore | None]) -> Restore:
    # Of a single name attrgetter gives the value, not a tuple of it.
    values = operator.attrgetter(*names) if len(names) > 1 else lambda twin: (getattr(twin, names[0]),)
    plain = all(restore is None for restore in restores)
    # A slot's own descriptor writes past the frozen dataclass's __setattr__, and past __post_init__.
    write = [getattr(noun, name).__set__ for name in names]
    steps = list(zip(write, restores, strict=True))

    def restore_plain(twin: Any) -> Any:
        new: Any = object.__new__(noun)
        for set_slot, value in zip(write, values(twin), strict=True):
            set_slot(new, value)
        return new

    def restore_nested(twin: Any) -> Any:
        new: Any = object.__new__(noun)
        for (set_slot, restore), value in zip(steps, values(twin), strict=True):
            set_slot(new, value if restore is None else restore(value))
        return new

    return restore_plain if plain else restore_nested


def _struct_field(field: dataclasses.Field[Any], twin: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.default_factory is not dataclasses.MISSING:
        return field.name, twin, msgspec.field(default_factory=field.default_factory)
    if field.default is dataclasses.MISSING:
        return field.name, twin
    if dataclasses.is_dataclass(field.default):
        # The twin's default is a twin; only a noun all of whose fields have their defaults can be one.
        noun = cast(Callable[[], Any], type(field.default))
        assert field.default == noun(), f"{field.name}: the codec knows no such default"
        return field.name, twin, msgspec.field(default_factory=twin)
    return field.name, twin, field.default


def _twin_type(hint: Any) -> tuple[Any, Restore | None]:
    """Return what a twin has in the place of `hint`, and how to make the noun's value of it (None: as it is)."""
    if dataclasses.is_dataclass(hint):
        return _twin(cast(type, hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        item, restore = _twin_type(arguments[0])
        return types.GenericAlias(tuple, (item, ...)), _each(restore)
    if origin in (types.UnionType, typing.Union) and len(arguments) == 2 and arguments[1] is types.NoneType:
        some, restore = _twin_type(arguments[0])
        return some | None, _unless_none(restore)
    return hint, None


def _each(restore: Restore | None) -> Restore | None:
    return None if restore is None else lambda values: tuple([restore(value) for value in values])


def _unless_none(restore: Restore | None) -> Restore | None:
    return None if restore is None else lambda value: None if value is None else restore(value)


def _reader(noun: type) -> tuple[msgspec.json.Decoder[Any], Restore]:
    struct, restore = _twin(noun)
    return msgspec.json.Decoder(struct), restore


_TWINS: dict[str, tuple[msgspec.json.Decoder[Any], Restore]] = {
    kind.value: _reader(noun) for noun, kind in KIND_OF.items()
}
assert set(_TWINS) == set(Kind), "every kind can be stored"
