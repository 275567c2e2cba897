"""`netctl get`: read resources of one or more kinds, print them, follow them if asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.kinds import Kind, kind_of_name, parse_kinds, resource_name
from netctl.cli.messages import render_json
from netctl.cli.output import note, print_data, print_table
from netctl.cli.tables import columns_of, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which resources: of these kinds, with these names (all when empty), labels and filter."""

    kinds: tuple[Kind, ...]
    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    filter: str = ""

    def matches(self, resource: Any) -> bool:
        """Say whether names and labels fit; the filter is the server's."""
        if self.names and resource.name not in self.names:
            return False
        return all(resource.labels.get(key) == value for key, value in self.labels)


def parse_query(kind: str, names: Sequence[str], labels: Sequence[str], filter_: str) -> Query:
    """Return what a command line asks for; KIND/NAME is accepted as well."""
    if "/" in kind:
        word, _, id_ = kind.partition("/")
        kind, names = word, [id_, *names]
    kinds = parse_kinds([kind])
    if names and len(kinds) > 1:
        raise Failure.usage("names go with one kind only")
    pairs = []
    for label in labels:
        key, equals, value = label.partition("=")
        if not equals:
            raise Failure.usage(f"-l {label}: not KEY=VALUE")
        pairs.append((key, value))
    full = tuple(resource_name(kinds[0], name) for name in names)
    return Query(kinds=tuple(kinds), names=full, labels=tuple(pairs), filter=filter_)


def read(client: Client, query: Query) -> list[Any]:
    """Read what a query asks for; a name that does not exist is refused."""
    if query.names:
        found = [api.get(client, name) for name in query.names]
        return [resource for resource in found if query.matches(resource)]
    terms = [f"labels.{key} = {quote(value)}" for key, value in query.labels]
    filter_ = " AND ".join([*([query.filter] if query.filter else []), *terms])
    return [resource for kind in query.kinds for resource in api.list_all(client, kind, filter_)]


def print_resources(resources: Sequence[Any], query: Query, output: str) -> None:
    """Print resources; JSON and YAML are always a list."""
    if output in ("json", "yaml"):
        print_data([render_json(resource) for resource in resources], output)
    elif output == "name":
        for resource in resources:
            print(resource.name)
    elif not resources:
        kinds = " or ".join(kind.plural for kind in query.kinds)
        note(f"no {kinds} match" if query.labels or query.filter else f"no {kinds}")
    else:
        _print_tables(resources, query, wide=output == "wide")


def quote(value: str) -> str:
    """Return a text as a filter's string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _print_tables(resources: Sequence[Any], query: Query, *, wide: bool) -> None:
    several = len(query.kinds) > 1
    first = True
    for kind in query.kinds:
        of_kind = [resource for resource in resources if kind_of_name(resource.name) is kind]
        if not of_kind:
            continue
        if several:
            print(f"{'' if first else chr(10)}{kind.plural.upper()}")
        columns = columns_of(kind, wide=wide)
        print_table([column.header for column in columns], rows_of(columns, of_kind))
        first = False
