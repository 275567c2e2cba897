"""Pages: how many, and from where on.

A token holds the id after which the next page begins, so that pages neither skip nor repeat a resource while others
come and go; and a digest of the filter, because a token means nothing with another one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from netctl.errors import InvalidIntent

DEFAULT_SIZE = 100
MAX_SIZE = 1000
# A page stays below gRPC's usual 4 MiB for one message, however large its resources are.
MAX_BYTES = 3 << 20
_DIGEST_BYTES = 6


def page_size(asked: int) -> int:
    """Return how many items a page may have (AIP-158)."""
    if asked < 0:
        raise InvalidIntent("page_size", f"{asked} is negative; use 1 to {MAX_SIZE}, or 0 for {DEFAULT_SIZE}")
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def render_token(last: str, query: str) -> str:
    """Return the token of the page after the item `last` of a `query`."""
    return base64.urlsafe_b64encode(_digest(query) + last.encode()).decode()


def parse_token(token: str, query: str) -> str:
    """Return the `last` that a token holds, "" for the first page."""
    if not token:
        return ""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        last = raw[_DIGEST_BYTES:].decode()
    except (UnicodeError, binascii.Error):
        raise _wrong("is not a page token") from None
    if raw[:_DIGEST_BYTES] != _digest(query):
        raise _wrong("belongs to another list or filter")
    return last


def _wrong(problem: str) -> InvalidIntent:
    return InvalidIntent("page_token", f"{problem}; use next_page_token of the page before as it is, or none")


def _digest(query: str) -> bytes:
    return hashlib.sha256(query.encode()).digest()[:_DIGEST_BYTES]
