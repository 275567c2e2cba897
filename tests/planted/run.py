"""Copies of the project, and pytest in them; labs that a planted bug leaves behind are taken down here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netctl.lab import guest_image
from netctl.lab.lab import lab_names, take_down

COPIED = (
    "netctl",
    "agents",
    "tests",
    "proto",
    "containerlab",
    "docs",
    "pyproject.toml",
    "README.md",
    "Makefile",
)
# pytest's exit codes; anything else is a run that saw nothing.
PASSED, FAILED = 0, 1
LONGEST_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of pytest."""

    code: int
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        """All tests passed."""
        return self.code == PASSED

    @property
    def failed(self) -> bool:
        """Tests ran, and one failed."""
        return self.code == FAILED


def copy_project(root: Path, target: Path) -> Path:
    """Copy what tests read; return where to."""
    target.mkdir()
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    return target


def run_tests(copy: Path, tests: Sequence[str], *, stop_at_first: bool) -> Run:
    """Run tests in a copy, whose modules go before the installed ones."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *tests]
    if stop_at_first:
        command += ["-x", "--hypothesis-profile=planted"]
    paths = f"{copy}{os.pathsep}{copy / 'agents'}"
    environment = os.environ | {"PYTHONPATH": paths, guest_image.ENVIRONMENT: str(guest_image.folder())}
    start_s = time.monotonic()
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=LONGEST_S if stop_at_first else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # pytest then still runs the ends of its fixtures
            output, _ = process.communicate()
        finally:
            for name in lab_names():
                if name.startswith(f"t{process.pid}-"):
                    take_down(name)
    return Run(code=process.returncode, output=output, seconds=time.monotonic() - start_s)
