"""This machine: its Open_vSwitch database, its links and its ovn-controller as one Host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from netctl.errors import HostUnavailable
from netctl_host.actions import Action, LinkAction
from netctl_host.links import Links, has_kernel_datapath
from netctl_host.openvswitch import OpenVSwitch
from netctl_host.ovn_controller import read_connected
from netctl_host.state import HostState


class RealHost:
    """The host that the process runs on, in its network namespace; `wake` is called when the database changes."""

    def __init__(
        self, ovsdb: str, ovn_rundir: Path, wake: Callable[[], None], *, timeout_s: float = 5.0
    ) -> None:
        self._switch = OpenVSwitch(ovsdb, wake, timeout_s=timeout_s)
        self._links = Links()
        self._ovn_rundir = ovn_rundir
        self._kernel_datapath = has_kernel_datapath()

    def read_state(self) -> HostState:
        """Return everything the host has; raise HostUnavailable when a part does not answer."""
        return HostState(
            switch=self._switch.read_state(),
            links=self._links.read_links(),
            kernel_datapath=self._kernel_datapath,
            ovn_controller_connected=read_connected(self._ovn_rundir),
        )

    def apply(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """Do what concerns OVS in one transaction, then each link action; return what could not be done."""
        problems: list[str] = []
        on_switch = [action for action in actions if not isinstance(action, LinkAction)]
        if on_switch:
            try:
                self._switch.apply(on_switch)
            except HostUnavailable as error:
                problems.append(error.message)
        for action in actions:
            if isinstance(action, LinkAction):
                try:
                    self._links.apply(action)
                except HostUnavailable as error:
                    problems.append(error.message)
        return tuple(problems)

    def close(self) -> None:
        """Close every connection; the host stays as it is."""
        self._switch.close()
        self._links.close()
