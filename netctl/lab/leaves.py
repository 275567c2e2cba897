"""Leaf switches at work: bridges of the fabric's own Open vSwitch, their ports and link aggregation groups.

What mode a group is in stands in its bridge's record, so that it outlives a reboot of a host, which takes the cables
along. Source: ovs-vswitchd.conf.db(5).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator, Sequence

from netctl.errors import NotFound, Unavailable
from netctl.lab.daemons import Place
from netctl.lab.processes import enter
from netctl.lab.switches import Lag, LagMode, Switch
from netctl.lab.topology import Topology

_TIMEOUT_S = 20
_LACP = ("lacp=active", "bond_mode=balance-tcp", "other_config:lacp-time=fast")


class Leaves:
    """The leaf switches of one lab."""

    def __init__(self, place: Place, topology: Topology) -> None:
        self._place = place
        self._switches = topology.switches
        self._links = topology.links

    def set_up(self) -> None:
        """Make switches and ports that are missing."""
        for switch in self._switches:
            own = ("datapath_type=netdev", "fail_mode=standalone", "other_config:mac-table-size=4096")
            self._vsctl(["--may-exist", "add-br", switch.id, "--", "set", "Bridge", switch.id, *own])
            self._plug(switch)

    def unplug(self, host: str) -> None:
        """Forget the cables to a host that loses its power: Open vSwitch would go on listening to those."""
        for switch in self._switches:
            gone = self._ports_to(switch, host)
            lags = [lag for lag in switch.lags if set(lag.ports) & set(gone)]
            ports = [port for lag in lags for port in (lag.port, *lag.ports)] + gone
            self._vsctl(list(_joined(["--if-exists", "del-port", switch.id, port] for port in ports)))

    def set_lag(self, switch_id: str, lag_name: str, mode: LagMode) -> None:
        """Aggregate ports or part them, in one transaction."""
        switch = self._find(switch_id)
        lag = switch.lag(lag_name)
        parts = [["--if-exists", "del-port", switch.id, port] for port in (lag.port, *lag.ports)]
        kept = ["set", "Bridge", switch.id, f"external_ids:{lag.port}={mode}"]
        self._vsctl(list(_joined([*parts, kept, *_plugged(switch, lag, mode)])))

    def _find(self, switch_id: str) -> Switch:
        for candidate in self._switches:
            if candidate.id == switch_id:
                return candidate
        known = ", ".join(candidate.id for candidate in self._switches) or "none"
        raise NotFound(f"no leaf switch {switch_id}; there are {known}")

    def _plug(self, switch: Switch) -> None:
        modes = {lag: self._kept_mode(switch, lag) for lag in switch.lags}
        aggregated = {port for lag in switch.lags for port in lag.ports}
        alone = [port for port in self._ports_to(switch, "") if port not in aggregated]
        commands = [["--may-exist", "add-port", switch.id, port] for port in alone]
        for lag, mode in modes.items():
            commands.append(["set", "Bridge", switch.id, f"external_ids:{lag.port}={mode}"])
            commands.extend(_plugged(switch, lag, mode))
        self._vsctl(list(_joined(commands)))

    def _kept_mode(self, switch: Switch, lag: Lag) -> LagMode:
        kept = self._vsctl(["--if-exists", "get", "Bridge", switch.id, f"external_ids:{lag.port}"]).strip()
        return LagMode(kept.strip('"') or LagMode.OFF)

    def _ports_to(self, switch: Switch, host: str) -> list[str]:
        """Name the ports whose cable leads to a node, or all."""
        ends = [(near, far) for link in self._links for near, far in (link.ends, link.ends[::-1])]
        return [near.interface for near, far in ends if near.node == switch.id and host in ("", far.node)]

    def _vsctl(self, words: Sequence[str]) -> str:
        if not words:
            return ""
        database = f"--db=unix:{self._place.directory}/db.sock"
        argv = [*enter(self._place.namespace), "ovs-vsctl", database, f"--timeout={_TIMEOUT_S}", *words]
        done = subprocess.run(argv, env=os.environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{' '.join(argv)}: {done.stderr.strip()[-500:]}")
        return done.stdout


def _plugged(switch: Switch, lag: Lag, mode: LagMode) -> list[list[str]]:
    if mode is LagMode.OFF:
        return [["--may-exist", "add-port", switch.id, port] for port in lag.ports]
    return [["--may-exist", "add-bond", switch.id, lag.port, *lag.ports, *_LACP]]


def _joined(commands: Collection[Sequence[str]] | Iterator[Sequence[str]]) -> Iterator[str]:
    for command in commands:
        yield "--"
        yield from command
