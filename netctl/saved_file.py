"""A file that is replaced as a whole: after a crash it holds what it held before, or what was written."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, text: bytes, *, mode: int = 0o666) -> None:
    """Make `text` the file's content, on disk; its directory is made when it is not there. Raises OSError.

    `mode` is cut by the umask, as for every file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    # The rename is on disk only when the directory is.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
