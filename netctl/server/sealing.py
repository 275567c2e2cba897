"""Sealing: secrets in a form that may be stored, opened only with the key of this installation.

In: texts; out: sealed texts, and back. Owns the key file, mode 0600, made at the first start; whoever has the store
but not that file learns no more than which secrets are equal. AES-SIV (RFC 5297) is authenticated, and gives the same
for the same text: to ask for a stored customization again changes nothing.
"""

from __future__ import annotations

import base64
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from netctl.errors import StoreUnavailable
from netctl.model.vm import Sealed
from netctl.saved_file import replace_file

VTPM_SECRET = "vtpm_secret"  # a purpose; those of a customization are its fields
KEY_BYTES = 64  # AES-256-SIV: one half authenticates, the other encrypts
_PREFIX = "sealed1:"


class Seal:
    """Seals and opens with one key. What is sealed for one purpose, a field's name, opens for no other."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, purpose: str, text: str) -> Sealed:
        """Return a text sealed; "" stays "", which says that there is none."""
        if not text:
            return Sealed("")
        raw = self._cipher.encrypt(text.encode(), [purpose.encode()])
        return Sealed(_PREFIX + base64.b64encode(raw).decode())

    def open(self, purpose: str, sealed: Sealed) -> str:
        """Return what was sealed; StoreUnavailable when it was with another key, or was tampered with."""
        if not sealed:
            return ""
        try:
            raw = base64.b64decode(sealed.removeprefix(_PREFIX), validate=True)
            return self._cipher.decrypt(raw, [purpose.encode()]).decode()
        except (InvalidTag, ValueError):
            raise StoreUnavailable(
                f"a secret ({purpose}) cannot be opened: secrets.key is not the key that it was sealed with; restore"
                " the key file of this state directory"
            ) from None


def new_secret() -> str:
    """Return a secret that nobody has: 256 random bits in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def random_seal() -> Seal:
    """Return a seal whose key nobody keeps, for a controller without a directory: in tests."""
    return Seal(secrets.token_bytes(KEY_BYTES))


def load_seal(path: Path) -> Seal:
    """Return the seal of an installation, with a new key when there is none. StoreUnavailable says what is wrong."""
    try:
        if not path.exists():
            replace_file(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise StoreUnavailable(
                f"{path} can be read by others: chmod 600 it, or they can open every secret"
            )
        key = path.read_bytes()
    except OSError as error:
        raise StoreUnavailable(f"the key of secrets cannot be read: {error}") from None
    if len(key) != KEY_BYTES:
        raise StoreUnavailable(
            f"{path} has {len(key)} bytes, a key has {KEY_BYTES}: restore it from a backup"
        )
    return Seal(key)
