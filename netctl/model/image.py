"""Image: content that disks are copied from."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.disk import DISKS_MAX
from netctl.model.infra import Meta
from netctl.model.keys import ImageId, Uid, VmId, check_id

URI_MAX = 2048
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_URI = re.compile(r"[!-~]+\Z")  # RFC 3986: visible ASCII


class ImageFormat(enum.StrEnum):
    """How the bytes are to be read, as qemu-img spells it; AUTO in a request: seen from the content."""

    AUTO = ""
    RAW = "raw"
    QCOW2 = "qcow2"
    ISO = "iso"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Its bytes come from `source_uri`, from a disk (`source_vm`, `source_index`), or are uploaded when both are unset.

    `source_disk` and its machine's uid are resolved at admission. `size_bytes`, `stored_bytes` and `sha256` are set
    when the bytes are there (`StoreImage`); a `sha256` in the request is what they must have.
    """

    id: ImageId
    meta: Meta = Meta()
    format: ImageFormat = ImageFormat.AUTO
    source_uri: str = ""
    source_vm: VmId = VmId("")
    source_index: int = 0
    source_disk: Uid = Uid("")
    source_vm_uid: Uid = Uid("")
    sha256: str = ""
    size_bytes: int = 0
    stored_bytes: int = 0

    def __post_init__(self) -> None:
        check_id("name", self.id)
        if self.sha256 and not _SHA256.match(self.sha256):
            raise InvalidIntent(
                "sha256",
                f"{self.sha256[:80]!r} is not 64 hexadecimal digits in lower case, as sha256sum prints them",
            )
        if self.source_uri:
            _check_uri(self.source_uri)
        if self.source_vm:
            check_id("source_vm", self.source_vm)
            shape.check_range("source_index", self.source_index, low=0, high=DISKS_MAX - 1)
            if self.source_uri:
                raise InvalidIntent("source_uri", "does not go with source_vm: an image comes from one place")

    @property
    def is_stored(self) -> bool:
        """Are its bytes there?"""
        return self.stored_bytes > 0


def _check_uri(uri: str) -> None:
    field = "source_uri"
    if len(uri) > URI_MAX:
        raise InvalidIntent(field, f"has {len(uri)} characters; at most {URI_MAX} are allowed")
    if not _URI.match(uri):
        raise InvalidIntent(field, f"{uri[:60]!r} is not a URI: percent-encode what is not visible ASCII")
    try:
        parts = urlsplit(uri)
        names_a_port = parts.port is not None
    except ValueError:
        raise InvalidIntent(
            field, f"{uri[:60]!r} is not a URI, e.g. https://example.com/debian.qcow2"
        ) from None
    if parts.scheme not in ("http", "https", "file") or parts.fragment:
        raise InvalidIntent(field, f"{uri[:60]!r} is not an image's: use https://, http:// or file:///")
    if "@" in parts.netloc:
        raise InvalidIntent(field, "holds a user or password, which everybody could read: leave them out")
    if parts.scheme == "file":
        if parts.netloc or parts.query or "/../" in f"{unquote(parts.path)}/" or not parts.path.strip("/"):
            raise InvalidIntent(
                field, f"{uri[:60]!r} is not a file of the import folder, e.g. file:///debian.qcow2"
            )
    elif not parts.hostname or (names_a_port and not parts.port):
        raise InvalidIntent(field, f"{uri[:60]!r} names no server, e.g. https://example.com/debian.qcow2")
