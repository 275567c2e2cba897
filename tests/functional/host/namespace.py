"""NamespaceHost: a real host on this machine, a network namespace with its own ovsdb-server and ovs-vswitchd.

It is a Host for the agent's code (`read_state`, `apply`) and has what the world does, as `tests/fakes/host.py` has:
links come and go. The processes are the caller's to stop: `remove` leaves nothing, also of a half-made host.

Nothing here forks: the tests have gRPC's threads, and a child forked among them may die before its first step. So no
`IPRoute(netns=...)`, whose socket a forked child makes; a thread enters the namespace and makes its sockets there.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from netctl_host.actions import Action
from netctl_host.announce import Announcement
from netctl_host.assignment import Assignment
from netctl_host.host import Places, RealHost
from netctl_host.learned import Tap
from netctl_host.settings import Settings
from netctl_host.state import HostState
from pyroute2 import IPRoute, netns

from netctl.lab import namespaces
from netctl.loop import wait_until
from tests.servers import OvsdbServer


class NamespaceHost:
    """Host `name` with its files in `directory`."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.database = OvsdbServer(directory, "vswitch")
        self.wakes = 0
        self.at_wake: Callable[[], object] = bool
        self.looks_again: list[float] = []
        self._vswitchd: subprocess.Popen[bytes] | None = None
        self._real: RealHost | None = None

    def start(self) -> None:
        """Make the namespace and start OVS in it."""
        namespaces.ensure(self.name)
        with self._netlink() as ip:
            ip.link("set", index=ip.link_lookup(ifname="lo")[0], state="up")
        self.database.start()
        self.start_vswitchd()
        self.restart_agent()

    def restart_agent(self) -> None:
        """Begin anew with what the agent's code knows of this host: nothing."""
        if self._real is not None:
            self._real.close()
        with self.inside():
            here = self.directory
            places = Places(
                ovsdb=self.database.remote, ovn_rundir=here, ovs_rundir=here, state_dir=here / "learned"
            )
            self._real = RealHost(places, self._count_wake, self.looks_again.append, timeout_s=2.0)

    def remove(self) -> None:
        """End every process and delete the namespace; its links go with it."""
        with ExitStack() as last_to_first:  # each is tried, whatever the one before it met
            last_to_first.callback(namespaces.remove, self.name)
            last_to_first.callback(self.database.stop)
            last_to_first.callback(self.stop_vswitchd)
            if self._real is not None:
                last_to_first.callback(self._real.close)

    def start_vswitchd(self) -> None:
        """Start ovs-vswitchd and wait until it has read its database."""
        log = f"--log-file={self.directory / 'ovs-vswitchd.log'}"
        self._vswitchd = self.popen(
            "ovs-vswitchd", self.database.remote, log, "--unixctl", self._control, "-vconsole:off"
        )
        wait_until(self._vswitchd_answers, timeout_s=20, what="ovs-vswitchd answers")

    def stop_vswitchd(self, signum: int = signal.SIGTERM) -> None:
        """End ovs-vswitchd; without one do nothing."""
        if self._vswitchd is not None:
            self._vswitchd.send_signal(signum)
            self._vswitchd.wait(timeout=20)
            self._vswitchd = None

    def signal_vswitchd(self, signum: int) -> None:
        """Send a signal, e.g. SIGSTOP: a frozen one keeps its sockets and says nothing."""
        assert self._vswitchd is not None
        self._vswitchd.send_signal(signum)

    def popen(self, *command: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program in the namespace, its output added to `log`; the process is the program itself."""
        inside = ("ip", "netns", "exec", self.name, *command)
        places = {"OVS_RUNDIR": str(self.directory), "OVN_RUNDIR": str(self.directory)}
        with (log or Path(os.devnull)).open("ab") as output:
            return subprocess.Popen(inside, stdout=output, stderr=output, env=os.environ | places)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread in the namespace; sockets opened there stay there."""
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            netns.setns(self.name, flags=0)  # by default a missing one is made, with a fork
            try:
                yield
            finally:
                netns.setns(outside, flags=0)
        finally:
            os.close(outside)

    def read_state(self) -> HostState:
        """Return what the host has."""
        assert self._real is not None
        with self.inside():
            return self._real.read_state()

    def apply(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """Do `actions`; return what could not be done."""
        assert self._real is not None
        with self.inside():
            return self._real.apply(actions)

    def announce(self, due: frozenset[Announcement]) -> None:
        """Tell the network what is new."""
        assert self._real is not None
        with self.inside():
            self._real.announce(due)

    def listen(self, taps: frozenset[Tap]) -> tuple[str, ...]:
        """Learn the addresses of the guests of these taps alone."""
        assert self._real is not None
        with self.inside():
            return self._real.listen(taps)

    def serve(self, assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
        """Have the flows and the DHCP service that `state` needs."""
        assert self._real is not None
        with self.inside():
            return self._real.serve(assignment, state, settings)

    def take_reversions(self) -> tuple[str, ...]:
        """Return once what others had changed of our flows."""
        assert self._real is not None
        return self._real.take_reversions()

    def add_link(self, name: str, *, mtu_bytes: int = 1500) -> None:
        """A veth appears, down; its other end `x-{name}` is up, so it gets carrier when it is set up."""
        with self._netlink() as ip:
            ip.link(
                "add", ifname=name, kind="veth", mtu=mtu_bytes, peer={"ifname": f"x-{name}", "mtu": mtu_bytes}
            )
            ip.link("set", index=ip.link_lookup(ifname=f"x-{name}")[0], state="up")

    def remove_link(self, name: str) -> None:
        """A link vanishes."""
        with self._netlink() as ip:
            ip.link("del", index=ip.link_lookup(ifname=name)[0])

    def link_names(self) -> set[str]:
        """Return the names of all links."""
        with self._netlink() as ip:
            return {link.get("ifname") for link in ip.get_links()}

    def set_link(self, name: str, state: str) -> None:
        """Set a link up or down."""
        with self._netlink() as ip:
            ip.link("set", index=ip.link_lookup(ifname=name)[0], state=state)

    def flap_link(self, name: str, times: int) -> None:
        """Set a link up and down, fast."""
        with self._netlink() as ip:
            index = ip.link_lookup(ifname=name)[0]
            for number in range(times):
                ip.link("set", index=index, state="down" if number % 2 else "up")

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl as an operator would."""
        return self.database.ctl("ovs-vsctl", *arguments)

    def row_uuids(self) -> dict[str, str]:
        """Return name -> UUID of every bridge, port and interface: the same after a pass that touched none."""
        lines = [
            f"{table} {line}"
            for table in ("Bridge", "Port", "Interface")
            for line in self.vsctl(
                "--format=csv", "--no-headings", "--columns=name,_uuid", "list", table
            ).splitlines()
        ]
        return dict(line.split(",", 1) for line in lines)

    @property
    def _control(self) -> str:
        return str(self.directory / "ovs-vswitchd.ctl")

    def _vswitchd_answers(self) -> bool:
        done = subprocess.run(
            ("ovs-appctl", "-t", self._control, "version"), capture_output=True, check=False
        )
        return done.returncode == 0

    @contextmanager
    def _netlink(self) -> Iterator[Any]:
        with self.inside(), IPRoute() as ip:
            yield ip

    def _count_wake(self) -> None:
        self.wakes += 1
        self.at_wake()
