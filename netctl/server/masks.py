"""Field masks: which fields of a resource an update changes, and the stored resource with them changed.

In: a mask, the stored resource and the request's; out: a resource to convert. Unset and `*` mean every field that a
client may set. Paths are field names joined by dots; `labels.KEY` is one label. Nothing inside a list can be named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from netctl.errors import InvalidIntent

PATHS_MAX = 100


def replaces_all(paths: Sequence[str]) -> bool:
    """Tell whether a mask means every field that a client may set."""
    return not paths or list(paths) == ["*"]


def merge(stored: Message, request: Message, paths: Sequence[str], output_only: frozenset[str]) -> None:
    """Make the fields of `paths` in `stored` what they are in `request`; InvalidIntent for a path that cannot be."""
    if len(paths) > PATHS_MAX:
        raise InvalidIntent("update_mask", f"has {len(paths)} paths; at most {PATHS_MAX} are allowed")
    descriptor = cast(Descriptor, stored.DESCRIPTOR)  # which of two classes depends on protobuf's back end
    for path in paths:
        _check(path, descriptor, output_only)
    for path in paths:
        _assign(stored, request, path.split("."))


def _check(path: str, descriptor: Descriptor | None, output_only: frozenset[str]) -> None:
    names = path.split(".")
    for depth, name in enumerate(names, 1):
        field = descriptor.fields_by_name.get(name) if descriptor is not None else None
        if field is None:
            raise _unknown(path, descriptor)
        if ".".join(names[:depth]) in output_only:
            raise InvalidIntent("update_mask", f"{path[:80]} is set by the server; leave it out")
        if _is_map(field):
            if depth < len(names) and not all(names[depth:]):
                raise _unknown(path, None)
            return
        descriptor = None if field.is_repeated else field.message_type


def _unknown(path: str, descriptor: Descriptor | None) -> InvalidIntent:
    known = f"; fields there are {', '.join(descriptor.fields_by_name)}" if descriptor is not None else ""
    return InvalidIntent("update_mask", f"{path[:80]!r} is not a field that can be updated{known}")


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _assign(stored: Message, request: Message, names: Sequence[str]) -> None:
    name, rest = names[0], names[1:]
    field = cast(FieldDescriptor, stored.DESCRIPTOR.fields_by_name[name])
    if rest and _is_map(field):
        _assign_entry(stored, request, name, ".".join(rest))
    elif rest:
        # A group that neither has stays unset: reading into it must not make it.
        if request.HasField(name) or stored.HasField(name):
            _assign(getattr(stored, name), getattr(request, name), rest)
    else:
        stored.ClearField(name)
        if field.is_repeated:
            getattr(stored, name).MergeFrom(getattr(request, name))
        elif field.message_type is not None:
            if request.HasField(name):
                getattr(stored, name).CopyFrom(getattr(request, name))
        elif not field.has_presence or request.HasField(name):
            setattr(stored, name, getattr(request, name))


def _assign_entry(stored: Message, request: Message, name: str, key: str) -> None:
    entries, given = getattr(stored, name), getattr(request, name)
    if key in given:
        entries[key] = given[key]
    else:
        entries.pop(key, None)
