"""The leaf switches' LLDP: a small process that says once a second, on every port, who it is (IEEE 802.1AB).

    python -m netctl.lab.lldp leaf1 02:00:00:00:00:01 192.0.2.1 h1-eth1 h1-eth2

Each port is opened anew each time: a host that reboots takes the cable with it, and brings another one.
"""

from __future__ import annotations

import ipaddress
import selectors
import socket
import struct
import sys
from contextlib import suppress

_ETHERTYPE = 0x88CC
_NEAREST_BRIDGE = bytes.fromhex("0180c200000e")
_PERIOD_S = 1.0
_TTL_S = 4
# TLV types; 127 is organisationally specific, 00-80-C2 subtype 1 the Port VLAN ID.
_END, _CHASSIS, _PORT, _TTL, _PORT_DESCRIPTION, _NAME, _DESCRIPTION, _MANAGEMENT = 0, 1, 2, 3, 4, 5, 6, 8
_ORGANISATION, _PORT_VLAN_ID = 127, bytes.fromhex("0080c201")
_BY_MAC, _BY_NAME = b"\x04", b"\x05"  # subtypes of chassis and port ids


def render_lldp(switch: str, mac_address: str, management_ip: str, port: str) -> bytes:
    """Return the frame that a switch sends on a port."""
    mac = bytes.fromhex(mac_address.replace(":", ""))
    management = b"\x05\x01" + ipaddress.IPv4Address(management_ip).packed + b"\x02" + bytes(4) + b"\x00"
    tlvs = (
        (_CHASSIS, _BY_MAC + mac),
        (_PORT, _BY_NAME + port.encode()),
        (_TTL, struct.pack("!H", _TTL_S)),
        (_PORT_DESCRIPTION, f"port {port}".encode()),
        (_NAME, switch.encode()),
        (_DESCRIPTION, b"leaf switch of a lab"),
        (_MANAGEMENT, management),
        (_ORGANISATION, _PORT_VLAN_ID + struct.pack("!H", 1)),
        (_END, b""),
    )
    body = b"".join(struct.pack("!H", kind << 9 | len(value)) + value for kind, value in tlvs)
    return _NEAREST_BRIDGE + mac + struct.pack("!H", _ETHERTYPE) + body


def serve(switch: str, mac_address: str, management_ip: str, ports: list[str]) -> None:
    """Announce the switch until killed."""
    frames = {port: render_lldp(switch, mac_address, management_ip, port) for port in ports}
    with selectors.DefaultSelector() as nothing:
        while True:
            for port, frame in frames.items():
                with suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
                    wire.bind((port, _ETHERTYPE))
                    wire.send(frame)
            nothing.select(_PERIOD_S)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
