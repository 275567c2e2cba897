"""Our values <-> protobuf messages whose fields are spelled alike, at any depth.

Comes in: a frozen dataclass, or a message. Goes out: the other. A field of ours that the message has not is an error
at the first use; a unit test sends every field through. Lists are tuples; what may be unset is None where our type
says so.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.message import Message

T = TypeVar("T")


def read_message(kind: type[T], message: Message) -> T:
    """Return the value of `kind` that the message holds."""
    return kind(**{name: read(message, name) for name, read in _readers(_hashable(kind))})


def fill_message(message: Any, value: Any) -> None:
    """Set the message's fields to those of a dataclass; fields that the value has not are left alone."""
    for name in _names(_hashable(type(value))):
        part = getattr(value, name)
        if isinstance(part, tuple):
            _extend(getattr(message, name), part)
        elif isinstance(part, datetime):
            getattr(message, name).FromDatetime(part)
        elif dataclasses.is_dataclass(part):
            target = getattr(message, name)
            target.SetInParent()
            fill_message(target, part)
        elif part is not None:
            setattr(message, name, part)


def _extend(target: Any, parts: tuple[Any, ...]) -> None:
    for part in parts:
        if dataclasses.is_dataclass(part):
            fill_message(target.add(), part)
        else:
            target.append(part)


def _hashable(kind: Any) -> Hashable:
    return kind  # type: ignore[no-any-return]  # mypy does not see that a class is hashable


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _readers(kind: Any) -> tuple[tuple[str, Callable[[Any, str], Any]], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((name, _reader(hints[name])) for name in _names(kind))


def _reader(hint: Any) -> Callable[[Any, str], Any]:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        item = arguments[0]
        if isinstance(item, type) and dataclasses.is_dataclass(item):
            return lambda message, name: tuple(read_message(item, part) for part in getattr(message, name))
        return lambda message, name: tuple(getattr(message, name))
    if isinstance(hint, types.UnionType):
        inner = _reader(next(argument for argument in arguments if argument is not types.NoneType))
        return lambda message, name: inner(message, name) if message.HasField(name) else None
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return lambda message, name: read_message(hint, getattr(message, name))
    return getattr
