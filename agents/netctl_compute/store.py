"""The store: the one directory in which disks and images are, shared with other hosts or this host's own.

    {store}/.netctl-store                     its id: hosts that see the same id share it
    {store}/images/{sha256}                   an image, as the controller sent it
    {store}/vms/{vm uid}/{disk uid}.qcow2     a disk
    {store}/vms/{vm uid}/nvram.fd             firmware variables; nvram.secboot.fd those for Secure Boot
    .../{final name}.{host tag}.part          being made by one host; swept when that host does not make it any more

Every path is made here, of checked ids alone: a UUID or a SHA-256, never a name. Nothing on the way is followed when
it is a symbolic link. A file appears under its final name complete and on disk, or not at all (`publish`), and never
takes the place of one that is there: of two hosts that make the same, the first wins.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from netctl_compute.file_locks import is_locked
from netctl_compute.problem import Problem

ID_FILE = ".netctl-store"
NVRAM, NVRAM_SECURE = "nvram.fd", "nvram.secboot.fd"
FOREIGN_PART_S = (
    86_400.0  # another host's unfinished file that nobody wrote for so long has no maker any more
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r".+\.([0-9a-f]{32})\.part")
_OWN_FILES = re.compile(r"[0-9a-f-]{36}\.qcow2|nvram\.(?:secboot\.)?fd|.+\.[0-9a-f]{32}\.part")
# Others may pass through, not look: QEMU runs as another user, to whom libvirt gives each file it needs.
_DIRECTORY_MODE = 0o711


def checked_uid(text: str, what: str) -> str:
    """Return a UUID in its one spelling; anything else is no part of a path. Raises Problem BAD_ID."""
    try:
        uid = str(UUID(text))
    except ValueError:
        uid = ""
    if not uid or uid != text:
        raise Problem("BAD_ID", f"the uid of the {what}, {text[:80]!r}, is not a UUID in lower case")
    return uid


class Store:
    """Paths of the store, and the only ways in which files appear in it and leave it. Any thread."""

    def __init__(self, directory: Path, host: str, *, known_id: str = "") -> None:
        """Open the store or make it. With a `known_id` it must be that one: an empty mount point is not filled.

        Raises Problem STORE_BROKEN.
        """
        self._tag = uuid5(NAMESPACE_URL, f"netctl:host/{host}").hex
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # The operator's own path may lead over links; from here on none is followed.
            self.directory = directory.resolve(strict=True)
            self.id = known_id or self._read_id() or self._write_id()
            self.check()
            for room in (self._images, self._vms):
                _make_directory(room)
        except OSError as error:
            raise Problem("STORE_BROKEN", f"the store {directory} cannot be used: {error}") from error

    @property
    def _images(self) -> Path:
        return self.directory / "images"

    @property
    def _vms(self) -> Path:
        return self.directory / "vms"

    def check(self) -> None:
        """Raise Problem STORE_BROKEN unless this is still the directory that was opened: it may be unmounted."""
        found = self._read_id()
        if found != self.id:
            raise Problem(
                "STORE_BROKEN",
                f"{self.directory / ID_FILE} has {found or 'no id'!r} and should have {self.id!r}: is it mounted?",
            )

    def space(self) -> tuple[int, int]:
        """Return the free and all bytes of the file system."""
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def vm_directory(self, vm_uid: str) -> Path:
        """Return where a machine's files are, or would be."""
        return self._vms / checked_uid(vm_uid, "virtual machine")

    def disk(self, vm_uid: str, disk_uid: str) -> Path:
        """Return where a disk is, or would be."""
        return self.vm_directory(vm_uid) / f"{checked_uid(disk_uid, 'disk')}.qcow2"

    def nvram(self, vm_uid: str, *, secure_boot: bool) -> Path:
        """Return where a machine's firmware variables are, or would be: each kind of firmware has its own."""
        return self.vm_directory(vm_uid) / (NVRAM_SECURE if secure_boot else NVRAM)

    def image(self, sha256: str) -> Path:
        """Return where an image is, or would be."""
        if not _SHA256.fullmatch(sha256):
            raise Problem(
                "BAD_ID", f"image_sha256 {sha256[:80]!r} is not 64 hexadecimal digits in lower case"
            )
        return self._images / sha256

    def images(self) -> tuple[str, ...]:
        """Return the SHA-256 of each image that is there."""
        return tuple(name for name in os.listdir(self._images) if _SHA256.fullmatch(name))

    def vm_files(self, vm_uid: str) -> tuple[str, ...]:
        """Return the names of everything in a machine's directory."""
        directory = self.vm_directory(vm_uid)
        return tuple(sorted(os.listdir(directory))) if _is_directory(directory) else ()

    def has(self, path: Path) -> bool:
        """Say whether a file of the store is there. Raises Problem when something else is in its place."""
        if not _is_directory(path.parent):
            return False
        try:
            found = path.lstat()
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(found.st_mode):
            raise Problem("STORE_BROKEN", f"{path} is not a plain file: remove what is in its place")
        return True

    def part(self, final: Path) -> Path:
        """Return the name under which this host makes `final`; its directory is made."""
        self.check()  # nothing is made in the mount point of a store that went away
        _make_directory(final.parent)
        return self.part_of(final)

    def part_of(self, final: Path) -> Path:
        """Return the name under which this host would make `final`."""
        return final.with_name(f"{final.name}.{self._tag}.part")

    @contextmanager
    def new_part(self, final: Path) -> Iterator[Path]:
        """Give the empty file in which this host makes `final`; unless it is published nothing is left of it."""
        part = self.part(final)
        part.unlink(missing_ok=True)
        # qemu-img keeps the mode of a file that is there.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def publish(self, part: Path, final: Path) -> bool:
        """Bring `part` to disk and give it its final name; say whether that was free."""
        _sync(part, os.O_RDONLY)
        try:
            os.link(part, final, follow_symlinks=False)  # a rename would take the place of one that is in use
        except FileExistsError:
            return False
        part.unlink()
        _sync(final.parent, os.O_RDONLY | os.O_DIRECTORY)
        return True

    def remove_image(self, sha256: str) -> None:
        """Remove an image."""
        self.image(sha256).unlink(missing_ok=True)

    def remove_vm(self, vm_uid: str) -> None:
        """Remove a machine's files, then its directory. Raises Problem when one is in use, or is not ours."""
        directory = self.vm_directory(vm_uid)
        names = self.vm_files(vm_uid)
        for name in names:
            if name.endswith(".qcow2") and self.has(directory / name) and is_locked(directory / name):
                raise Problem("DISK_IN_USE", f"{directory / name} is used by a running virtual machine")
        if foreign := [name for name in names if not _OWN_FILES.fullmatch(name)]:
            raise Problem("LEFT_OVER", f"{directory} has files that are not ours: {', '.join(foreign)[:200]}")
        for name in names:
            (directory / name).unlink(missing_ok=True)
        if _is_directory(directory):
            directory.rmdir()

    def sweep(self, making: Collection[Path], *, now_s: float | None = None) -> None:
        """Remove unfinished files that nobody makes: this host's but for `making`, others' after a day."""
        oldest_s = (time.time() if now_s is None else now_s) - FOREIGN_PART_S
        for directory in (self._images, *self._vm_directories()):
            for path in _parts(directory):
                ours = path.name.endswith(f".{self._tag}.part")
                if (ours and path not in making) or (not ours and _changed_s(path) < oldest_s):
                    path.unlink(missing_ok=True)
                    _remove_if_empty(directory, keep=self._images)

    def _vm_directories(self) -> list[Path]:
        return [path for path in sorted(self._vms.iterdir()) if _is_directory(path)]

    def _read_id(self) -> str:
        try:
            return checked_uid((self.directory / ID_FILE).read_text().strip(), "store")
        except FileNotFoundError:
            return ""

    def _write_id(self) -> str:
        """Write a new id, unless another host was first; return the one that holds."""
        part = self.directory / f"{ID_FILE}.{self._tag}.part"
        part.write_text(f"{uuid4()}\n")
        try:
            self.publish(part, self.directory / ID_FILE)
        finally:
            part.unlink(missing_ok=True)
        return self._read_id()


def _make_directory(path: Path) -> None:
    if not _is_directory(path):
        path.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def _is_directory(path: Path) -> bool:
    """Say whether a directory is there. Raises Problem when something else is in its place."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise Problem("STORE_BROKEN", f"{path} is not a directory: remove what is in its place")
    return True


def _parts(directory: Path) -> list[Path]:
    return [directory / name for name in os.listdir(directory) if _PART.fullmatch(name)]


def _changed_s(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _remove_if_empty(directory: Path, *, keep: Path) -> None:
    if directory != keep and not os.listdir(directory):
        directory.rmdir()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
