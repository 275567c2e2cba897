"""Image: content that disks are copied from."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.model.infra import Meta
from netctl.model.keys import ImageId, Uid, VmId, check_id


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

    @property
    def is_stored(self) -> bool:
        """Are its bytes there?"""
        return self.stored_bytes > 0
