"""What images hold, seen from their bytes: real ones of qemu-img, and those same ones spoilt."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netctl.errors import InvalidIntent
from netctl.model.image import ImageFormat
from netctl.server.image_content import Content, look

MIB = 1 << 20
QCOW2, RAW, ISO, AUTO = ImageFormat.QCOW2, ImageFormat.RAW, ImageFormat.ISO, ImageFormat.AUTO


def qemu_img(*words: str) -> None:
    subprocess.run(["qemu-img", *words], check=True, capture_output=True, timeout=30)


def seen(raw: bytes, asked: ImageFormat = AUTO) -> Content:
    return look(io.BytesIO(raw), asked)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk of 3 MiB, with something in its middle."""
    path = tmp_path_factory.mktemp("images") / "disk.raw"
    path.write_bytes(bytes(MIB) + bytes(range(256)) * 4096 + bytes(MIB))
    return path


@pytest.fixture(scope="module")
def qcow2(raw: Path) -> bytes:
    path = raw.with_suffix(".qcow2")
    qemu_img("convert", "-O", "qcow2", str(raw), str(path))
    return path.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-o", "compat=0.10"),
        ("-o", "cluster_size=512"),
        ("-o", "cluster_size=2M"),
        ("-o", "extended_l2=on"),
        ("-o", "lazy_refcounts=on"),
        ("-o", "preallocation=metadata"),
        ("-c",),
        ("-c", "-o", "compression_type=zstd"),
    ],
    ids=lambda options: " ".join(options) or "as usual",
)
def test_every_kind_of_qcow2_is_taken(raw: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "disk.qcow2"
    qemu_img("convert", "-O", "qcow2", *options, str(raw), str(path))
    with path.open("rb") as file:
        assert look(file) == Content(format=QCOW2, size_bytes=3 * MIB)
        assert look(file, QCOW2).size_bytes == 3 * MIB
        with pytest.raises(InvalidIntent, match="the content is QCOW2, not RAW"):
            look(file, RAW)


def test_an_empty_large_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", str(path), "64T")
    assert seen(path.read_bytes()).size_bytes == 64 << 40


def test_what_is_no_image_of_another_kind_is_raw() -> None:
    assert seen(b"\xeb\x63" + bytes(1000)) == Content(format=RAW, size_bytes=1024)
    iso = bytes(0x8001) + b"CD001" + bytes(4096)
    assert seen(iso).format is ISO
    assert seen(iso, RAW).format is RAW
    with pytest.raises(InvalidIntent, match="the content is RAW, not ISO"):
        seen(bytes(4096), ISO)
    with pytest.raises(InvalidIntent, match="the content is RAW, not QCOW2"):
        seen(bytes(4096), QCOW2)


@pytest.mark.parametrize(
    ("magic", "text"),
    [(b"\x1f\x8b\x08", "gzip: unpack"), (b"\xfd7zXZ\0", "xz"), (b"KDMV", "VMDK"), (b"vhdxfile", "VHDX")],
)
def test_other_kinds_are_named(magic: bytes, text: str) -> None:
    with pytest.raises(InvalidIntent, match=text):
        seen(magic + bytes(2000))
    assert seen(magic + bytes(2000), RAW).format is RAW


def put(at: int, form: str, *values: int) -> Callable[[bytes], bytes]:
    """Return what writes numbers at a place of a header."""
    new = struct.pack(form, *values)
    return lambda whole: whole[:at] + new + whole[at + len(new) :]


def extended(kind: int) -> Callable[[bytes], bytes]:
    """Return what puts an extension before all others of a version 3 header."""

    def spoil(whole: bytes) -> bytes:
        length = int.from_bytes(whole[100:104], "big")
        rest = whole[length : 65536 - 24]
        return whole[:length] + struct.pack(">II16s", kind, 16, b"/etc/passwd") + rest + whole[65536:]

    return spoil


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda whole: b"", "is empty"),
    "a version of tomorrow": (put(4, ">I", 4), "version 4"),
    "a backing file": (put(8, ">QI", 200, 11), "has a backing file"),
    "a backing file's name without a place": (put(16, ">I", 11), "has a backing file"),
    "a backing format": (extended(0xE2792ACA), "refers to another file"),
    "a data file's name": (extended(0x44415441), "refers to another file"),
    "an encryption header": (extended(0x0537BE77), "is encrypted"),
    "an extension without end": (put(104 + 8, ">II", 0x1234, 1 << 30), "header extension|damaged|taken"),
    "an external data file": (put(72, ">Q", 4), "keeps its data in another file"),
    "damage": (put(72, ">Q", 2), "marked as damaged"),
    "an unknown feature": (put(72, ">Q", 1 << 40), "features that are not known"),
    "encryption": (put(32, ">I", 2), "is encrypted"),
    "tiny clusters": (put(20, ">I", 8), r"clusters of 2\^8"),
    "huge clusters": (put(20, ">I", 63), r"clusters of 2\^63"),
    "no size": (put(24, ">Q", 0), "has 0 bytes for the guest"),
    "too large": (put(24, ">Q", (64 << 40) + 1), "bytes for the guest"),
    "an L1 table too small": (put(36, ">I", 0), "table of 0 entries"),
    "an L1 table too large": (put(36, ">I", 1 << 31), "table of 2147483648 entries"),
    "an L1 table behind its end": (put(40, ">Q", 1 << 40), "truncated: its L1 table"),
    "an L1 table in its header": (put(40, ">Q", 0), "lie where none can be"),
    "an L1 table between clusters": (put(40, ">Q", 512), "lie where none can be"),
    "a refcount table behind its end": (put(48, ">Q", 1 << 40), "truncated: its refcount table"),
    "a header cut short": (lambda whole: whole[:50], "truncated: its header"),
    "a new header cut short": (lambda whole: whole[:90], "truncated: its header"),
    "cut after the header": (lambda whole: whole[:4096], "truncated"),
    "cut in its middle": (lambda whole: whole[: len(whole) // 2], "truncated"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_one_is_refused_by_what_is_wrong(qcow2: bytes, name: str) -> None:
    assert seen(qcow2).format is QCOW2
    spoil, text = SPOILT[name]
    if name == "an extension without end":
        length = int.from_bytes(qcow2[100:104], "big")
        spoil = put(length, ">II", 0x1234, 1 << 30)
    with pytest.raises(InvalidIntent, match=text) as failed:
        seen(spoil(qcow2))
    assert failed.value.field == "data"


def test_a_real_backing_file_is_refused(raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "overlay.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", str(raw), "-F", "raw", str(path))
    with pytest.raises(InvalidIntent, match="has a backing file"):
        seen(path.read_bytes())


def test_a_real_data_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data.raw", str(path), "1M")
    with pytest.raises(InvalidIntent, match="another file"):
        seen(path.read_bytes())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_header_is_read_or_refused(qcow2: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(qcow2[: data.draw(st.integers(4, len(qcow2)))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, min(len(spoilt), 200) - 1)) if len(spoilt) > 4 else None
        if at is not None:
            spoilt[at] = data.draw(st.integers(0, 255))
    try:
        found = seen(bytes(spoilt))
    except InvalidIntent:
        return
    assert found.format is QCOW2
    assert 0 < found.size_bytes <= 64 << 40


def test_a_table_that_is_named_a_million_times_is_looked_at_once(qcow2: bytes, tmp_path: Path) -> None:
    """Otherwise a file of a few megabytes keeps a processor for hours."""
    cluster, entries = 1 << 21, 1 << 22
    path = tmp_path / "bomb.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", "cluster_size=2M", str(path), "1G")
    whole = bytearray(path.read_bytes())
    whole += bytes(-len(whole) % cluster)
    table, second = len(whole), len(whole) + entries * 8
    whole += struct.pack(">Q", second) * entries + bytes(cluster)
    for at, form, value in ((24, ">Q", 64 << 40), (36, ">I", entries), (40, ">Q", table)):
        struct.pack_into(form, whole, at, value)
    assert seen(bytes(whole)).size_bytes == 64 << 40
