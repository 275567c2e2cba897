"""Commands that explain: `netctl policy hits|clear-hits`, `netctl trace`. What they do is loaded when they run."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.options import TextFormat, TextOption, session_of


class Protocol(enum.StrEnum):
    """Protocols of a traced packet."""

    ICMP = "icmp"
    TCP = "tcp"
    UDP = "udp"


PolicyArgument = Annotated[str, typer.Argument(metavar="NAME", help="The routing policy's id or full name.")]
NicArgument = Annotated[str, typer.Argument(metavar="NIC", help="Who sends: its id or full name.")]
TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DST[:PORT]",
        help="An address or NIC: 10.0.0.5:443, fd00::5, [fd00::5]:443, web-1, web-1:443.",
    ),
]
ProtocolOption = Annotated[
    Protocol | None,
    typer.Option("--protocol", help="tcp when there is a port, else icmp.", show_default=False),
]
SourcePortOption = Annotated[
    int, typer.Option("--source-port", help="With tcp and udp; 0 takes any.", min=0, max=65_535)
]
RawOption = Annotated[bool, typer.Option("--raw", help="Print what ovn-trace said as well.")]


def hits(context: typer.Context, name: PolicyArgument, *, output: TextOption = TextFormat.TEXT) -> None:
    """Show how often a routing policy matched, summed over the hosts, since it was created or cleared.

    The hosts' counters are half a second behind at most.

    Example: netctl policy hits deny-ssh
    """
    from netctl.cli.explain import print_hits

    print_hits(session_of(context).client, resource_name(BY_COLLECTION["routingPolicies"], name), output)


def clear_hits(context: typer.Context, name: PolicyArgument) -> None:
    """Count a routing policy's hits from zero again.

    Example: netctl policy clear-hits deny-ssh
    """
    from netctl.cli.explain import clear_hits as clear

    full = resource_name(BY_COLLECTION["routingPolicies"], name)
    clear(session_of(context).client, full)
    print(f"{full} counts from zero")


def trace(
    context: typer.Context,
    nic: NicArgument,
    target: TargetArgument,
    *,
    protocol: ProtocolOption = None,
    source_port: SourcePortOption = 0,
    raw: RawOption = False,
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Show what the network would do with a packet that a NIC sends: subnet, route, policy, NAT, host, way out.

    No packet is sent: OVN's own ovn-trace is asked. It tells of a new connection's first packet.

    Example: netctl trace web-1 203.0.113.9:443
    """
    from netctl.cli.explain import parse_target, print_trace
    from netctl.v1 import explain_pb2

    destination, port = parse_target(target)
    request = explain_pb2.TraceRequest(
        nic=resource_name(BY_COLLECTION["nics"], nic),
        destination=destination,
        protocol=protocol.value if protocol else "",
        destination_port=port,
        source_port=source_port,
    )
    print_trace(session_of(context).client, request, "wide" if raw and output == "text" else output)


def make_policy_group() -> typer.Typer:
    """Return `netctl policy`."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    group.command("hits", short_help="How often a policy matched.")(hits)
    group.command("clear-hits", short_help="Count from zero again.")(clear_hits)
    return group
