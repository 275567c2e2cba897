"""Commands that explain: `netctl policy hits|clear-hits|log`, `netctl trace`. What they do is loaded when they run."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.options import StreamFormat, StreamOption, TextFormat, TextOption, session_of
from netctl.cli.policy_commands import policy_report, policy_test
from netctl.cli.policy_mode import policy_mode


class Protocol(enum.StrEnum):
    """Protocols of a traced packet."""

    ICMP = "icmp"
    TCP = "tcp"
    UDP = "udp"


PolicyArgument = Annotated[str, typer.Argument(metavar="NAME", help="The policy's id or full name.")]
LoggedArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The security policy's id or full name; all of them when left out."),
]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")]
LastOption = Annotated[
    int, typer.Option("--last", help="So many of the last lines first.", min=1, max=10_000)
]
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
    """Show how often a policy matched, summed over the hosts, since it was created or cleared.

    Of a security policy rule by rule, in the order in which they are looked at; `would-drop` is what a policy in
    MONITOR would have dropped. Answers within a connection are not looked at by rules. The hosts' counters are half a
    second behind at most. NAME is an id, or sp/ID of a security and rp/ID of a routing policy.

    Example: netctl policy hits shop
    """
    from netctl.cli.explain import print_hits
    from netctl.cli.policies import SECURITY, find_policy
    from netctl.cli.policy_log import print_rule_hits

    client = session_of(context).client
    kind, full = find_policy(client, name)
    (print_rule_hits if kind is SECURITY else print_hits)(client, full, output)


def clear_hits(context: typer.Context, name: PolicyArgument) -> None:
    """Count a policy's hits from zero again; of a security policy those of all of its rules.

    Example: netctl policy clear-hits shop
    """
    from netctl.cli.explain import clear_hits as clear
    from netctl.cli.policies import SECURITY, find_policy
    from netctl.cli.policy_log import clear_rule_hits

    client = session_of(context).client
    kind, full = find_policy(client, name)
    (clear_rule_hits if kind is SECURITY else clear)(client, full)
    print(f"{full} counts from zero")


def policy_log(
    context: typer.Context,
    name: LoggedArgument = "",
    *,
    follow: FollowOption = False,
    last: LastOption = 100,
    output: StreamOption = StreamFormat.TEXT,
) -> None:
    """Print what rules of security policies logged: rules with `log`, and what a policy in MONITOR would have dropped.

    The controller keeps the last 10000 lines in memory. With --follow it goes on by itself after a restart of the
    controller. Hosts log at most `log_rate` lines a second for each rule; what is missing is said.

    Example: netctl policy log shop --follow
    """
    from netctl.cli.policies import security_policy_name
    from netctl.cli.policy_log import print_log

    full = security_policy_name(name) if name else ""
    print_log(session_of(context).client, full, last=last, follow=follow, as_json=output == "json")


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
    group.command("mode", short_help="Change what a security policy does.")(policy_mode)
    group.command("test", short_help="May one talk to the other, and why?")(policy_test)
    group.command("report", short_help="What is wrong with the rules?")(policy_report)
    group.command("hits", short_help="How often a policy matched.")(hits)
    group.command("clear-hits", short_help="Count from zero again.")(clear_hits)
    group.command("log", short_help="What rules logged.")(policy_log)
    return group
