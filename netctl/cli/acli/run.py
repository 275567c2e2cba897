"""From lines to answers: one command, a script, or what a pipe says."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.grammar import parse, split_line
from netctl.cli.acli.teach import teach
from netctl.cli.failures import OK, Failure
from netctl.cli.options import Session

_FORMATS = ("text", "json", "json-pretty")
_HELPS = ("-h", "--help")


class Leave(Exception):
    """Somebody said `exit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs lines in a session; `as_json` is what -o said for all of them."""

    session: Session
    as_json: bool = False

    def run_words(self, words: Sequence[str]) -> None:
        """Run one command and print its answer; raise Failure."""
        runner, rest = self._read_flags(list(words))
        if rest[:1] == ["acli"]:  # lines copied from scripts
            runner, rest = runner._read_flags(rest[1:])
        if not rest:
            return
        if rest[0] in ("exit", "quit"):
            raise Leave
        if rest[0] == "help" or any(word in _HELPS for word in rest):
            print("\n".join(teach([word for word in rest if word not in (*_HELPS, "help")], COMMANDS)))
            return
        call = parse(rest, COMMANDS)
        # Only now is gRPC loaded: what is misspelt is said at once.
        from netctl.cli.acli.handlers import HANDLERS

        HANDLERS[call.command.name](self.session.client, call).print(as_json=runner.as_json)

    def run_line(self, line: str) -> None:
        """Run one line; blank ones and comments are nothing."""
        self.run_words(split_line(line))

    def run_script(self, lines: Iterable[str], place: str, *, keep_going: bool = False) -> int:
        """Run lines until the first that fails, or with `keep_going` all; return the exit status of the first."""
        first = OK
        for number, line in enumerate(lines, 1):
            try:
                self.run_line(line)
            except Leave:
                break
            except Failure as failure:
                located = failure.located(f"{place}:{number}")
                located.dependents = failure.dependents
                if not keep_going:
                    raise located from None
                sys.stdout.flush()
                status = located.report(as_json=self.as_json)
                first = first or status
        return first

    def _read_flags(self, words: list[str]) -> tuple[Runner, list[str]]:
        """Take acli's own flags out of the words: `-o json`, `-y` (nothing is asked here)."""
        runner, rest = self, []
        while words:
            word = words.pop(0)
            if word == "-o":
                runner = replace(runner, as_json=parse_format(words.pop(0) if words else ""))
            elif word != "-y":
                rest.append(word)
        self.session.errors_as_json = runner.as_json
        return runner, rest


def parse_format(text: str) -> bool:
    """Say whether an output format is JSON."""
    if text not in _FORMATS:
        raise Failure.usage(f"-o {text}: no output format", hint=f"one of {', '.join(_FORMATS)}")
    return text != "text"


def read_script(file: str) -> tuple[list[str], str]:
    """Return the lines of a script and what it is called; `-` is standard input."""
    try:
        if file == "-":
            return sys.stdin.read().splitlines(), "<stdin>"
        with open(file, encoding="utf-8") as script:
            return script.read().splitlines(), file
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise Failure(f"cannot read {file}: {why}", code="INVALID_FILE") from None
