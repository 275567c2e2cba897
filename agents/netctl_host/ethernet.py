"""What network cards say of themselves: SIOCETHTOOL -> speed, duplex, driver.

The kernel is the source of truth. Speed is asked at every look, it comes with carrier; the driver once for each card.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct

from netctl_host.link_dump import LinkDump
from netctl_host.state import Ethernet

# linux/sockios.h, linux/ethtool.h
SIOCETHTOOL = 0x8946
_ETHTOOL_GSET, _ETHTOOL_GDRVINFO = 0x1, 0x3
# struct ethtool_cmd: cmd, supported, advertising, speed, duplex, ..., speed_hi, ...
_SETTINGS = struct.Struct("=I8xHB13xH14x")
_DRIVER = struct.Struct("=I32s160x")
_UNKNOWN_SPEEDS = (0, 0xFFFF, 0xFFFFFFFF)
_FULL_DUPLEX = 1
_ARPHRD_ETHER = 1
# Kernel devices that serve as an uplink like a network card; taps, bridges, tunnels and OVS' own do not.
_KINDS = frozenset({"", "veth", "bond", "team", "vlan", "macvlan"})


class EthernetReader:
    """Asks with a socket of its own, in the network namespace that it was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._drivers: dict[tuple[int, str], str] = {}

    def read(self, link: LinkDump) -> Ethernet | None:
        """Return what the card says, None for a link that could be no uplink."""
        if link.kind not in _KINDS or link.hardware_type != _ARPHRD_ETHER:
            return None
        speed, duplex = self._settings(link.name)
        key = (link.index, link.name)
        if key not in self._drivers:
            self._drivers[key] = self._driver(link.name)
        return Ethernet(
            speed_mbps=0 if speed in _UNKNOWN_SPEEDS else speed,
            full_duplex=duplex == _FULL_DUPLEX,
            driver=self._drivers[key],
        )

    def keep(self, indexes: set[int]) -> None:
        """Forget the drivers of links that are gone."""
        self._drivers = {key: driver for key, driver in self._drivers.items() if key[0] in indexes}

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _settings(self, name: str) -> tuple[int, int]:
        try:
            _, low, duplex, high = _SETTINGS.unpack(
                run(self._socket, name, _SETTINGS, _ETHTOOL_GSET, 0, 0, 0)
            )
        except OSError:  # no carrier, no such question, or gone again
            return 0, 0
        return low | high << 16, duplex

    def _driver(self, name: str) -> str:
        try:
            _, driver = _DRIVER.unpack(run(self._socket, name, _DRIVER, _ETHTOOL_GDRVINFO, b""))
        except OSError:
            return ""
        return str(driver.partition(b"\0")[0].decode(errors="replace"))


def run(control: socket.socket, name: str, layout: struct.Struct, *values: int | bytes) -> bytes:
    """Run one ethtool command of this layout; return what the kernel made of it; raise OSError."""
    if len(name.encode(errors="surrogateescape")) >= 16:  # ifreq has no room for it
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    argument = bytearray(layout.pack(*values))
    place = (_as_address(argument),)
    # struct ifreq: char name[16], then a union that starts with the pointer to the argument
    fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", name.encode(errors="surrogateescape"), *place))
    return bytes(argument)


def _as_address(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
