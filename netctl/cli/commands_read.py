"""Commands that only look: get, describe, history, status, watch, wait. What they do is loaded when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from netctl.cli.failures import Failure
from netctl.cli.kinds import WORDS_AND_SHORTS, parse_kind, parse_kinds, parse_name, resource_name
from netctl.cli.options import (
    DEFAULT_TIMEOUT_S,
    KindArgument,
    NameArgument,
    StreamFormat,
    StreamOption,
    TableFormat,
    TableOption,
    TextFormat,
    TextOption,
    TimeoutOption,
    complete_kind,
    complete_name,
    session_of,
)

KindsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KIND", help="Kinds; all when none.", autocompletion=complete_kind, show_default=False
    ),
]
AllKindsArgument = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help=f"{WORDS_AND_SHORTS}; several with commas, or all.",
        autocompletion=complete_kind,
    ),
]
OptionalNamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME", help="Ids; all when none.", autocompletion=complete_name, show_default=False
    ),
]
FullNamesArgument = Annotated[list[str], typer.Argument(metavar="KIND/NAME", help="For example nic/web-1.")]
HistoryNameArgument = Annotated[
    str,
    typer.Argument(metavar="KIND/NAME", help="Only this resource, e.g. subnet/web.", show_default=False),
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--label",
        metavar="KEY=VALUE",
        help="Only with this label; repeat for more.",
        show_default=False,
    ),
]
FilterOption = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="Terms joined by AND, e.g. 'status.phase != PROGRAMMED AND host = hosts/h1'; lists: clusters:clusters/c1.",
        show_default=False,
    ),
]
WatchOption = Annotated[bool, typer.Option("-w", "--watch", help="Print all as they are, then every change.")]
CountOption = Annotated[int, typer.Option("-n", metavar="N", help="How many changes.", min=1)]
DiffOption = Annotated[bool, typer.Option("--diff", help="Show which fields changed, from what to what.")]


def get(
    context: typer.Context,
    kind: AllKindsArgument,
    names: OptionalNamesArgument = None,
    *,
    labels: LabelsOption = None,
    filter_: FilterOption = "",
    watch: WatchOption = False,
    output: TableOption = TableFormat.TABLE,
) -> None:
    """List resources with their phase. -o json and yaml print a list, spelled as in the API.

    Example: netctl get nics -l tier=web -o wide
    """
    from netctl.cli import show

    client = session_of(context).client
    query = show.parse_query(kind, names or (), labels or (), filter_)
    if watch and filter_:
        raise Failure.usage("--filter does not go with --watch", hint="use -l KEY=VALUE")
    if watch:
        from netctl.cli.stream import follow, print_events

        print_events(follow(client, query.kinds, query.names), output, query.matches)
    else:
        show.print_resources(show.read(client, query), query, output)


def describe(
    context: typer.Context,
    kind: KindArgument,
    name: NameArgument = "",
    *,
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Show everything about one resource: fields, status and why, who uses it, recent changes.

    Example: netctl describe nic web-1
    """
    from netctl.cli.describe import print_description

    full = resource_name(parse_kind(kind), name) if name else parse_name(kind)
    print_description(session_of(context).client, full, output)


def history(
    context: typer.Context,
    name: HistoryNameArgument = "",
    *,
    count: CountOption = 20,
    diff: DiffOption = False,
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Show the change log, newest first: who changed what, when and why.

    Example: netctl history subnet/web --diff
    """
    from netctl.cli.api import list_changes
    from netctl.cli.history import print_history

    changes = list_changes(session_of(context).client, parse_name(name) if name else "", count)
    print_history(changes, output, diff=diff)


def status(context: typer.Context, *, output: TextOption = TextFormat.TEXT) -> None:
    """Show the controller's state, counts by phase, and what is not in the network and why.

    The exit status is 1 when the controller has a problem or anything is FAILED.

    Example: netctl status -o json
    """
    from netctl.cli.status import print_overview, read_overview

    client = session_of(context).client
    overview = read_overview(client)
    print_overview(overview, client.address, output)
    if not overview.is_well:
        raise typer.Exit(1)


def watch(
    context: typer.Context, kinds: KindsArgument = None, *, output: StreamOption = StreamFormat.TEXT
) -> None:
    """Print every resource as it is, then every change as it comes, until interrupted.

    Goes on by itself after a restart of the controller.

    Example: netctl watch nics -o json
    """
    from netctl.cli.stream import follow, print_events

    events = follow(session_of(context).client, parse_kinds(kinds) if kinds else [])
    print_events(events, output, lambda resource: True)


def wait(
    context: typer.Context, names: FullNamesArgument, *, timeout: TimeoutOption = DEFAULT_TIMEOUT_S
) -> None:
    """Return once resources are in the network: 0 when PROGRAMMED, 1 when FAILED, 5 when time is up.

    A NIC that is attached to no host counts as settled, and a floating IP that leads nowhere.

    Example: netctl wait nic/web-1 nic/web-2 --timeout 30
    """
    from netctl.cli.waiting import wait_until_settled

    wait_until_settled(session_of(context).client, {parse_name(name): 0 for name in names}, timeout)
