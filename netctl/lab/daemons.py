"""Which daemons central and a host run, and how: command lines in private directories. No process is touched here.

Command lines: ovsdb-server(1), ovn-northd(8), ovs-vswitchd(8), ovn-controller(8). Ports: 6642 is OVN's for the
southbound database.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from netctl.lab import discover, libvirt, namespaces
from netctl.lab.libvirt import LibvirtHost
from netctl.lab.processes import Daemon
from netctl.lab.topology import FABRIC, Node, Topology, Vlans

SOUTHBOUND_PORT = 6642
CONTROLLER_PORT = 50051
METRICS_PORT = 9464
NB, SB, NORTHD, CONTROLLER = "nb", "sb", "ovn-northd", "controller"
OVSDB, VSWITCHD, OVN_CONTROLLER, AGENT = "ovsdb-server", "ovs-vswitchd", "ovn-controller", "agent"
LIBVIRTD, COMPUTE_AGENT = libvirt.LIBVIRTD, "compute-agent"
VLANS, FORWARDER, LLDP = "vlans", "forwarder", "lldp"
# In the order in which they start: each needs those before it on its node.
CENTRAL_DAEMONS = (NB, SB, NORTHD, CONTROLLER)
HOST_DAEMONS = (OVSDB, VSWITCHD, OVN_CONTROLLER, AGENT)
COMPUTE_DAEMONS = (LIBVIRTD, COMPUTE_AGENT)  # after those of a host, where virtual machines run
DAEMONS = CENTRAL_DAEMONS + HOST_DAEMONS + COMPUTE_DAEMONS
TOOLS = (
    *("ip", "sysctl", "nsenter", "setsid", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-vswitchd"),
    *("ovn-northd", "ovn-controller", "udhcpc", "ping"),
)
OVN_SCHEMAS = Path("/usr/share/ovn")
VSWITCH_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node of a lab lives: the lab's name, its central and the node itself."""

    lab: str
    central: Node
    node: Node

    @property
    def directory(self) -> Path:
        """The node's own part of the run directory."""
        return discover.run_dir(self.lab) / self.node.id

    @property
    def namespace(self) -> str:
        """The node's network namespace."""
        return namespaces.node_namespace(self.lab, self.node.id)

    @property
    def libvirt(self) -> LibvirtHost:
        """The libvirt of a host that runs virtual machines."""
        node = self.node
        return LibvirtHost(
            directory=self.directory / "libvirt",
            name=node.id,
            address=node.management_ip,
            shared_store=discover.run_dir(self.lab) / "stores" / node.store if node.store else None,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What makes every OVS and OVN tool find this node's daemons and no others."""
        here = str(self.directory)
        names = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR")
        found = dict.fromkeys(names, here) | {"NETCTL_SERVER": f"unix:{discover.controller_socket(self.lab)}"}
        if self.node.compute:
            found |= {"LIBVIRT_DEFAULT_URI": self.libvirt.uri}
        if self.node == self.central:
            found |= {"OVN_NB_DB": f"unix:{here}/nb.sock", "OVN_SB_DB": f"unix:{here}/sb.sock"}
        return found

    @property
    def databases(self) -> dict[Path, Path]:
        """Database files and the schemas that they are made from."""
        if self.node == self.central:
            return {self.directory / f"{db}.db": OVN_SCHEMAS / f"ovn-{db}.ovsschema" for db in (NB, SB)}
        if not self.node.uplinks and self.node.id != FABRIC:
            return {}
        return {self.directory / "conf.db": VSWITCH_SCHEMA}


def tools(topology: Topology) -> tuple[str, ...]:
    """Return the programs that a lab of this topology needs."""
    return TOOLS + (libvirt.TOOLS if any(host.compute for host in topology.hosts) else ())


def daemons(place: Place) -> tuple[Daemon, ...]:
    """Return what a node runs, in the order of starting; an upstream's are not among DAEMONS."""
    if place.node == place.central:
        return _central(place)
    return _host(place) if place.node.uplinks else _upstream(place)


def vlans(namespace: str, directory: Path, node: str, wanted: Vlans) -> Daemon:
    """Return what makes VLAN sub-interfaces of an interface, in any namespace."""
    ids = [str(vlan_id) for vlan_id in wanted.vlan_ids]
    return Daemon(
        node=node,
        name=f"{VLANS}-{wanted.interface}",
        namespace=namespace,
        directory=directory,
        argv=(sys.executable, "-m", "netctl.lab.vlans", wanted.interface, *ids),
    )


def forwarder(namespace: str, directory: Path, node: str, argv: tuple[str, ...]) -> Daemon:
    """Return what a network function is inside."""
    return Daemon(
        node=node,
        name=FORWARDER,
        namespace=namespace,
        directory=directory,
        argv=(sys.executable, "-m", "netctl.lab.forwarder", *argv),
    )


def fabric(place: Place, topology: Topology) -> tuple[Daemon, ...]:
    """Return what the leaf switches are: one Open vSwitch, and an LLDP speaker for each; nothing without switches."""
    if not topology.switches:
        return ()
    announced = [
        (switch.id, tuple(e.interface for link in topology.links for e in link.ends if e.node == switch.id))
        for switch in topology.switches
    ]
    words = [
        (switch, f"02:1a:bf:00:00:{number:02x}", f"192.0.2.{number}", *ports)
        for number, (switch, ports) in enumerate(announced, start=1)
    ]
    return (
        *_switch(place),
        *(
            _daemon(place, f"{LLDP}-{argv[0]}", (sys.executable, "-m", "netctl.lab.lldp", *argv))
            for argv in words
        ),
    )


def first_settings(place: Place) -> list[str]:
    """Return the command that a host's fresh Open_vSwitch database needs, before any other daemon starts."""
    # Without the row that `init` makes (as ovs-ctl does), ovs-vswitchd waits. Without ovn-bridge, ovn-controller
    # makes a br-int at once, and with the kernel's datapath; everything else is the host agent's.
    bridge = ("external_ids:ovn-bridge=brAtlas", "external_ids:ovn-bridge-datapath-type=netdev")
    database = f"--db=unix:{place.directory}/db.sock"
    return ["ovs-vsctl", database, "--no-wait", "init", "--", "set", "Open_vSwitch", ".", *bridge]


def program(name: str) -> str:
    """Find a program of this installation: beside the interpreter that runs us, else on the PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


def _central(place: Place) -> tuple[Daemon, ...]:
    here = place.directory
    southbound = f"{place.node.management_ip}:{SOUTHBOUND_PORT}"
    northd = ("ovn-northd", f"--ovnnb-db=unix:{here}/nb.sock", f"--ovnsb-db=unix:{here}/sb.sock")
    controller = (
        program("netctl-controller"),
        *("--state-dir", str(here / "state")),
        *("--northbound", f"unix:{here}/nb.sock"),
        *("--ovn-remote", f"tcp:{southbound}"),
        *("--listen", f"unix:{discover.controller_socket(place.lab)}"),
        *("--listen", f"{place.node.management_ip}:{CONTROLLER_PORT}"),
        *("--metrics-listen", f"{place.node.management_ip}:{METRICS_PORT}"),
    )
    return (
        _detached(place, NB, _ovsdb_server(place, NB)),
        _detached(
            place,
            SB,
            (*_ovsdb_server(place, SB), f"--remote=ptcp:{SOUTHBOUND_PORT}:{place.node.management_ip}"),
        ),
        _detached(place, NORTHD, northd),
        _daemon(place, CONTROLLER, controller, serves=discover.controller_socket(place.lab)),
    )


def _host(place: Place) -> tuple[Daemon, ...]:
    here = place.directory
    local = f"unix:{here}/db.sock"
    agent = (
        program("netctl-host-agent"),
        *("--host-id", place.node.id),
        *("--controller", f"{place.central.management_ip}:{CONTROLLER_PORT}"),
        *("--ovsdb", local),
        *("--ovs-rundir", str(here)),
        *("--ovn-rundir", str(here)),
        *("--ovn-controller-log", str(_log(place, OVN_CONTROLLER))),
        *("--state-dir", str(here / "state")),
        # Always the userspace datapath: the kernel's is one for the whole machine, and not every kernel has it.
        *("--datapath-type", "netdev"),
    )
    return (
        *_switch(place),
        _detached(place, OVN_CONTROLLER, ("ovn-controller", local)),
        _daemon(place, AGENT, agent),
        *(_compute(place) if place.node.compute else ()),
    )


def _compute(place: Place) -> tuple[Daemon, ...]:
    host = place.libvirt
    agent = (
        program("netctl-compute-agent"),
        *("--host-id", place.node.id),
        *("--controller", f"{place.central.management_ip}:{CONTROLLER_PORT}"),
        *("--state-dir", libvirt.STATE),
        *("--run-dir", libvirt.RUN),
        *("--store", libvirt.STORE),
        *("--migration-address", host.migrate_uri),
        *("--domain-type", "qemu"),  # a machine that has labs need not have a KVM that works
        *("--tap-offloads", "off"),  # the userspace datapath reads frames as they are
    )
    return (
        _daemon(place, LIBVIRTD, host.libvirtd(), serves=host.socket),
        _daemon(place, COMPUTE_AGENT, host.inside(*agent)),
    )


def _switch(place: Place) -> tuple[Daemon, Daemon]:
    here = place.directory
    server = ("ovsdb-server", str(here / "conf.db"), f"--remote=punix:{here}/db.sock")
    return (
        _detached(place, OVSDB, server),
        _detached(place, VSWITCHD, ("ovs-vswitchd", f"unix:{here}/db.sock")),
    )


def _upstream(place: Place) -> tuple[Daemon, ...]:
    return tuple(
        vlans(place.namespace, place.directory, place.node.id, wanted) for wanted in place.node.vlans
    )


def _ovsdb_server(place: Place, database: str) -> tuple[str, ...]:
    here = place.directory
    return (
        *("ovsdb-server", str(here / f"{database}.db")),
        f"--remote=punix:{here}/{database}.sock",
        f"--unixctl={here}/{database}.ctl",
    )


def _detached(place: Place, name: str, argv: tuple[str, ...]) -> Daemon:
    """Let OVS' own code put it in the background: it returns when the daemon is ready."""
    pid_file = place.directory / f"{name}.pid"
    common = ("--detach", f"--pidfile={pid_file}", f"--log-file={_log(place, name)}", "-vconsole:off")
    return _daemon(place, name, (*argv, *common), detaches=True)


def _log(place: Place, name: str) -> Path:
    return place.directory / f"{name}.log"


def _daemon(
    place: Place, name: str, argv: tuple[str, ...], *, detaches: bool = False, serves: Path | None = None
) -> Daemon:
    return Daemon(
        node=place.node.id,
        name=name,
        namespace=place.namespace,
        directory=place.directory,
        argv=argv,
        environment=place.environment,
        detaches=detaches,
        serves=serves,
    )
