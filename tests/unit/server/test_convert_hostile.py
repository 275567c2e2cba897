"""Requests with anything in any field: converted, or refused as InvalidIntent that names a field; never a crash."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netctl.errors import Exhausted, InvalidIntent, NetctlError
from netctl.model.intent import Intent, key_of
from netctl.server.nouns import BY_KIND, AnyNoun
from tests.unit.server import vpc_nouns

ODD = (
    *("", "10.0.0.0/24", "10.0.0.1", "fe80::1", "::", "::/0", "0.0.0.0", "255.255.255.255", "ff02::1"),
    *("::ffff:1.2.3.4", "subnets/x", "vpcs/", "hosts/h1", "nics/" + "x" * 80, "10.0.0.1/33", "1e3", "\x00"),
    *("categories/x", "addressGroups/x", "entityGroups/x y", "serviceGroups/x", "10.0.0.1-10.0.0.9"),
    *("10.0.0.1%eth0", "fe80::1%1", "10.0.0.1/24"),
)
TEXTS = st.text(max_size=12) | st.sampled_from(ODD)
NUMBERS = st.sampled_from([-(2**31), -1, 0, 1, 4, 6, 100, 4095, 65_536, 2**31 - 1])


def spoil(message: Message, draw: Any) -> None:
    """Put anything into one field, somewhere below."""
    field: FieldDescriptor = draw(st.sampled_from(list(message.DESCRIPTOR.fields)))
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)[draw(TEXTS)] = draw(TEXTS)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        if field.is_repeated:
            inner = draw(st.sampled_from(list(inner))) if len(inner) and draw(st.booleans()) else inner.add()
        inner.SetInParent()
        spoil(inner, draw)
    elif field.is_repeated:
        getattr(message, field.name).append(value(field, draw))
    else:
        setattr(message, field.name, value(field, draw))


def value(field: FieldDescriptor, draw: Any) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return draw(TEXTS)
    return draw(st.booleans() if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else NUMBERS)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(vpc_nouns.intents, st.data())
def test_anything_is_converted_or_refused(intent: Intent, data: st.DataObject) -> None:
    noun = BY_KIND[key_of(intent)[0]]
    message = noun.to_request(intent)
    for _ in range(data.draw(st.integers(1, 4))):
        spoil(message, data.draw)
    refused, again = convert(noun, message)
    if refused is not None:
        first = re.split(r"[.\[]", refused.field, maxsplit=1)[0]
        assert first in noun.message.DESCRIPTOR.fields_by_name, f"{refused.field!r}: {refused.message}"
        assert len(refused.message) < 600
    elif again is not None:
        assert noun.from_proto(noun.to_request(again)) == again


def convert(noun: AnyNoun, message: Any) -> tuple[NetctlError | None, Intent | None]:
    try:
        return None, noun.from_proto(message)
    except (InvalidIntent, Exhausted) as error:
        return error, None
