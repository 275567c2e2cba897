"""`netctl acli` as a shell, in a terminal."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controllers import Controller
from tests.functional.cli.conftest import Run
from tests.functional.cli.test_reading import listening_to_interrupts

PROMPT = "<acropolis> "
_ESCAPES = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|[\x07\r]")


class Terminal:
    """A program in a terminal of its own: type, and wait for what it shows."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._ours, theirs = os.openpty()
        command = [sys.executable, "-m", "netctl.cli.main", "acli"]
        with listening_to_interrupts():
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
            )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        """Press keys; what was shown before is forgotten."""
        self.shown = ""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, *, times: int = 1, within_s: float = 20) -> str:
        """Read until a text was shown so often."""
        end = time.monotonic() + within_s
        while self.shown.count(text) < times:
            left_s = end - time.monotonic()
            assert left_s > 0, f"no {text!r} in {within_s} s, but {self.shown!r}"
            if select.select([self._ours], [], [], left_s)[0]:
                self.shown += _ESCAPES.sub("", os.read(self._ours, 4096).decode())
        return self.shown

    def close(self) -> None:
        """End the program, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._ours)


@pytest.fixture
def environment(furnished: Run, controller: Controller, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "NETCTL_SERVER": controller.address,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TERM": "vt100",
        "INPUTRC": os.devnull,
    }


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(environment)
    try:
        terminal.wait_for(PROMPT)
        yield terminal
    finally:
        terminal.close()


def test_the_shell_runs_lines_and_lives_on_after_errors(terminal: Terminal) -> None:
    terminal.type("net.create vlan.20 vlan=20\n")
    assert "created    subnets/vlan-20" in terminal.wait_for(PROMPT)
    terminal.type("net.lst\n")
    assert "did you mean 'net.list'?" in terminal.wait_for(PROMPT)
    terminal.type("ads.update enable=true\n")
    assert "no scheduler" in terminal.wait_for(PROMPT)
    terminal.type("net.li")
    terminal.wait_for("net.li")
    terminal.process.send_signal(signal.SIGINT)  # leaves the line, not the shell
    terminal.wait_for(PROMPT)
    terminal.type("help net.create\n")
    assert "usage: net.create NETWORK vlan=ID" in terminal.wait_for(PROMPT)
    terminal.type("exit\n")
    assert terminal.process.wait(10) == 0


def test_tab_completes_commands_keys_and_the_names_of_the_server(terminal: Terminal) -> None:
    terminal.type("net.create vlan.20 vlan=20\n")
    terminal.wait_for(PROMPT)
    terminal.type("net.ge\t")
    terminal.wait_for("net.get")  # and net.get_virtual_switch: no blank yet
    terminal.type(" vlan\t")
    terminal.wait_for("vlan.20 ")
    terminal.type("\n")
    assert "kind: VLAN_BASIC" in terminal.wait_for(PROMPT)
    terminal.type("vm.nic_cr\t")
    terminal.wait_for("vm.nic_create ")
    terminal.type("fooVM network=v\t\n")
    assert "created    nics/foovm-nic-0" in terminal.wait_for(PROMPT)
    terminal.type("vm.nic_list fo\t\n")
    assert "vlan.20" in terminal.wait_for(PROMPT)


def test_the_history_stays(terminal: Terminal, environment: dict[str, str]) -> None:
    terminal.type("net.list_virtual_switch\n")
    assert "vs0" in terminal.wait_for(PROMPT)
    terminal.type("\x04")  # the end of input leaves as `exit` does
    assert terminal.process.wait(10) == 0
    history = Path(environment["XDG_STATE_HOME"], "netctl", "acli_history")
    assert "net.list_virtual_switch" in history.read_text().splitlines()
    again = Terminal(environment)
    try:
        again.wait_for(PROMPT)
        again.type("\x1b[A\n")  # the arrow up
        assert "kActiveBackup" in again.wait_for(PROMPT)
    finally:
        again.close()
