"""`netctl create`, `update` and `delete`: flags into a resource and a field mask, the answer into an outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.flag import Flag
from netctl.cli.flags import FLAGS
from netctl.cli.foretold import Foretold
from netctl.cli.kinds import BY_COLLECTION, Kind, complete_reference, resource_name
from netctl.cli.messages import new_message, unwrap, wrap
from netctl.cli.outcome import Made, compare
from netctl.cli.values import set_path
from netctl.v1 import operations_pb2 as operations

# More than a guest may be told; the controller says how much that is.
_FILE_MAX = 1 << 20
_NICS = BY_COLLECTION["nics"]
_EDIT_FIELD = re.compile(r"edits\[(\d+)\]\.?(?:create\.(?:\w+\.)?)?(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The flags of one command, by field path; each with every value that it was given."""

    kind: Kind
    name: str
    values: Mapping[str, list[str]]


def read_flags(kind: Kind, name: str, options: Mapping[str, Any]) -> Given:
    """Collect the flags that were given, from typer's parameters."""
    values = {}
    for flag in FLAGS[kind.word]:
        value = options.get(flag.parameter)
        if value is not None and value != []:
            values[flag.path] = value if isinstance(value, list) else [_read_file(flag, value)]
    return Given(kind=kind, name=resource_name(kind, name), values=values)


def _read_file(flag: Flag, text: str) -> str:
    """Return a flag's text; of one that may be long, the content of the file after `@`."""
    if not (flag.path.startswith("customization.") and text.startswith("@")):
        return text
    try:
        with open(text[1:], encoding="utf-8", newline="") as file:
            return file.read(_FILE_MAX + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = (
            (error.strerror or str(error)).lower()
            if isinstance(error, OSError)
            else "it is not text in UTF-8"
        )
        raise Failure(f"{flag.option}: cannot read {text[1:]!r}: {why}", code="INVALID_FILE") from None


def create(client: Client, given: Given, ask: Ask, nics: Sequence[str] = ()) -> Made:
    """Create a resource from flags; a virtual machine with a NIC on each of the subnets `nics`, all or nothing."""
    resource = _fill(given, new_message(given.kind, given.name))
    if nics:
        return _create_with_nics(client, resource, nics, ask)
    return _made(None, given.kind, api.create(client, given.kind, resource, ask))


def _create_with_nics(client: Client, vm: Any, subnets: Sequence[str], ask: Ask) -> Made:
    id_ = vm.name.partition("/")[2]
    made = [vm]
    for number, subnet in enumerate(subnets):
        nic = new_message(_NICS, f"{_NICS.collection}/{id_}-nic-{number}")
        nic.vm, nic.subnet = vm.name, complete_reference("subnet", subnet.strip())
        made.append(nic)
    edits = [operations.Edit(create=wrap(resource)) for resource in made]
    try:
        answer = api.batch(client, edits, ask)
    except Failure as failure:
        raise _said_of_flags(failure) from None
    outcomes = [compare(None, unwrap(resource)) for resource in answer.resources]
    return Made(outcomes=outcomes, revision=answer.revision, foretold=Foretold.of(answer))


def _said_of_flags(failure: Failure) -> Failure:
    """Return what the controller said of one edit of the batch as of the flag that it came from."""
    match = _EDIT_FIELD.fullmatch(failure.field)
    if match is None:
        return failure
    failure.field = match[2]
    if match[1] == "0":
        return failure
    located = failure.located(f"--nic number {match[1]}")
    located.dependents = failure.dependents
    return located


def update(client: Client, given: Given, ask: Ask, *, if_revision: int = 0) -> Made:
    """Change the fields that flags name, and only those; of labels, only the keys that are named."""
    if not given.values:
        raise Failure.usage(
            f"nothing to change in {given.name}", hint=f"see `netctl update {given.kind.word} --help`"
        )
    before = api.get(client, given.name)
    resource, paths = fill_mask(given)
    return _made(before, given.kind, api.update(client, resource, paths, ask, if_revision=if_revision))


def fill_mask(given: Given) -> tuple[Any, list[str]]:
    """Return a resource with the fields that flags name, and their mask; of labels only the keys that are named."""
    removed = [text for text in given.values.get("labels", []) if "=" not in text and text.endswith("-")]
    for text in removed:
        given.values["labels"].remove(text)
    resource = _fill(given, new_message(given.kind, given.name))
    paths = [path for path in given.values if path != "labels"]
    paths += [f"labels.{key}" for key in [*resource.labels, *(text.removesuffix("-") for text in removed)]]
    return resource, paths


def _made(before: Any, kind: Kind, answer: Any) -> Made:
    outcome = compare(before, getattr(answer, kind.field))
    return Made(outcomes=(outcome,), foretold=Foretold.of(answer))


def _fill(given: Given, resource: Any) -> Any:
    for flag in FLAGS[given.kind.word]:
        if flag.path not in given.values:
            continue
        try:
            set_path(resource, flag.path, given.values[flag.path])
        except ValueError as error:
            hint = f"see `netctl create {given.kind.word} --help`"
            raise Failure.usage(f"{flag.option}: {error}", hint=hint) from None
    return resource
