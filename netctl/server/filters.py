"""Filters of lists: `labels.tier = "web" AND status.phase != PROGRAMMED`, a small part of AIP-160.

In: text and the noun it speaks of; out: terms that tell whether an intent matches. Paths are those of the API's
messages; what is compared is the intent itself, so that a long list is filtered without making messages of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from netctl.errors import InvalidIntent
from netctl.model.intent import Intent
from netctl.model.status import Status
from netctl.server import convert_infra, convert_network
from netctl.server.nouns import AnyNoun

LENGTH_MAX = 4096
TERMS_MAX = 32
_TOKEN = re.compile(
    r'\s*(?:(?P<op>!=|=)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"=!<>()]+)|(?P<other>\S))'
)
_META = frozenset({"uid", "display_name", "revision"})

Getter = Callable[[Intent, Status | None], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One comparison; `getter` reads what `value` is compared with."""

    path: str
    equal: bool
    value: str | int | bool
    getter: Getter

    def matches(self, intent: Intent, status: Status | None) -> bool:
        """Tell whether the comparison holds."""
        return (self.getter(intent, status) == self.value) is self.equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Terms that must all hold; `needs_status` when one of them reads the status."""

    terms: tuple[Term, ...] = ()
    needs_status: bool = False

    def matches(self, intent: Intent, status: Status | None) -> bool:
        """Tell whether all terms hold."""
        return all(term.matches(intent, status) for term in self.terms)

    def wanted(self, path: str) -> str | None:
        """Return the only value that `path` may have, None when the filter does not say."""
        found = (term.value for term in self.terms if term.path == path and term.equal)
        return next((value for value in found if isinstance(value, str)), None)


def parse_filter(text: str, noun: AnyNoun) -> Filter:
    """Return the filter that a text asks for; InvalidIntent says what cannot be read."""
    if len(text) > LENGTH_MAX:
        raise _wrong(f"has {len(text)} characters; at most {LENGTH_MAX} are allowed")
    tokens = _tokens(text)
    if not tokens:
        return Filter()
    terms = []
    for at in range(0, len(tokens), 4):
        match tokens[at : at + 4]:
            case [("word", path), ("op", op), ("word" | "quoted", value)] | [
                ("word", path),
                ("op", op),
                ("word" | "quoted", value),
                ("word", "AND"),
            ]:
                terms.append(_term(path, op, value, noun))
            case _:
                raise _wrong(f"cannot be read at term {len(terms) + 1}; {_FORM}")
    if len(tokens) % 4 == 0:
        raise _wrong(f"ends with AND; {_FORM}")
    if len(terms) > TERMS_MAX:
        raise _wrong(f"has {len(terms)} terms; at most {TERMS_MAX} are allowed")
    return Filter(terms=tuple(terms), needs_status=any(term.path.startswith("status.") for term in terms))


_FORM = (
    'write FIELD = VALUE or FIELD != VALUE, joined by AND, e.g. labels.tier = "web" AND subnet != subnets/web'
)


def _wrong(problem: str) -> InvalidIntent:
    return InvalidIntent("filter", problem)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    for found in _TOKEN.finditer(text):
        name = str(found.lastgroup)
        value = found[name]
        if name == "other":
            raise _wrong(f"{value!r} is not understood here; {_FORM}")
        if name == "quoted":
            value = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        tokens.append((name, value))
    return tokens


def _term(path: str, op: str, text: str, noun: AnyNoun) -> Term:
    getter, field = _resolve(path, noun)
    prefix = noun.references.get(path, f"{noun.kind.value}/" if path == "name" else "")
    if prefix and text and not text.startswith(prefix):
        raise _wrong(f'{text[:80]!r} cannot be a {path}; write {prefix}ID, or "" for none')
    return Term(path=path, equal=op == "=", value=_value(path, field, text), getter=getter)


def _value(path: str, field: FieldDescriptor, text: str) -> str | int | bool:
    if field.enum_type is not None:
        known = field.enum_type.values_by_name
        # Both PROGRAMMED and PHASE_PROGRAMMED: people read the first, programs have the second.
        common = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        name = text if text.startswith(common) else common + text
        if name not in known:
            raise _wrong(f"{text[:80]!r} is not a {path}; use one of {', '.join(known)}")
        return str(name)
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in ("true", "false"):
            raise _wrong(f"{text[:80]!r} is not a {path}; use true or false")
        return text == "true"
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise _wrong(f"{text[:80]!r} is not a {path}; use a number")
    return int(text)


def _resolve(path: str, noun: AnyNoun) -> tuple[Getter, FieldDescriptor]:
    names = path.split(".")
    fields = noun.message.DESCRIPTOR
    if names[0] == "labels" and all(names[1:]) and len(names) > 1:
        return _label(".".join(names[1:])), fields.fields_by_name["display_name"]
    descriptor: Descriptor | None = fields
    field: FieldDescriptor | None = None
    for name in names:
        field = descriptor.fields_by_name.get(name) if descriptor is not None else None
        if field is None:
            known = f"; fields are {', '.join(descriptor.fields_by_name)}" if descriptor is not None else ""
            raise _wrong(f"{path[:80]!r} is not a field of {noun.kind.value}{known}")
        descriptor = None if field.is_repeated else field.message_type
    if field is None or field.is_repeated or field.message_type is not None:
        raise _wrong(f"{path[:80]!r} cannot be compared; name a single value, e.g. labels.tier")
    return _getter(names, noun, field), field


def _getter(names: list[str], noun: AnyNoun, field: FieldDescriptor) -> Getter:
    first = names[0]
    if first == "status":
        return _status(names[1])
    if first == "name":
        return lambda intent, _: f"{noun.kind.value}/{intent.id}"
    if first in _META:
        return lambda intent, _: getattr(intent.meta, first)
    if first in noun.references:
        prefix = noun.references[first]
        return lambda intent, _: prefix + value if (value := getattr(intent, first)) else ""
    if first in _ENUMS:
        rendered = _ENUMS[first]
        return lambda intent, _: rendered[getattr(intent, first)]
    return _nested(names, field.default_value)


def _nested(names: list[str], default: str | int | bool) -> Getter:
    def get(intent: Intent, _: Status | None) -> Any:
        value: Any = intent
        for name in names:
            value = getattr(value, name, None)
        return default if value is None else value

    return get


def _label(key: str) -> Getter:
    return lambda intent, _: intent.meta.labels.get(key, "")


def _status(name: str) -> Getter:
    if name == "phase":
        return lambda _, status: f"PHASE_{status.phase.value}" if status is not None else "PHASE_UNSPECIFIED"
    return lambda _, status: getattr(status, name) if status is not None else ""


_ENUMS: Mapping[str, Mapping[Any, str]] = {
    "kind": convert_network.SUBNET_KIND_NAMES,
    "bond_mode": convert_infra.BOND_MODE_NAMES,
}
