"""Filters of lists: `labels.tier = "web" AND clusters:clusters/c1 AND status.phase != PROGRAMMED`, a part of AIP-160.

In: text and the noun it speaks of; out: terms that tell whether an intent matches. Paths are those of the API's
messages; what is compared is the intent itself, so that a long list is filtered without making messages of it. `=` and
`!=` compare a single value, `:` asks whether a list has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from netctl.errors import InvalidIntent
from netctl.model.affinity import AffinityKind
from netctl.model.chain import FailureHandling, ForwardingMode
from netctl.model.disk import DiskBus, DiskKind
from netctl.model.image import ImageFormat
from netctl.model.infra import BondMode, LacpMode, LacpTimeout, Rollout
from netctl.model.intent import Intent
from netctl.model.mirror import MirrorDirection
from netctl.model.nic import FunctionSide, NicKind, NicMode, NicModel
from netctl.model.routing_policy import Fallback, PolicyAction, Protocol
from netctl.model.security_policy import (
    Direction,
    Established,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
)
from netctl.model.service import ServiceProtocol
from netctl.model.status import Status
from netctl.model.subnet import Ipv6Mode, SubnetKind
from netctl.model.vm import BootDevice, Firmware, MachineType, PowerState, RestartPolicy
from netctl.model.vm_migration import Stage
from netctl.model.vpc import VpcKind
from netctl.server import (
    convert_chain,
    convert_compute,
    convert_infra,
    convert_network,
    convert_policy,
    convert_security,
    convert_security_policy,
    convert_vm,
    convert_vpc,
)
from netctl.server.nouns import AnyNoun

LENGTH_MAX = 4096
TERMS_MAX = 32
_TOKEN = re.compile(
    r'\s*(?:(?P<op>!=|=)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"=!<>()]+)|(?P<other>\S))'
)
_META = frozenset({"uid", "display_name", "revision"})
# Fields that the model calls otherwise; `except` is Python's own.
_ATTRIBUTES = {
    "except": "except_",
    "network_functions": "functions",
    "network_function_side": "function_side",
}

Getter = Callable[[Intent, Status | None], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One comparison; `getter` reads what `value` is compared with, for `:` a list.

    What is `derived` no intent has: it is read from the message, once all else that it has is in it.
    """

    path: str
    op: str
    value: str | int | bool
    getter: Getter
    derived: bool = False

    def matches(self, intent: Intent, status: Status | None) -> bool:
        """Tell whether the comparison holds."""
        return self.derived or self._holds(self.getter(intent, status))

    def shows(self, message: Message) -> bool:
        """Tell whether the comparison of something derived holds."""
        return not self.derived or self._holds(_shown(message, self.path))

    def _holds(self, found: Any) -> bool:
        if self.op == ":":
            return self.value in found
        return (found == self.value) is (self.op == "=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Terms that must all hold; `needs_status` when one of them reads the status."""

    terms: tuple[Term, ...] = ()
    needs_status: bool = False

    def matches(self, intent: Intent, status: Status | None) -> bool:
        """Tell whether all terms hold."""
        return all(term.matches(intent, status) for term in self.terms)

    def shows(self, message: Message) -> bool:
        """Tell whether the terms hold that only a whole message can be asked."""
        return all(term.shows(message) for term in self.terms)

    def wanted(self, path: str) -> str | None:
        """Return the only value that `path` may have, None when the filter does not say."""
        found = (term.value for term in self.terms if term.path == path and term.op == "=")
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
    "write FIELD = VALUE, FIELD != VALUE or, of a list, FIELD:VALUE, joined by AND, e.g. "
    'labels.tier = "web" AND subnet != subnets/web'
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
        if name == "word" and ":" in value and len(tokens) % 4 < 2:
            tokens += _split(value, is_path=len(tokens) % 4 == 0)
        else:
            tokens.append((name, value))
    return tokens


def _split(word: str, *, is_path: bool) -> list[tuple[str, str]]:
    """Return the tokens in `clusters:clusters/c1`, or in what is left of it after the path: a path has no colon."""
    path, _, value = word.partition(":")
    found = [("word", path)] if is_path or path else []
    return [*found, ("op", ":"), *([("word", value)] if value else [])]


def _term(path: str, op: str, text: str, noun: AnyNoun) -> Term:
    getter, field, is_list = _resolve(path, noun)
    if is_list is not (op == ":"):
        form = f"is a list: write {path}:VALUE" if is_list else f"is a single value: write {path} = VALUE"
        raise _wrong(f"{path[:80]} {form}")
    prefix = noun.references.get(path, f"{noun.kind.value}/" if path == "name" else "")
    prefixes = noun.terms.get(path) or ((prefix,) if prefix else ())
    if prefixes and text and not text.startswith(prefixes):
        forms = " or ".join(f"{prefix}ID" for prefix in prefixes)
        raise _wrong(f'{text[:80]!r} cannot be a {path}; write {forms}, or "" for none')
    value = _value(path, field, text)
    return Term(path=path, op=op, value=value, getter=getter, derived=path in noun.derived)


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


def _resolve(path: str, noun: AnyNoun) -> tuple[Getter, FieldDescriptor, bool]:
    """Return what reads a field, the field, and whether it is a list or in one."""
    names = path.split(".")
    if names[0] in noun.derived and names[0] not in _shown_fields(noun):
        raise _wrong(f"{names[0]} is no part of the intent; nothing is found by it")
    if "customization" in names:
        raise _wrong(f"{path[:80]} is secret; nothing is found by it")
    fields = noun.message.DESCRIPTOR
    if names[0] == "labels" and all(names[1:]) and len(names) > 1:
        return _label(".".join(names[1:])), fields.fields_by_name["display_name"], False
    descriptor: Descriptor | None = fields
    field: FieldDescriptor | None = None
    is_list = False
    for name in names:
        field = descriptor.fields_by_name.get(name) if descriptor is not None else None
        if field is None:
            known = f"; fields are {', '.join(descriptor.fields_by_name)}" if descriptor is not None else ""
            raise _wrong(f"{path[:80]!r} is not a field of {noun.kind.value}{known}")
        is_list = is_list or field.is_repeated
        descriptor = field.message_type
    if field is None or field.message_type is not None:
        raise _wrong(f"{path[:80]!r} cannot be compared; name a single value, e.g. labels.tier")
    return _getter(path, noun, field, is_list=is_list), field, is_list


def _shown_fields(noun: AnyNoun) -> frozenset[str]:
    """Return what is derived and a single value."""
    fields = noun.message.DESCRIPTOR.fields_by_name
    return frozenset(
        name for name in noun.derived if fields[name].message_type is None and not fields[name].is_repeated
    )


def _shown(message: Message, name: str) -> Any:
    """Return a single field of a message as filters spell it."""
    field, value = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    return field.enum_type.values_by_number[value].name if field.enum_type is not None else value


def _getter(path: str, noun: AnyNoun, field: FieldDescriptor, *, is_list: bool) -> Getter:
    names = [_ATTRIBUTES.get(name, name) for name in path.split(".")]
    first = names[0]
    if first == "status":
        return _status(names[1])
    if first == "name":
        return lambda intent, _: f"{noun.kind.value}/{intent.id}"
    if first in _META:
        return lambda intent, _: getattr(intent.meta, first)
    prefix = noun.references.get(path, "")
    return _all(names, prefix) if is_list else _nested(names, prefix, field.default_value)


def _nested(names: Sequence[str], prefix: str, default: str | int | bool) -> Getter:
    def get(intent: Intent, _: Status | None) -> Any:
        value: Any = intent
        for name in names:
            value = getattr(value, name, None)
        return default if value is None else _spelled(value, prefix)

    return get


def _all(names: Sequence[str], prefix: str) -> Getter:
    def get(intent: Intent, _: Status | None) -> Any:
        values: list[Any] = [intent]
        for name in names:
            found = (getattr(value, name, ()) for value in values)
            values = [one for value in found for one in (value if isinstance(value, tuple) else (value,))]
        return [_spelled(value, prefix) for value in values]

    return get


def _spelled(value: Any, prefix: str) -> Any:
    """Return a value of the model as the API spells it."""
    if prefix:
        return prefix + value if value else ""
    names = _ENUMS.get(type(value))
    return names[value] if names is not None else value


def _label(key: str) -> Getter:
    return lambda intent, _: intent.meta.labels.get(key, "")


def _status(name: str) -> Getter:
    if name == "phase":
        return lambda _, status: f"PHASE_{status.phase.value}" if status is not None else "PHASE_UNSPECIFIED"
    return lambda _, status: getattr(status, name) if status is not None else ""


_ENUMS: Mapping[type, Mapping[Any, str]] = {
    BondMode: convert_infra.BOND_MODE_NAMES,
    LacpMode: convert_infra.LACP_MODE_NAMES,
    LacpTimeout: convert_infra.LACP_TIMEOUT_NAMES,
    Rollout: convert_infra.ROLLOUT_NAMES,
    SubnetKind: convert_network.SUBNET_KIND_NAMES,
    Ipv6Mode: convert_network.IPV6_MODE_NAMES,
    NicMode: convert_network.NIC_MODE_NAMES,
    NicKind: convert_network.NIC_KIND_NAMES,
    FunctionSide: convert_network.SIDE_NAMES,
    NicModel: convert_network.NIC_MODEL_NAMES,
    VpcKind: convert_vpc.VPC_KIND_NAMES,
    PolicyAction: convert_policy.ACTION_NAMES,
    Fallback: convert_policy.FALLBACK_NAMES,
    Protocol: convert_policy.PROTOCOL_NAMES,
    ServiceProtocol: convert_security.SERVICE_PROTOCOL_NAMES,
    PolicyKind: convert_security_policy.KIND_NAMES,
    PolicyMode: convert_security_policy.MODE_NAMES,
    PolicyScope: convert_security_policy.SCOPE_NAMES,
    IntraGroup: convert_security_policy.INTRA_GROUP_NAMES,
    Established: convert_security_policy.ESTABLISHED_NAMES,
    RuleAction: convert_security_policy.ACTION_NAMES,
    Direction: convert_security_policy.DIRECTION_NAMES,
    ForwardingMode: convert_chain.FORWARDING_MODE_NAMES,
    FailureHandling: convert_chain.FAILURE_HANDLING_NAMES,
    MirrorDirection: convert_chain.MIRROR_DIRECTION_NAMES,
    PowerState: convert_vm.POWER_STATE_NAMES,
    RestartPolicy: convert_vm.RESTART_POLICY_NAMES,
    Firmware: convert_vm.FIRMWARE_NAMES,
    MachineType: convert_vm.MACHINE_TYPE_NAMES,
    BootDevice: convert_vm.BOOT_DEVICE_NAMES,
    DiskKind: convert_vm.DISK_KIND_NAMES,
    DiskBus: convert_vm.DISK_BUS_NAMES,
    ImageFormat: convert_compute.IMAGE_FORMAT_NAMES,
    AffinityKind: convert_compute.AFFINITY_KIND_NAMES,
    Stage: convert_compute.STAGE_NAMES,
}
