"""What a planted bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """Replace `old` (which stands once in `file`) by `new`; then `tests`, paths for pytest, must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str
