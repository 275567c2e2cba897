"""Answers what a host's switch does now, on whatever thread asks; ovs-vswitchd is the source of truth.

In: a question, and from the loop's passes (`tell`) which ports and links there are. Out: an Inspection, within a few
seconds. Owns nothing but what it was told last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from netctl_host.assignment import Assignment
from netctl_host.inspection import (
    MAC_ENTRIES_MAX,
    BondState,
    Inspected,
    Inspection,
    MacEntry,
    MemberState,
    Question,
    join_lacp,
    parse_bond,
    parse_lacp,
    parse_lacp_statuses,
    parse_macs,
)
from netctl_host.plan_uplinks import find_uplink_port
from netctl_host.state import HostState, OpenVSwitchState, Port
from netctl_host.unixctl import run_command

_LONGEST_S = 2.0


class Inspector:
    """Asks the ovs-vswitchd whose sockets are in `rundir`."""

    def __init__(self, rundir: Path) -> None:
        self._rundir = rundir
        self._ports: Mapping[str, Port] = {}
        self._names: Mapping[str, Mapping[str, str]] = {}
        self._carriers: frozenset[str] = frozenset()

    def tell(self, assignment: Assignment, state: HostState) -> None:
        """Remember which ports there are; the loop's thread."""
        ports, names = {}, {}
        for uplink in assignment.uplink_bridges:
            bridge = state.switch.bridges.get(uplink.bridge)
            port = find_uplink_port(bridge, uplink, uplink.interfaces)
            if bridge is None:
                continue
            if port is not None:
                ports[uplink.bridge] = port
            names[uplink.bridge] = {
                str(state.switch.interfaces[interface].ofport): there.name
                for there in bridge.ports.values()
                for interface in there.interfaces
                if interface in state.switch.interfaces
            }
        self._ports, self._names = ports, names
        self._carriers = frozenset(link.name for link in state.links.values() if link.carrier)

    def answer(self, question: Question) -> Inspection:
        """Return what ovs-vswitchd says, or why it does not."""
        if question.bridge and question.bridge not in self._names:
            return Inspection(id=question.id, problem=f"this host has no uplink bridge {question.bridge}")
        bridges = [question.bridge] if question.bridge else sorted(self._names)
        try:
            if question.inspected is Inspected.BONDS:
                bonds = (self._bond(bridge) for bridge in bridges)
                return Inspection(id=question.id, bonds=tuple(bond for bond in bonds if bond is not None))
            entries = [entry for bridge in bridges for entry in self._macs(bridge)]
        except OSError as error:
            return Inspection(id=question.id, problem=f"ovs-vswitchd cannot be asked: {error}")
        left_out = len(entries) - MAC_ENTRIES_MAX
        problem = f"{left_out} addresses are left out; ask for one bridge" if left_out > 0 else ""
        return Inspection(id=question.id, problem=problem, mac_entries=tuple(entries[:MAC_ENTRIES_MAX]))

    def _bond(self, bridge: str) -> BondState | None:
        port = self._ports.get(bridge)
        if port is None:
            return None
        if len(port.interfaces) > 1:
            bond = parse_bond(self._run("bond/show", port.name))
        else:
            members = tuple(
                MemberState(interface=name, enabled=name in self._carriers) for name in port.interfaces
            )
            bond = BondState(
                members=members, active_interface="".join(m.interface for m in members if m.enabled)
            )
        if port.lacp:
            bond = join_lacp(bond, parse_lacp(self._run("lacp/show", port.name)))
        carried = (replace(member, carrier=member.interface in self._carriers) for member in bond.members)
        return replace(bond, bridge=bridge, bond=port.name, members=tuple(carried))

    def _macs(self, bridge: str) -> list[MacEntry]:
        names = {**self._names[bridge], "LOCAL": bridge}
        return list(parse_macs(self._run("fdb/show", bridge), bridge, names))

    def _run(self, command: str, *arguments: str) -> str:
        return run_command(find_control(self._rundir), command, *arguments, timeout_s=_LONGEST_S)


class LacpReader:
    """Reads which ports have negotiated, where any is to speak LACP."""

    def __init__(self, rundir: Path) -> None:
        self._rundir = rundir

    def read(self, switch: OpenVSwitchState) -> Mapping[str, str]:
        """Return `configured` or `negotiated` by port; nothing where ovs-vswitchd does not say."""
        if not any(port.lacp for bridge in switch.bridges.values() for port in bridge.ports.values()):
            return {}
        try:
            return parse_lacp_statuses(run_command(find_control(self._rundir), "lacp/show"))
        except OSError:
            return {}


def find_control(rundir: Path) -> Path:
    """Return ovs-vswitchd's control socket, the newest where a killed one left its own; raise OSError."""
    found = sorted(rundir.glob("ovs-vswitchd*.ctl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"no control socket in {rundir}; is ovs-vswitchd running?")
    return found[-1]
