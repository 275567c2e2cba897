"""Sets of addresses as text: canonical forms, and the fewest networks that cover one set without another."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import pairwise

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.numbers import address_number, network_numbers, version_of

# First and last address, both included.
Span = tuple[int, int]


def canonical_addresses(field: str, value: str) -> str:
    """Return an address, a network or a range `a-b` of either IP version; what is one address is written as one."""
    if "-" in value:
        return _canonical_range(field, value)
    version = 6 if ":" in value else 4
    if "/" not in value:
        return shape.canonical_address(field, value, version)
    cidr = shape.canonical_cidr(field, value, version)
    address, _, length = cidr.partition("/")
    return address if length == ("32" if version == 4 else "128") else cidr


def _canonical_range(field: str, value: str) -> str:
    first, _, last = value.partition("-")
    version = 6 if ":" in value else 4
    first = shape.canonical_address(field, first.strip(), version)
    last = shape.canonical_address(field, last.strip(), version)
    if address_number(version, first) > address_number(version, last):
        raise InvalidIntent(field, f"{first}-{last} ends before it begins: write {last}-{first}")
    return first if first == last else f"{first}-{last}"


def span_of(text: str) -> tuple[int, Span]:
    """Return the IP version and the span of a canonical address, network or range."""
    first, dash, last = text.partition("-")
    if dash:
        version = version_of(text)
        return version, (address_number(version, first), address_number(version, last))
    version, low, high = network_numbers(text)
    return version, (low, high)


def spans_without(addresses: Iterable[str], exceptions: Iterable[str], version: int) -> list[Span]:
    """Return the addresses of one version less the exceptions: ascending spans, none of which touch."""
    kept: list[Span] = []
    out = _merged(exceptions, version)
    at = 0
    for low, high in _merged(addresses, version):
        while at < len(out) and out[at][1] < low:
            at += 1
        i = at
        while i < len(out) and out[i][0] <= high:
            if out[i][0] > low:
                kept.append((low, out[i][0] - 1))
            low = out[i][1] + 1
            i += 1
        if low <= high:
            kept.append((low, high))
    return kept


def networks_in(spans: Iterable[Span], version: int) -> Iterator[str]:
    """Yield the fewest networks that are exactly these spans, ascending; one address without a prefix length."""
    bits = 32 if version == 4 else 128
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    for low, high in spans:
        while low <= high:
            # The widest network that begins at `low` (its lowest set bit says how wide) and ends before `high` does.
            aligned = (low & -low).bit_length() - 1 if low else bits
            size = min(aligned, (high - low + 1).bit_length() - 1)
            yield str(make(low)) if size == 0 else f"{make(low)}/{bits - size}"
            low += 1 << size


def _merged(texts: Iterable[str], version: int) -> list[Span]:
    found = sorted(span for of, span in map(span_of, texts) if of == version)
    merged = found[:1]
    for _, (low, high) in pairwise(found):
        if low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged
