"""VLAN sub-interfaces without the kernel's: a small process that tags and untags between an interface and taps.

    python -m netctl.lab.vlans eth2 100 101      makes eth2.100 and eth2.101, with eth2's MAC address and MTU

Not every kernel has 802.1Q (the labs' hosts tag in OVS, which needs none of it). The process lives in the namespace of
the interface and ends with it; the taps stay, with their addresses, when it is killed, and serve again when restarted.
Sources: packet(7) for PACKET_AUXDATA, where the kernel puts a received frame's tag; Linux' tuntap.rst.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import socket
import struct
import sys
from contextlib import suppress

from pyroute2 import IPRoute

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID = 1 << 4
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 8 << 20
_TPID = 0x8100
_ID_MASK = 0x0FFF
_FRAME_MAX = 65536
# linux/if_tun.h
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000


def serve(interface: str, vlan_ids: list[int]) -> None:
    """Carry frames between an interface and its VLANs until killed."""
    wire = open_wire(interface)
    taps = {vlan_id: _open_tap(f"{interface}.{vlan_id}") for vlan_id in vlan_ids}
    _set_up(interface, [f"{interface}.{vlan_id}" for vlan_id in vlan_ids])
    selector = selectors.DefaultSelector()
    selector.register(wire, selectors.EVENT_READ, 0)
    for vlan_id, tap in taps.items():
        selector.register(tap, selectors.EVENT_READ, vlan_id)
    while True:
        for key, _events in selector.select():
            with suppress(
                OSError
            ):  # an interface is down, or its queue is full: the frame is lost, as on a wire
                if key.data:
                    wire.send(tagged(os.read(taps[key.data], _FRAME_MAX), key.data))
                else:
                    _receive(wire, taps)


def tagged(frame: bytes, vlan_id: int) -> bytes:
    """Return an untagged frame with a tag."""
    return frame[:12] + struct.pack("!HH", _TPID, vlan_id) + frame[12:]


def vlan_of(auxiliary: bytes) -> int:
    """Return the VLAN id that a received frame's auxiliary data tells of, 0 for none."""
    status, _length, _snap, _mac, _net, tci, _tpid = _AUXDATA.unpack_from(auxiliary)
    return tci & _ID_MASK if status & _VLAN_VALID else 0


def _receive(wire: socket.socket, taps: dict[int, int]) -> None:
    frame, vlan_id, outgoing = receive(wire)
    if not outgoing and (tap := taps.get(vlan_id)):
        os.write(tap, frame)


def receive(wire: socket.socket) -> tuple[bytes, int, bool]:
    """Return a frame without its tag, the tag (0 for none), and whether it is one that this machine sends."""
    frame, ancillary, _flags, address = wire.recvmsg(_FRAME_MAX, socket.CMSG_SPACE(_AUXDATA.size))
    tags = [
        vlan_of(data) for level, kind, data in ancillary if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA)
    ]
    return frame, next(iter(tags), 0), address[2] == _PACKET_OUTGOING


def open_wire(interface: str) -> socket.socket:
    """Open a socket for whole frames of an interface, with their tags told apart (`receive`)."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    wire.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    wire.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    wire.bind((interface, _ETH_P_ALL))
    return wire


def _open_tap(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
    fcntl.ioctl(tap, _TUNSETPERSIST, 1)
    return tap


def _set_up(interface: str, names: list[str]) -> None:
    with IPRoute() as ipr:
        [parent] = ipr.get_links(ifname=interface)
        for name in names:
            index = ipr.link_lookup(ifname=name)[0]
            mac, mtu = parent.get_attr("IFLA_ADDRESS"), parent.get_attr("IFLA_MTU")
            if ipr.get_links(index)[0].get_attr("IFLA_ADDRESS") != mac:
                ipr.link("set", index=index, address=mac, mtu=mtu)
            ipr.link("set", index=index, state="up")


if __name__ == "__main__":
    serve(sys.argv[1], [int(vlan_id) for vlan_id in sys.argv[2:]])
