"""Killed at any moment, the store has all that was answered, nothing by halves, and nothing twice."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from netctl.loop import wait_until
from netctl.model.intent import Change, Intent
from netctl.model.keys import Key, Kind
from netctl.store.sqlite import SqliteStore
from tests.functional.store.crash_worker import NICS, requests_of

ROOT = Path(__file__).parents[3]
CLIENTS, STEPS = 8, 12
POINTS = ("store.before_commit", "store.after_commit", "admission.after_publish")


class Run:
    """One life of the worker, its output in a file: a pipe could hold back what a dying process wrote."""

    def __init__(self, store: Path, *, crashpoint: str = "") -> None:
        self._output = store.with_suffix(".out")
        environment = {**os.environ, "NETCTL_CRASHPOINT": crashpoint, "PYTHONPATH": str(ROOT)}
        arguments = [
            sys.executable,
            "-m",
            "tests.functional.store.crash_worker",
            str(store),
            str(CLIENTS),
            str(STEPS),
        ]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=output)

    def lines(self) -> list[list[str]]:
        return [line.split(maxsplit=3) for line in self._output.read_text().splitlines()]

    def answered(self) -> dict[str, int]:
        """Return the revision that each answered request was told."""
        return {line[1]: int(line[2]) for line in self.lines() if line[0] == "ack"}

    def wait_for(self, answers: int) -> None:
        """Wait until so many requests are answered, or all are."""
        wait_until(
            lambda: len(self.answered()) >= answers or self.process.poll() is not None,
            timeout_s=60,
            what=f"{answers} requests were answered",
            poll_s=0.001,
        )

    def end(self) -> int:
        status = self.process.wait(60)
        assert not [line for line in self.lines() if line[0] == "error"]
        return status


def check(path: Path, answered: dict[str, int]) -> None:
    """Compare what is stored with what was answered, and with itself."""
    store = SqliteStore(path)
    try:
        loaded, log = store.load(), store.read_changes(limit=100_000)[::-1]
    finally:
        store.close()
    replayed: dict[Key, Intent] = {}
    for change in log:
        assert replayed.get(change.key) == change.before
        if change.after is None:
            del replayed[change.key]
        else:
            replayed[change.key] = change.after
    assert {
        (kind, one.id): one for one in loaded.intents for kind in Kind if (kind, one.id) in replayed
    } == replayed
    assert len(loaded.intents) == len(replayed)
    check_effects(log, answered)


def check_effects(log: tuple[Change, ...], answered: dict[str, int]) -> None:
    """Each request is in the log once and whole, or not at all; the answered ones are, where they were told."""
    entries = Counter((change.request_id, change.revision) for change in log)
    for client in range(CLIENTS):
        for request in requests_of(client, STEPS):
            found = {revision: n for (id_, revision), n in entries.items() if id_ == request.request_id}
            assert list(found.values()) in ([], [len(request.edits)])
            if request.request_id in answered:
                assert list(found) == [answered[request.request_id]]


def test_every_edit_takes_effect_without_a_crash(tmp_path: Path) -> None:
    """The positive control: the workload is what the checks think it is."""
    run = Run(tmp_path / "netctl.db")
    assert run.end() == 0
    sent = [request.request_id for client in range(CLIENTS) for request in requests_of(client, STEPS)]
    assert sorted(run.answered()) == sorted(sent)
    check(tmp_path / "netctl.db", run.answered())


@pytest.mark.parametrize("nth", [1, 9])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_crash_point(tmp_path: Path, point: str, nth: int) -> None:
    path = tmp_path / "netctl.db"
    run = Run(path, crashpoint=f"{point}:{nth}")
    assert run.end() == 137, "the crash point was not met"
    answered = run.answered()
    check(path, answered)
    again = Run(path)
    assert again.end() == 0
    assert answered.items() <= again.answered().items()
    check(path, again.answered())


def test_killed_again_and_again_under_load(tmp_path: Path) -> None:
    path = tmp_path / "netctl.db"
    chance = random.Random(20)
    answered: dict[str, int] = {}
    for _ in range(6):
        run = Run(path)
        run.wait_for(len(answered) + chance.randrange(20))
        run.process.send_signal(signal.SIGKILL)
        run.end()
        assert all(answered.get(id_, revision) == revision for id_, revision in run.answered().items())
        answered |= run.answered()
        check(path, answered)
    last = Run(path)
    assert last.end() == 0
    assert answered.items() <= last.answered().items()
    check(path, last.answered())


def test_the_checks_see_a_lost_and_a_halved_request(tmp_path: Path) -> None:
    run = Run(tmp_path / "netctl.db")
    assert run.end() == 0
    store = SqliteStore(tmp_path / "netctl.db")
    log = store.read_changes(limit=100_000)[::-1]
    store.close()
    check_effects(log, run.answered())
    lost = tuple(change for change in log if change.request_id != "3-5")
    halved = tuple(change for change in log if (change.request_id, change.index) != ("3-5", NICS - 1))
    doubled = log + log[-NICS:]
    for doctored in (lost, halved, doubled):
        with pytest.raises(AssertionError):
            check_effects(doctored, run.answered())
