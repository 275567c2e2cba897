"""YAML files into resources, each with the file and line where it stands.

A document is one resource (`kind: Subnet`, `name: web`, fields), a list of resources, or a mapping with `set:` and
`resources:`. Fields are spelled in snake_case or camelCase and read by the API's descriptors: a text field takes the
text as written, so that MAC addresses and label values need no quotes. Output-only fields are ignored, so what
`netctl get -o yaml` prints can be applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from netctl.cli.failures import Failure
from netctl.cli.kinds import BY_COLLECTION, KINDS, WORDS, Kind, find_kind, nearest, resource_name
from netctl.cli.messages import META, new_message
from netctl.cli.values import fields_of, is_map, set_scalar

_MERGE = "tag:yaml.org,2002:merge"
_MERGES_MAX = 50
# Nobody writes deeper. The YAML library's compose recurses in C: at 20,000 levels and more it would end the process.
_DEPTH_MAX = 100
_OUTPUT_ONLY = {
    *("vni", "tap_name", "server_mac_address", "gateway_mac_address", "gateways", "reserved"),
    *("basic", "migration", "pending_hosts"),
}
# `kind` says what a document is: their own kind has this name.
_OWN_KIND = {
    "Subnet": ("subnet_kind", "subnetKind"),
    "Nic": ("nic_kind", "nicKind"),
    "Vpc": ("vpc_kind", "vpcKind"),
    "SecurityPolicy": ("policy_kind", "policyKind"),
    "AffinityPolicy": ("affinity_kind", "affinityKind"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One resource of a file; `where` is FILE:LINE."""

    resource: Any
    kind: Kind
    where: str


@dataclass(slots=True)
class Documents:
    """What files say: the resources, and the set that they name for pruning ("" when none)."""

    set_name: str = ""
    items: list[Document] = field(default_factory=list)


def read_documents(text: str, file: str) -> Documents:
    """Read a file's text; refuse with file and line what is not a resource."""
    found = Documents()
    reader = _Reader(file)
    try:
        _refuse_depth(text, file)
        for node in yaml.compose_all(text, Loader=yaml.CSafeLoader):
            if not _is_null(node):
                reader.read_document(node, found)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Failure(f"{where}: not YAML: {problem}", code="INVALID_FILE") from None
    reader.refuse_repeated(found.items)
    return found


def _refuse_depth(text: str, file: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_MAX:
            where = f"{file}:{event.start_mark.line + 1}" if event.start_mark else file
            raise Failure(
                f"{where}: lists and mappings nest more than {_DEPTH_MAX} deep", code="INVALID_FILE"
            )


def _is_null(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


class _Reader:
    """Reads the nodes of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._number = 0
        # By identity, since aliases make one node of many places: without this, `<<` of `<<` takes exponential time.
        self._flat: dict[int, tuple[Any, list[tuple[Any, Any]]]] = {}
        self._merging: list[Any] = []

    def read_document(self, node: Any, found: Documents) -> None:
        """Add the resources of one document."""
        self._number += 1
        if isinstance(node, yaml.SequenceNode):
            found.items.extend(self._read_resource(item) for item in node.value)
            return
        keys = {key.value: value for key, value in self._pairs(node)}
        if "set" not in keys and "resources" not in keys:
            found.items.append(self._read_resource(node))
            return
        for key, value in self._pairs(node):
            if key.value == "set" and isinstance(value, yaml.ScalarNode):
                found.set_name = value.value
            elif key.value == "resources" and isinstance(value, yaml.SequenceNode):
                found.items.extend(self._read_resource(item) for item in value.value)
            else:
                self._refuse(
                    key, f"a document with `set` holds `set: NAME` and `resources: [...]`, not {key.value!r}"
                )

    def refuse_repeated(self, items: list[Document]) -> None:
        """Refuse a resource that is there twice: only one of them can be meant."""
        seen: dict[str, str] = {}
        for item in items:
            name = item.resource.name
            if name in seen:
                raise Failure(f"{item.where}: {name} is already in {seen[name]}", code="INVALID_FILE")
            seen[name] = item.where

    def _read_resource(self, node: Any) -> Document:
        pairs = self._pairs(node)
        kind, name = self._identify(node, {key.value: value for key, value in pairs})
        resource = new_message(kind, name)
        rest = [
            (key, value) for key, value in pairs if key.value != "name" and not self._names_kind(key, value)
        ]
        self._fill(resource, [(key, value) for key, value in rest if key.value not in META])
        return Document(resource=resource, kind=kind, where=self._where(node))

    def _identify(self, node: Any, keys: dict[str, Any]) -> tuple[Kind, str]:
        """Return kind and name: from `kind: Subnet`, or from the collection in `name: subnets/web`."""
        name = self._text(keys["name"]) if "name" in keys else self._refuse(node, "there is no `name`")
        named = BY_COLLECTION.get(name.partition("/")[0])
        word = self._text(keys["kind"]) if "kind" in keys else ""
        kind = find_kind(word) or named
        if kind is None and word:
            self._refuse(keys["kind"], f"{word!r} is no kind; {nearest(word.lower(), WORDS) or _kinds()}")
        if kind is None:
            self._refuse(node, f"there is no `kind`; {_kinds()}")
        try:
            return kind, resource_name(kind, name)
        except Failure as failure:
            self._refuse(keys["name"], failure.message)

    def _names_kind(self, key: Any, value: Any) -> bool:
        # `kind` is also a field of subnets and VPCs (VLAN, TRANSIT): it is the kind of intent only when it names one.
        return (
            key.value == "kind"
            and find_kind(value.value if isinstance(value, yaml.ScalarNode) else "") is not None
        )

    def _fill(self, message: Message, pairs: list[tuple[Any, Any]]) -> None:
        fields = {name: item for item in fields_of(message) for name in (item.name, item.camelcase_name)}
        own_kind = _OWN_KIND.get(message.DESCRIPTOR.name, ())
        fields |= dict.fromkeys(own_kind, fields["kind"]) if own_kind else {}
        for key, value in pairs:
            item = fields.get(key.value)
            if item is None:
                known = [name for name in dict.fromkeys([*_snake(fields)]) if name not in META]
                hint = nearest(key.value, known) or f"known: {', '.join(known)}"
                self._refuse(key, f"{message.DESCRIPTOR.name} has no field {key.value!r}; {hint}")
            if item.name not in _OUTPUT_ONLY and not _is_null(value):
                self._set(message, item, value)

    def _set(self, message: Message, item: FieldDescriptor, node: Any) -> None:
        if is_map(item):
            getattr(message, item.name).update(
                {self._text(key): self._text(value) for key, value in self._pairs(node)}
            )
        elif item.is_repeated:
            if not isinstance(node, yaml.SequenceNode):
                self._refuse(node, f"`{item.name}` is a list: write [a, b] or one `- a` a line")
            for element in node.value:
                self._set_one(message, item, element)
        else:
            self._set_one(message, item, node)

    def _set_one(self, message: Message, item: FieldDescriptor, node: Any) -> None:
        if item.message_type is not None and not isinstance(node, yaml.ScalarNode):
            target = getattr(message, item.name)
            target = target.add() if item.is_repeated else target
            target.SetInParent()
            self._fill(target, self._pairs(node))
            return
        try:
            set_scalar(message, item, self._text(node))
        except ValueError as error:
            self._refuse(node, f"`{item.name}`: {error}")

    def _pairs(self, node: Any) -> list[tuple[Any, Any]]:
        """Return the keys and values of a mapping, `<<` merged; refuse keys that are there twice."""
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, "this is not a mapping; write `field: value` lines")
        if id(node) not in self._flat:
            if node in self._merging or len(self._merging) == _MERGES_MAX:
                self._refuse(node, "`<<` merges this into itself, or too deep")
            self._merging.append(node)
            self._flat[id(node)] = (node, self._flatten(node))  # the node too, lest its id is used again
            self._merging.pop()
        return self._flat[id(node)][1]

    def _flatten(self, node: Any) -> list[tuple[Any, Any]]:
        found: dict[str, tuple[Any, Any]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if self._text(key) in found:
                self._refuse(key, f"{key.value!r} is there twice")
            found[key.value] = (key, value)
        for key, value in node.value:
            if key.tag == _MERGE:
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    for pair in self._pairs(source):
                        found.setdefault(pair[0].value, pair)  # the mapping's own, then the first source's
        return list(found.values())

    def _text(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, "a single value belongs here")
        return "" if _is_null(node) else str(node.value)

    def _where(self, node: Any) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"

    def _refuse(self, node: Any, problem: str) -> NoReturn:
        raise Failure(f"{self._where(node)}: document {self._number}: {problem}", code="INVALID_FILE")


def _snake(fields: dict[str, FieldDescriptor]) -> Iterator[str]:
    return (name for name in fields if name.lower() == name)


def _kinds() -> str:
    return f"write one of {', '.join(kind.message for kind in KINDS)}"
