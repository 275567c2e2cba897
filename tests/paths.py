"""State-path expanders: ways to arrive at the last of some states. Whatever the way, the rows must be the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

State = TypeVar("State")


def as_given(states: Sequence[State], empty: State) -> Iterator[State]:
    """One after the other."""
    yield from states


def last_only(states: Sequence[State], empty: State) -> Iterator[State]:
    """Straight to the end."""
    yield states[-1]


def through_empty(states: Sequence[State], empty: State) -> Iterator[State]:
    """Everything is removed between any two."""
    for state in states:
        yield empty
        yield state


def there_and_back(states: Sequence[State], empty: State) -> Iterator[State]:
    """Forward, backward, forward."""
    yield from states
    yield from reversed(states)
    yield from states


def reversed_first(states: Sequence[State], empty: State) -> Iterator[State]:
    """From the end to the start, then to the end."""
    yield from reversed(states)
    yield states[-1]


def twice(states: Sequence[State], empty: State) -> Iterator[State]:
    """Every state two times in a row."""
    for state in states:
        yield state
        yield state


EXPANDERS: tuple[Callable[[Sequence, object], Iterator], ...] = (  # type: ignore[type-arg]
    as_given,
    last_only,
    through_empty,
    there_and_back,
    reversed_first,
    twice,
)
