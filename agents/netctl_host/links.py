"""Linux interfaces: netlink -> Links, LinkActions -> netlink and SIOCETHTOOL.

The kernel of the network namespace that the agent runs in is the source of truth. A link may vanish at any moment:
reading leaves it out, an action on it fails with HostUnavailable and the next pass sees that there is nothing to do.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

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
from netctl_host.ethernet import EthernetReader, run
from netctl_host.guard import Guard
from netctl_host.link_dump import Dumps, LinkDump
from netctl_host.link_moves import add_address, apply_move
from netctl_host.state import Link

# linux/ethtool.h: the ioctls that `ethtool -K DEV tx off` used before feature strings; every kernel has them, and they
# need one call where the strings need four.
ETHTOOL_GTXCSUM = 0x16
ETHTOOL_STXCSUM = 0x17
_VALUE = struct.Struct("=II")  # struct ethtool_value
_OTHER_END = frozenset({"veth"})  # whose IFLA_LINK is no link below it


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
        self._ethernet = EthernetReader()
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
            self._ethernet.keep({link.index for link in dumps})
            names = {link.index: link.name for link in dumps}
            links = [self._link(link, addresses.get(link.index, ()), names) for link in dumps]
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
                    add_address(self._netlink, self._index(name), address)
                case DisableChecksumOffload(link=name):
                    run(self._ioctl, name, _VALUE, ETHTOOL_STXCSUM, 0)
                case AttachGuard(link=name, replace=replace):
                    self._guard.attach(self._netlink, self._index(name), replace=replace)
                case DetachGuard(link=name):
                    self._guard.detach(self._netlink, self._index(name))
                case _:
                    apply_move(action, self._netlink, self._dumps)
        except (NetlinkError, OSError) as error:
            raise HostUnavailable(f"{action}: {error}") from error

    def close(self) -> None:
        """Close the sockets; what was applied stays."""
        self._netlink.close()
        self._dumps.close()
        self._ioctl.close()
        self._ethernet.close()
        self._guard.close()

    def _index(self, name: str) -> int:
        return socket.if_nametoindex(name)

    def _link(self, link: LinkDump, addresses: Sequence[str], names: Mapping[int, str]) -> Link:
        ethernet = self._ethernet.read(link)
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
            kind=link.kind,
            master=names.get(link.master, ""),
            parent=names.get(link.parent, "") if link.kind not in _OTHER_END else "",
            alias=link.alias,
            routes=tuple(self._dumps.routes(link.index)) if ethernet and addresses else (),
            ethernet=ethernet,
        )

    def _has_tx_checksum_offload(self, name: str) -> bool:
        try:
            return bool(_VALUE.unpack(run(self._ioctl, name, _VALUE, ETHTOOL_GTXCSUM, 0))[1])
        except OSError:
            return False  # the link has no such switch, or is gone again
