"""Commands about subnets: `netctl subnet migrate`. What they do is loaded when they run."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from netctl.cli.options import (
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

# A NIC takes a second or so, and 8 move at a time.
MIGRATION_TIMEOUT_S = 600.0


class Target(enum.StrEnum):
    """What a subnet becomes."""

    VLAN = "vlan"
    VLAN_BASIC = "vlan-basic"


class Addresses(enum.StrEnum):
    """What becomes of the addresses of its NICs."""

    KEEP = "keep"
    ASSIGN = "assign"
    RELEASE = "release"


SubnetsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME", help="Ids (web) or names (subnets/web), up to 100.", autocompletion=complete_name
    ),
]
ToOption = Annotated[Target, typer.Option("--to", help="What they become: with OVN, or without.")]
AddressesOption = Annotated[
    Addresses,
    typer.Option(
        "--addresses", help="keep: as they are. assign: NICs without one get one. release: guests choose."
    ),
]


def migrate(
    context: typer.Context,
    names: SubnetsArgument,
    *,
    to: ToOption,
    addresses: AddressesOption = Addresses.KEEP,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = MIGRATION_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Move subnets from VLAN basic (taps on the uplink bridge) to VLAN (with OVN) or back, while guests keep talking.

    All subnets change in one step; their NICs move one by one. A NIC that does not come up is put back and the others
    wait: `netctl describe subnet NAME` says why. To go back, migrate to the other kind.

    Example: netctl subnet migrate web db --to vlan --wait
    """
    from netctl.cli import migrate as migration
    from netctl.cli.api import Ask
    from netctl.cli.mutate import End

    asked = migration.Migration(names=names, kind=to.value, addresses=addresses.value)
    ask = Ask(request_id=request_id, dry_run=dry_run, reason=reason)
    end = End(timeout_s=timeout if wait else None, output=output)
    migration.run(session_of(context).client, asked, ask, end)


def make_subnet_group() -> typer.Typer:
    """Return `netctl subnet`."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    group.callback()(lambda: None)  # else typer makes the only command the group itself
    group.command("migrate", short_help="Between VLAN basic and VLAN.")(migrate)
    return group
