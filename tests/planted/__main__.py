"""Plant each bug in a copy of the project and run the tests that must see it: `python -m tests.planted [WORD]`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("netctl", "agents", "tests", "proto", "containerlab", "docs", "pyproject.toml")


def is_caught(bug: Bug, copy: Path) -> bool:
    """Plant one bug in the copy, run its tests, mend it again; say whether they failed."""
    file = copy / bug.file
    sound = file.read_text()
    assert sound.count(bug.old) == 1, f"{bug.file}: the place for {bug.name!r} is gone; plant it elsewhere"
    file.write_text(sound.replace(bug.old, bug.new))
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *bug.tests.split()]
        environment = os.environ | {"PYTHONPATH": f"{copy}{os.pathsep}{copy / 'agents'}"}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 1  # 1: tests failed; anything else is a run that saw nothing
    finally:
        file.write_text(sound)


def main(words: list[str]) -> int:
    """Run all bugs, or those whose name holds one of the words."""
    chosen = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="netctl-planted-") as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        for bug in chosen:
            caught = is_caught(bug, copy)
            missed += not caught
            print(f"{'caught' if caught else 'MISSED'}  {bug.name}  ({bug.file})", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
