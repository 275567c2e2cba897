"""`netctl lab`: command lines in, what the lab says out. Progress goes to standard error, answers to standard output.

Exit statuses are those of `netctl`: 0 done, 1 refused or not as expected, 3 something does not answer, 4 not found.
"""

from __future__ import annotations

import enum
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from netctl.errors import InvalidIntent, NotFound
from netctl.lab import daemons, demo, report
from netctl.lab.cables import CableState
from netctl.lab.command_line import REFUSED, NameOption, only_lab, open_lab, reported
from netctl.lab.function_commands import function_app
from netctl.lab.guest_image import guest_image
from netctl.lab.lab import Lab, lab_names, take_down
from netctl.lab.progress import Lines
from netctl.lab.switches import LagMode

SHIPPED = Path(__file__).parents[2] / "containerlab" / "two-hosts.clab.yml"


class Output(enum.StrEnum):
    """How answers are written."""

    TEXT = "text"
    JSON = "json"


FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="A containerlab topology; the shipped two-hosts.clab.yml when absent."
    ),
]
NewNameOption = Annotated[
    str, typer.Option("--name", help="The lab's name; the file's when absent.", show_default=False)
]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to print.")]
WithoutOption = Annotated[
    list[str] | None, typer.Option(help=f"Do not start this: {', '.join(daemons.DAEMONS)}. May be repeated.")
]
# What follows the node is the command's own, its options too.
_REST = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
guest_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(guest_app, name="guest", help="Add and remove guests.")
app.add_typer(function_app, name="function", help="Add network functions, start and kill what is inside.")


@app.command()
@reported
def up(
    file: FileArgument = None,
    *,
    name: NewNameOption = "",
    without: WithoutOption = None,
    register: Annotated[
        bool, typer.Option(help="Tell the controller of cluster, switches and hosts.")
    ] = True,
    output: OutputOption = Output.TEXT,
) -> None:
    """Bring a lab up, or repair one: starts what does not run, makes what is missing.

    Example: netctl lab up containerlab/two-hosts.clab.yml --name mine
    """
    lab = Lab(_read(file), name=name, progress=Lines())
    lab.up(without=without or (), register=register)
    if output is Output.JSON:
        typer.echo(json.dumps({"lab": lab.name, "server": lab.server}))
    else:
        typer.echo(f"export NETCTL_SERVER={lab.server}")


@app.command()
@reported
def down(
    *,
    name: NameOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every lab of this run folder ($NETCTL_LAB_DIR).")
    ] = False,
) -> None:
    """Remove every trace of a lab, also of one that crashed.

    Example: netctl lab down --all
    """
    progress = Lines()
    for lab in lab_names() if everything else [name or only_lab()]:
        with progress.step(f"lab {lab} removed"):
            take_down(lab)


@app.command()
@reported
def status(*, name: NameOption = "", output: OutputOption = Output.TEXT) -> None:
    """Show what runs: nodes and their processes, guests, the controller's address."""
    lab = open_lab(name)
    processes = [(process, process.pid()) for process in lab.processes()]
    if output is Output.JSON:
        rows = [
            {"node": p.daemon.node, "process": p.name, "pid": pid, "log": str(p.log_file)}
            for p, pid in processes
        ]
        guests = [asdict(guest) for guest in lab.guests()]
        typer.echo(json.dumps({"lab": lab.name, "server": lab.server, "processes": rows, "guests": guests}))
        return
    typer.echo(f"lab {lab.name}, {lab.directory}, NETCTL_SERVER={lab.server}\n")
    rows_ = [[p.daemon.node, p.name, str(pid) if pid else "down", str(p.log_file)] for p, pid in processes]
    typer.echo(report.render_table(["NODE", "PROCESS", "PID", "LOG"], rows_))
    if lab.guests():
        found = [[g.name, g.host, g.tap_name, g.mac_address] for g in lab.guests()]
        typer.echo("\n" + report.render_table(["GUEST", "HOST", "TAP", "MAC"], found))


@app.command(name="exec", context_settings=_REST)
@reported
def exec_(context: typer.Context, node: str, *, name: NameOption = "") -> None:
    """Run a command on a node, in the fabric or in a guest; OVS and OVN tools find that node's daemons.

    Options of this command stand before the node: netctl lab exec --name mine h1 -- ip addr

    Example: netctl lab exec h1 -- ovs-vsctl show
    """
    argv, environment = open_lab(name).command(node, _without_dashes(context.args) or ["sh"])
    sys.stdout.flush()
    raise typer.Exit(subprocess.run(argv, env=environment, check=False).returncode)


@app.command()
@reported
def ping(
    guest: str,
    destination: Annotated[str, typer.Argument(help="An address.")],
    *,
    count: Annotated[int, typer.Option("-c", "--count", min=1, max=1000)] = 3,
    name: NameOption = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Ping an address from a guest; exit status 1 when no answer came.

    Example: netctl lab ping v1 10.10.0.3
    """
    result = open_lab(name).ping(guest, destination, count=count, timeout_s=2 + count // 5)
    if output is Output.JSON:
        typer.echo(json.dumps(asdict(result)))
    else:
        time = "" if result.rtt_ms is None else f", {result.rtt_ms:.2f} ms on average"
        typer.echo(f"{result.received} of {result.sent} answered{time}")
    if not result.ok:
        raise typer.Exit(REFUSED)


@app.command(name="demo")
@reported
def demo_(file: FileArgument = None, *, name: NewNameOption = "", output: OutputOption = Output.TEXT) -> None:
    """Show the product at work: two subnets, eight guests over the hosts, DHCP, a ping matrix. The lab stays up."""
    progress = Lines()
    result = demo.run(Lab(_read(file), name=name, progress=progress), progress)
    if output is Output.JSON:
        typer.echo(json.dumps(asdict(result) | {"ok": result.ok, "took_s": progress.took}))
    else:
        typer.echo(
            report.render_demo(
                result, progress.took, _own_call(), "sudo " if "SUDO_UID" in os.environ else ""
            )
        )
    if not result.ok:
        raise typer.Exit(REFUSED)


@app.command()
@reported
def kill(node: str, process: str, *, name: NameOption = "") -> None:
    """Kill a process of a node at once (SIGKILL), to see what happens.

    Example: netctl lab kill central controller
    """
    open_lab(name).process(node, process).kill()


@app.command()
@reported
def start(node: str, process: str, *, name: NameOption = "") -> None:
    """Start a process of a node again; one that runs is left alone."""
    open_lab(name).process(node, process).start()


@app.command()
@reported
def reboot(host: str, *, name: NameOption = "") -> None:
    """Cut a host's power and give it back: its processes, links and Open vSwitch database are new.

    Its guests come back without addresses: netctl lab guest lease NAME.
    """
    lab = open_lab(name, progress=Lines())
    lab.reboot(host)


@app.command()
@reported
def link(
    where: Annotated[str, typer.Argument(help="One end of a cable, or a node for all of its cables.")],
    state: Annotated[
        CableState, typer.Argument(help="down: no carrier; silent: nothing comes through; up: repaired.")
    ],
    *,
    name: NameOption = "",
) -> None:
    """Pull a cable, make it silent, or repair it.

    Example: netctl lab link h1:eth1 down
    """
    open_lab(name).link(where, state)


@app.command()
@reported
def lag(
    switch: Annotated[str, typer.Argument(help="A leaf switch: a node of kind ovs-bridge.")],
    group: Annotated[str, typer.Argument(help="Its link aggregation group: label netctl.lag.GROUP.")],
    mode: Annotated[LagMode, typer.Argument(help="lacp, or off: ports of their own.")],
    *,
    name: NameOption = "",
) -> None:
    """Aggregate ports of a leaf switch, or part them.

    Example: netctl lab lag leaf1 h1 lacp
    """
    open_lab(name).set_lag(switch, group, mode)


@app.command()
@reported
def cut(host: str, *, name: NameOption = "") -> None:
    """Cut a host's power: its processes and virtual machines die at once, its links go down.

    Example: netctl lab cut h1
    """
    open_lab(name).cut(host)


@app.command()
@reported
def restore(host: str, *, name: NameOption = "") -> None:
    """Give a host that was cut its power back: its links and Open vSwitch database are new."""
    open_lab(name, progress=Lines()).restore(host)


@app.command()
@reported
def image() -> None:
    """Print the path of the disk image of the lab's virtual machines; made now unless it is there.

    Example: netctl image upload guest "$(netctl lab image)"
    """
    typer.echo(str(guest_image()))


@guest_app.command()
@reported
def add(
    host: str,
    tap: Annotated[str, typer.Argument(help="The tap's name: tap_name of the NIC.")],
    mac: Annotated[str, typer.Argument(help="The guest's MAC address: mac_address of the NIC.")],
    *,
    mtu: Annotated[int, typer.Option(min=576, max=9216, help="MTU in bytes.")] = 1500,
    guest_name: Annotated[
        str, typer.Option("--as", help="What to call the guest; the tap's name when absent.")
    ] = "",
    name: NameOption = "",
) -> None:
    """Make a guest behind a tap of this name.

    Example: netctl lab guest add h1 tap03987e90384 50:6b:8d:00:00:03 --as web
    """
    open_lab(name).add_guest(host, tap, mac, mtu, name=guest_name)


@guest_app.command(name="del")
@reported
def delete(guest: str, *, name: NameOption = "") -> None:
    """Remove a guest and its tap."""
    open_lab(name).remove_guest(guest)


@guest_app.command()
@reported
def lease(guest: str, *, name: NameOption = "", output: OutputOption = Output.TEXT) -> None:
    """Give a guest the address that DHCP offers."""
    found = open_lab(name).lease(guest)
    typer.echo(
        json.dumps(asdict(found)) if output is Output.JSON else f"{found.address} MTU {found.mtu_bytes}"
    )


def _without_dashes(arguments: list[str]) -> list[str]:
    return arguments[1:] if arguments[:1] == ["--"] else arguments


def _read(file: Path | None) -> str:
    path = file or SHIPPED
    try:
        return path.read_text()
    except FileNotFoundError:
        raise NotFound(f"no file {path}; name a containerlab topology file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidIntent("", f"{path} cannot be read: {error}") from None


def _own_call() -> str:
    """Return the shortest words that call this installation's netctl from here."""
    # `make` puts the virtual environment on its own PATH, not on the user's: a path works in either case.
    own = daemons.program("netctl")
    return min(os.path.relpath(own), own, key=len)
