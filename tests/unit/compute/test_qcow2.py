"""What an image says of itself: headers that name other files, or lie, are refused before any program opens them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from netctl_compute.problem import Problem
from netctl_compute.qcow2 import DISK_BYTES_MAX, QCOW2, RAW, Content, read_content

CLUSTER = 65536


@dataclass(frozen=True, kw_only=True)
class Header:
    """A qcow2 header, written here by the specification's table."""

    version: int = 3
    backing_offset: int = 0
    backing_bytes: int = 0
    cluster_bits: int = 16
    size_bytes: int = 1 << 20
    crypt_method: int = 0
    incompatible: int = 0
    extensions: tuple[tuple[int, bytes], ...] = field(default=())
    is_ended: bool = True

    def render(self) -> bytes:
        """Return the first cluster."""
        text = b"QFI\xfb" + struct.pack(
            ">IQIIQIIQQIIQ",
            self.version,
            self.backing_offset,
            self.backing_bytes,
            self.cluster_bits,
            self.size_bytes,
            self.crypt_method,
            *(1, 3 * CLUSTER, CLUSTER, 1, 0, 0),
        )
        if self.version == 3:
            text += struct.pack(">QQQII", self.incompatible, 0, 0, 4, 104)
        for kind, data in self.extensions:
            text += struct.pack(">II", kind, len(data)) + data.ljust((len(data) + 7) // 8 * 8, b"\0")
        return text.ljust(CLUSTER, b"\0" if self.is_ended else b"\1")


def _short(value: object) -> str:
    return repr(value)[:100]


@pytest.mark.parametrize(
    "header",
    [
        Header(),
        Header(version=2),
        Header(incompatible=1),
        Header(extensions=((0x6803F857, b"feature names"),)),
        Header(extensions=((0x6803F857, b"long" * 5000),)),
        Header(size_bytes=DISK_BYTES_MAX),
    ],
    ids=_short,
)
def test_a_sound_image_is_taken(tmp_path: Path, header: Header) -> None:
    path = tmp_path / "image"
    path.write_bytes(header.render())
    assert read_content(path) == Content(format=QCOW2, size_bytes=header.size_bytes)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (Header(backing_offset=104, backing_bytes=11), "backing file"),
        (Header(backing_offset=104), "backing file"),
        (Header(version=2, backing_bytes=11), "backing file"),
        (Header(crypt_method=1), "encrypted"),
        (Header(crypt_method=2), "encrypted"),
        (Header(incompatible=0b10), "marked as corrupt"),
        (Header(incompatible=0b100), "external data file"),
        (Header(incompatible=1 << 40), "unknown qcow2 features"),
        (Header(extensions=((0x44415441, b"/etc/passwd"),)), "external data file"),
        (Header(extensions=((0x6803F857, b"x"), (0x44415441, b"/etc/passwd"))), "external data file"),
        (
            Header(extensions=((0x6803F857, b"long" * 5000), (0x44415441, b"/etc/passwd"))),
            "external data file",
        ),
        (Header(version=2, extensions=((0xE2792ACA, b"raw"),)), "backing file"),
        (Header(extensions=((0x0537BE77, b"\0" * 16),)), "encrypted"),
        (Header(is_ended=False), "without an end"),
        (Header(size_bytes=DISK_BYTES_MAX + 512), "64 TiB"),
        (Header(size_bytes=0), "0 bytes"),
        (Header(size_bytes=2**64 - 1), "64 TiB"),
        (Header(version=1), "version 1"),
        (Header(version=4), "version 4"),
        (Header(cluster_bits=8), "clusters"),
        (Header(cluster_bits=60), "clusters"),
    ],
    ids=_short,
)
def test_an_image_that_names_another_file_or_lies_is_refused(
    tmp_path: Path, header: Header, words: str
) -> None:
    path = tmp_path / "image"
    path.write_bytes(header.render())
    with pytest.raises(Problem, match=words) as raised:
        read_content(path)
    assert raised.value.reason == "IMAGE_REFUSED"


@pytest.mark.parametrize("length", [4, 5, 71, 72, 103])
def test_a_header_that_ends_early_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "image"
    path.write_bytes(Header().render()[:length])
    with pytest.raises(Problem, match="truncated"):
        read_content(path)


@pytest.mark.parametrize("data", [b"QFI", b"QFI\xfa" + bytes(600), b"KDMV", b"conectix", b"x"])
def test_what_has_no_qcow2_magic_is_raw_whatever_else_it_may_be(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(data)
    assert read_content(path) == Content(format=RAW, size_bytes=len(data))


def test_only_plain_files_with_something_in_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Problem, match="0 bytes"):
        read_content(tmp_path / "empty")
    with pytest.raises(Problem, match="plain file"):
        read_content(Path("/dev/zero"))
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        read_content(tmp_path / "link")
