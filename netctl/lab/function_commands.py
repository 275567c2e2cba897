"""`netctl lab function`: network functions of a lab."""

from __future__ import annotations

from typing import Annotated

import typer

from netctl.lab.command_line import NameOption, open_lab, reported

function_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@function_app.command(name="add")
@reported
def add_function(
    host: str,
    ingress: Annotated[str, typer.Argument(metavar="TAP=MAC", help="The NIC towards the guests.")],
    egress: Annotated[str, typer.Argument(metavar="TAP=MAC", help="The NIC towards the network.")],
    *,
    function: Annotated[str, typer.Option("--as", help="What to call it.")],
    drop_port: Annotated[
        list[int] | None,
        typer.Option(min=1, max=65535, help="Drop TCP and UDP from or to it; repeat for more."),
    ] = None,
    name: NameOption = "",
) -> None:
    """Make a network function of two taps: it carries frames between them, and counts.

    Example: netctl lab function add h1 tap1=50:6b:8d:00:00:01 tap2=50:6b:8d:00:00:02 --as firewall --drop-port 23
    """
    lab = open_lab(name)
    guest = lab.add_function(host, _end(ingress), _end(egress), name=function)
    lab.functions.start(guest, drop_port or ())


@function_app.command(name="kill")
@reported
def kill_function(function: str, *, name: NameOption = "") -> None:
    """End what is inside at once: its taps keep their carrier, and nothing comes through."""
    lab = open_lab(name)
    lab.functions.kill(lab.guest(function))


@function_app.command(name="start")
@reported
def start_function(function: str, *, name: NameOption = "") -> None:
    """Let it forward again, as before."""
    lab = open_lab(name)
    lab.functions.start(lab.guest(function))


@function_app.command(name="counts")
@reported
def counts(function: str, *, name: NameOption = "") -> None:
    """Show what went through: by side, VLAN and port."""
    lab = open_lab(name)
    for what, frames in sorted(lab.functions.counts(lab.guest(function)).items()):
        typer.echo(f"{frames:8} {what}")


def _end(word: str) -> tuple[str, str]:
    tap, _, mac = word.partition("=")
    return tap, mac
