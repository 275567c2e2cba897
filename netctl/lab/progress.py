"""Progress for people: one line for each step, on standard error, with the seconds it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told what is being done, while it is done."""

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show what runs inside."""
        yield


class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Do nothing."""
        yield


class Lines:
    """Writes the step's name when it begins and its time when it ends; `took` keeps the times in seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.took: dict[str, float] = {}
        self._stream = stream or sys.stderr

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show what runs inside and how long it took."""
        self._write(f"  {what:<64} ")
        began = time.monotonic()
        ended = "failed"
        try:
            yield
            self.took[what] = time.monotonic() - began
            ended = f"{self.took[what]:5.1f} s"
        finally:
            self._write(f"{ended}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
