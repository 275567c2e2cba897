"""What an acli command line is: words in, a checked Call out. Knows no command and no server.

A line is `OBJECT.VERB POSITIONAL... KEY=VALUE...`. Every positional may also be said by its name (`name=vs0`), as acli
allows. Values stay text; a `Check` brings each to the one spelling that handlers see, and says what is wrong otherwise.
Whether a value makes sense is the server's to say.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from netctl.cli.failures import Failure
from netctl.cli.kinds import nearest

Check = Callable[[str], str]

NAMES_MAX = 1000
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL)
_RANGE = re.compile(r"\[([0-9]+)\.\.([0-9]+)\]")
_BOOLEANS = {"true": "true", "1": "true", "yes": "true", "false": "false", "0": "false", "no": "false"}
_SIZE = re.compile(r"([0-9]+)([kmgt]i?b?|)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One argument of a command; `refers` is the kind of object whose names complete it: network, vm, host, vswitch.

    `spoken`: it may come without `=`, with the words up to the next KEY=VALUE (`host_uplink_config select all 10g`).
    """

    name: str
    metavar: str
    help: str
    check: Check = str
    choices: tuple[str, ...] = ()
    refers: str = ""
    required: bool = False
    spoken: bool = False
    aliases: tuple[str, ...] = ()

    def parse(self, text: str) -> str:
        """Return the value in the spelling that handlers see."""
        return _choose(text, self.choices) if self.choices else self.check(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command. `later`: understood, and refused as yet. `dashes`: its options are `--key value`."""

    name: str
    about: str
    positionals: tuple[Option, ...] = ()
    options: tuple[Option, ...] = ()
    example: str = ""
    later: bool = False
    dashes: bool = False

    @property
    def arguments(self) -> dict[str, Option]:
        """Everything that may be said with a key, by each of its spellings."""
        known = [*self.positionals, *self.options]
        return {name: option for option in known for name in (option.name, *option.aliases)}

    @property
    def usage(self) -> str:
        """One line: `vm.nic_update VM MAC [network=NET] ...`."""
        words = [self.name]
        words += [it.metavar if it.required else f"[{it.metavar}]" for it in self.positionals]
        for option in self.options:
            word = self.spell(option.name) + (" " if self.dashes else "=") + option.metavar
            words.append(word if option.required else f"[{word}]")
        return " ".join(words)

    def spell(self, key: str) -> str:
        """Return a key as people write it for this command."""
        return f"--{key}" if self.dashes else key


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command with its values, each in the spelling of its Option; `line` is what was typed."""

    command: Command
    values: Mapping[str, str] = field(default_factory=dict)
    line: str = ""

    def get(self, key: str, default: str = "") -> str:
        """Return what was said for a key."""
        return self.values.get(key, default)

    def list(self, key: str) -> list[str]:
        """Return what was said for a key, split at commas."""
        return split_list(self.get(key))

    def __contains__(self, key: str) -> bool:
        return key in self.values


def split_line(line: str) -> list[str]:
    """Return the words of a line; quotes hold words together, `#` begins a comment."""
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise Failure.usage(f"{line.strip()!r}: {str(error).lower()}", hint="close the quotes") from None


def parse(words: Sequence[str], commands: Mapping[str, Command]) -> Call:
    """Return the call that words are; refuse with what is allowed and what is nearest."""
    command = find_command(words[0], commands)
    values: dict[str, str] = {}
    free = list(command.positionals)
    rest = _undash(command, words[1:]) if command.dashes else list(words[1:])
    while rest:
        key, text = _take(command, rest, free)
        option = command.arguments[key]
        if option.name in values:
            raise _wrong(command, f"{command.spell(option.name)} is said twice")
        try:
            values[option.name] = option.parse(text)
        except ValueError as error:
            raise _wrong(command, f"{command.spell(key)}: {error}") from None
        if option in free:
            free.remove(option)
    missing = [it for it in command.arguments.values() if it.required and it.name not in values]
    if missing:
        raise _wrong(command, f"{command.name}: {_missing(command, missing[0])}")
    return Call(command=command, values=values, line=shlex.join(words))


def find_command(name: str, commands: Mapping[str, Command]) -> Command:
    """Return a command by its name; refuse with the nearest one."""
    found = commands.get(name)
    if found is not None:
        return found
    family = [known for known in commands if known.partition(".")[0] == name.partition(".")[0]]
    hint = nearest(name, commands) or (
        f"known: {', '.join(family)}" if family else "`help` lists all commands"
    )
    raise Failure.usage(f"{name!r} is no acli command", hint=hint)


def split_list(text: str) -> list[str]:
    """Return the parts of a comma list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def expand_names(text: str) -> list[str]:
    """Return the names of `a,b` and `clone-vm-[01..20]`; zeros in front are kept."""
    names: list[str] = []
    for part in split_list(text):
        spans = []
        count = 1
        for first, last in _RANGE.findall(part):
            if int(first) > int(last):
                raise Failure.usage(f"{part!r}: {first} is above {last}")
            count *= int(last) - int(first) + 1
            spans.append((int(first), int(last), len(first)))
        if count + len(names) > NAMES_MAX:
            raise Failure.usage(f"{text!r} names more than {NAMES_MAX} objects")
        pieces = _RANGE.split(part)[::3]  # its two groups stand between
        for numbers in product(
            *([str(n).zfill(width) for n in range(lo, hi + 1)] for lo, hi, width in spans)
        ):
            names.append(pieces[0] + "".join(n + piece for n, piece in zip(numbers, pieces[1:], strict=True)))
    return list(dict.fromkeys(names))


def boolean(text: str) -> str:
    """Check for true or false, in the spellings that acli takes."""
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{text!r} is neither true nor false")
    return _BOOLEANS[text.lower()]


def number(text: str) -> str:
    """Check for a whole number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"{text!r} is not a whole number")
    return str(int(text))


def numbers(text: str) -> str:
    """Check for whole numbers with commas."""
    return ",".join(number(part) for part in split_list(text))


def size(text: str) -> str:
    """Check for a size: `4G`, `512M`, bytes without a unit."""
    if not _SIZE.match(text) or not int(_SIZE.sub(r"\1", text)):
        raise ValueError(f"{text!r} is not a size; write 4G or 512M")
    return text


def bytes_of(text: str) -> int:
    """Return how many bytes a size is that was checked."""
    found = _SIZE.match(text)
    assert found is not None
    return int(found[1]) << 10 * " kmgt".index(found[2][:1].lower() or " ")


def said(text: str) -> str:
    """Check that there is something."""
    if not text.strip():
        raise ValueError("is empty")
    return text


def _take(command: Command, rest: list[str], free: list[Option]) -> tuple[str, str]:
    """Take the next argument off `rest`."""
    word = rest.pop(0)
    spoken = command.arguments.get(word)
    if spoken is not None and spoken.spoken and rest and not _KEY.match(rest[0]):
        taken = []
        while rest and not _KEY.match(rest[0]):
            taken.append(rest.pop(0))
        return word, " ".join(taken)
    found = _KEY.match(word)
    if found is not None:
        if found[1] in command.arguments:
            return found[1], found[2]
        raise _unknown(command, found[1])
    if word in command.arguments and word not in {it.name for it in free}:
        raise _wrong(command, f"{command.spell(word)} has no value")
    if not free:
        raise _wrong(command, f"{command.name}: what is {word!r} for?")
    return free[0].name, word


def _undash(command: Command, words: Sequence[str]) -> list[str]:
    """Turn `--key value` and `--key=value` into `key=value`."""
    rest, found = list(words), []
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            found.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        if key not in command.arguments:
            raise _unknown(command, key)
        if not equals and not rest:
            raise _wrong(command, f"--{key} has no value")
        found.append(f"{key}={value if equals else rest.pop(0)}")
    return found


def _choose(text: str, choices: tuple[str, ...]) -> str:
    known = {choice.lower(): choice for choice in choices}
    found = known.get(text.lower()) or known.get(f"k{text.lower()}")
    if found is None:
        hint = nearest(text, choices)
        raise ValueError(f"{text!r} is none of {', '.join(choices)}" + (f"; {hint}" if hint else ""))
    return found


def _missing(command: Command, option: Option) -> str:
    if option in command.positionals:
        return f"{option.metavar} is missing"
    return f"{command.spell(option.name)} is missing"


def _unknown(command: Command, key: str) -> Failure:
    known = [command.spell(name) for name in command.arguments]
    hint = nearest(command.spell(key), known)
    allowed = f"{command.name} takes {', '.join(known) or 'no options'}"
    return Failure.usage(
        f"{command.name} has no option {command.spell(key)!r}", hint=f"{hint} {allowed}".strip()
    )


def _wrong(command: Command, message: str) -> Failure:
    return Failure.usage(message, hint=f"usage: {command.usage}")
