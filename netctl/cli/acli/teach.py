"""What `help` says: all commands, those of one object, or one command with its options and an example."""

from __future__ import annotations

from collections.abc import Mapping

from netctl.cli.acli.grammar import Command, Option, find_command
from netctl.cli.output import align

_LATER = "(netctl has no scheduler and no HA yet)"


def teach(words: list[str], commands: Mapping[str, Command]) -> list[str]:
    """Return the lines of `help`, `help net` or `help net.create`."""
    if not words:
        return _teach_all(commands)
    name = words[0].rstrip(".")
    family = [it for it in commands.values() if it.name.startswith(f"{name}.")]
    if name not in commands and family:
        return _table(family)
    return _teach_one(find_command(name, commands))


def _teach_all(commands: Mapping[str, Command]) -> list[str]:
    able = [it for it in commands.values() if not it.later]
    unable = [it for it in commands.values() if it.later]
    return [
        *_table(able),
        "",
        f"Understood, but refused {_LATER}:",
        *(f"  {', '.join(names)}" for names in _by_object(unable)),
        "",
        "help COMMAND    options and an example; help net: all of one object",
        "exit            leave the shell",
    ]


def _table(commands: list[Command]) -> list[str]:
    return align([[it.name, it.about] for it in commands])


def _by_object(commands: list[Command]) -> list[list[str]]:
    families: dict[str, list[str]] = {}
    for command in commands:
        families.setdefault(command.name.partition(".")[0], []).append(command.name)
    return list(families.values())


def _teach_one(command: Command) -> list[str]:
    lines = [command.about + (f" {_LATER}" if command.later else ""), "", f"usage: {command.usage}"]
    arguments = [*command.positionals, *command.options]
    if arguments:
        rows = [[f"  {_label(command, it)}", _explain(it)] for it in arguments]
        lines += ["", *align(rows)]
    return [*lines, "", f"example: {command.example}"]


def _label(command: Command, option: Option) -> str:
    if option in command.positionals:
        return option.metavar
    return command.spell(option.name) + (" " if command.dashes else "=") + option.metavar


def _explain(option: Option) -> str:
    choices = f" One of {', '.join(option.choices)}." if option.choices else ""
    aliases = f" Also {', '.join(option.aliases)}." if option.aliases else ""
    return option.help + choices + aliases
