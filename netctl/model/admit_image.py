"""Admission of Image, and of what its bytes turned out to be."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.admit_disks import source_of
from netctl.model.image import Image, ImageFormat
from netctl.model.intent import StoreImage
from netctl.model.keys import Uid
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, check_kept, replace_unchecked, stamp


def admit_image(asked: Image, before: Image | None, draft: Draft, context: Context) -> Image:
    """Return the image to store. What its bytes are is said by StoreImage alone."""
    if before is not None:
        return _admit_change(asked, before, context)
    disk, machine = Uid(""), Uid("")
    if asked.source_vm:
        vm, source = source_of(asked.source_vm, asked.source_index, "", draft)
        if not vm.host:
            raise InvalidIntent(
                "source_vm", f"vms/{vm.id} was never started, so its disks are not made: start it once first"
            )
        disk, machine = source.uid, vm.meta.uid
    return replace_unchecked(
        asked,
        meta=stamp(asked.meta, None, context),
        source_disk=disk,
        source_vm_uid=machine,
        size_bytes=0,
        stored_bytes=0,
    )


def stored(image: Image, edit: StoreImage) -> Image:
    """Return an image with its bytes."""
    if image.is_stored:
        for field in ("format", "sha256", "size_bytes", "stored_bytes"):
            check_kept(field, str(getattr(image, field)), str(getattr(edit, field)))
        return image
    if image.sha256 and edit.sha256 != image.sha256:
        raise InvalidIntent("sha256", f"is {edit.sha256[:80]} of what came, not {image.sha256}: get it again")
    if edit.format is ImageFormat.AUTO or edit.size_bytes <= 0 or edit.stored_bytes <= 0:
        raise InvalidIntent("stored_bytes", "format and sizes of stored bytes are known")
    if image.format is not ImageFormat.AUTO and edit.format is not image.format:
        raise InvalidIntent("format", f"is {edit.format.name} by its content, not {image.format.name}")
    return replace_unchecked(
        image,
        format=edit.format,
        sha256=edit.sha256,
        size_bytes=edit.size_bytes,
        stored_bytes=edit.stored_bytes,
    )


def _admit_change(asked: Image, before: Image, context: Context) -> Image:
    """Return an image under other names and labels: its content is what disks were made of."""
    if asked.format is not ImageFormat.AUTO:
        check_kept("format", before.format.name, asked.format.name)
    if asked.sha256:
        check_kept("sha256", before.sha256, asked.sha256)
    check_kept("source_uri", before.source_uri, asked.source_uri)
    check_kept("source_vm", before.source_vm, asked.source_vm)
    check_kept("source_index", str(before.source_index), str(asked.source_index))
    return replace_unchecked(before, meta=stamp(asked.meta, before, context))
