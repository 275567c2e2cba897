"""Network functions of a lab: a guest with two interfaces and a process that carries frames between them.

The process is `netctl.lab.forwarder`. Its record lies beside the guest's, so that a rebooted host gets it back, and
everything goes with `down`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from netctl.errors import InvalidIntent
from netctl.lab import daemons, namespaces
from netctl.lab.guests import Guest
from netctl.lab.processes import Process
from netctl.loop import wait_until

_COUNTS, _PORTS = "counts.json", "drop_ports.json"
_READY_S = 10.0


class Functions:
    """The network functions of one lab."""

    def __init__(self, lab: str, directory: Path) -> None:
        self._lab = lab
        self._directory = directory

    def start(self, guest: Guest, drop_ports: Iterable[int] | None = None) -> None:
        """Carry frames, and drop TCP and UDP from or to these ports; the same ones as before when None."""
        if not guest.egress_tap:
            raise InvalidIntent("guest", f"{guest.name} has one interface; a network function needs two")
        folder = self._folder(guest)
        folder.mkdir(exist_ok=True)
        ports = sorted(drop_ports) if drop_ports is not None else self._kept(guest)
        if ports != self._kept(guest):
            self._process(guest, ports).stop()
        (folder / _PORTS).write_text(json.dumps(ports))
        process = self._process(guest, ports)
        if not process.pid():
            counts = folder / _COUNTS
            counts.unlink(missing_ok=True)
            process.start()
            wait_until(counts.exists, timeout_s=_READY_S, what=f"{guest.name} forwards")

    def restore(self, guest: Guest) -> None:
        """Start anew what a reboot of its host left: it listens to interfaces that are gone."""
        if guest.egress_tap and (self._folder(guest) / _PORTS).exists():
            self.kill(guest)
            self.start(guest)

    def kill(self, guest: Guest) -> None:
        """End it at once: its interfaces keep their carrier, and nothing comes through."""
        self._process(guest, self._kept(guest)).kill()

    def counts(self, guest: Guest) -> dict[str, int]:
        """Return what went through since it was started: e.g. `ingress passed`, `egress dropped vlan 10 port 23`."""
        try:
            found: dict[str, int] = json.loads((self._folder(guest) / _COUNTS).read_text())
        except FileNotFoundError:
            return {}
        return found

    def _kept(self, guest: Guest) -> list[int]:
        try:
            found: list[int] = json.loads((self._folder(guest) / _PORTS).read_text())
        except FileNotFoundError:
            return []
        return found

    def _process(self, guest: Guest, ports: list[int]) -> Process:
        folder = self._folder(guest)
        words = (str(folder / _COUNTS), ",".join(map(str, ports)), "eth0", "eth1")
        namespace = namespaces.guest_namespace(self._lab, guest.tap_name)
        return Process(daemons.forwarder(namespace, folder, guest.tap_name, words))

    def _folder(self, guest: Guest) -> Path:
        return self._directory / guest.tap_name
