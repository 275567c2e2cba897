"""What the e2e tests measured, shown at the end of the run: a promise that was kept by how much."""

from __future__ import annotations

FIGURES: list[tuple[str, str]] = []


def note(what: str, value: str) -> None:
    """Remember one figure for the summary."""
    FIGURES.append((what, value))
