"""Links of the lab: cables between namespaces, bridges of the fabric, addresses. The room's only netlink module.

Every function here acts on namespaces by name, makes what is missing and leaves the rest, so that calling it again
repairs. Cables are veth pairs made with each end in its own namespace; nothing ever exists in the root namespace.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError

from netctl.lab import namespaces

# linux/sockios.h and linux/ethtool.h
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_IFF_UP = 1
_SYSCTL = Path("/proc/sys/net")

# A QEMU that migrates its guest hangs, guest and monitor, until TCP gives up a destination that died in the copy's last
# moment: 13 s, by default a quarter of an hour.
SILENT_PEER = {"ipv4/tcp_retries2": "5"}
# A frame on a port of a userspace bridge reaches the kernel's own stack as well, which must keep silent about it:
# no answer to ARP for an address of another interface, no reply to a tunnel's packets, no IPv6 address of its own.
HOST_SYSCTLS = {
    "ipv4/conf/all/arp_ignore": "1",
    "ipv4/conf/all/rp_filter": "1",
    "ipv4/conf/default/rp_filter": "1",
    "ipv6/conf/default/addr_gen_mode": "1",
    "ipv6/conf/default/accept_ra": "0",
}
# Routers' answers may come another way than the question went; the rest is for the topology's `exec` lines to say.
UPSTREAM_SYSCTLS = {"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0"}
FABRIC_SYSCTLS = {"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One end of a cable: where it is and how it is set up. Empty: left as the kernel makes it."""

    namespace: str
    interface: str
    mac_address: str = ""
    address: str = ""
    bridge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A veth pair."""

    ends: tuple[Port, Port]
    mtu_bytes: int


def set_sysctls(namespace: str, values: dict[str, str]) -> None:
    """Write settings below /proc/sys/net of a namespace; those that this kernel lacks (no IPv6) are passed over."""

    def write() -> None:
        for key, value in values.items():
            with suppress(FileNotFoundError):
                (_SYSCTL / key).write_text(value)

    namespaces.run_in(namespace, write)


def ensure_bridges(namespace: str, names: Iterable[str], mtu_bytes: int) -> None:
    """Make Linux bridges, without spanning tree and without multicast snooping: all frames pass."""

    def make() -> None:
        with IPRoute() as ipr:
            for name in names:
                if not ipr.link_lookup(ifname=name):
                    ipr.link("add", ifname=name, kind="bridge", br_mcast_snooping=0)
                ipr.link("set", index=_index(ipr, name), mtu=mtu_bytes, state="up")
            ipr.link("set", index=_index(ipr, "lo"), state="up")

    namespaces.run_in(namespace, make)


def connect(cables: Iterable[Cable]) -> None:
    """Make the cables that are missing and set up both ends of all."""
    wanted = list(cables)
    ends = [end for cable in wanted for end in cable.ends]
    there = {namespace: interfaces(namespace) for namespace in dict.fromkeys(end.namespace for end in ends)}
    broken = [c for c in wanted if not all(end.interface in there[end.namespace] for end in c.ends)]
    # The kernel removes the cables of a removed namespace a little later: what is left of one goes now.
    for end in (end for cable in broken for end in cable.ends if end.interface in there[end.namespace]):
        remove(end.namespace, end.interface)
    for namespace in dict.fromkeys(cable.ends[0].namespace for cable in broken):
        own = [cable for cable in broken if cable.ends[0].namespace == namespace]
        namespaces.run_in(namespace, partial(_lay, own))
    # The MTU is set once, by `_lay`: whoever uses the interface may have changed it since (a DHCP lease does).
    for namespace in there:
        namespaces.run_in(namespace, partial(_set_up, [end for end in ends if end.namespace == namespace]))


def remove(namespace: str, interface: str) -> None:
    """Remove an interface and with it the other end of its cable; one that is gone is no error."""

    def delete() -> None:
        with IPRoute() as ipr:
            for index in ipr.link_lookup(ifname=interface):
                with suppress(NetlinkError):  # the kernel was faster
                    ipr.link("del", index=index)

    with suppress(FileNotFoundError):
        namespaces.run_in(namespace, delete)


def set_state(namespace: str, interface: str, *, up: bool) -> None:
    """Pull or push a plug."""

    def change() -> None:
        with IPRoute() as ipr:
            ipr.link("set", index=_index(ipr, interface), state="up" if up else "down")

    namespaces.run_in(namespace, change)


def set_address(
    namespace: str, interface: str, address: str, *, gateway: str = "", mtu_bytes: int = 0
) -> None:
    """Give an interface this address (with prefix length) in place of all others of its family."""

    def change() -> None:
        with IPRoute() as ipr:
            index = _index(ipr, interface)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            ipr.flush_addr(index=index, family=family, scope=0)
            ipr.addr("replace", index=index, address=address, family=family)
            if mtu_bytes:
                ipr.link("set", index=index, mtu=mtu_bytes)
            if gateway:
                ipr.route("replace", dst="default", gateway=gateway, oif=index, family=family)

    namespaces.run_in(namespace, change)


def interfaces(namespace: str) -> frozenset[str]:
    """Name the interfaces of a namespace; none when it is gone."""

    def read() -> frozenset[str]:
        with IPRoute() as ipr:
            return frozenset(link.get("ifname") for link in ipr.get_links())

    try:
        return namespaces.run_in(namespace, read)
    except FileNotFoundError:
        return frozenset()


def interfaces_up(namespace: str) -> frozenset[str]:
    """Name the interfaces of a namespace that are set up."""

    def read() -> frozenset[str]:
        with IPRoute() as ipr:
            return frozenset(link.get("ifname") for link in ipr.get_links() if link["flags"] & _IFF_UP)

    return namespaces.run_in(namespace, read)


def _lay(cables: list[Cable]) -> None:
    with IPRoute() as ipr:
        for cable in cables:
            near, far = cable.ends
            there = os.open(namespaces.DIRECTORY / far.namespace, os.O_RDONLY)
            try:
                peer = {"ifname": far.interface, "mtu": cable.mtu_bytes, "net_ns_fd": there} | _mac(far)
                own = {"ifname": near.interface, "mtu": cable.mtu_bytes} | _mac(near)
                ipr.link("add", kind="veth", peer=peer, **own)
            finally:
                os.close(there)


def _mac(port: Port) -> dict[str, str]:
    return {"address": port.mac_address} if port.mac_address else {}


def _set_up(ports: list[Port]) -> None:
    with IPRoute() as ipr:
        ipr.link("set", index=_index(ipr, "lo"), state="up")
        for port in ports:
            index = _index(ipr, port.interface)
            # Frames with partial checksums, which offload leaves, are dropped by OVS' userspace datapath.
            _stop_checksum_offload(port.interface)
            if port.bridge:
                ipr.link("set", index=index, master=_index(ipr, port.bridge))
            if port.address:
                ipr.addr("replace", index=index, address=port.address)
            ipr.link("set", index=index, state="up")


def _index(ipr: IPRoute, interface: str) -> int:
    found = ipr.link_lookup(ifname=interface)
    if not found:
        raise NetlinkError(19, f"no interface {interface}")  # ENODEV
    return int(found[0])


def _stop_checksum_offload(interface: str) -> None:
    value = (ctypes.c_uint32 * 2)(_ETHTOOL_STXCSUM, 0)
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)
