"""How network functions, service chains, mirrors and NICs are doing on their hosts, for `netctl describe`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.host_report import function_line, read_report
from netctl.cli.messages import render_json
from netctl.cli.tables import id_of
from netctl.v1 import agent_pb2, infra_pb2

Lines = list[tuple[str, str]]
Told = tuple[Lines, dict[str, Any]]


def describe_function(client: Client, function: Any) -> Told:
    """Return on which hosts a function works: lines and data."""
    lines: Lines = []
    data: dict[str, Any] = {}
    for host in _hosts_of(client, function):
        heard = read_report(client, host)
        found = [one for one in heard.report.functions if one.function_id == id_of(function.name)]
        lines.append((id_of(host), _health(heard, found)))
        data[id_of(host)] = {
            "connected": heard.connected,
            **({"report": render_json(found[0], zeros=True)} if found else {}),
        }
    return lines or [("", "no enabled pair is on a host: it works nowhere")], {"hosts": data}


def describe_chain(client: Client, chain: Any) -> Told:
    """Return how the functions of a chain are doing, in its order."""
    lines: Lines = []
    data: dict[str, Any] = {}
    for name in chain.network_functions:
        function = api.get(client, name)
        told, more = describe_function(client, function)
        lines += [
            (id_of(name) if not index else "", f"{host + '  ' if host else ''}{text}")
            for index, (host, text) in enumerate(told)
        ]
        data[id_of(name)] = more
    return lines, {"functions": data}


def describe_mirror(client: Client, mirror: Any) -> Told:
    """Return whether the host of a mirror can copy: its destinations as it reports them."""
    heard = read_report(client, mirror.host)
    nics = [nic for nic in (_nic(client, name) for name in mirror.destinations) if nic is not None]
    lines = [(id_of(nic.name), nic_line(nic, mirror.host, heard)) for nic in nics]
    return lines, {"connected": heard.connected}


def describe_plug(client: Client, nic: Any) -> Told:
    """Return whether a NIC is plugged on its host."""
    if not nic.host:
        return [("host", "none: it is plugged nowhere")], {}
    heard = read_report(client, nic.host)
    found = next((one for one in heard.report.nics if one.iface_id == nic.uid), None)
    data = {"connected": heard.connected, **({"nic": render_json(found, zeros=True)} if found else {})}
    return [(id_of(nic.host), nic_line(nic, nic.host, heard))], data


def nic_line(nic: Any, host: str, heard: infra_pb2.GetHostReportResponse) -> str:
    """Return what a host says of a NIC that is to be there."""
    if nic.host != host:
        return f"is on {nic.host or 'no host'}: left out"
    if not heard.connected:
        return "the host's agent is not connected"
    report = next((one for one in heard.report.nics if one.iface_id == nic.uid), None)
    if report is None:
        return "the host has not heard of it"
    if not report.tap_present:
        return f"{nic.tap_name} does not exist"
    if not report.plugged:
        return f"{nic.tap_name} is not plugged"
    flows = (
        "" if nic.basic or not nic.subnet else ", has its flows" if report.ovn_installed else ", no flows yet"
    )
    where = " into the uplink bridge" if nic.basic else ""
    return f"{nic.tap_name} is plugged{where}{flows}"


def _hosts_of(client: Client, function: Any) -> list[str]:
    """Return the hosts where enabled pairs are."""
    pairs = [pair for pair in function.nic_pairs if not pair.disabled]
    nics: Iterable[Any] = (_nic(client, pair.ingress_nic) for pair in pairs)
    return sorted({nic.host for nic in nics if nic is not None and nic.host})


def _nic(client: Client, name: str) -> Any:
    try:
        return api.get(client, name)
    except Failure as failure:
        if failure.exit_status == NOT_FOUND:
            return None
        raise


def _health(heard: infra_pb2.GetHostReportResponse, found: list[agent_pb2.FunctionReport]) -> str:
    if not heard.connected:
        return "the host's agent is not connected"
    return function_line(found[0]) if found else "the host says nothing of it yet"
