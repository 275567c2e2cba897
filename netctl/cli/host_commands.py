"""Commands about hosts: `netctl host show-...`, `enter-maintenance`. What they do is loaded when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from netctl.cli.commands_write import ChangeOptions
from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.options import (
    DEFAULT_TIMEOUT_S,
    DryRunOption,
    ReasonOption,
    RequestIdOption,
    TextFormat,
    TextOption,
    TimeoutOption,
    WaitOption,
    complete_name,
    session_of,
)

# Its machines leave two at a time.
MAINTENANCE_TIMEOUT_S = 3600.0

HostArgument = Annotated[
    str, typer.Argument(metavar="HOST", help="Its id (h1) or name (hosts/h1).", autocompletion=complete_name)
]
HostsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="HOST", help="Hosts; all when none.", autocompletion=complete_name, show_default=False
    ),
]
BridgeOption = Annotated[
    str,
    typer.Option("--bridge", metavar="BRIDGE", help="Only this one, e.g. br0.", show_default=False),
]


def show_uplinks(
    context: typer.Context, hosts: HostsArgument = None, *, output: TextOption = TextFormat.TEXT
) -> None:
    """Show the uplink bridges of hosts, as they said last: bond, LACP, members with link, speed and switch port.

    STATE is up, down, absent, waiting (for its turn of a change), changing, rolled back (a change cut the host off and
    was undone by it), agent gone, or unknown. LACP is off, configured (the switch does not speak it) or negotiated.

    Example: netctl host show-uplinks h1
    """
    from netctl.cli.uplinks import print_uplinks

    print_uplinks(session_of(context).client, [_name(host) for host in hosts or ()], output)


def show_interfaces(
    context: typer.Context, host: HostArgument, *, output: TextOption = TextFormat.TEXT
) -> None:
    """Show the interfaces of a host that serve an uplink, or could: link, speed, driver, and what is behind the cable.

    Example: netctl host show-interfaces h1 -o json
    """
    from netctl.cli.uplinks import print_interfaces

    print_interfaces(session_of(context).client, _name(host), output)


def show_bonds(
    context: typer.Context,
    host: HostArgument,
    *,
    bridge: BridgeOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Show the bonds of a host as they are now: who is active, what LACP says on both sides. The host itself is asked.

    Example: netctl host show-bonds h1 --bridge br0
    """
    from netctl.cli.inspections import print_bonds

    print_bonds(session_of(context).client, _name(host), bridge, output)


def show_macs(
    context: typer.Context,
    host: HostArgument,
    *,
    bridge: BridgeOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Show which MAC addresses a host's uplink bridges learned on which port, as they are now. The host is asked.

    Example: netctl host show-macs h1 --bridge br0
    """
    from netctl.cli.inspections import print_macs

    print_macs(session_of(context).client, _name(host), bridge, output)


CheckOption = Annotated[
    bool, typer.Option("--check", help="Say where its machines would go, and which cannot; change nothing.")
]


def enter_maintenance(
    context: typer.Context,
    host: HostArgument,
    *,
    check: CheckOption = False,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = MAINTENANCE_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Empty a host: its running machines migrate away, two at a time, and none is started on it.

    --check has exit status 1 when one of them cannot leave. --wait returns when none of its machines is on.

    Example: netctl host enter-maintenance h1 --wait
    """
    from netctl.cli import maintenance

    client = session_of(context).client
    if check:
        if not maintenance.print_check(client, _name(host), output):
            raise typer.Exit(1)
        return
    told = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    maintenance.switch(client, _name(host), told.ask, told.end, enter=True)


def exit_maintenance(
    context: typer.Context,
    host: HostArgument,
    *,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Use a host again. Machines that left do not come back by themselves; those that wait to leave stay.

    Example: netctl host exit-maintenance h1
    """
    from netctl.cli import maintenance

    told = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    maintenance.switch(session_of(context).client, _name(host), told.ask, told.end, enter=False)


def _name(host: str) -> str:
    return resource_name(BY_COLLECTION["hosts"], host)


def make_host_group() -> typer.Typer:
    """Return `netctl host`."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    group.command("show-uplinks", short_help="Bridges, bonds, LACP and cables.")(show_uplinks)
    group.command("show-interfaces", short_help="Interfaces that serve an uplink, or could.")(show_interfaces)
    group.command("show-bonds", short_help="Bonds as they are now.")(show_bonds)
    group.command("show-macs", short_help="MAC tables as they are now.")(show_macs)
    group.command("enter-maintenance", short_help="Empty a host.")(enter_maintenance)
    group.command("exit-maintenance", short_help="Use a host again.")(exit_maintenance)
    return group
