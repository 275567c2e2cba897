"""`netctl acli` in a terminal: a prompt, a history that stays, TAB for commands, options and the server's names."""

from __future__ import annotations

import os
import readline
import sys
from contextlib import suppress
from pathlib import Path

from netctl.cli.acli.complete import Completer
from netctl.cli.acli.run import Leave, Runner
from netctl.cli.failures import OK, Failure

PROMPT = "<acropolis> "
_HISTORY_MAX = 1000


def run_shell(runner: Runner) -> int:
    """Read lines until `exit` or the end of input; what fails is told, and the next line is read."""
    completer = Completer(runner.session)
    readline.set_completer(completer)
    readline.set_completer_delims(" \t\n")
    readline.parse_and_bind("tab: complete")
    history = _open_history()
    try:
        while _run_one(runner):
            pass
    finally:
        _save_history(history)
    return OK


def _run_one(runner: Runner) -> bool:
    """Read and run one line; say whether to go on."""
    try:
        runner.run_line(input(PROMPT))
    except (Leave, EOFError):
        return False
    except KeyboardInterrupt:
        print()
    except Failure as failure:
        sys.stdout.flush()
        failure.report(as_json=runner.as_json)
    return True


def _open_history() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(state).expanduser() / "netctl" / "acli_history"
    readline.clear_history()
    with suppress(OSError):  # the first time, or not ours to read: a shell without a past
        readline.read_history_file(path)
    readline.set_history_length(_HISTORY_MAX)
    return path


def _save_history(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        readline.write_history_file(path)
    except OSError as error:
        print(f"the history is not kept: {path}: {error.strerror}", file=sys.stderr)
