"""`netctl image upload`: a file into an image; checked before it is sent, and again when it is there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.kinds import BY_COLLECTION
from netctl.cli.messages import new_message
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, compare, print_outcomes
from netctl.cli.output import Steps, is_terminal, note
from netctl.cli.tables_compute import size
from netctl.v1 import compute_pb2 as pb

_CHUNK = 1 << 20
# Where the line is not rewritten: so many lines at most.
_LINES = 10
_KIND = BY_COLLECTION["images"]
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is asked; `sha256` may be empty."""

    name: str
    file: str
    sha256: str = ""


def run(client: Client, asked: Upload, ask: Ask, end: End) -> None:
    """Send a file as an image's bytes; make the image when it is missing."""
    if asked.sha256 and not _SHA256.match(asked.sha256):
        raise Failure.usage(
            "--sha256: not 64 hexadecimal digits", hint=f"`sha256sum {asked.file}` prints them"
        )
    with _open(asked.file) as file:
        before = _existing(client, asked.name)
        expected = asked.sha256 or (before.sha256 if before is not None else "")
        found = _hash(file) if expected else ""
        _check(asked, before, expected, found)
        if before is not None and before.size_bytes:
            finish(client, Made(outcomes=(compare(before, before),)), ask, end)
        elif ask.dry_run:
            _rehearse(client, asked, before, ask, end)
        else:
            after = _send(client, asked, before, (file, ask))
            finish(client, Made(outcomes=(compare(before, after),)), ask, end)


def _open(path: str) -> BinaryIO:
    """Open a regular file that holds something."""
    try:
        status = os.stat(path)
        problem = ""
        if stat.S_ISDIR(status.st_mode):
            problem = "is a directory: name the file in it"
        elif not stat.S_ISREG(status.st_mode):
            problem = "is no regular file: copy what it gives into one"
        elif not status.st_size:
            problem = "is empty: an image has at least one sector"
        if problem:
            raise Failure(f"{path} {problem}", code="INVALID_FILE")
        return open(path, "rb")
    except (OSError, ValueError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "that is no path"
        raise Failure(f"cannot read {path!r}: {why}", code="INVALID_FILE") from None


def _existing(client: Client, name: str) -> Any:
    """Read the image; None when there is none."""
    try:
        return api.get(client, name)
    except Failure as failure:
        if failure.exit_status != NOT_FOUND:
            raise
        return None


def _check(asked: Upload, before: Any, expected: str, found: str) -> None:
    """Refuse a file that is not what was asked for, and an image whose bytes come from elsewhere."""
    if before is not None and before.size_bytes and found != before.sha256:
        hint = "give it another name; disks that are made of an image need it as it was"
        raise Failure(f"{asked.name} is stored already, with other content", code="ALREADY_EXISTS", hint=hint)
    if found != expected:
        hint = "the file is damaged or another one: fetch it again, or say the right --sha256"
        raise Failure(f"{asked.file} has sha256 {found}, not {expected}", code="CHECKSUM", hint=hint)
    source = before is not None and (before.source_uri or before.source_vm)
    if source:
        raise Failure(
            f"{asked.name} gets its bytes from {source}",
            code="FAILED_PRECONDITION",
            hint="make another image",
        )


def _rehearse(client: Client, asked: Upload, before: Any, ask: Ask, end: End) -> None:
    after = before
    if before is None:
        after = api.create(client, _KIND, _new(asked), ask).image
    print_outcomes([compare(before, after)], end.output)
    note(f"dry run: nothing was changed; {size(os.path.getsize(asked.file))} would be sent")


def _new(asked: Upload) -> Any:
    image = new_message(_KIND, asked.name)
    image.sha256 = asked.sha256
    return image


def _send(client: Client, asked: Upload, before: Any, how: tuple[BinaryIO, Ask]) -> pb.Image:
    """Send the bytes; an image that was made for them does not stay without."""
    file, ask = how
    with contextlib.ExitStack() as stack:
        if before is None:
            api.create(client, _KIND, _new(asked), ask)
            stack.callback(_remove, client, asked.name)
        digest = hashlib.sha256()
        steps = Steps()
        stack.callback(steps.clear)
        requests = _requests(asked.name, file, digest, steps)
        image = client.upload(
            "ImageService/UploadImage", requests, pb.UploadImageRequest, pb.UploadImageResponse
        ).image
        steps.clear()
        if image.sha256 != digest.hexdigest():
            raise Failure(f"{asked.name} arrived with another sha256", code="CHECKSUM", hint="send it again")
        stack.pop_all()
    return image


def _remove(client: Client, name: str) -> None:
    try:
        api.delete(client, name, Ask(reason="its upload failed"))
    except Failure as failure:
        note(f"note: {name} is left without bytes: {failure.message}")


def _requests(name: str, file: BinaryIO, digest: Any, steps: Steps) -> Iterator[pb.UploadImageRequest]:
    """Yield the file in pieces, and show how far it is."""
    file.seek(0)
    total = os.fstat(file.fileno()).st_size
    sent, first = 0, True
    while data := file.read(_CHUNK):
        digest.update(data)
        yield pb.UploadImageRequest(name=name if first else "", data=data, size_bytes=total if first else 0)
        sent, first = sent + len(data), False
        _show(steps, "sending", sent, total)


def _hash(file: BinaryIO) -> str:
    """Return a file's sha256, and show how far it is."""
    total = os.fstat(file.fileno()).st_size
    digest, done = hashlib.sha256(), 0
    steps = Steps()
    while data := file.read(_CHUNK):
        digest.update(data)
        done += len(data)
        _show(steps, "checking", done, total)
    steps.clear()
    return digest.hexdigest()


def _show(steps: Steps, what: str, done: int, total: int) -> None:
    """Draw a bar on a terminal; elsewhere say each tenth, of what takes its time."""
    percent = min(100, done * 100 // total)
    if is_terminal(sys.stderr):
        steps.show(f"{what} [{'#' * (percent // 4):<25}] {percent:3} % of {size(total)}")
    elif total > _LINES * _CHUNK:
        steps.show(f"{what}: {percent * _LINES // 100 * 100 // _LINES} % of {size(total)}")
