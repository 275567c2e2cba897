"""What all commands of `netctl lab` have in common: how errors end them, and which lab they are about."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Annotated, ParamSpec

import typer

from netctl.errors import Forbidden, InvalidIntent, NetctlError, NotFound, Unavailable
from netctl.lab import discover
from netctl.lab.lab import Lab
from netctl.lab.progress import Lines

P = ParamSpec("P")
REFUSED, UNREACHABLE, NOT_FOUND = 1, 3, 4
NameOption = Annotated[
    str, typer.Option("--name", help="The lab's name; the only running lab when absent.", show_default=False)
]


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line and an exit status."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            if (
                os.geteuid() != 0
            ):  # others see neither the processes nor the namespaces, and would be told wrong
                raise Forbidden(
                    "the lab lives in network namespaces: run this as root, for instance with sudo"
                )
            command(*args, **kwargs)
        except NetctlError as error:
            where = f"{error.field}: " if error.field else ""
            typer.echo(f"error: {where}{error.message}", err=True)
            status = {NotFound: NOT_FOUND, Unavailable: UNREACHABLE}.get(type(error), REFUSED)
            raise typer.Exit(status) from None

    return run


def only_lab() -> str:
    """Name the only lab of this machine."""
    names = discover.lab_names()
    if len(names) == 1:
        return names[0]
    if not names:
        raise NotFound("no lab runs on this machine; start one: netctl lab up")
    raise InvalidIntent("--name", f"which of the labs {', '.join(names)}? (of `lab exec`: before the node)")


def open_lab(name: str, *, progress: Lines | None = None) -> Lab:
    """Take up a lab by its name, or the only one."""
    return Lab.open(name or only_lab(), progress=progress)
