"""Resources as protobuf messages: made, wrapped, unwrapped, compared, and rendered as the API's JSON."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.cli.kinds import BY_COLLECTION, REFERENCES, TERMS, Kind
from netctl.cli.short_forms import render_short_form
from netctl.cli.values import is_map, short_enum
from netctl.v1 import operations_pb2 as operations

# Lists whose members are shown field by field, and single messages that are shown on one line.
_LONG = ("ExternalConnection",)
_SHORT = ("PolicyEndpoint", "Bfd", "InternalBridge")
# Lists whose members have names: each is shown by its own.
_NAMED = ("SecurityRule",)
# Written by the server alone; a client that sends them is ignored, so they are no difference to speak of.
META = ("uid", "revision", "create_time", "update_time", "status")


def message_type(kind: Kind, name: str) -> type[Message]:
    """Return a message class of the module of a kind: `GetSubnetRequest`."""
    return cast(type[Message], getattr(importlib.import_module(kind.module), name))


def new_message(kind: Kind, name: str) -> Any:
    """Return an empty resource with its name set. Its fields are known only to the descriptor, hence Any."""
    return message_type(kind, kind.message)(name=name)


def wrap(resource: Message) -> operations.Resource:
    """Put a resource into the API's one-of."""
    field = next(kind.field for kind in BY_COLLECTION.values() if kind.message == resource.DESCRIPTOR.name)
    return operations.Resource(**{field: cast(Any, resource)})


def unwrap(resource: operations.Resource) -> Any:
    """Return the resource inside the API's one-of; None when there is none."""
    field = resource.WhichOneof("resource")
    return getattr(resource, field) if field else None


def render_json(message: Message, *, zeros: bool = False) -> dict[str, Any]:
    """Return the API's JSON with its own field names; with `zeros` what is 0 or empty as well."""
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=zeros
    )


def flatten(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) for every field that is set, output-only META fields aside; lists are one text."""
    for field, value in message.ListFields():
        path = prefix + field.name
        if not prefix and field.name in META:
            continue
        if is_map(field):
            yield from ((f"{path}.{key}", item) for key, item in sorted(value.items()))
        elif field.is_repeated and field.message_type is not None and field.message_type.name in _LONG:
            for index, item in enumerate(value):
                yield from flatten(item, f"{path}[{index}].")
        elif field.is_repeated and field.message_type is not None and field.message_type.name in _NAMED:
            yield path, ", ".join(item.name for item in value)  # their order matters
            yield from ((f"{path}.{item.name}", _render(field, item)) for item in value)
        elif field.is_repeated:
            yield path, ", ".join(_render(field, item) for item in value)
        elif isinstance(value, Timestamp):
            yield path, value.ToJsonString()
        elif field.message_type is not None and field.message_type.name not in _SHORT:
            yield from flatten(value, f"{path}.")
        else:
            yield path, _render(field, value)


def references_of(message: Message) -> Iterator[str]:
    """Yield the names of other resources that a resource refers to, in order; one may come twice."""
    for field, value in message.ListFields():
        items = value if field.is_repeated else [value]
        if field.message_type is None and (field.name in REFERENCES or field.name in TERMS):
            yield from items
        elif field.message_type is not None and not is_map(field):
            for item in items:
                yield from references_of(item)


def changed_fields(before: Message, after: Message) -> dict[str, tuple[str, str]]:
    """Return path -> (old, new) of every field that differs, "" for one that is unset."""
    old, new = dict(flatten(before)), dict(flatten(after))
    paths = dict.fromkeys([*old, *new])
    return {path: (old.get(path, ""), new.get(path, "")) for path in paths if old.get(path) != new.get(path)}


def _render(field: FieldDescriptor, value: Any) -> str:
    if field.message_type is not None:
        return render_short_form(value.DESCRIPTOR.name, dict(flatten(value)))
    if field.enum_type is not None:
        return short_enum(field.enum_type, value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
