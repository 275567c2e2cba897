"""`netctl history`: the change log, newest first: who changed what, when and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from netctl.cli.messages import changed_fields, render_json, unwrap
from netctl.cli.output import note, print_data, print_table
from netctl.v1 import operations_pb2 as operations


def print_history(changes: Sequence[operations.Change], output: str, *, diff: bool) -> None:
    """Print changes as a table, with the changed fields below each if asked, or as data."""
    if not changes and output not in ("json", "yaml"):
        note("no changes")
        return
    if output in ("json", "yaml"):
        print_data([render_json(change) for change in changes], output)
    elif diff:
        for change in changes:
            print(render_change(change))
            for line in _diff(change):
                print(f"    {line}")
    else:
        headers = ("REVISION", "TIME (UTC)", "ACTION", "NAME", "ACTOR", "REASON")
        print_table(headers, [_cells(change) for change in changes])


def render_change(change: operations.Change) -> str:
    """Return one change on a line."""
    revision, time, action, name, actor, reason = _cells(change)
    return f"{revision}  {time}  {action} {name} by {actor or '-'}" + (f": {reason}" if reason else "")


def _cells(change: operations.Change) -> tuple[str, str, str, str, str, str]:
    time = change.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
    return str(change.revision), time, _action(change), change.resource_name, change.actor, change.reason


def _action(change: operations.Change) -> str:
    if not change.HasField("before"):
        return "created"
    return "updated" if change.HasField("after") else "deleted"


def _diff(change: operations.Change) -> Iterator[str]:
    before, after = unwrap(change.before), unwrap(change.after)
    empty: Any = type(after if before is None else before)()
    for path, (old, new) in changed_fields(before or empty, after or empty).items():
        if path == "name":
            continue
        if old:
            yield f"- {path}: {old}"
        if new:
            yield f"+ {path}: {new}"
