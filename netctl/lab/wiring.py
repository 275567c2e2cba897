"""From a topology to namespaces, bridges and cables. Again on a lab that is there, it makes what is missing."""

from __future__ import annotations

import hashlib

from netctl.lab import links, namespaces
from netctl.lab.links import Cable, Port
from netctl.lab.topology import FABRIC, MANAGEMENT_INTERFACE, Endpoint, Topology

MANAGEMENT_BRIDGE = "mgmt"
_MANAGEMENT_MTU_BYTES = 1500
_OUI = (0x00, 0x16, 0x3E)  # what Xen gives to virtual NICs


def wire(lab: str, topology: Topology) -> None:
    """Make the fabric, a namespace for each node, their management links and the links of the topology."""
    fabric = namespaces.fabric_namespace(lab)
    if namespaces.ensure(fabric):
        links.set_sysctls(fabric, links.FABRIC_SYSCTLS)
    for node in topology.nodes:
        namespace = namespaces.node_namespace(lab, node.id)
        if namespaces.ensure(namespace):
            is_upstream = node in topology.upstreams
            links.set_sysctls(namespace, links.UPSTREAM_SYSCTLS if is_upstream else links.HOST_SYSCTLS)
            if node.compute:
                links.set_sysctls(namespace, links.SILENT_PEER)
    largest = max((link.mtu_bytes for link in topology.links), default=_MANAGEMENT_MTU_BYTES)
    links.ensure_bridges(fabric, topology.bridges, largest)
    links.ensure_bridges(fabric, [MANAGEMENT_BRIDGE], _MANAGEMENT_MTU_BYTES)
    links.connect([*management_cables(lab, topology), *data_cables(lab, topology)])


def mac_address(lab: str, node: str, interface: str) -> str:
    """Return the address burnt into an interface, the same after a reboot.

    Under an OUI, not locally administered: OVS gives an uplink bridge the address of one of its interfaces, but never
    a locally administered one. It would make one up at each start, and other hosts would go on sending tunnelled
    packets to the old one for a quarter of an hour (ovs-vswitchd's bridge.c, tnl-neigh-cache.c).
    """
    digest = hashlib.sha256(f"{lab}/{node}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (*_OUI, *digest[:3]))


def management_cables(lab: str, topology: Topology) -> list[Cable]:
    """Connect eth0 of every node to the management bridge."""
    return [
        Cable(
            ends=(
                Port(
                    namespace=namespaces.fabric_namespace(lab),
                    interface=f"{MANAGEMENT_BRIDGE}-{node.id}",
                    bridge=MANAGEMENT_BRIDGE,
                ),
                Port(
                    namespace=namespaces.node_namespace(lab, node.id),
                    interface=MANAGEMENT_INTERFACE,
                    mac_address=mac_address(lab, node.id, MANAGEMENT_INTERFACE),
                    address=f"{node.management_ip}/{topology.management_prefix}",
                ),
            ),
            mtu_bytes=_MANAGEMENT_MTU_BYTES,
        )
        for node in topology.nodes
    ]


def data_cables(lab: str, topology: Topology) -> list[Cable]:
    """Lay the topology's links."""

    def port(end: Endpoint) -> Port:
        return Port(
            namespace=namespaces.node_namespace(lab, FABRIC if end.node in topology.fabric else end.node),
            interface=end.interface,
            mac_address=mac_address(lab, end.node, end.interface),
            bridge=end.node if end.node in topology.bridges else "",  # leaf switches plug their own
        )

    # The fabric's end first: cables are made from their first end's namespace, so most are made in one.
    return [
        Cable(
            ends=(port(first), port(second))
            if first.node in topology.fabric
            else (port(second), port(first)),
            mtu_bytes=link.mtu_bytes,
        )
        for link in topology.links
        for first, second in [link.ends]
    ]
