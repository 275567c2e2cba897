"""Linux interfaces: netlink -> Links, LinkActions -> netlink and SIOCETHTOOL.

The kernel of the network namespace that the agent runs in is the source of truth. A link may vanish at any moment:
reading leaves it out, an action on it fails with HostUnavailable and the next pass sees that there is nothing to do.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink import genlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP

from netctl.errors import HostUnavailable
from netctl_host.actions import (
    AddAddress,
    AttachGuard,
    DetachGuard,
    DisableChecksumOffload,
    LinkAction,
    SetLinkUp,
    SetMtu,
)
from netctl_host.guard import Guard
from netctl_host.link_dump import Dumps, LinkDump
from netctl_host.state import Link

# linux/sockios.h, linux/ethtool.h: the ioctls that `ethtool -K DEV tx off` used before feature strings; every kernel
# has them, and they need one call where the strings need four.
SIOCETHTOOL = 0x8946
ETHTOOL_GTXCSUM = 0x16
ETHTOOL_STXCSUM = 0x17


def has_kernel_datapath() -> bool:
    """Return whether the kernel has (or now loads) the openvswitch module.

    Open_vSwitch.datapath_types does not tell: ovs-vswitchd 3.1 lists `system` on kernels without the module, too.
    """
    with GenericNetlinkSocket() as generic:
        try:
            generic.bind("ovs_datapath", genlmsg)
        except (NetlinkError, OSError):
            return False
    return True


class Links:
    """The links of this network namespace."""

    def __init__(self) -> None:
        self._netlink: Any = IPRoute()
        self._dumps = Dumps()
        self._ioctl = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._guard = Guard()

    def read_links(self) -> Mapping[str, Link]:
        """Return every link by name."""
        try:
            addresses: dict[int, list[str]] = defaultdict(list)
            for address in self._dumps.addresses():
                # The kernel makes and removes link-local IPv6 addresses by itself.
                if not address.address.startswith("fe80:"):
                    addresses[address.index].append(f"{address.address}/{address.prefix_length}")
            dumps = self._dumps.links()
            self._guard.forget_all_but({program for link in dumps for program in link.xdp_programs})
            links = [self._link(link, addresses.get(link.index, ())) for link in dumps]
        except OSError as error:
            raise HostUnavailable(f"netlink: {error}") from error
        return {link.name: link for link in links}

    def find_guard_problem(self) -> str:
        """Return why the kernel does not take the guard, "" when it does."""
        return self._guard.find_problem()

    def apply(self, action: LinkAction) -> None:
        """Do one action."""
        try:
            match action:
                case SetMtu(link=name, mtu_bytes=mtu_bytes):
                    self._netlink.link("set", index=self._index(name), mtu=mtu_bytes)
                case SetLinkUp(link=name):
                    self._netlink.link("set", index=self._index(name), state="up")
                case AddAddress(link=name, address=address):
                    interface = ipaddress.ip_interface(address)
                    self._netlink.addr(
                        "replace",
                        index=self._index(name),
                        address=str(interface.ip),
                        prefixlen=interface.network.prefixlen,
                    )
                case DisableChecksumOffload(link=name):
                    _ethtool(self._ioctl, name, ETHTOOL_STXCSUM, 0)
                case AttachGuard(link=name, replace=replace):
                    self._guard.attach(self._netlink, self._index(name), replace=replace)
                case DetachGuard(link=name):
                    self._guard.detach(self._netlink, self._index(name))
                case _:
                    assert_never(action)
        except (NetlinkError, OSError) as error:
            raise HostUnavailable(f"{action}: {error}") from error

    def close(self) -> None:
        """Close the sockets; what was applied stays."""
        self._netlink.close()
        self._dumps.close()
        self._ioctl.close()
        self._guard.close()

    def _index(self, name: str) -> int:
        return socket.if_nametoindex(name)

    def _link(self, link: LinkDump, addresses: Sequence[str]) -> Link:
        return Link(
            name=link.name,
            index=link.index,
            mac_address=link.mac_address,
            up=bool(link.flags & IFF_UP),
            carrier=link.carrier,
            mtu_bytes=link.mtu_bytes,
            addresses=tuple(sorted(addresses)),
            tx_checksum_offload=self._has_tx_checksum_offload(link.name),
            xdp=self._guard.tell(link.xdp_programs),
        )

    def _has_tx_checksum_offload(self, name: str) -> bool:
        try:
            return bool(_ethtool(self._ioctl, name, ETHTOOL_GTXCSUM, 0))
        except OSError:
            return False  # the link has no such switch, or is gone again


def _ethtool(control: socket.socket, name: str, command: int, value: int) -> int:
    """Run one `struct ethtool_value` command; return the value that the kernel left."""
    if len(name.encode()) >= 16:  # ifreq has no room for it
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    argument = array("I", [command, value])
    # struct ifreq: char name[16], then a union that starts with the pointer to the argument
    fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", name.encode(), argument.buffer_info()[0]))
    return argument[1]
