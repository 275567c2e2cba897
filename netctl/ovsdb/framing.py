"""Cut a byte stream of concatenated JSON objects into documents. Pure.

Comes in: pieces as the socket gave them. Goes out: whole documents, parsed. Owns: the bytes of the unfinished one.

JSON-RPC over OVSDB has no lengths and no separators, so the end of a document is where its braces balance. Counting
them byte by byte in Python would cost more than everything else together, so a piece is first reduced to its quotes,
braces and commas by C code; each byte is looked at once, however many pieces a document comes in.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from netctl.bulk import BULK_BYTES, LOAD_BYTES, settle, without_collector

Json = Any

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
# Between documents, and nowhere else outside strings, one brace closes and the next opens without a comma.
_SEAM = re.compile(rb"\}[ \t\r\n]*(?=\{)")
_DROPPED = bytes(set(range(256)) - set(b'"{},'))


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
        before = self._in_string, self._escaped
        marks = self._reduce(piece)
        if b"}{" not in marks:
            self._take(piece, marks, documents)
            return documents
        self._in_string, self._escaped = before
        start = 0
        for seam in (*(seam.end() for seam in _SEAM.finditer(piece)), len(piece)):
            part = piece[start:seam]
            self._take(part, self._reduce(part), documents)
            start = seam
        return documents

    def _take(self, part: bytes, marks: bytes, documents: list[Json]) -> None:
        self._depth += marks.count(b"{") - marks.count(b"}")
        self._unfinished += part
        if self._depth < 0:
            raise ValueError("more closing than opening braces")
        if self._depth == 0 and not self._in_string and self._unfinished.strip():
            with without_collector(len(self._unfinished) > BULK_BYTES):
                documents.append(orjson.loads(self._unfinished))
                if len(self._unfinished) > LOAD_BYTES:
                    settle()
            self._unfinished = bytearray()

    def _reduce(self, part: bytes) -> bytes:
        """Return the braces and commas of `part` that stand outside strings; follow the quotes."""
        if self._escaped:
            part = part[1:]
            self._escaped = False
        if b"\\" in part:
            part = _ESCAPE.sub(b"", part)
            self._escaped = part.endswith(b"\\")
        # With the quote that a string began with, every string is whole; what holds no mark is `""` and goes.
        marks = (b'"' if self._in_string else b"") + part.translate(None, _DROPPED)
        marks = marks.replace(b'""', b"")
        if b'"' not in marks:
            self._in_string = False
            return marks
        pieces = marks.split(b'"')
        self._in_string = len(pieces) % 2 == 0
        return b"".join(pieces[::2])
