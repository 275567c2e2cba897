"""The examples of README.md, found and run: what it shows is what happens.

A block whose language is `console` is a session: `$ command`, then what it prints (both streams). `…` stands for any
text in a line, alone in a line for any lines. A command that is to fail says so: `$ command    # exit status 1`.
Columns may be of any width. A block `console lab` needs a running lab, others any controller with the lab's hosts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT_STATUS = re.compile(r"\s+# exit status (\d+)$")


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a session with what the text promises."""

    command: str
    expected: tuple[str, ...]
    exit_status: int
    needs_lab: bool


def blocks(text: str, language: str) -> Iterator[str]:
    """Yield the contents of a Markdown text's blocks of a language."""
    return (content for info, content in _BLOCK.findall(text) if info == language)


def examples(text: str) -> list[Example]:
    """Return the commands of all sessions, in order."""
    found = []
    for info, content in _BLOCK.findall(text):
        if info in ("console", "console lab"):
            found += list(_session(content, needs_lab=info == "console lab"))
    return found


def _session(content: str, *, needs_lab: bool) -> Iterator[Example]:
    for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
        first, *expected = part.rstrip("\n").split("\n")
        status = _EXIT_STATUS.search(first)
        command = first[: status.start()] if status else first
        yield Example(command, tuple(expected), int(status[1]) if status else 0, needs_lab)


def run(example: Example, *, timeout_s: float = 120.0) -> None:
    """Run a command as a user in the checkout would; raise AssertionError where the text promises otherwise."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    done = subprocess.run(
        ["bash", "-c", example.command],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == example.exit_status, (
        f"$ {example.command}: status {done.returncode}\n{done.stdout}"
    )
    assert matches(example.expected, done.stdout), (
        f"$ {example.command}\n{done.stdout}\nREADME.md promises otherwise"
    )


def matches(expected: tuple[str, ...], output: str) -> bool:
    """Say whether an output is what is expected."""
    pattern = "".join(_line_pattern(line) for line in expected)
    actual = "".join(f"{_squeeze(line)}\n" for line in output.splitlines() if line.strip())
    return re.fullmatch(pattern, actual) is not None


def _line_pattern(line: str) -> str:
    line = _squeeze(line)
    if line == "…":
        return r"(?:.*\n)*"
    return "" if not line else ".*".join(map(re.escape, line.split("…"))) + r"\n"


def _squeeze(line: str) -> str:
    return " ".join(line.split())
