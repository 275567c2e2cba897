"""What --dry-run says of the northbound database: the rows that would come, change and go, in lines or as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli.messages import render_json
from netctl.v1 import status_pb2 as pb

# Says whose a row is, which the line says in names.
_LEFT_OUT = ("external_ids",)
_EMPTY = ("", "[]", "{}", '""')
_SIGNS = {
    pb.ROW_CHANGE_KIND_INSERT: "+",
    pb.ROW_CHANGE_KIND_UPDATE: "~",
    pb.ROW_CHANGE_KIND_DELETE: "-",
    pb.ROW_CHANGE_KIND_ADD_MEMBER: "+",
    pb.ROW_CHANGE_KIND_REMOVE_MEMBER: "-",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """The first rows that would change, and how many there are."""

    rows: Sequence[pb.RowChange] = ()
    count: int = 0

    @classmethod
    def of(cls, answer: Any) -> Foretold:
        """Return what the answer to a mutation says."""
        return cls(rows=answer.row_changes, count=answer.row_change_count)

    def render_text(self) -> Iterator[str]:
        """Yield the lines for people."""
        if not self.count:
            yield "no row of the northbound database would change"
            return
        yield f"{self.count} change{'s' if self.count > 1 else ''} in the northbound database:"
        yield from (f"  {_line(change)}" for change in self.rows)
        if len(self.rows) < self.count:
            yield f"  and {self.count - len(self.rows)} more"

    def render_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "row_changes": [render_json(change) for change in self.rows],
            "row_change_count": str(self.count),
        }


def _line(change: pb.RowChange) -> str:
    sign, of = _SIGNS.get(change.kind, "?"), change.resource_name
    match change.kind:
        case pb.ROW_CHANGE_KIND_ADD_MEMBER | pb.ROW_CHANGE_KIND_REMOVE_MEMBER:
            arrow = "<-" if change.kind == pb.ROW_CHANGE_KIND_ADD_MEMBER else "->"
            whose = change.row_name or change.row_resource_name or f"{change.row[:8]}…"
            return f"{sign} {change.table}  {whose}  {change.column} {arrow} {of}"
        case pb.ROW_CHANGE_KIND_UPDATE:
            before = change.columns_before
            texts = (
                f"{name}: {before.get(name) or '(unset)'} -> {value}"
                for name, value in sorted(change.columns.items())
            )
            which = change.row_name or f"{change.row[:8]}…"
            return f"{sign} {change.table}  {_with_intent(which, of)}  {', '.join(texts)}"
    columns = change.columns if change.kind == pb.ROW_CHANGE_KIND_INSERT else change.columns_before
    return f"{sign} {change.table}  {_with_intent(change.row_name, of)}  {_columns(columns)}".rstrip()


def _with_intent(words: str, of: str) -> str:
    """Return a row in words and its intent, which is said once: `rule web, in  securityPolicies/shop`."""
    return words if f"{words} ".startswith(f"{of} ") else f"{words}  {of}".lstrip()


def _columns(columns: Mapping[str, str]) -> str:
    kept = {name: value for name, value in columns.items() if name not in _LEFT_OUT and value not in _EMPTY}
    return " ".join(f"{name}={value}" for name, value in sorted(kept.items()))
