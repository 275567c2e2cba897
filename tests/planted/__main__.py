"""Plant each bug in a copy of the project and run the tests that must see it: `python -m tests.planted [WORD ...]`.

Beside the bugs, the same tests run once on a sound copy and must pass: tests that fail anyway would seem to catch.
A bug is caught when a test failed. A run that ended otherwise (nothing collected, an import that fails, a test that
hangs) has seen nothing, and counts as missed.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.planted.bug import Bug
from tests.planted.bugs import BUGS
from tests.planted.run import PASSED, Run, copy_project, run_tests

ROOT = Path(__file__).resolve().parents[2]
SOUND = "(no bug: the same tests pass)"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one bug, or, without a bug, of the sound copy."""

    bug: Bug | None
    run: Run

    @property
    def is_good(self) -> bool:
        """A bug was caught; the sound copy passed."""
        return self.run.passed if self.bug is None else self.run.failed

    def render(self) -> str:
        """Return one line, with the test that saw the bug; below it what a bad run said last."""
        word = "sound " if self.bug is None else "caught"
        found = _FAILED.search(self.run.output)
        by = f"by {found[1]}" if found else ""
        line = f"{word if self.is_good else 'MISSED'} {self.run.seconds:5.1f} s  {self.name}"
        if self.is_good:
            return f"{line}  {by}".rstrip()
        where = (
            f"{self.bug.file}; {self.bug.tests}" if self.bug is not None else "the tests fail without a bug"
        )
        tail = "" if self.run.code == PASSED else f"\n{self.run.output[-1500:]}"
        return f"{line}  ({where}; pytest ended with {self.run.code}){tail}"

    @property
    def name(self) -> str:
        """The bug's name."""
        return self.bug.name if self.bug is not None else SOUND


@contextlib.contextmanager
def planted(bug: Bug, copy: Path) -> Iterator[None]:
    """Have one bug in a copy."""
    file = copy / bug.file
    sound = file.read_text()
    assert sound.count(bug.old) == 1, f"{bug.file}: the place for {bug.name!r} is gone; plant it elsewhere"
    file.write_text(sound.replace(bug.old, bug.new))
    try:
        yield
    finally:
        file.write_text(sound)


def try_one(bug: Bug | None, tests: Sequence[str], copies: queue.SimpleQueue[Path]) -> Result:
    """Run tests in a copy that nobody else uses, with a bug or without."""
    copy = copies.get()
    try:
        with planted(bug, copy) if bug is not None else contextlib.nullcontext():
            return Result(bug=bug, run=run_tests(copy, tests, stop_at_first=bug is not None))
    finally:
        copies.put(copy)


def try_all(bugs: Sequence[Bug], jobs: int) -> Iterator[Result]:
    """Yield the results as they come."""
    every = sorted({path for bug in bugs for path in bug.tests.split()})
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="netctl-planted-") as folder, ThreadPoolExecutor(jobs) as pool:
        for number in range(jobs):
            copies.put(copy_project(ROOT, Path(folder) / str(number)))
        futures: list[Future[Result]] = [pool.submit(try_one, None, every, copies)]
        futures += [pool.submit(try_one, bug, bug.tests.split(), copies) for bug in bugs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted", description="Prove that the tests can see."
    )
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="only bugs whose name, file or tests hold it"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="copies that are tested at once (2)")
    parser.add_argument("-l", "--list", action="store_true", help="print the bugs and do nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run all bugs, or those that a word is in; return 1 when one was missed."""
    options = parse(arguments)
    bugs = [bug for bug in BUGS if not options.words or any(word in _text(bug) for word in options.words)]
    if options.list or not bugs:
        print("\n".join(f"{bug.name}  ({bug.file})" for bug in bugs) or "no such bug")
        return 0 if bugs else 2
    start_s = time.monotonic()
    results: list[Result] = []
    for result in try_all(bugs, options.jobs):
        results.append(result)
        print(f"{len(results):3}/{len(bugs) + 1}  {result.render()}", flush=True)
    bad = [result.name for result in results if not result.is_good]
    caught = sum(result.is_good for result in results if result.bug is not None)
    print(f"{caught} of {len(bugs)} planted bugs caught in {time.monotonic() - start_s:.0f} s")
    print("\n".join(f"MISSED  {name}" for name in bad), end="\n" if bad else "")
    return 1 if bad else 0


def _text(bug: Bug) -> str:
    return f"{bug.name} {bug.file} {bug.tests}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
