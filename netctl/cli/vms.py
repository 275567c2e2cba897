"""What `netctl vm` asks for: power, reset, clones, consoles. Migrations: `vm_migrate.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.edit import Given, fill_mask
from netctl.cli.failures import Failure
from netctl.cli.foretold import Foretold
from netctl.cli.messages import render_json
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, Outcome, compare, print_outcomes
from netctl.cli.output import note, print_data, print_table
from netctl.v1 import compute_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What is asked: `state` is ON, OFF or PAUSED."""

    names: Sequence[str]
    state: str
    graceful: bool = False
    host: str = ""

    @property
    def number(self) -> pb.PowerState.ValueType:
        """The API's value."""
        return pb.PowerState.Value(f"POWER_STATE_{self.state}")


def set_power(client: Client, asked: Power, ask: Ask, end: End) -> None:
    """Switch machines on or off, or pause them, one after the other."""
    if ask.dry_run and asked.host:
        raise Failure.usage(
            "--dry-run does not go with --host", hint="`netctl describe host` shows what is free there"
        )
    if ask.dry_run:
        made = [_rehearse_power(client, name, asked, ask) for name in asked.names]
        foretold = Foretold(
            rows=[row for one in made for row in one.foretold.rows],
            count=sum(one.foretold.count for one in made),
        )
        outcomes = [outcome for one in made for outcome in one.outcomes]
        finish(client, Made(outcomes=outcomes, foretold=foretold), ask, end)
        return

    def change(name: str, request_id: str) -> pb.Vm:
        request = pb.SetVmPowerRequest(
            name=name,
            power_state=asked.number,
            graceful=asked.graceful,
            host=asked.host,
            request_id=request_id,
            change_reason=ask.reason,
        )
        return client.call("VmService/SetVmPower", request, pb.SetVmPowerResponse).vm

    change_each(client, asked.names, change, (ask, end))


def _rehearse_power(client: Client, name: str, asked: Power, ask: Ask) -> Made:
    """Return what an update of the power state would do; the call that counts starts cannot only be asked."""
    before = api.get(client, name)
    vm = pb.Vm(name=name, power_state=asked.number, graceful_off=asked.graceful)
    answer = api.update(client, vm, ["power_state", *(["graceful_off"] if asked.state == "OFF" else [])], ask)
    return Made(outcomes=[compare(before, answer.vm)], foretold=Foretold.of(answer))


def reset(client: Client, names: Sequence[str], ask: Ask, end: End) -> None:
    """Press reset buttons, one after the other."""

    def change(name: str, request_id: str) -> pb.Vm:
        request = pb.ResetVmRequest(name=name, request_id=request_id, change_reason=ask.reason)
        return client.call("VmService/ResetVm", request, pb.ResetVmResponse).vm

    change_each(client, names, change, (ask, end))


def change_each(
    client: Client, names: Sequence[str], change: Callable[[str, str], Any], how: tuple[Ask, End]
) -> None:
    """Change machines one by one; when one is refused say which were done, and leave the rest."""
    ask, end = how
    outcomes: list[Outcome] = []
    for name in names:
        before = api.get(client, name)
        # One key for one request: several machines have several.
        key = f"{ask.request_id[:30]}-{len(outcomes)}" if ask.request_id and len(names) > 1 else ""
        try:
            after = change(name, key or ask.with_id().request_id)
        except Failure:
            if outcomes:
                note(f"done before: {', '.join(one.name for one in outcomes)}")
            raise
        outcomes.append(compare(before, after))
    finish(client, Made(outcomes=outcomes), ask, end)


def clone(client: Client, source: str, given: Given, ask: Ask, end: End) -> None:
    """Make a copy of a machine."""
    overrides, paths = fill_mask(given)
    overrides.ClearField("name")
    request = pb.CloneVmRequest(source=source, name=given.name, overrides=overrides, **ask.fields)
    request.update_mask.paths.extend(paths)
    answer = client.call("VmService/CloneVm", request, pb.CloneVmResponse)
    finish_copy(client, answer, ask, end)


def finish_copy(
    client: Client, answer: pb.CloneVmResponse | pb.DeployTemplateResponse, ask: Ask, end: End
) -> None:
    """Print a machine that was made of another, and its NICs; wait for them if asked."""
    if ask.dry_run:
        outcomes = [compare(None, answer.vm), *(Outcome(action="created", name=name) for name in answer.nics)]
        print_outcomes(outcomes, end.output)
        note("dry run: nothing was changed")
        return
    made = [answer.vm, *(api.get(client, name) for name in answer.nics)]
    finish(client, Made(outcomes=[compare(None, resource) for resource in made]), ask, end)


def print_consoles(client: Client, names: Sequence[str], output: str) -> None:
    """Print where consoles are; refuse when a machine does not run."""
    found = {}
    for name in names:
        request = pb.GetVmConsoleRequest(name=name)
        found[name] = client.call("VmService/GetVmConsole", request, pb.GetVmConsoleResponse)
    if output in ("json", "yaml"):
        print_data([{"vm": name, **render_json(console)} for name, console in found.items()], output)
        return
    silent = [name for name, console in found.items() if not console.address]
    if silent:
        hint = f"`netctl describe vm {silent[0].partition('/')[2]}` says why; `netctl vm on` starts it"
        raise Failure(f"{', '.join(silent)} has no console: it does not run", code="NOT_RUNNING", hint=hint)
    if len(found) == 1 or output == "name":
        for console in found.values():
            print(console.address)
        return
    rows = [
        [name.partition("/")[2], console.host.partition("/")[2], console.address]
        for name, console in found.items()
    ]
    print_table(("VM", "HOST", "CONSOLE"), rows)
