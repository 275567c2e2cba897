"""`netctl create`, `update` and `delete`: flags into a resource and a field mask, the answer into an outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.flags import FLAGS
from netctl.cli.foretold import Foretold
from netctl.cli.kinds import Kind, resource_name
from netctl.cli.messages import new_message
from netctl.cli.outcome import Made, compare
from netctl.cli.values import set_path


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
            values[flag.path] = value if isinstance(value, list) else [value]
    return Given(kind=kind, name=resource_name(kind, name), values=values)


def create(client: Client, given: Given, ask: Ask) -> Made:
    """Create a resource from flags."""
    resource = _fill(given, new_message(given.kind, given.name))
    return _made(None, given.kind, api.create(client, given.kind, resource, ask))


def update(client: Client, given: Given, ask: Ask, *, if_revision: int = 0) -> Made:
    """Change the fields that flags name, and only those; of labels, only the keys that are named."""
    if not given.values:
        raise Failure.usage(
            f"nothing to change in {given.name}", hint=f"see `netctl update {given.kind.word} --help`"
        )
    before = api.get(client, given.name)
    removed = [text for text in given.values.get("labels", []) if "=" not in text and text.endswith("-")]
    for text in removed:
        given.values["labels"].remove(text)
    resource = _fill(given, new_message(given.kind, given.name))
    paths = [path for path in given.values if path != "labels"]
    paths += [f"labels.{key}" for key in [*resource.labels, *(text.removesuffix("-") for text in removed)]]
    return _made(before, given.kind, api.update(client, resource, paths, ask, if_revision=if_revision))


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
