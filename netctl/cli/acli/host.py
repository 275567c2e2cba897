"""acli's `host.list` and `host.get`."""

from __future__ import annotations

from typing import Any

from netctl.cli import api
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import HOSTS, display_of, find
from netctl.cli.client import Client
from netctl.cli.host_report import describe_report, read_report
from netctl.cli.messages import render_json
from netctl.cli.tables import id_of, phase_of


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
