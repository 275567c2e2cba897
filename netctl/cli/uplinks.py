"""How hosts are connected, from what their agents said last: bridges with bond and members, and all interfaces.

In: intents and reports; out: tables, or data. Nothing is asked of the hosts themselves (`inspections.py` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.host_report import neighbor_text, read_report, speed_text
from netctl.cli.kinds import BY_COLLECTION
from netctl.cli.messages import render_json
from netctl.cli.output import note, print_data, print_table
from netctl.cli.tables import id_of
from netctl.cli.values import short_enum
from netctl.v1 import agent_pb2, infra_pb2

_UPLINKS = (
    *("HOST", "BRIDGE", "SWITCH", "STATE", "BOND", "LACP", "INTERFACE", "ACTIVE", "LINK", "SPEED"),
    *("NEIGHBOR",),
)
_INTERFACES = (
    *("NAME", "LINK", "SPEED", "MTU", "MAC", "DRIVER", "UPLINK-OF", "BRIDGE", "ADDRESSES", "NEIGHBOR"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """One uplink bridge of a host: what it is to have (`switch`), and what it has. `state` in one or two words."""

    host: str
    switch: infra_pb2.VirtualSwitch
    state: str
    bridge: agent_pb2.BridgeReport = field(default_factory=agent_pb2.BridgeReport)
    bond: agent_pb2.BondReport = field(default_factory=agent_pb2.BondReport)
    members: Sequence[agent_pb2.LinkReport] = ()

    @property
    def mode(self) -> str:
        """The bond's mode as the host says it, else as it is to be; `none` is no bond."""
        wanted = short_enum(infra_pb2.BondMode.DESCRIPTOR, self.switch.bond_mode).lower().replace("_", "-")
        return self.bond.bond_mode or wanted

    def is_active(self, link: agent_pb2.LinkReport) -> bool:
        """Does an interface carry traffic now? Of a bond that balances all that are up do."""
        if self.bond.active_interface:
            return link.interface == self.bond.active_interface
        return link.interface in self.bond.up_interfaces or (not self.bond.bond and link.up)


def print_uplinks(client: Client, names: Sequence[str], output: str) -> None:
    """Print the uplink bridges of some hosts, of all without names."""
    uplinks = list(read_uplinks(client, names))
    if output in ("json", "yaml"):
        print_data([_data(uplink) for uplink in uplinks], output)
        return
    if output == "name":
        for uplink in uplinks:
            print(f"{uplink.host}/{uplink.switch.bridge}")
        return
    print_table(_UPLINKS, [row for uplink in uplinks for row in _rows(uplink)])
    for problem in _problems(uplinks):
        note(f"note: {problem}")


def read_uplinks(client: Client, names: Sequence[str]) -> Iterator[Uplink]:
    """Read the uplink bridges of some hosts, of all without names."""
    switches = {switch.name: switch for switch in api.list_all(client, BY_COLLECTION["virtualSwitches"])}
    hosts: Iterator[Any] = (
        (api.get(client, name) for name in names) if names else api.list_all(client, BY_COLLECTION["hosts"])
    )
    for host in hosts:
        heard = read_report(client, host.name)
        for wanted in host.uplinks:
            if wanted.virtual_switch in switches:
                yield _uplink(host, wanted, switches[wanted.virtual_switch], heard)


def describe_switch(client: Client, switch: Any) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Return how a virtual switch is on its hosts, for `netctl describe`: lines and data."""
    kind = BY_COLLECTION["hosts"]
    hosts = [host.name for host in api.list_all(client, kind, f"uplinks.virtual_switch:{switch.name}")]
    uplinks = [one for one in read_uplinks(client, hosts) if one.switch.name == switch.name] if hosts else []
    return [(one.host, _summary(one)) for one in uplinks], {one.host: _data(one) for one in uplinks}


def _summary(uplink: Uplink) -> str:
    lacp = f", LACP {uplink.bond.lacp_status}" if uplink.bond.lacp_status not in ("", "off") else ""
    members = ", ".join(
        f"{link.interface} {_link(link)}{' (active)' if uplink.is_active(link) else ''}"
        for link in uplink.members
    )
    return f"{uplink.state}  {uplink.mode}{lacp}  {members}"


def _uplink(
    host: infra_pb2.Host,
    wanted: infra_pb2.Uplink,
    switch: infra_pb2.VirtualSwitch,
    heard: infra_pb2.GetHostReportResponse,
) -> Uplink:
    report = heard.report
    bridge = next((one for one in report.bridges if one.bridge == switch.bridge), None)
    links = {link.interface: link for link in report.links}
    missing = (agent_pb2.LinkReport(interface=name) for name in wanted.interfaces if name not in links)
    members = [links[name] for name in wanted.interfaces if name in links]
    # Those that are to go, as long as it is not the host's turn.
    members += [link for link in report.links if link.bridge == switch.bridge and link not in members]
    return Uplink(
        host=id_of(host.name),
        switch=switch,
        state=_state(host.name, switch, bridge, heard),
        bridge=bridge if bridge is not None else agent_pb2.BridgeReport(bridge=switch.bridge),
        bond=next((one for one in report.bonds if one.bond == f"{switch.bridge}-up"), agent_pb2.BondReport()),
        members=[*members, *missing],
    )


def _state(
    host: str,
    switch: infra_pb2.VirtualSwitch,
    bridge: agent_pb2.BridgeReport | None,
    heard: infra_pb2.GetHostReportResponse,
) -> str:
    if not heard.HasField("report"):
        return "unknown"
    if not heard.connected:
        return "agent gone"
    if bridge is None:
        return "absent"
    if bridge.rolled_back_settings_id and host in switch.pending_hosts:
        return "rolled back"
    if host in switch.pending_hosts:
        return "changing" if switch.pending_hosts[0] == host else "waiting"
    return "up" if bridge.up else "down"


def _rows(uplink: Uplink) -> Iterator[list[str]]:
    first = [uplink.host, uplink.switch.bridge, id_of(uplink.switch.name), uplink.state, uplink.mode]
    first.append(uplink.bond.lacp_status)
    for link in uplink.members:
        active = "yes" if uplink.is_active(link) else "no"
        yield [*first, link.interface, active, _link(link), speed_text(link), neighbor_text(link)]
    if not uplink.members:
        yield [*first, "", "", "", "", ""]


def _link(link: agent_pb2.LinkReport) -> str:
    return "missing" if not link.present else "up" if link.up else "down"


def _problems(uplinks: Sequence[Uplink]) -> Iterator[str]:
    for uplink in uplinks:
        if uplink.state == "rolled back":
            yield (
                f"{uplink.host} undid the last change of {id_of(uplink.switch.name)}: it did not reach the controller"
                " any more; edit the virtual switch or the host to try again"
            )
        if uplink.bond.lacp_status == "configured":
            yield (
                f"{uplink.host}: the switch at the other end of {uplink.bond.bond} does not speak LACP; one"
                " interface carries the traffic"
            )


def _data(uplink: Uplink) -> dict[str, Any]:
    return {
        "host": uplink.host,
        "virtual_switch": id_of(uplink.switch.name),
        "bridge": uplink.switch.bridge,
        "state": uplink.state,
        "up": uplink.bridge.up,
        "bond": uplink.bond.bond,
        "bond_mode": uplink.mode,
        "lacp_status": uplink.bond.lacp_status,
        "active_interface": uplink.bond.active_interface,
        "rolled_back": bool(uplink.bridge.rolled_back_settings_id),
        "members": [
            {**render_json(link, zeros=True), "active": uplink.is_active(link)} for link in uplink.members
        ],
    }


def print_interfaces(client: Client, name: str, output: str) -> None:
    """Print all interfaces of a host that serve an uplink, or could."""
    host = api.get(client, name)
    report = read_report(client, name).report
    switches = {
        interface: id_of(uplink.virtual_switch) for uplink in host.uplinks for interface in uplink.interfaces
    }
    if output in ("json", "yaml"):
        data = [
            {**render_json(link, zeros=True), "uplink_of": switches.get(link.interface, "")}
            for link in report.links
        ]
        print_data(data, output)
    elif output == "name":
        for link in report.links:
            print(link.interface)
    else:
        print_table(_INTERFACES, [_interface(link, switches) for link in report.links])


def _interface(link: agent_pb2.LinkReport, switches: dict[str, str]) -> list[str]:
    return [
        *(link.interface, _link(link), speed_text(link), str(link.mtu_bytes or ""), link.mac_address),
        *(link.driver, switches.get(link.interface, ""), link.bridge, ",".join(link.addresses)),
        neighbor_text(link),
    ]
