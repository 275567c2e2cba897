"""`netctl acli` and `netctl manage_ovs` among netctl's commands."""

from __future__ import annotations

import enum
import sys
from contextlib import suppress
from typing import Annotated

import typer

from netctl.cli.options import Session, session_of

# acli's own words follow the options: `--bridge_name` is one of them, not ours.
SETTINGS = {"allow_interspersed_args": False, "ignore_unknown_options": True}


class Format(enum.StrEnum):
    """acli's output formats; its two kinds of JSON are one here."""

    TEXT = "text"
    JSON = "json"
    JSON_PRETTY = "json-pretty"


def _complete(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a word of an acli line for the user's own shell, as acli's shell does."""
    from netctl.cli.acli.complete import Completer

    words = context.params.get("words") or []
    before = ["manage_ovs", *words] if context.info_name != "acli" else words
    session = Session()
    try:
        return [found.rstrip() for found in Completer(session).complete(before, incomplete)]
    finally:
        session.close()


WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="COMMAND",
        help="An acli command; without any, a shell.",
        show_default=False,
        autocompletion=_complete,
    ),
]
ActionArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ACTION",
        help="What to do, with manage_ovs's options.",
        show_default=False,
        autocompletion=_complete,
    ),
]
FileOption = Annotated[
    str,
    typer.Option(
        "-f", "--filename", metavar="FILE", help="A script, `-` is standard input.", show_default=False
    ),
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on after a line of a script that fails.")
]
YesOption = Annotated[bool, typer.Option("-y", help="As for acli; nothing is asked here.")]
FormatOption = Annotated[Format, typer.Option("-o", "--output", help="How to print.")]


def acli(
    context: typer.Context,
    words: WordsArgument = None,
    *,
    file: FileOption = "",
    keep_going: KeepGoingOption = False,
    yes: YesOption = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """Commands in AHV's words: as one command, as a script, or in a shell with TAB and history.

    `netctl acli help` lists them, `netctl acli help vm.nic_create` explains one. Names that are no ids of netctl stay
    as they are: `vlan.10` is shown as that, and is subnet `vlan-10`.

    Example: netctl acli vm.nic_create fooVM vlan_mode=kTrunked trunked_networks=10,20,30 network=vlan.10
    """
    from netctl.cli.acli.grammar import split_line
    from netctl.cli.acli.run import Leave, Runner, read_script
    from netctl.cli.failures import Failure

    session = session_of(context)
    as_json = session.errors_as_json = output is not Format.TEXT
    runner = Runner(session=session, as_json=as_json)
    if words and file:
        raise Failure.usage("-f brings the commands: what is the one on the command line for?")
    if words and len(words) == 1 and "\n" in words[0].strip():  # several lines in one pair of quotes
        raise typer.Exit(runner.run_script(words[0].splitlines(), "line", keep_going=keep_going))
    if words:
        with suppress(Leave):
            runner.run_words(words if len(words) > 1 else split_line(words[0]))
        return
    if not file and sys.stdin.isatty():
        from netctl.cli.acli.shell import run_shell

        raise typer.Exit(run_shell(runner))
    lines, place = read_script(file or "-")
    raise typer.Exit(runner.run_script(lines, place, keep_going=keep_going))


def manage_ovs(
    context: typer.Context, words: ActionArgument = None, *, output: FormatOption = Format.TEXT
) -> None:
    """Uplinks of hosts in the words of AHV's manage_ovs.

    Actions: show_uplinks, show_interfaces, show_bridges, update_uplinks; `netctl acli help manage_ovs` explains them.

    Example: netctl manage_ovs --bridge_name br0 show_uplinks
    """
    from netctl.cli.acli.run import Runner

    session = session_of(context)
    session.errors_as_json = output is not Format.TEXT
    Runner(session=session, as_json=session.errors_as_json).run_words(["manage_ovs", *(words or [])])
