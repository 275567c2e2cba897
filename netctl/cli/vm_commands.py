"""Commands that are done to virtual machines: `netctl vm on|off|migrate ...`. What they do is loaded when they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from netctl.cli.commands_write import ChangeOptions, with_flags
from netctl.cli.flags import FLAGS
from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.options import (
    DryRunOption,
    ReasonOption,
    RequestIdOption,
    TextFormat,
    TextOption,
    TimeoutOption,
    WaitOption,
    complete_ids,
    complete_name,
    session_of,
)

POWER_TIMEOUT_S = 120.0
# A migration copies the memory up to 50 times, and may wait for its turn.
MIGRATION_TIMEOUT_S = 1800.0
VMS, HOSTS = BY_COLLECTION["vms"], BY_COLLECTION["hosts"]

VmsArgument = Annotated[
    list[str],
    typer.Argument(metavar="NAME", help="Ids (web-1) or names (vms/web-1).", autocompletion=complete_name),
]
SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="The machine to copy.", autocompletion=complete_name)
]
HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="HOST",
        help="Start it there; chosen when left out.",
        autocompletion=complete_ids("hosts"),
        show_default=False,
    ),
]
ToOption = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="HOST",
        help="Where to; chosen when left out.",
        autocompletion=complete_ids("hosts"),
        show_default=False,
    ),
]
GracefulOption = Annotated[bool, typer.Option("--graceful", help="Ask the guest to shut down, and let it.")]
RehearseOption = Annotated[
    bool, typer.Option("--rehearse", help="Say what a migration would find; change nothing.")
]
BandwidthOption = Annotated[
    int, typer.Option("--bandwidth", metavar="MBPS", help="At most this much of the network.", min=0)
]
CrossClusterOption = Annotated[bool, typer.Option("--cross-cluster", help="HOST is of another cluster.")]
RetriesOption = Annotated[
    int, typer.Option("--retries", metavar="N", help="Tries after the first that did not converge or broke.")
]


def switch_on(
    context: typer.Context,
    names: VmsArgument,
    *,
    host: HostOption = "",
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = POWER_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Switch virtual machines on; one that shut itself down is started again, one that is paused goes on.

    Example: netctl vm on web-1 web-2 --wait
    """
    options = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    to = resource_name(HOSTS, host) if host else ""
    _set_power(context, names, "ON", options, host=to)


def switch_off(
    context: typer.Context,
    names: VmsArgument,
    *,
    graceful: GracefulOption = False,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = POWER_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Switch virtual machines off: at once, as by pulling the plug, or with --graceful when the guest is ready.

    Example: netctl vm off web-1 --graceful --wait
    """
    options = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    _set_power(context, names, "OFF", options, graceful=graceful)


def pause(
    context: typer.Context,
    names: VmsArgument,
    *,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = POWER_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Pause virtual machines: they stay in memory and do not run, until `netctl vm on`.

    Example: netctl vm pause web-1
    """
    _set_power(context, names, "PAUSED", ChangeOptions(dry_run, wait, timeout, reason, request_id, output))


def reset(
    context: typer.Context,
    names: VmsArgument,
    *,
    wait: WaitOption = False,
    timeout: TimeoutOption = POWER_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Press the reset button of virtual machines.

    Example: netctl vm reset web-1
    """
    from netctl.cli import vms

    options = ChangeOptions(False, wait, timeout, reason, request_id, output)
    vms.reset(session_of(context).client, _full(names), options.ask, options.end)


def migrate(
    context: typer.Context,
    names: VmsArgument,
    *,
    to: ToOption = "",
    rehearse: RehearseOption = False,
    bandwidth: BandwidthOption = 0,
    cross_cluster: CrossClusterOption = False,
    retries: RetriesOption = 0,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = MIGRATION_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Move running virtual machines to another host, without a pause that anybody notices.

    Each gets a resource of the kind vmmigration, which keeps what was measured: `netctl get migrations`. With --wait
    you see how far it is. `netctl update migration NAME --abort true` stops one. --rehearse looks at CPU, memory,
    disks, VLANs, MTU and flows first; its exit status is 1 when something is missing.

    Example: netctl vm migrate web-1 --to h2 --wait
    """
    from netctl.cli import vm_migrate

    asked = vm_migrate.Asked(
        names=_full(names),
        destination=resource_name(HOSTS, to) if to else "",
        bandwidth_mbps=bandwidth,
        cross_cluster=cross_cluster,
        retries=retries,
    )
    client = session_of(context).client
    if rehearse:
        if not vm_migrate.rehearse(client, asked, output):
            raise typer.Exit(1)
        return
    options = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    vm_migrate.run(client, asked, options.ask, options.end)


def clone(context: typer.Context, source: SourceArgument, name: str, **options: Any) -> None:
    """Make a copy of a virtual machine that is off: its disks, and NICs like its own with new addresses; it is off.

    Flags say what is to differ.

    Example: netctl vm clone web-1 web-2 --memory 4096
    """
    from netctl.cli import edit, vms

    given, told = edit.read_flags(VMS, name, options), ChangeOptions.read(options)
    vms.clone(session_of(context).client, resource_name(VMS, source), given, told.ask, told.end)


def console(context: typer.Context, names: VmsArgument, *, output: TextOption = TextFormat.TEXT) -> None:
    """Print where the consoles of virtual machines are: `vnc://192.0.2.11:5900`.

    Example: netctl vm console web-1
    """
    from netctl.cli import vms

    vms.print_consoles(session_of(context).client, _full(names), output)


def _set_power(
    context: typer.Context,
    names: Sequence[str],
    state: str,
    options: ChangeOptions,
    **more: Any,
) -> None:
    from netctl.cli import vms

    asked = vms.Power(names=_full(names), state=state, **more)
    vms.set_power(session_of(context).client, asked, options.ask, options.end)


def _full(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(resource_name(VMS, name) for name in names))


def make_vm_group() -> typer.Typer:
    """Return `netctl vm`."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    group.command("on", short_help="Start, or go on after a pause.")(switch_on)
    group.command("off", short_help="Stop, at once or when the guest is ready.")(switch_off)
    group.command("pause", short_help="Keep in memory, without running.")(pause)
    group.command("reset", short_help="As the reset button.")(reset)
    group.command("migrate", short_help="To another host, while running.")(migrate)
    overrides = tuple(flag for flag in FLAGS["vm"] if flag.path != "disks")
    group.command("clone", short_help="Make a copy.")(
        with_flags(clone, overrides, before=("source", SourceArgument))
    )
    group.command("console", short_help="Where it is.")(console)
    return group
