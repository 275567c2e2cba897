"""A containerlab topology file as a `Topology`: the text of a YAML file goes in, frozen values or errors come out.

Read is what the lab uses: `name`, `mgmt.ipv4-subnet`, nodes of kind `linux`, `bridge` (a Linux bridge) and `ovs-bridge`
(a leaf switch: Open vSwitch in the fabric), `mgmt-ipv4`, labels, links with two endpoints and `mtu`. Every other
containerlab key is left to containerlab. Labels of ours are `netctl.*`:

    netctl.role                     central (exactly one), host or upstream (none or more)
    netctl.cluster                  on central: id of the hosts' cluster, `lab` when absent; on a host: its own
    netctl.tunnel-address           on a host: address of its tunnel endpoint with prefix length
    netctl.tunnel-virtual-switch    on a host: virtual switch that carries the tunnels, the first when absent
    netctl.compute                  on a host: "true": it runs virtual machines (libvirt and the compute agent)
    netctl.store                    on such a host: hosts with the same word here share a store of disks; else its own
    netctl.uplink.{virtual switch}  on a host: its interfaces, joined by commas; the first is the bond's primary
    netctl.vlans.{interface}        on an upstream: VLAN ids, joined by commas, of sub-interfaces `{interface}.{id}`
    netctl.lag.{name}               on an ovs-bridge: its ports, joined by commas, that `netctl lab lag` aggregates

An upstream stands for what is beyond: the physical router and hosts on the Internet. Its `exec` lines, containerlab's
own key, are run in its namespace once, without a shell, and may use iproute2 and sysctl.

Errors are `InvalidIntent` whose field is the path of the key in the file. Format: containerlab's "Topology definition".
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.lab import management
from netctl.lab.document import Section, read_yaml, shown
from netctl.lab.switches import LAG, Switch, parse_switch

HOSTS_MAX = 10
VLAN_ID_MAX = 4094
FABRIC = "fabric"  # the namespace of all bridges; no node of kind linux may be called so
MANAGEMENT_INTERFACE = "eth0"  # containerlab's, too: links may not use it
DEFAULT_MTU_BYTES = 9000  # carries a guest's 1500 in a tunnel with room to spare
# Linux' IFNAMSIZ leaves 15 characters; a node's management port in the fabric is `mgmt-{node}`.
_LAB = re.compile(r"[a-z]([a-z0-9-]{0,29}[a-z0-9])?\Z")
_NODE = re.compile(r"[a-z][a-z0-9-]{0,9}\Z")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
_STORE = re.compile(r"[a-z0-9][a-z0-9-]{0,30}\Z")
_LABELS = (
    *("netctl.role", "netctl.cluster", "netctl.tunnel-address", "netctl.tunnel-virtual-switch"),
    *("netctl.compute", "netctl.store"),
)
_UPLINK, _VLANS = "netctl.uplink.", "netctl.vlans."


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """The interfaces of a host that serve one virtual switch."""

    virtual_switch: str
    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vlans:
    """The VLAN sub-interfaces of an interface."""

    interface: str
    vlan_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Central, a host or an upstream: a namespace with a management address. An upstream has `vlans` and `commands`.

    A host with `compute` runs virtual machines, with disks in the shared `store` or, where that is empty, in its own.
    """

    id: str
    management_ip: str
    cluster: str = ""
    tunnel_address: str = ""
    tunnel_virtual_switch: str = ""
    uplinks: tuple[Uplink, ...] = ()
    compute: bool = False
    store: str = ""
    vlans: tuple[Vlans, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a link."""

    node: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A cable between two nodes, or from a node to a bridge of the fabric."""

    ends: tuple[Endpoint, Endpoint]
    mtu_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What to build."""

    name: str
    cluster: str
    management_prefix: int
    central: Node
    hosts: tuple[Node, ...]
    upstreams: tuple[Node, ...]
    bridges: tuple[str, ...]
    links: tuple[Link, ...]
    switches: tuple[Switch, ...] = ()

    @property
    def fabric(self) -> frozenset[str]:
        """Bridges and leaf switches: whose ports are in the fabric's namespace."""
        return frozenset(self.bridges) | {switch.id for switch in self.switches}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Central first, then the hosts, then what is beyond."""
        return (self.central, *self.hosts, *self.upstreams)

    @property
    def clusters(self) -> tuple[str, ...]:
        """Every cluster, in the order in which the file names their hosts."""
        return tuple(dict.fromkeys(host.cluster for host in self.hosts))

    def hosts_of(self, cluster: str) -> tuple[Node, ...]:
        """Return the hosts of a cluster."""
        return tuple(host for host in self.hosts if host.cluster == cluster)

    def cluster_of(self, virtual_switch: str) -> str:
        """Return the cluster of a virtual switch: that of its hosts."""
        return next(
            host.cluster
            for host in self.hosts
            if virtual_switch in {uplink.virtual_switch for uplink in host.uplinks}
        )

    def mtu_bytes(self, virtual_switch: str) -> int:
        """Return the smallest MTU of the links that serve a virtual switch."""
        serving = {
            Endpoint(node=host.id, interface=interface)
            for host in self.hosts
            for uplink in host.uplinks
            if uplink.virtual_switch == virtual_switch
            for interface in uplink.interfaces
        }
        return min(link.mtu_bytes for link in self.links if serving & set(link.ends))

    @property
    def virtual_switches(self) -> tuple[str, ...]:
        """Every virtual switch, in the order in which the file names them."""
        return tuple(dict.fromkeys(uplink.virtual_switch for host in self.hosts for uplink in host.uplinks))


def check_lab_name(name: str) -> str:
    """Return the name of a lab, or raise InvalidIntent: it becomes part of paths and namespaces' names."""
    if not _LAB.match(name):
        raise InvalidIntent("name", f"{name[:40]!r} is no name for a lab: use up to 31 of a-z, 0-9 and -")
    return name


def parse_topology(text: str, *, name: str = "") -> Topology:
    """Parse a containerlab file; `name`, when given, replaces the file's."""
    file = read_yaml(text)
    topology = file.mapping("topology")
    defaults = Section.of(topology.get("defaults", {}), "topology.defaults")
    nodes = {key: topology.mapping("nodes").mapping(key) for key in topology.mapping("nodes").names()}
    kinds = {key: _kind(node, defaults) for key, node in nodes.items()}
    linux = {key: node for key, node in nodes.items() if kinds[key] == "linux"}
    network = management.parse_network(file)
    addresses = management.choose_addresses(linux, network)
    roles = {key: _role(node) for key, node in linux.items()}
    central, hosts = _central_and_hosts(roles)
    cluster = _labels(linux[central]).text("netctl.cluster", "lab")
    links = _links(topology, frozenset(nodes))
    result = Topology(
        name=check_lab_name(name or file.text("name")),
        cluster=cluster,
        management_prefix=network.prefixlen,
        central=Node(id=_node_id(linux[central], central), management_ip=addresses[central]),
        hosts=tuple(_host(linux[key], key, addresses[key], cluster) for key in hosts),
        upstreams=tuple(
            _upstream(linux[key], key, addresses[key]) for key, role in roles.items() if role == "upstream"
        ),
        bridges=tuple(_bridge(nodes[key], key) for key, kind in kinds.items() if kind == "bridge"),
        switches=tuple(
            _switch(nodes[key], key, links) for key, kind in kinds.items() if kind == "ovs-bridge"
        ),
        links=links,
    )
    _check_uplinks(result)
    return result


def _central_and_hosts(roles: Mapping[str, str]) -> tuple[str, list[str]]:
    central = [key for key, role in roles.items() if role == "central"]
    hosts = [key for key, role in roles.items() if role == "host"]
    if len(central) != 1:
        raise InvalidIntent(
            "topology.nodes", f"{len(central)} nodes with netctl.role central; use exactly one"
        )
    if not 1 <= len(hosts) <= HOSTS_MAX:
        raise InvalidIntent(
            "topology.nodes", f"{len(hosts)} nodes with netctl.role host; use 1 to {HOSTS_MAX}"
        )
    return central[0], hosts


def _kind(node: Section, defaults: Section) -> str:
    kind = node.get("kind", defaults.get("kind", None))
    if kind not in ("linux", "bridge", "ovs-bridge"):
        raise InvalidIntent(node.at("kind"), f"must be linux, bridge or ovs-bridge, is {shown(kind)}")
    return str(kind)


def _labels(node: Section) -> Section:
    labels = node.mapping("labels")
    for key in labels.names():
        if key.startswith("netctl.") and key not in _LABELS and not key.startswith((_UPLINK, _VLANS, LAG)):
            known = ", ".join((*_LABELS, f"{_UPLINK}*", f"{_VLANS}*", f"{LAG}*"))
            raise InvalidIntent(labels.at(key), f"no such label; known are {known}")
    return labels


def _role(node: Section) -> str:
    labels = _labels(node)
    role = labels.text("netctl.role")
    if role not in ("central", "host", "upstream"):
        raise InvalidIntent(labels.at("netctl.role"), f"must be central, host or upstream, is {role!r}")
    return role


def _node_id(node: Section, key: str) -> str:
    if not _NODE.match(key) or key == FABRIC:
        raise InvalidIntent(node.path, f"a node's name is up to 10 of a-z, 0-9 and -, and not {FABRIC}")
    return key


def _bridge(node: Section, key: str) -> str:
    # iproute2 reads `br` as an abbreviation of its own keyword.
    if not _INTERFACE.match(key) or key in ("br", "mgmt", "lo"):
        raise InvalidIntent(node.path, "a bridge is named like a Linux interface, and not br, mgmt or lo")
    return key


def _switch(node: Section, key: str, links: tuple[Link, ...]) -> Switch:
    ports = frozenset(end.interface for link in links for end in link.ends if end.node == key)
    return parse_switch(_labels(node), _bridge(node, key), ports)


def _upstream(node: Section, key: str, management_ip: str) -> Node:
    lines = node.get("exec", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InvalidIntent(node.at("exec"), f"must be a list of command lines, is {shown(lines)}")
    commands = []
    for i, line in enumerate(lines):
        try:
            commands.append(tuple(shlex.split(line)))
        except ValueError as error:
            raise InvalidIntent(f"{node.at('exec')}[{i}]", str(error)) from None
        if not commands[-1]:
            raise InvalidIntent(f"{node.at('exec')}[{i}]", "must be a command line, is empty")
    labels = _labels(node)
    vlans = tuple(_vlans(labels, label) for label in labels.names() if label.startswith(_VLANS))
    return Node(id=_node_id(node, key), management_ip=management_ip, vlans=vlans, commands=tuple(commands))


def _vlans(labels: Section, label: str) -> Vlans:
    words = [word.strip() for word in labels.text(label).split(",")]
    if not all(word.isdigit() and 1 <= int(word) <= VLAN_ID_MAX for word in words):
        raise InvalidIntent(labels.at(label), f"must be VLAN ids, 1 to {VLAN_ID_MAX}, is {','.join(words)}")
    return Vlans(interface=label.removeprefix(_VLANS), vlan_ids=tuple(int(word) for word in words))


def _host(node: Section, key: str, management_ip: str, cluster: str) -> Node:
    labels = _labels(node)
    address = labels.text("netctl.tunnel-address")
    try:
        ipaddress.ip_interface(address)
    except ValueError as error:
        raise InvalidIntent(labels.at("netctl.tunnel-address"), str(error)) from None
    uplinks = tuple(
        Uplink(
            virtual_switch=label.removeprefix(_UPLINK),
            interfaces=tuple(name.strip() for name in labels.text(label).split(",")),
        )
        for label in labels.names()
        if label.startswith(_UPLINK)
    )
    if not uplinks:
        raise InvalidIntent(labels.path, f"a host needs at least one label {_UPLINK}{{virtual switch}}")
    return Node(
        id=_node_id(node, key),
        management_ip=management_ip,
        cluster=labels.text("netctl.cluster", cluster),
        tunnel_address=address,
        tunnel_virtual_switch=labels.text("netctl.tunnel-virtual-switch", uplinks[0].virtual_switch),
        uplinks=uplinks,
        compute=_flag(labels, "netctl.compute"),
        store=_store(labels),
    )


def _flag(labels: Section, label: str) -> bool:
    text = labels.text(label, "false")
    if text not in ("true", "false"):
        raise InvalidIntent(labels.at(label), f'must be "true" or "false", is {text!r}')
    return text == "true"


def _store(labels: Section) -> str:
    if labels.get("netctl.store", None) is None:
        return ""
    store = labels.text("netctl.store")
    if not (_STORE.match(store) and _flag(labels, "netctl.compute")):
        raise InvalidIntent(
            labels.at("netctl.store"),
            f"{store!r} must be up to 31 of a-z, 0-9 and -, on a host with netctl.compute",
        )
    return store


def _links(topology: Section, nodes: frozenset[str]) -> tuple[Link, ...]:
    listed = topology.get("links", [])
    if not isinstance(listed, list):
        raise InvalidIntent(topology.at("links"), f"must be a list, is {shown(listed)}")
    links: list[Link] = []
    taken: set[Endpoint] = set()
    for i, entry in enumerate(listed):
        path = f"{topology.at('links')}[{i}]"
        link = Section.of(entry, path)
        ends = link.get("endpoints", None)
        if not isinstance(ends, list) or len(ends) != 2:
            raise InvalidIntent(link.at("endpoints"), f"must be a list of two, is {shown(ends)}")
        first, second = (_endpoint(end, link.at("endpoints"), nodes) for end in ends)
        for end in (first, second):
            if end in taken:
                raise InvalidIntent(link.at("endpoints"), f"{end.node}:{end.interface} is used twice")
            taken.add(end)
        mtu = link.get("mtu", DEFAULT_MTU_BYTES)
        if not isinstance(mtu, int) or not 1280 <= mtu <= 9216:
            raise InvalidIntent(link.at("mtu"), f"must be 1280 to 9216 bytes, is {shown(mtu)}")
        links.append(Link(ends=(first, second), mtu_bytes=mtu))
    return tuple(links)


def _endpoint(value: object, path: str, nodes: frozenset[str]) -> Endpoint:
    node, _, interface = str(value).partition(":")
    if not _INTERFACE.match(interface):
        raise InvalidIntent(
            path, f"{value!r} is not NODE:INTERFACE with at most 15 characters after the colon"
        )
    if node not in nodes:
        raise InvalidIntent(path, f"{node!r} is not among topology.nodes")
    if interface in (MANAGEMENT_INTERFACE, "lo"):
        raise InvalidIntent(path, f"{interface} is the management interface or loopback; use another")
    return Endpoint(node=node, interface=interface)


def _check_uplinks(topology: Topology) -> None:
    connected = {end for link in topology.links for end in link.ends}
    for node in topology.upstreams:
        for vlans in node.vlans:
            if Endpoint(node=node.id, interface=vlans.interface) not in connected:
                where = f"topology.nodes.{node.id}.labels.{_VLANS}{vlans.interface}"
                raise InvalidIntent(where, f"{vlans.interface!r} is not an endpoint of topology.links")
    ports = [end.interface for link in topology.links for end in link.ends if end.node in topology.fabric]
    if len(ports) != len(set(ports)):  # all bridges share one namespace
        raise InvalidIntent("topology.links", "two links use the same interface name at a bridge")
    for host in topology.hosts:
        labels = f"topology.nodes.{host.id}.labels"
        switches = {uplink.virtual_switch for uplink in host.uplinks}
        if host.tunnel_virtual_switch not in switches:
            raise InvalidIntent(
                f"{labels}.netctl.tunnel-virtual-switch",
                f"{host.tunnel_virtual_switch} has no uplink here; known are {', '.join(sorted(switches))}",
            )
        for switch in sorted(switches):
            if host.cluster != topology.cluster_of(switch):
                raise InvalidIntent(
                    f"{labels}.{_UPLINK}{switch}",
                    f"a virtual switch is of one cluster, and another host has {switch} in "
                    f"{topology.cluster_of(switch)}; this one is in {host.cluster}",
                )
        used: set[str] = set()
        for uplink in host.uplinks:
            for interface in uplink.interfaces:
                where = f"{labels}.{_UPLINK}{uplink.virtual_switch}"
                if Endpoint(node=host.id, interface=interface) not in connected:
                    raise InvalidIntent(where, f"{interface!r} is not an endpoint of topology.links")
                if interface in used:
                    raise InvalidIntent(where, f"{interface} serves two virtual switches; use it once")
                used.add(interface)
