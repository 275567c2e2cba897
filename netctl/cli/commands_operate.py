"""Commands for the controller and the command line itself: allow-mass-delete, version, completion, lab."""

from __future__ import annotations

import enum
import importlib
import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netctl.cli.options import TextFormat, TextOption, session_of


class Shell(enum.StrEnum):
    """Shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


ShellArgument = Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", show_default=False)]
WhyOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the controller's log.")
]


def allow_mass_delete(context: typer.Context, *, reason: WhyOption = ...) -> None:  # type: ignore[assignment]
    """Let the controller's next pass delete more northbound rows than its guard allows.

    The guard stops a pass that would delete more than 50 rows and 20 % of all: `netctl status` says when it did.

    Example: netctl allow-mass-delete --reason "moving to cluster c2"
    """
    from netctl.cli.api import allow_mass_delete as allow

    allow(session_of(context).client, reason)
    print("the next pass may delete as many rows as it needs")


def version(context: typer.Context, *, output: TextOption = TextFormat.TEXT) -> None:
    """Print the versions of this command and, when it answers, of the controller and its OVN.

    Example: netctl version
    """
    from importlib.metadata import version as version_of

    from netctl.cli.api import controller
    from netctl.cli.failures import Failure
    from netctl.cli.output import print_data

    versions = {"client": version_of("netctl")}
    try:
        server = controller(session_of(context).client)
        versions |= {"controller": server.version, "northd": server.northd_version}
    except Failure as failure:
        versions["controller"] = f"({failure.message})"
    if output in ("json", "yaml"):
        print_data(versions, output)
        return
    for what, text in versions.items():
        print(f"{what:<10}  {text or '-'}")


def completion(context: typer.Context, shell: ShellArgument) -> None:
    """Print the completion script of a shell.

    Example: netctl completion bash > /etc/bash_completion.d/netctl
    """
    # The script itself calls netctl with this variable; asked for "source", typer prints the script.
    os.environ["_NETCTL_COMPLETE"] = f"source_{shell.value}"
    try:
        context.find_root().command.main(args=[], prog_name="netctl")
    finally:
        del os.environ["_NETCTL_COMPLETE"]


class LabGroup(TyperGroup):
    """`netctl lab`: its commands are loaded only when one is asked for, they need more than a client does.

    Typed with Any where typer's own classes come from its private copy of click.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the lab's commands."""
        return [str(name) for name in self._load().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one of the lab's commands."""
        return self._load().get_command(ctx, cmd_name)

    def _load(self) -> Any:
        return typer.main.get_command(importlib.import_module("netctl.lab.commands").app)
