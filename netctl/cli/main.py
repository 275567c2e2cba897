"""The command `netctl`: what comes in is argv, what goes out is text and an exit status (`failures.EXIT_STATUSES`).

Everything heavy (gRPC, protobuf, YAML) is loaded by the command that needs it: `netctl --help` starts in 0.1 s.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netctl.cli import commands_operate, commands_read, commands_write, explain_commands
from netctl.cli.acli import app as acli
from netctl.cli.commands_operate import LabGroup
from netctl.cli.commands_write import make_create, make_group, make_update
from netctl.cli.failures import OK, Failure
from netctl.cli.host_commands import make_host_group
from netctl.cli.image_commands import make_image_group, make_template_group
from netctl.cli.options import Session, session_of
from netctl.cli.subnet_commands import make_subnet_group
from netctl.cli.vm_commands import make_vm_group

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="ADDRESS",
        help="The controller: HOST:PORT or unix:PATH. Else $NETCTL_SERVER, the running lab's, /run/netctl/netctl.sock.",
        show_default=False,
    ),
]


def root(context: typer.Context, *, server: ServerOption = "") -> None:
    """Networks of virtualised clusters on OVN: say what you want, netctl makes and keeps it so.

    Start: `netctl apply -f FILE`, `netctl get all`, `netctl status`. Each command's --help has an example.

    Exit status: 0 done, 1 refused or FAILED, 2 wrong command line, 3 controller unreachable, 4 not found, 5 timed out,
    6 denied (`policy test`).
    """
    session_of(context).server = server


_HELP = {"create": "Create one resource from flags.", "update": "Change fields of one resource."}
_COMMANDS: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("apply", "Make intents equal to files.", commands_write.apply),
    ("get", "List resources.", commands_read.get),
    ("describe", "Show everything about one resource.", commands_read.describe),
    ("delete", "Delete resources.", commands_write.delete),
    ("status", "Is everything in the network? If not, why?", commands_read.status),
    ("wait", "Wait until resources are in the network.", commands_read.wait),
    ("watch", "Print changes as they come.", commands_read.watch),
    ("history", "Who changed what, when and why.", commands_read.history),
    ("trace", "What would happen to a packet, and why?", explain_commands.trace),
    ("allow-mass-delete", "Let the controller delete many rows at once.", commands_operate.allow_mass_delete),
    ("version", "Print versions.", commands_operate.version),
    ("completion", "Print a shell's completion script.", commands_operate.completion),
)
_ORDER = ("apply", "get", "describe", "create", "update")


class RootGroup(TyperGroup):
    """`netctl`: lists its commands in the order in which people meet them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands."""
        return [*_ORDER, *(name for name in super().list_commands(ctx) if name not in _ORDER)]


def make_app() -> typer.Typer:
    """Put the commands together, in the order in which help shows them."""
    app = typer.Typer(
        name="netctl",
        cls=RootGroup,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    app.callback()(root)
    for name, short_help, run in _COMMANDS:
        app.command(name, short_help=short_help)(run)
    app.command("acli", short_help="Commands in AHV's words.", context_settings=acli.SETTINGS)(acli.acli)
    for name in ("manage_ovs", "manage-ovs"):
        uplinks = app.command(
            name,
            short_help="Uplinks of hosts in AHV's words.",
            context_settings=acli.SETTINGS,
            hidden="-" in name,
        )
        uplinks(acli.manage_ovs)
    app.add_typer(make_group("create", make_create, _HELP["create"]), short_help=_HELP["create"])
    app.add_typer(make_group("update", make_update, _HELP["update"]), short_help=_HELP["update"])
    app.add_typer(
        explain_commands.make_policy_group(),
        name="policy",
        help="Policies: who may talk to whom, what is wrong with the rules, how often they hit.",
    )
    app.add_typer(make_host_group(), name="host", help="Hosts: uplinks, bonds, MAC tables; maintenance.")
    app.add_typer(make_subnet_group(), name="subnet", help="Subnets: migration between VLAN basic and VLAN.")
    app.add_typer(
        make_vm_group(), name="vm", help="Virtual machines: power, live migration, clones, consoles."
    )
    app.add_typer(make_image_group(), name="image", help="Images: what disks are copied from.")
    app.add_typer(
        make_template_group(), name="template", help="Templates: versions, and machines made of them."
    )
    lab = typer.Typer(cls=LabGroup, rich_markup_mode=None, no_args_is_help=True)
    app.add_typer(lab, name="lab", help="Hosts on this machine, from a containerlab topology.")
    return app


def make_command() -> Any:
    """Return the command; typer keeps its type private.

    Typer's completion stays on, but its two options that guess the shell give way to `netctl completion SHELL`.
    """
    command: Any = typer.main.get_command(make_app())
    command.params = [parameter for parameter in command.params if not parameter.name.endswith("_completion")]
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    session = Session()
    try:
        make_command().main(
            args=None if arguments is None else list(arguments), prog_name="netctl", obj=session
        )
    except Failure as failure:
        return failure.report(as_json=session.errors_as_json)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        session.close()
    return OK


if __name__ == "__main__":
    sys.exit(main())
