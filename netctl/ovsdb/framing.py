"""Cut a byte stream of concatenated JSON objects into documents. Pure.

Comes in: pieces as the socket gave them. Goes out: whole documents, parsed. Owns: the bytes of the unfinished one.

JSON-RPC over OVSDB has no lengths and no separators, so the end of a document is where its braces balance. Counting
them byte by byte in Python would cost more than everything else together, so a piece is first reduced to its quotes
and braces by C code; each byte is looked at once, however many pieces a document comes in.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from netctl.ovsdb.bulk import BULK_BYTES, without_collector

Json = Any

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
# Between documents, and nowhere else outside strings, one brace closes and the next opens.
_SEAM = re.compile(rb"\}[ \t\r\n]*(?=\{)")
_DROPPED = bytes(set(range(256)) - set(b'"{}'))


class Framer:
    """Feed it pieces; it returns the documents that they complete."""

    def __init__(self) -> None:
        self._unfinished = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the last piece ended in a backslash that escapes the next byte

    def feed(self, piece: bytes) -> list[Json]:
        """Return the documents completed by `piece`; raises ValueError when the stream is not JSON."""
        documents: list[Json] = []
        start = 0
        for seam in _SEAM.finditer(piece):
            self._take(piece[start : seam.end()], documents)
            start = seam.end()
        self._take(piece[start:] if start else piece, documents)
        return documents

    def _take(self, part: bytes, documents: list[Json]) -> None:
        self._count(part)
        self._unfinished += part
        if self._depth < 0:
            raise ValueError("more closing than opening braces")
        if self._depth == 0 and not self._in_string and self._unfinished.strip():
            with without_collector(len(self._unfinished) > BULK_BYTES):
                documents.append(orjson.loads(self._unfinished))
            self._unfinished = bytearray()

    def _count(self, part: bytes) -> None:
        """Follow depth and quotes through `part`."""
        if self._escaped:
            part = part[1:]
            self._escaped = False
        if b"\\" in part:
            part = _ESCAPE.sub(b"", part)
            self._escaped = part.endswith(b"\\")
        # From an even number of quotes on we are outside a string; one inside is made so by the quote it began with.
        marks = (b'"' if self._in_string else b"") + part.translate(None, _DROPPED)
        marks = marks.replace(b'""', b"")
        if b'"' in marks:
            pieces = marks.split(b'"')
            self._in_string = len(pieces) % 2 == 0
            marks = b"".join(pieces[::2])
        else:
            self._in_string = False
        self._depth += marks.count(b"{") - marks.count(b"}")
