"""What an acli command answers: lines for people, and data in acli's envelope for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netctl.cli.messages import flatten, render_json
from netctl.cli.outcome import Outcome
from netctl.cli.output import align, note, print_data
from netctl.cli.tables import phase_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`lines` are for people, `data` is what programs find under `data`, `notes` go to stderr."""

    lines: Sequence[str] = ()
    data: Any = None
    notes: Sequence[str] = field(default_factory=tuple)

    def print(self, *, as_json: bool) -> None:
        """Print the answer; as acli does, JSON is `{"status": 0, "data": ..., "error": null}`."""
        for text in self.notes:
            note(text)
        if as_json:
            print_data({"status": 0, "data": self.data, "error": None}, "json")
            return
        for line in self.lines:
            print(line)


def table(headers: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Return rows as a table; `headers` are the shown keys with their titles, data has all keys."""
    cells = [[_cell(row.get(key)) for key in headers] for row in rows]
    return Answer(lines=align([list(headers.values()), *cells]), data=list(rows))


def sheet(resources: Mapping[str, Any], more: Mapping[str, Sequence[str]] | None = None) -> Answer:
    """Return resources field by field, by their names; `more` lines for people may follow each."""
    lines: list[str] = []
    for name, resource in resources.items():
        pairs = list(flatten(resource))
        phase = phase_of(resource)
        pairs += [("phase", " ".join(part for part in (phase, resource.status.reason) if part))]
        lines += [name, *(f"  {key}: {text}" for key, text in pairs if text)]
        lines += [f"  {line}" for line in (more or {}).get(name, ())]
    return Answer(lines=lines, data={name: render_json(it) for name, it in resources.items()})


def made(outcomes: Sequence[Outcome], notes: Sequence[str] = ()) -> Answer:
    """Return what became of resources."""
    return Answer(
        lines=[outcome.render_text() for outcome in outcomes],
        data=[outcome.render_json() for outcome in outcomes],
        notes=notes,
    )


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)
