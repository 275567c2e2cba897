"""acli's `host.*`: what there is, and maintenance."""

from __future__ import annotations

from typing import Any

from netctl.cli import api, maintenance
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Update, send_again
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import HOSTS, display_of, find
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.host_report import describe_report, read_report
from netctl.cli.messages import render_json
from netctl.cli.tables import id_of, phase_of
from netctl.cli.waiting import wait_until_settled

_EMPTY_WITHIN_S = 3600.0


def list_(client: Client, call: Call) -> Answer:
    """List hosts."""
    headers = {
        "ip": "IP",
        "name": "HOST",
        "uuid": "UUID",
        "cluster": "CLUSTER",
        "uplinks": "UPLINKS",
        "phase": "PHASE",
    }
    return answer.table(headers, [_row(host) for host in api.list_all(client, HOSTS)])


def get(client: Client, call: Call) -> Answer:
    """Show a host, and what its agent said last."""
    host = find(client, HOSTS, call.get("name"))
    name, heard = display_of(host), read_report(client, host.name)
    shown = answer.sheet({name: host}, {name: [f"{key}: {text}" for key, text in describe_report(heard)]})
    return Answer(lines=shown.lines, data={name: {**shown.data[name], "report": render_json(heard)}})


def _row(host: Any) -> dict[str, Any]:
    return {
        "ip": host.tunnel_address.partition("/")[0],
        "name": display_of(host),
        "uuid": host.uid,
        "cluster": id_of(host.cluster),
        "uplinks": [f"{id_of(it.virtual_switch)}={'+'.join(it.interfaces)}" for it in host.uplinks],
        "phase": phase_of(host),
    }


def check_maintenance(client: Client, call: Call) -> Answer:
    """Say where a host's machines would go; refuse when one of them cannot."""
    _refuse_shutdown(call)
    host = find(client, HOSTS, call.get("host"))
    found = maintenance.check(client, host.name)
    stuck = [move for move in found.moves if not move.destination]
    if stuck:
        told = "\n  ".join(f"{move.vm}: {move.message}" for move in stuck)
        raise Failure(f"{display_of(host)} cannot be emptied:\n  {told}", code="MAINTENANCE_BLOCKED")
    rows = [{"vm": id_of(move.vm), "host": id_of(move.destination)} for move in found.moves]
    return answer.table({"vm": "VM", "host": "WOULD-GO-TO"}, rows)


def enter_maintenance(client: Client, call: Call) -> Answer:
    """Empty a host."""
    _refuse_shutdown(call)
    return _set_maintenance(client, call, enter=True)


def exit_maintenance(client: Client, call: Call) -> Answer:
    """Use a host again."""
    return _set_maintenance(client, call, enter=False)


def _refuse_shutdown(call: Call) -> None:
    if call.get("non_migratable_vm_action") == "acpi_shutdown":
        hint = "leave it out, and vm.shutdown those that host.enter_maintenance_mode_check names"
        raise Failure.usage(
            "non_migratable_vm_action=acpi_shutdown: netctl stops nobody's machine", hint=hint
        )


def _set_maintenance(client: Client, call: Call, *, enter: bool) -> Answer:
    def plan() -> list[Update]:
        before = find(client, HOSTS, call.get("host"))
        after = type(before)()
        after.CopyFrom(before)
        after.maintenance = enter
        return [Update(before=before, resource=after, paths=["maintenance"])]

    outcomes = send_again(client, plan, call)
    if call.get("wait") == "true":
        wait_until_settled(client, {it.name: it.resource.revision for it in outcomes}, _EMPTY_WITHIN_S)
    return answer.made(outcomes)
