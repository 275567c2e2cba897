"""Candidates: of many clauses those that may have packets in common with one, without a look at the others. Pure.

They are found by subject, direction, peer, protocol and port. What comes out may still have nothing in common; what is
left out never has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from netctl.analysis.peers import is_address_group
from netctl.analysis.services import ANY_PROTOCOL, Box
from netctl.compiler.clause import Clause
from netctl.model.groups import Term
from netctl.model.security_policy import Direction

_EVERYBODY = ""
# All address groups are looked up together: their addresses may overlap.
_ADDRESSES = "addresses"


class _Ports:
    """Clauses of one protocol: those for one destination port by it, the others in one list."""

    __slots__ = ("at", "wide")

    def __init__(self) -> None:
        self.at: dict[int, list[int]] = {}
        self.wide: list[int] = []

    def add(self, box: Box, number: int) -> None:
        low, high = box.second
        into = self.at.setdefault(low, []) if low == high else self.wide
        if not into or into[-1] != number:
            into.append(number)

    def holding(self, box: Box) -> Iterator[int]:
        """Yield those that may hold a whole box."""
        low, high = box.second
        return chain(self.wide, self.at.get(low, ()) if low == high else ())

    def meeting(self, box: Box) -> Iterator[int]:
        """Yield those that may meet a box."""
        low, high = box.second
        ports: Iterable[int] = (port for port in self.at if low <= port <= high)
        if high - low < len(self.at):
            ports = (port for port in range(low, high + 1) if port in self.at)
        return chain(self.wide, chain.from_iterable(self.at[port] for port in ports))


class Candidates:
    """Clauses by number."""

    def __init__(self) -> None:
        self._found: dict[tuple[Direction, Term], dict[str, dict[tuple[int, int], _Ports]]] = {}

    def add(self, clause: Clause, boxes: Iterable[Box], number: int) -> None:
        """Have a clause found from now on."""
        at = self._found.setdefault((clause.direction, clause.subject), {})
        for peer in _keys(clause.peers):
            ports = at.setdefault(peer, defaultdict(_Ports))
            for box in boxes:
                ports[box.version, box.protocol].add(box, number)

    def holding(self, clause: Clause, box: Box) -> Iterator[int]:
        """Yield numbers of clauses that may match all that a clause does; `box` is one of its boxes."""
        at = self._found.get((clause.direction, clause.subject), {})
        first = _keys(clause.peers)[0]
        # Address groups together may be every address.
        for peer in dict.fromkeys((_EVERYBODY, _ADDRESSES if first == _EVERYBODY else first)):
            for protocol in dict.fromkeys((ANY_PROTOCOL, box.protocol)):
                if (ports := at.get(peer, {}).get((box.version, protocol))) is not None:
                    yield from ports.holding(box)

    def meeting(self, clause: Clause, boxes: Iterable[Box]) -> Iterator[int]:
        """Yield numbers of clauses that may match a packet that a clause does, some more than once."""
        at = self._found.get((clause.direction, clause.subject), {})
        keys = _keys(clause.peers)
        peers = at if _EVERYBODY in keys else dict.fromkeys((_EVERYBODY, *keys))
        for peer in peers:
            known = at.get(peer, {})
            for box in boxes:
                for (version, protocol), ports in known.items():
                    if version == box.version and _same(protocol, box.protocol):
                        yield from ports.meeting(box)


def _same(protocol: int, other: int) -> bool:
    return protocol == other or ANY_PROTOCOL in (protocol, other)


def _keys(peers: tuple[Term, ...]) -> list[str]:
    return list(dict.fromkeys(_ADDRESSES if is_address_group(peer) else peer for peer in peers)) or [
        _EVERYBODY
    ]
