"""Which patch ports of the integration bridge have their flow? Asked of ovs-vswitchd, in OpenFlow.

In: the bridges as the database has them. Out: the names of the patch ports from which table 0 lets packets in, and
with them the rest: ovn-controller installs a port's flows together. No database says this, so nothing wakes the loop:
while a flow is missing we ask to be looked at again. ovs-vswitchd is the source of truth.

`ofproto/trace` would not do: it needs the VLAN, and table 0 ends in a drop that it takes for a match.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from netctl_host import openflow
from netctl_host.state import OpenVSwitchState

FIRST_LOOK_S = 0.02
LONGEST_LOOK_S = 1.0
_BRIDGE_KEY = "ovn-bridge"


class PatchFlows:
    """The answers of the ovs-vswitchd whose sockets are in `rundir`; one thread.

    Yes is remembered for as long as the port keeps its number and ovs-vswitchd its socket: it gives no number twice.
    """

    def __init__(self, rundir: Path, look_again: Callable[[float], None]) -> None:
        self._rundir = rundir
        self._look_again = look_again
        self._look_s = FIRST_LOOK_S
        self._socket_id: tuple[int, int] | None = None
        self._yes: dict[str, int] = {}
        self._missing: dict[str, int] = {}

    def read(self, switch: OpenVSwitchState) -> tuple[frozenset[str], str]:
        """Return the names of the patch ports whose flow is there, and why the others' is not known, or ""."""
        bridge = switch.external_ids.get(_BRIDGE_KEY, "")
        ports = patch_ports(switch, bridge)
        if not ports:
            return frozenset(), ""
        path = self._rundir / f"{bridge}.mgmt"
        self._forget(path, ports)
        asked = {name: ofport for name, ofport in ports.items() if name not in self._yes}
        problem = ""
        if asked:
            try:
                with_flow = ask(path, frozenset(asked.values()))
            except OSError as error:
                problem = f"ovs-vswitchd cannot be asked for flows: {path}: {error}"
                self._look_again(LONGEST_LOOK_S)
            else:
                self._yes |= {name: ofport for name, ofport in asked.items() if ofport in with_flow}
                self._wait_for({name: ofport for name, ofport in asked.items() if name not in self._yes})
        return frozenset(self._yes), problem

    def _forget(self, path: Path, ports: Mapping[str, int]) -> None:
        try:
            found = path.stat()
            socket_id = (found.st_ino, found.st_ctime_ns)
        except OSError:
            socket_id = None
        same = socket_id is not None and socket_id == self._socket_id
        self._socket_id = socket_id
        self._yes = {name: port for name, port in self._yes.items() if same and ports.get(name) == port}

    def _wait_for(self, missing: dict[str, int]) -> None:
        """Soon at first; an ovn-controller that is away may take hours."""
        self._look_s = min(LONGEST_LOOK_S, self._look_s * 2) if missing == self._missing else FIRST_LOOK_S
        self._missing = missing
        if missing:
            self._look_again(self._look_s)


def patch_ports(switch: OpenVSwitchState, bridge: str) -> dict[str, int]:
    """Return name and number of the bridge's patch ports that have a number."""
    there = switch.bridges[bridge].ports if bridge in switch.bridges else {}
    interfaces = (switch.interfaces[name] for name in there if name in switch.interfaces)
    return {
        interface.name: interface.ofport
        for interface in interfaces
        if interface.type == "patch" and interface.ofport > 0
    }


def ask(path: Path, ofports: frozenset[int]) -> frozenset[int]:
    """Return those ports that a flow of table 0 matches; raise OSError when ovs-vswitchd does not say."""
    answers = openflow.exchange(path, render_questions(ofports))
    return frozenset(ofport for ofport, bodies in answers.items() if any(bodies))


def render_questions(ofports: frozenset[int]) -> dict[int, bytes]:
    """Return for each port the request for the flows of table 0 with that in_port; xid is the port."""
    return {
        ofport: openflow.render_request(openflow.FLOW_DESC, ofport, 0, openflow.in_port_match(ofport))
        for ofport in sorted(ofports)
    }
