"""`netctl policy mode`: what a security policy does now, changed in one word."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from netctl.cli.options import (
    DEFAULT_TIMEOUT_S,
    DryRunOption,
    ReasonOption,
    TextFormat,
    TextOption,
    TimeoutOption,
    WaitOption,
    session_of,
)


class Mode(enum.StrEnum):
    """The modes of a security policy."""

    SAVE = "save"
    MONITOR = "monitor"
    ENFORCE = "enforce"


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The security policy's id or full name.")]
ModeArgument = Annotated[
    Mode, typer.Argument(help="save: nothing is written; monitor: nothing is dropped; enforce.")
]


def policy_mode(
    context: typer.Context,
    name: NameArgument,
    mode: ModeArgument,
    *,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    reason: ReasonOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Change what a security policy does: `netctl update securitypolicy NAME --mode MODE`.

    Example: netctl policy mode shop enforce --reason "a week in monitor, nothing would be dropped"
    """
    from netctl.cli import edit, mutate
    from netctl.cli.api import Ask
    from netctl.cli.policies import SECURITY, security_policy_name

    given = edit.Given(kind=SECURITY, name=security_policy_name(name), values={"mode": [mode.value]})
    ask = Ask(dry_run=dry_run, reason=reason)
    end = mutate.End(timeout_s=timeout if wait else None, output=output)
    client = session_of(context).client
    mutate.finish(client, edit.update(client, given, ask), ask, end)
