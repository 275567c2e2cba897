"""The taps that guests are attached to: made before a domain starts, removed after it is gone.

They are persistent (QEMU and libvirt only open them), and carry the uid of their machine in their alias, so that a tap
of ours is known from anybody else's. The kernel of the network namespace that the agent runs in is the source of truth.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink import genlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket

from netctl.errors import HostUnavailable
from netctl_compute.state import Tap

_OWNER = "netctl:vm:"
# linux/if_tun.h
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TAP, _IFF_NO_PI, _IFF_MULTI_QUEUE, _IFF_VNET_HDR = 0x0002, 0x1000, 0x0100, 0x4000
_IFREQ = struct.Struct("16sH22x")
_TUN_TYPE_TAP = 2


def has_kernel_datapath() -> bool:
    """Return whether Open vSwitch forwards in the kernel here, which completes checksums that guests left."""
    with GenericNetlinkSocket() as generic:
        try:
            generic.bind("ovs_datapath", genlmsg)
        except (NetlinkError, OSError):
            return False
    return True


class Taps:
    """The taps of this network namespace."""

    def __init__(self) -> None:
        self._netlink: Any = IPRoute()

    def read(self) -> Mapping[str, Tap]:
        """Return every tap by name."""
        try:
            messages = self._netlink.get_links(kind="tun")
        except (NetlinkError, OSError) as error:
            raise HostUnavailable(f"netlink: {error}") from error
        return {tap.name: tap for message in messages if (tap := _tap(message)) is not None}

    def make(self, tap: Tap) -> None:
        """Make it, or correct its MTU and owner; one with another number of queues is made anew."""
        try:
            found = self.read().get(tap.name)
            if found is not None and found.multi_queue != tap.multi_queue:
                self.remove(tap.name)
                found = None
            if found is None:
                _create(tap)
            alias = _OWNER + tap.owner
            index = socket.if_nametoindex(tap.name)
            self._netlink.link("set", index=index, mtu=tap.mtu_bytes, ifalias=alias)
        except (NetlinkError, OSError) as error:
            raise HostUnavailable(f"tap {tap.name}: {error}") from error

    def remove(self, name: str) -> None:
        """Remove it; one that is gone is no error."""
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            return
        try:
            self._netlink.link("del", index=index)
        except (NetlinkError, OSError) as error:
            if isinstance(error, NetlinkError) and error.code == errno.ENODEV:
                return
            raise HostUnavailable(f"tap {name}: {error}") from error

    def close(self) -> None:
        """Close the socket; the taps stay."""
        self._netlink.close()


def _create(tap: Tap) -> None:
    """Make a persistent tap. QEMU opens it with the same flag for queues, or not at all."""
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | (_IFF_MULTI_QUEUE if tap.multi_queue else 0)
    opened = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(opened, _TUNSETIFF, _IFREQ.pack(tap.name.encode(), flags))
        fcntl.ioctl(opened, _TUNSETPERSIST, 1)
    finally:
        os.close(opened)


def _tap(message: Any) -> Tap | None:
    """Return the tap that a link's message tells of; None of another kind of link."""
    info = message.get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_DATA") if info is not None else None
    if data is None or info.get_attr("IFLA_INFO_KIND") != "tun":
        return None
    if data.get_attr("IFLA_TUN_TYPE") != _TUN_TYPE_TAP:
        return None
    alias = message.get_attr("IFLA_IFALIAS") or ""
    return Tap(
        name=message.get_attr("IFLA_IFNAME"),
        mtu_bytes=message.get_attr("IFLA_MTU"),
        multi_queue=bool(data.get_attr("IFLA_TUN_MULTI_QUEUE")),
        owner=alias.removeprefix(_OWNER) if alias.startswith(_OWNER) else "",
    )
