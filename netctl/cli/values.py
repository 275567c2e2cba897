"""Text into protobuf fields, by their descriptors: what a flag or a YAML scalar says becomes the API's value.

Shorthands for people: enum values without their prefix (`vlan`), ids for references (`vs0`), and one-line forms of
small messages (`short_forms.py`: `10.0.0.10-10.0.0.99`, `vs0=eth1,eth2`, `8000-8010`). A ValueError says what is wrong
with a text; whether a value makes sense is the server's to say.
"""

from __future__ import annotations

import re
from typing import cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.cli.kinds import REFERENCES, complete_reference, nearest
from netctl.cli.short_forms import parse_short_form

_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_WITH_COMMAS = (
    *("Uplink", "InternalPort", "InternalBridge", "NicPair", "Disk"),
    *("ExternalConnection", "Service", "EntitySelector", "SecurityRule"),
)
_INTEGERS = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}

Scalar = str | int | bool


def short_enum(enum: EnumDescriptor, number: int) -> str:
    """Return an enum value for people: SUBNET_KIND_VLAN as `VLAN`, the unspecified one as ""."""
    value = enum.values_by_number.get(number)
    if number == 0 or value is None:
        return ""
    return value.name.removeprefix(_prefix(enum))


def parse_scalar(field: FieldDescriptor, text: str) -> Scalar:
    """Return the value of a scalar field."""
    if field.enum_type is not None:
        return _parse_enum(field.enum_type, text)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text.lower() not in _BOOLEANS:
            raise ValueError(f"{text!r} is neither true nor false")
        return _BOOLEANS[text.lower()]
    if field.cpp_type in _INTEGERS:
        try:
            return int(text, 10)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
    message = field.containing_type
    qualified = f"{message.name}.{field.name}" if message is not None else ""
    return complete_reference(qualified if qualified in REFERENCES else field.name, text)


def set_scalar(message: Message, field: FieldDescriptor, text: str) -> None:
    """Set or append one value of a scalar field; of a message field, by its one-line form."""
    if field.message_type is not None:
        target = getattr(message, field.name)
        if field.is_repeated:
            _set_short_form(target.add(), text)
        elif text.strip().lower() in ("", "off"):
            message.ClearField(field.name)
        else:
            _set_short_form(target, text)
        return
    value = parse_scalar(field, text)
    try:
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    except ValueError:  # protobuf's own check of the integer's width
        raise ValueError(f"{text} is too large a number") from None


def set_path(message: Message, path: str, texts: list[str]) -> None:
    """Set the field at `path` (`ipv4.gateway`) to what was given, once or several times; "" clears a list."""
    *parents, last = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    message.SetInParent()  # `--ipv4-gateway ""` alone still speaks of ipv4
    field = next(field for field in fields_of(message) if field.name == last)
    if is_map(field):
        getattr(message, last).update(_parse_pairs(texts))
    elif field.is_repeated:
        for text in _split_lists(field, texts):
            set_scalar(message, field, text)
    else:
        set_scalar(message, field, texts[-1])


def is_map(field: FieldDescriptor) -> bool:
    """Say whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")


def _parse_enum(enum: EnumDescriptor, text: str) -> int:
    prefix = _prefix(enum)
    known = {value.name.removeprefix(prefix).lower(): value.number for value in enum.values if value.number}
    number = known.get(text.upper().replace("-", "_").removeprefix(prefix).lower())
    if number is None:
        words = [word.replace("_", "-") for word in known]
        raise ValueError(f"{text!r} is none of {', '.join(words)}" + _also(nearest(text, words)))
    return number


def _also(hint: str) -> str:
    return f"; {hint}" if hint else ""


def _split_lists(field: FieldDescriptor, texts: list[str]) -> list[str]:
    # `vs0=eth1,eth2` has commas of its own: such are repeated, not joined.
    joined = field.message_type is None or field.message_type.name not in _WITH_COMMAS
    parts = [part for text in texts for part in (text.split(",") if joined else [text])]
    return [part.strip() for part in parts if part.strip()]


def _parse_pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not KEY=VALUE")
        pairs[key] = value
    return pairs


def _set_short_form(message: Message, text: str) -> None:
    """Fill a small message from one line; `short_forms.py` says which fields get which texts."""
    message.SetInParent()
    if isinstance(message, Timestamp):
        _set_time(message, text.strip())
        return
    for name, part in parse_short_form(message.DESCRIPTOR.name, text, [f.name for f in fields_of(message)]):
        set_path(message, name, [part])


def _set_time(stamp: Timestamp, text: str) -> None:
    """Set a point in time: `2026-12-31` is its first moment, `2026-12-31T18:00:00` is in UTC."""
    whole = text if "T" in text else f"{text}T00:00:00"
    zoned = whole if re.search(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$", whole) else f"{whole}Z"
    try:
        stamp.FromJsonString(zoned)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write 2026-12-31 or 2026-12-31T18:00:00Z") from None


def fields_of(message: Message) -> list[FieldDescriptor]:
    """Return the fields of a message. The stubs name two classes for one, hence the cast."""
    return cast(list[FieldDescriptor], list(message.DESCRIPTOR.fields))
