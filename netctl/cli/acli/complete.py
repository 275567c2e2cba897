"""What TAB offers in acli's shell: commands, then names, `key=`, and values; names are the server's of this moment."""

from __future__ import annotations

import readline
from collections.abc import Sequence

from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.grammar import Command, Option, boolean
from netctl.cli.address import check_listening
from netctl.cli.failures import Failure
from netctl.cli.options import Session

_WORDS = ("help", "exit")


class Completer:
    """readline's completer: asks once for each TAB."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: list[str] = []

    def __call__(self, text: str, state: int) -> str | None:
        """Return the completion number `state` of the word under the cursor."""
        if state == 0:
            words = readline.get_line_buffer()[: readline.get_begidx()].split()
            self._found = self.complete(words, text)
        return self._found[state] if state < len(self._found) else None

    def complete(self, words: Sequence[str], text: str) -> list[str]:
        """Return the completions of `text` after `words`."""
        if words[:1] == ["acli"]:
            words = words[1:]
        if not words or words[0] == "help":
            known = [*COMMANDS, *(() if words else _WORDS)]
            return [f"{name} " for name in known if name.startswith(text)]
        command = COMMANDS.get(words[0])
        return self._complete_argument(command, words[1:], text) if command is not None else []

    def _complete_argument(self, command: Command, words: Sequence[str], text: str) -> list[str]:
        typed = text.removeprefix("--") if command.dashes else text
        key, equals, value = typed.partition("=")
        if equals and key in command.arguments:
            stem = text[: len(text) - len(value)]
            return [stem + name for name in self._values(command.arguments[key], value)]
        if command.dashes and words and words[-1].startswith("--"):
            option = command.arguments.get(words[-1][2:])
            return [f"{name} " for name in self._values(option, text)] if option is not None else []
        found = []
        free = self._free(command, words)
        if free is not None:
            found = [f"{name} " for name in self._values(free, text)]
        said = {word.removeprefix("--").partition("=")[0] for word in words}
        keys = [it.name for it in command.options if it.name not in said]
        spelt = [command.spell(name) + (" " if command.dashes else "=") for name in keys]
        return found + [name for name in spelt if name.startswith(text)]

    def _free(self, command: Command, words: Sequence[str]) -> Option | None:
        """Return the positional that comes next."""
        plain = [word for word in words if "=" not in word and not word.startswith("--")]
        if command.dashes:
            plain = [
                word
                for word in plain
                if words.index(word) == 0 or not words[words.index(word) - 1].startswith("--")
            ]
        said = {word.partition("=")[0] for word in words}
        left = [it for it in command.positionals if it.name not in said]
        return left[len(plain)] if len(plain) < len(left) else None

    def _values(self, option: Option, typed: str) -> list[str]:
        """Return the values that begin as typed; of a list, its last part."""
        if option.choices:
            return [it for it in option.choices if it.lower().startswith(typed.lower())]
        if option.check is boolean:
            return [it for it in ("true", "false") if it.startswith(typed)]
        if not option.refers:
            return []
        head, comma, last = typed.rpartition(",")
        return [head + comma + name for name in self._names(option.refers) if name.startswith(last)]

    def _names(self, refers: str) -> Sequence[str]:
        """Ask the server for names; none when it is away, without waiting for it."""
        from netctl.cli.acli.names import names_of

        try:
            check_listening(self._session.client.address)
            return names_of(self._session.client, refers)
        except Failure:
            return []
