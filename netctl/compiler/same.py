"""Same: a value as the key of a cache that asks whether it is this very object.

Comparing and hashing a policy of a thousand rules takes longer than what is kept of it; intents that nobody changed
stay the same objects from one snapshot to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Same(Generic[T]):
    """Equal to another one of the same object; keeps it, so that its identity is not used again."""

    value: T

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value
