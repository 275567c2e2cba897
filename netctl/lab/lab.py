"""One lab: brought up, looked into, broken on purpose, taken down.

`Lab` holds a name and a topology, no state: what runs is asked of the machine each time, so a lab can be used from any
process, and `take_down` works after any crash of any part, ours included. `up` on a running lab repairs it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from netctl.errors import Forbidden, InvalidIntent, NotFound, Unavailable
from netctl.lab import api, boot, cables, daemons, discover, links, namespaces, processes, upstreams, wiring
from netctl.lab.cables import CableState
from netctl.lab.daemons import Place
from netctl.lab.functions import Functions
from netctl.lab.guests import INTERFACE, Guest, Guests, Lease, Ping
from netctl.lab.leaves import Leaves
from netctl.lab.processes import Daemon, Process
from netctl.lab.progress import Progress, Silent
from netctl.lab.switches import LagMode
from netctl.lab.topology import FABRIC, Node, Topology, Vlans, check_lab_name, parse_topology

_TOPOLOGY = "topology.clab.yml"
# A Unix socket's path has 107 characters (unix(7)); the longest name below a run directory is ovn-controller's.
_RUN_DIR_MAX = 107 - len("/0123456789/ovn-controller.1234567.ctl")


class Lab:
    """A lab by name; it need not run."""

    def __init__(self, text: str, *, name: str = "", progress: Progress | None = None) -> None:
        """Read a containerlab file's text; `name` replaces the file's."""
        self.topology: Topology = parse_topology(text, name=name)
        self.name = self.topology.name
        self._text = text
        self._progress = progress or Silent()
        self._guests = Guests(self.name, self.directory / "guests")
        self.functions = Functions(self.name, self.directory / "guests")

    @classmethod
    def open(cls, name: str, *, progress: Progress | None = None) -> Lab:
        """Take up a lab that was brought up before, by any process."""
        try:
            text = (discover.run_dir(check_lab_name(name)) / _TOPOLOGY).read_text()
        except FileNotFoundError:
            known = ", ".join(discover.lab_names()) or "none"
            raise NotFound(
                f"no lab {name} on this machine (running: {known}); start one: netctl lab up"
            ) from None
        return cls(text, name=name, progress=progress)

    @property
    def directory(self) -> Path:
        """The run directory: databases, sockets, logs, pid files."""
        return discover.run_dir(self.name)

    @property
    def server(self) -> str:
        """The gRPC target of the controller."""
        return f"unix:{discover.controller_socket(self.name)}"

    def up(self, *, without: Collection[str] = (), register: bool = True) -> None:
        """Build what is missing and start what does not run, except the daemons named in `without`.

        Then the controller is told of cluster, virtual switches and hosts, unless it knows them or `register` is off.
        """
        if unknown := set(without) - set(daemons.DAEMONS):
            raise InvalidIntent("without", f"no such daemon: {', '.join(sorted(unknown))}")
        if os.geteuid() != 0:
            raise Forbidden("the lab makes network namespaces: run this as root, for instance with sudo")
        processes.require(daemons.tools(self.topology))
        if len(str(self.directory)) > _RUN_DIR_MAX:
            raise InvalidIntent(
                "name", f"{self.directory} is too long for Unix sockets; set {discover.ENVIRONMENT}"
            )
        _refuse_elsewhere(self.name)
        if namespaces.namespaces_of(self.name) and not self.directory.exists():
            raise InvalidIntent(
                "name",
                f"a lab {self.name} is here without its run directory: netctl lab down --name {self.name}",
            )
        with _locked(self.directory):
            self._keep_topology()
            with self._progress.step("namespaces and links"):
                self._wire(self._guests.all())
            with self._progress.step("OVN central, Open vSwitch and ovn-controller, controller and agents"):
                self._start(self._nodes(), without)
        if register and daemons.CONTROLLER not in without:
            with self._progress.step("cluster, virtual switches and hosts registered"):
                self.register()

    def register(self) -> int:
        """Tell the controller of what the topology says and it does not know; return how many resources that were."""
        return api.register(self.server, self.topology)

    def down(self) -> None:
        """Remove every trace."""
        take_down(self.name)

    def place(self, node: str) -> Place:
        """Find a node by name; with leaf switches the fabric is one, too."""
        for candidate in self._nodes():
            if candidate.id == node:
                return Place(lab=self.name, central=self.topology.central, node=candidate)
        known = ", ".join(candidate.id for candidate in self._nodes())
        raise NotFound(f"no node {node} in lab {self.name}; there are {known}")

    def processes(self) -> list[Process]:
        """List the processes that this lab has when all run, in starting order."""
        return [Process(daemon) for node in self._nodes() for daemon in self._daemons(self.place(node.id))]

    def process(self, node: str, name: str) -> Process:
        """Find one process, e.g. `("h1", "ovn-controller")`."""
        candidates = [Process(daemon) for daemon in self._daemons(self.place(node))]
        for process in candidates:
            if process.name == name:
                return process
        known = ", ".join(process.name for process in candidates)
        raise NotFound(f"no process {name} on {node}; there are {known}")

    def command(self, target: str, argv: list[str]) -> tuple[list[str], dict[str, str]]:
        """Return command line and environment that run `argv` on a node, in the fabric or in a guest."""
        if target == FABRIC and not self.topology.switches:
            return [*processes.enter(namespaces.fabric_namespace(self.name)), *argv], dict(os.environ)
        if target in {node.id for node in self._nodes()}:
            place = self.place(target)
            return [*processes.enter(place.namespace), *argv], os.environ | place.environment
        guest = self._guests.get(target)
        return [*processes.enter(self._guests.namespace(guest)), *argv], dict(os.environ)

    def exec(
        self, target: str, argv: list[str], *, timeout_s: float = 30.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a node, in the fabric or in a guest; a failure raises Unavailable unless `check` is off."""
        command, environment = self.command(target, argv)
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{' '.join(argv)} on {target}: not done within {timeout_s:g} s") from None
        if check and done.returncode != 0:
            raise Unavailable(
                f"{' '.join(argv)} on {target}: exit {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        return done

    def guests(self) -> list[Guest]:
        """List the guests."""
        return self._guests.all()

    def guest(self, name: str) -> Guest:
        """Find a guest by its name or its tap's."""
        return self._guests.get(name)

    def add_guest(
        self, host: str, tap_name: str, mac_address: str, mtu_bytes: int = 1500, *, name: str = ""
    ) -> Guest:
        """Make a guest behind a tap of this name on a host; again with the same values changes nothing."""
        guest = Guest(
            name=name or tap_name, host=host, tap_name=tap_name, mac_address=mac_address, mtu_bytes=mtu_bytes
        )
        return self._add(guest)

    def add_function(
        self,
        host: str,
        ingress: tuple[str, str],
        egress: tuple[str, str],
        *,
        mtu_bytes: int = 9000,
        name: str,
    ) -> Guest:
        """Make a network function of two taps, each with its MAC address; `functions.start` makes it work."""
        (tap_name, mac_address), (egress_tap, egress_mac_address) = ingress, egress
        guest = Guest(
            name=name,
            host=host,
            tap_name=tap_name,
            mac_address=mac_address,
            mtu_bytes=mtu_bytes,
            egress_tap=egress_tap,
            egress_mac_address=egress_mac_address,
        )
        return self._add(guest)

    def _add(self, guest: Guest) -> Guest:
        if self.place(guest.host).node not in self.topology.hosts:
            raise InvalidIntent("host", f"{guest.host} is no host; a guest needs one")
        if taken := [
            other
            for other in self._guests.all()
            if other.name == guest.name and other.tap_name != guest.tap_name
        ]:
            raise InvalidIntent(
                "name", f"{guest.name} is the guest behind {taken[0].tap_name}: take another name"
            )
        if guest.name in {FABRIC, *(node.id for node in self.topology.nodes)}:
            raise InvalidIntent("name", f"{guest.name} is a node of this lab: take another name")
        self._guests.add(guest)
        return guest

    def remove_guest(self, name: str) -> None:
        """Remove a guest and its tap."""
        guest = self._guests.get(name)
        processes.end_all([self._guests.namespace(guest)])
        self._guests.remove(guest)

    def lease(self, guest: str, *, timeout_s: int = 10) -> Lease:
        """Give a guest the address that DHCP offers."""
        return self._guests.lease(self._guests.get(guest), timeout_s=timeout_s)

    def set_address(self, guest: str, address: str, *, gateway: str = "") -> None:
        """Give a guest an address (with prefix length) by hand."""
        namespace = self._guests.namespace(self._guests.get(guest))
        links.set_address(namespace, "eth0", address, gateway=gateway)

    def add_guest_vlans(self, guest: str, vlan_ids: Sequence[int]) -> None:
        """Make VLAN sub-interfaces `eth0.ID` in a guest, which uses a trunk NIC; they end with it."""
        found = self._guests.get(guest)
        directory = self.directory / "guests" / found.tap_name
        directory.mkdir(exist_ok=True)
        wanted = Vlans(interface=INTERFACE, vlan_ids=tuple(vlan_ids))
        upstreams.make_vlans(self._guests.namespace(found), directory, found.tap_name, wanted)

    def ping(self, guest: str, destination: str, *, count: int = 1, timeout_s: int = 2) -> Ping:
        """Ping an address from a guest until `count` answers came or the time is over."""
        return self._guests.ping(self._guests.get(guest), destination, count=count, timeout_s=timeout_s)

    def link(self, where: str, state: CableState | str) -> None:
        """Pull a cable (`down`), make it silent while its carrier stays (`silent`), or repair it (`up`).

        `where` is one end, e.g. `h1:eth1`, or a node for all of its cables. `up` of the lab repairs pulled ones.
        """
        cables.set_cables(self.name, self.topology, where, CableState(state))

    def set_lag(self, switch: str, lag: str, mode: LagMode | str) -> None:
        """Aggregate ports of a leaf switch by LACP, or part them."""
        self._leaves().set_lag(switch, lag, LagMode(mode))

    def reboot(self, host: str, *, without: Collection[str] = (), keep_ovs: bool = False) -> None:
        """Take a host's power away and give it back: `cut` and `restore`. An upstream, too.

        All its processes die at once, its namespace and links are new, its taps too (without addresses: ask for a
        lease again), and Open vSwitch forgets everything unless `keep_ovs`. What the agent keeps on disk stays.
        """
        self.cut(host)
        self.restore(host, without=without, keep_ovs=keep_ovs)

    def cut(self, host: str) -> None:
        """Take a host's power away: its processes die at once, its links go down."""
        place = self.place(host)
        processes.end_all([place.namespace], place.directory)
        if self.topology.switches:
            self._leaves().unplug(host)
        namespaces.remove(place.namespace)

    def restore(self, host: str, *, without: Collection[str] = (), keep_ovs: bool = False) -> None:
        """Give a host that was cut its power back."""
        place = self.place(host)
        boot.forget(place, keep_ovs=keep_ovs)
        with _locked(self.directory):
            guests = [guest for guest in self._guests.all() if guest.host == host]
            self._wire(guests)
            for guest in guests:
                self.functions.restore(guest)
            if self.topology.switches:
                self._leaves().set_up()
            self._start((place.node,), without)

    def _wire(self, guests: list[Guest]) -> None:
        beyond = [self.place(node.id) for node in self.topology.upstreams]
        upstreams.forget_unfinished(beyond)
        wiring.wire(self.name, self.topology)
        upstreams.set_up(beyond)
        for guest in guests:
            self._guests.add(guest)

    def _nodes(self) -> tuple[Node, ...]:
        """Return all nodes that run something."""
        fabric = (Node(id=FABRIC, management_ip=""),) if self.topology.switches else ()
        return (*self.topology.nodes, *fabric)

    def _daemons(self, place: Place) -> tuple[Daemon, ...]:
        is_fabric = place.node.id == FABRIC
        return daemons.fabric(place, self.topology) if is_fabric else daemons.daemons(place)

    def _leaves(self) -> Leaves:
        return Leaves(self.place(FABRIC), self.topology)

    def _start(self, nodes: tuple[Node, ...], without: Collection[str]) -> None:
        with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
            for started in [pool.submit(self._start_node, node, without) for node in nodes]:
                started.result()

    def _start_node(self, node: Node, without: Collection[str]) -> None:
        place = self.place(node.id)
        boot.prepare(place)
        for daemon in self._daemons(place):
            if daemon.name not in without or node.id == FABRIC:
                Process(daemon).start()
            if daemon.name == daemons.CONTROLLER:
                self._share_socket()
            if daemon.name == daemons.OVSDB:
                boot.run(daemons.first_settings(place))
        if node.id == FABRIC:
            self._leaves().set_up()

    def _share_socket(self) -> None:
        owner = os.environ.get("SUDO_UID", "")
        with suppress(FileNotFoundError):
            if owner.isdigit():  # who called sudo may use the API without it
                os.chown(discover.controller_socket(self.name), int(owner), -1)

    def _keep_topology(self) -> None:
        kept = self.directory / _TOPOLOGY
        if kept.exists() and parse_topology(kept.read_text(), name=self.name) != self.topology:
            raise InvalidIntent(
                "topology",
                f"lab {self.name} runs with another topology: netctl lab down --name {self.name} first",
            )
        kept.write_text(self._text)


def lab_names() -> list[str]:
    """Name every lab that left anything on this machine: a run directory or a namespace.

    A lab that somebody runs under another $NETCTL_LAB_DIR is theirs: `down --all` must not meet it.
    """
    here = set(discover.lab_names())
    return sorted(here | {name for name in namespaces.labs_with_namespaces() - here if not _elsewhere(name)})


def take_down(name: str) -> None:
    """Remove every trace of a lab, whole or in ruins: processes, namespaces, run directory."""
    check_lab_name(name)
    _refuse_elsewhere(name)
    directory = discover.run_dir(name)
    with _locked(directory):
        for _ in range(2):  # a guest added while we looked
            found = namespaces.namespaces_of(name)
            processes.end_all(found, directory)
            for namespace in found:
                namespaces.remove(namespace)
        shutil.rmtree(directory)
    with suppress(OSError):  # other labs are there
        directory.parent.rmdir()


def _elsewhere(name: str) -> Path | None:
    """Return the run directory of a lab that runs under another $NETCTL_LAB_DIR; ruins without one are anybody's."""
    own = discover.run_dir(name).resolve()
    found = {path: path.resolve() for path in processes.directories_in(namespaces.namespaces_of(name))}
    others = sorted(path for path, real in found.items() if own not in (real, *real.parents))
    return next((path for path in others if path.is_dir()), None)


def _refuse_elsewhere(name: str) -> None:
    if path := _elsewhere(name):
        raise InvalidIntent(
            "name",
            f"a lab {name} runs in {path}: take another name, or set {discover.ENVIRONMENT}={path.parent}",
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes from building or removing the same lab; a lock that dies with its holder."""
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else it was removed while we waited: the lock is on nothing
                yield
                return
        finally:
            os.close(handle)
