"""What commands print: aligned tables, JSON and YAML, coloured phases on a terminal.

Tables never wrap or shorten, so that what is copied or piped is whole.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_COLOURS = {"PROGRAMMED": "32", "PENDING": "33", "FAILED": "31;1"}


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns that align; an empty cell is `-`, so that columns can be counted."""
    for line in align([list(headers), *([cell or "-" for cell in row] for row in rows)]):
        print(line)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines whose columns align."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [render_row(row, widths) for row in rows]


def render_row(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line of a table; phases are coloured on a terminal."""
    cells = (paint(cell) + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def print_data(data: Any, output: str) -> None:
    """Print JSON or YAML."""
    if output == "yaml":
        import yaml

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")
    else:
        import json

        print(json.dumps(data, indent=2, ensure_ascii=False))


def paint(text: str, stream: TextIO | None = None) -> str:
    """Return a phase in its colour when the stream is a terminal (see no-color.org)."""
    colour = _COLOURS.get(text)
    if colour is None or not is_terminal(stream or sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def is_terminal(stream: TextIO) -> bool:
    """Say whether people look at a stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def note(text: str) -> None:
    """Print a remark to stderr, where it does not disturb what is piped."""
    print(text, file=sys.stderr)


class Progress:
    """One line on stderr that is rewritten; silent unless a terminal is there."""

    def __init__(self) -> None:
        self._shown = False
        self._live = is_terminal(sys.stderr)

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._live:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns
            print(f"\r\x1b[K{text[: columns - 1]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False


class Steps(Progress):
    """The same, and where no terminal is a line for each step, so that a log has them as well."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def show(self, text: str) -> None:
        """Replace the line, or add one that is new."""
        if self._live:
            super().show(text)
        elif text != self._last:
            note(text)
        self._last = text


def _width(text: str) -> int:
    """Return how many columns a terminal uses for a text: East Asian and emoji take two, combining marks none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
