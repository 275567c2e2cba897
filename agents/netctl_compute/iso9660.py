"""Writes a CD-ROM image of a few small files, all in its root: ISO 9660 with Joliet names. Pure.

No program is run, so nothing of the files is on a command line or in a temporary directory; and equal files give equal
bytes, so the image that a migration's destination makes is the one that the guest has. Linux and Windows read the
Joliet names, as they are; a reader without Joliet reads the others in upper case, as ISO 9660 has it.
Sources: ECMA-119 (the numbers in brackets are its sections), the Joliet specification.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_SECTOR = 2048
_SYSTEM_SECTORS = 16  # before the first volume descriptor
_JOLIET = b"%/E"  # the escape sequence of UCS-2 level 3
_DAY = bytes((126, 1, 1, 0, 0, 0, 0))  # the same for ever: 2026-01-01 (9.1.5)
_DATE = b"2026010100000000\0"
_NO_DATE = b"0" * 16 + b"\0"


def render_iso(label: str, files: Mapping[str, bytes]) -> bytes:
    """Return the image; names are plain ASCII of at most 30 characters."""
    names = sorted(files)
    # Descriptors: primary, Joliet, terminator; then two path tables and a root directory for each of the two trees.
    tables = _SYSTEM_SECTORS + 3
    roots = (tables + 4, tables + 5)
    places, at = {}, tables + 6
    for name in names:
        places[name] = (at, len(files[name]))
        at += _sectors(len(files[name]))
    volumes = [
        _volume(label, at, (tables + 2 * number, roots[number]), joliet=bool(number)) for number in (0, 1)
    ]
    sectors = [*volumes, _padded(b"\xffCD001\x01")]
    for root in roots:
        sectors += [_padded(_path_table(root, order)) for order in "<>"]
    for root, encode in zip(roots, (_plain, _ucs2), strict=True):
        sectors.append(_padded(_directory(root, {encode(name): places[name] for name in names})))
    data = b"".join(_padded(files[name]) for name in names)
    return bytes(_SYSTEM_SECTORS * _SECTOR) + b"".join(sectors) + data


def _volume(label: str, sectors: int, places: tuple[int, int], *, joliet: bool) -> bytes:
    """Return a volume descriptor (8.4, 8.5)."""
    table, root = places
    encode = _ucs2_text if joliet else _text
    return b"".join(
        (
            b"\x02CD001\x01\0" if joliet else b"\x01CD001\x01\0",
            encode("LINUX", 32),
            encode(label, 32),
            bytes(8),
            _both32(sectors),
            _JOLIET.ljust(32, b"\0") if joliet else bytes(32),
            _both16(1) + _both16(1) + _both16(_SECTOR),
            _both32(len(_path_table(root, "<"))),
            struct.pack("<II", table, 0),
            struct.pack(">II", table + 1, 0),
            _record(b"\0", root, _SECTOR, directory=True),
            encode("", 128) * 4,
            encode("", 37) + encode("", 37) + encode("", 37),
            _DATE + _DATE + _NO_DATE + _NO_DATE,
            b"\x01\0",
            bytes(512 + 653),
        )
    )


def _path_table(root: int, order: str) -> bytes:
    """Return the table of directories (9.4): the root alone."""
    return struct.pack(f"{order}BBIH", 1, 0, root, 1) + b"\0\0"


def _directory(root: int, files: Mapping[bytes, tuple[int, int]]) -> bytes:
    """Return the root directory, which must fit into one sector (6.8.1)."""
    records = [_record(name, root, _SECTOR, directory=True) for name in (b"\0", b"\1")]
    records += [_record(name, place, length) for name, (place, length) in sorted(files.items())]
    directory = b"".join(records)
    if len(directory) > _SECTOR:
        raise ValueError("too many files for one sector")
    return directory


def _record(name: bytes, place: int, length: int, *, directory: bool = False) -> bytes:
    """Return a directory record (9.1)."""
    body = b"".join(
        (
            _both32(place),
            _both32(length),
            _DAY,
            bytes((2 if directory else 0, 0, 0)),
            _both16(1),
            bytes((len(name),)),
            name,
        )
    )
    pad = (len(body) + 2) % 2
    return bytes((len(body) + 2 + pad, 0)) + body + bytes(pad)


def _plain(name: str) -> bytes:
    dotted = name.upper() if "." in name else f"{name.upper()}."
    return f"{dotted};1".encode("ascii")


def _ucs2(name: str) -> bytes:
    return f"{name};1".encode("utf-16-be")


def _text(text: str, length: int) -> bytes:
    return text.encode("ascii").ljust(length)


def _ucs2_text(text: str, length: int) -> bytes:
    # An odd field ends with a zero byte.
    return text.ljust(length // 2).encode("utf-16-be").ljust(length, b"\0")


def _both16(number: int) -> bytes:
    return struct.pack("<H", number) + struct.pack(">H", number)


def _both32(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


def _sectors(length: int) -> int:
    return max(1, -(-length // _SECTOR))


def _padded(data: bytes) -> bytes:
    return data.ljust(_sectors(len(data)) * _SECTOR, b"\0")
