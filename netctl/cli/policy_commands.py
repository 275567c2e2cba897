"""Commands about security policies: `netctl policy test|report`. What they do is loaded when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from netctl.cli.options import TextFormat, TextOption, session_of

SourceArgument = Annotated[
    str, typer.Argument(metavar="SRC", help="Who opens the connection: a NIC or address.")
]
DestinationArgument = Annotated[str, typer.Argument(metavar="DST", help="To whom: a NIC or address.")]
ServiceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE",
        help="tcp/443, udp/53, icmp, icmp/8, icmpv6, 47; everything of IP when left out.",
        show_default=False,
    ),
]
IpVersionOption = Annotated[
    int,
    typer.Option("--ip-version", metavar="4|6", help="Where both have both; else 4.", show_default=False),
]
NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="One security policy; all when left out.", show_default=False),
]
UnusedOption = Annotated[
    int,
    typer.Option(
        "--unused-days", metavar="DAYS", help="A rule is unused that nothing hit for so long.", min=1
    ),
]


def policy_test(
    context: typer.Context,
    source: SourceArgument,
    destination: DestinationArgument,
    service: ServiceArgument = "",
    *,
    ip_version: IpVersionOption = 0,
    output: TextOption = TextFormat.TEXT,
) -> None:
    """May one open a connection to the other? By the security policies alone, with the rule that decides at each end.

    One of them is a NIC. No packet is sent and OVN is not asked; `netctl trace` does that.
    The exit status is 0 when it is allowed and 6 when it is denied.

    Example: netctl policy test web-1 db-1 tcp/5432
    """
    from netctl.cli.policy_check import print_test, test_request

    request = test_request(source, destination, service, ip_version)
    status = print_test(session_of(context).client, request, output)
    if status:
        raise typer.Exit(status)


def policy_report(
    context: typer.Context,
    name: NameArgument = "",
    *,
    unused_days: UnusedOption = 30,
    output: TextOption = TextFormat.TEXT,
) -> None:
    """List what is wrong with security policies: rules shadowed, contradicted, unused or expired, empty groups ...

    Example: netctl policy report shop
    """
    from netctl.cli.policies import security_policy_name
    from netctl.cli.policy_check import print_report

    full = security_policy_name(name) if name else ""
    print_report(session_of(context).client, full, unused_days, output)
