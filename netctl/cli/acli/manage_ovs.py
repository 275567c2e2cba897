"""`manage_ovs`: uplinks of hosts as asked for and as their agents report them.

AHV's tool speaks of the machine that it runs on and edits that host's bridges, which the virtual switch then reverts.
Here `--host` says which host (all of them when only looked at), and a change is one of the intents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netctl.cli import api
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Edit, Update, send_again
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import HOSTS, SWITCHES, display_of, find, not_found
from netctl.cli.acli.uplinks import hosts_of, select_interfaces, set_uplink
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.host_report import read_report
from netctl.v1 import infra_pb2 as infra

_MODES = {
    "active-backup": infra.BOND_MODE_ACTIVE_BACKUP,
    "balance-slb": infra.BOND_MODE_BALANCE_SLB,
    "balance-tcp": infra.BOND_MODE_BALANCE_TCP,
}
_MODE_NAMES = {mode: name for name, mode in _MODES.items()} | {
    infra.BOND_MODE_NONE: "none",
    infra.BOND_MODE_UNSPECIFIED: "active-backup",
}


def run(client: Client, call: Call) -> Answer:
    """Do what the line says."""
    if call.get("action") == "update_uplinks":
        return _update(client, call)
    changing = [key for key in call.values if key not in ("action", "bridge_name", "host")]
    if changing:
        raise Failure.usage(f"manage_ovs {call.get('action')} changes nothing: what is --{changing[0]} for?")
    if call.get("action") == "show_interfaces":
        return _show_interfaces(client, call)
    return _show_uplinks(client, call)


def _hosts(client: Client, call: Call) -> list[Any]:
    if call.get("host", "all") == "all":
        return list(api.list_all(client, HOSTS))
    return [find(client, HOSTS, call.get("host"))]


def _show_uplinks(client: Client, call: Call) -> Answer:
    """Show bridges with their bonds; of show_bridges, their names."""
    names_only = call.get("action") == "show_bridges"
    switches = {it.name: it for it in api.list_all(client, SWITCHES)}
    bridge = call.get("bridge_name")
    if bridge and bridge not in {it.bridge for it in switches.values()}:
        raise not_found(f"no virtual switch has the bridge {bridge!r}", f"there are {_bridges(switches)}")
    lines: list[str] = []
    rows: list[dict[str, Any]] = []
    hosts = _hosts(client, call)
    for host in hosts:
        lines += [f"Host: {display_of(host)}"] * (len(hosts) > 1)
        if names_only:
            lines.append("Bridges:")
        for row in _bonds(client, host, switches):
            if bridge in ("", row["bridge"]):
                rows.append(row)
                lines += [f"  {row['bridge']}"] if names_only else _render_bond(row)
    return Answer(lines=lines, data=rows)


def _bonds(client: Client, host: Any, switches: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the bonds of a host: their settings, and how they do by the agent's report."""
    report = read_report(client, host.name).report
    seen = {bond.bond: bond for bond in report.bonds}
    for uplink in host.uplinks:
        switch = switches[uplink.virtual_switch]
        bond = f"{switch.bridge}-up"
        lacp = switch.bond_mode == infra.BOND_MODE_BALANCE_TCP and switch.lacp_mode != infra.LACP_MODE_OFF
        slow = switch.lacp_timeout == infra.LACP_TIMEOUT_SLOW
        fallback = switch.lacp_fallback if switch.HasField("lacp_fallback") else True
        yield {
            "host": display_of(host),
            "bridge": switch.bridge,
            "bond": bond,
            "bond_mode": _MODE_NAMES[switch.bond_mode],
            "interfaces": list(uplink.interfaces),
            "lacp": "active" if lacp else "off",
            "lacp-fallback": str(fallback),
            "lacp_speed": ("slow" if slow else "fast") if lacp else "off",
            "active_interface": seen[bond].active_interface if bond in seen else "",
            "up_interfaces": list(seen[bond].up_interfaces) if bond in seen else [],
            "lacp_status": seen[bond].lacp_status if bond in seen else "",
        }


def _render_bond(row: dict[str, Any]) -> list[str]:
    lines = [f"Bridge: {row['bridge']}", f"  Bond: {row['bond']}"]
    for key in ("bond_mode", "interfaces", "lacp", "lacp-fallback", "lacp_speed"):
        lines.append(f"    {key}: {' '.join(row[key]) if isinstance(row[key], list) else row[key]}")
    live = {
        "active": row["active_interface"],
        "up": " ".join(row["up_interfaces"]),
        "lacp_status": row["lacp_status"],
    }
    return [*lines, *(f"    {key}: {text}" for key, text in live.items() if text)]


def _show_interfaces(client: Client, call: Call) -> Answer:
    """Show a host's interfaces, speed in Mbit/s."""
    rows: list[dict[str, Any]] = []
    notes = []
    hosts = _hosts(client, call)
    for host in hosts:
        heard = read_report(client, host.name)
        if not heard.HasField("report"):
            notes.append(f"{display_of(host)} has said nothing since the controller started")
        for link in heard.report.links:
            if call.get("bridge_name") in ("", link.bridge):
                speed = link.speed_mbps or None
                rows.append(
                    {
                        "name": link.interface,
                        "mode": speed,
                        "link": str(link.up),
                        "speed": speed,
                        "host": display_of(host),
                        "bridge": link.bridge,
                    }
                )
    headers = {key: key for key in ("name", "mode", "link", "speed")}
    shown = answer.table(headers | ({"host": "host"} if len(hosts) > 1 else {}), rows)
    return Answer(lines=shown.lines, data=shown.data, notes=notes)


def _update(client: Client, call: Call) -> Answer:
    settings = [key for key in ("bond_mode", "lacp_mode", "lacp_fallback") if key in call]
    if "interfaces" not in call and not settings:
        raise Failure.usage(
            "manage_ovs update_uplinks: nothing to change", hint=f"usage: {call.command.usage}"
        )
    bridge = call.get("bridge_name", "br0")
    if call.get("bond_name", f"{bridge}-up") != f"{bridge}-up":
        raise Failure.usage(f"--bond_name: the bond of {bridge} is {bridge}-up", hint="leave it out")

    def plan() -> list[Edit]:
        switch = _find_switch(client, bridge, call)
        edits: list[Edit] = [_plan_settings(switch, call)] if settings else []
        if "interfaces" in call:
            need_link = call.get("require_link") != "false"
            for host in _chosen_hosts(client, switch, call):
                names = select_interfaces(client, host, call.get("interfaces"), need_link=need_link)
                edits += set_uplink(switch, host, names)
        return edits

    outcomes = send_again(client, plan, call)
    notes = (
        ["bond settings are those of the virtual switch: they come to all of its hosts"] if settings else []
    )
    return answer.made(outcomes, notes or ([] if outcomes else ["nothing to do: the uplinks are so already"]))


def _find_switch(client: Client, bridge: str, call: Call) -> Any:
    """Return the virtual switch that has a bridge; of several clusters, that of the host."""
    switches = {it.name: it for it in api.list_all(client, SWITCHES)}
    found = [it for it in switches.values() if it.bridge == bridge]
    if len(found) > 1 and call.get("host", "all") != "all":
        cluster = find(client, HOSTS, call.get("host")).cluster
        found = [it for it in found if it.cluster == cluster]
    if not found:
        raise not_found(f"no virtual switch has the bridge {bridge!r}", f"there are {_bridges(switches)}")
    if len(found) > 1:
        raise Failure.usage(f"{len(found)} clusters have a bridge {bridge}", hint="say --host HOST")
    return found[0]


def _chosen_hosts(client: Client, switch: Any, call: Call) -> list[Any]:
    known = hosts_of(client, switch)
    if call.get("host") == "all" or ("host" not in call and len(known) == 1):
        return known
    if "host" not in call:
        ids = ", ".join(display_of(host) for host in known)
        raise Failure.usage(
            "manage_ovs update_uplinks: on which host?", hint=f"say --host all, or one of {ids}"
        )
    return [find(client, HOSTS, call.get("host"))]


def _plan_settings(before: Any, call: Call) -> Update:
    after = type(before)()
    after.CopyFrom(before)
    paths = []
    if "bond_mode" in call:
        after.bond_mode, after.lacp_mode = _MODES[call.get("bond_mode")], infra.LACP_MODE_UNSPECIFIED
        paths += ["bond_mode", "lacp_mode"]
    if "lacp_mode" in call:
        slow = call.get("lacp_mode") == "slow"
        after.lacp_timeout = infra.LACP_TIMEOUT_SLOW if slow else infra.LACP_TIMEOUT_FAST
        paths.append("lacp_timeout")
    if "lacp_fallback" in call:
        after.lacp_fallback = call.get("lacp_fallback") == "true"
        paths.append("lacp_fallback")
    return Update(before=before, resource=after, paths=paths)


def _bridges(switches: dict[str, Any]) -> str:
    return ", ".join(sorted({it.bridge for it in switches.values()})) or "none"
