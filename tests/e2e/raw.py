"""Sockets of this process inside a guest's namespace: TCP between guests, and frames that no kernel would send."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from netctl.lab import namespaces
from netctl.loop import wait_until
from tests.lossmeter.frames import Address

_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
BROADCAST = "ff:ff:ff:ff:ff:ff"


@dataclass(frozen=True, slots=True)
class Tapped:
    """The frames that a guest's interface has received since the tap was set, as bytes."""

    frames: list[bytes]

    def count(self, frame: bytes) -> int:
        """Say how often exactly this frame arrived (padding behind it is none of its bytes)."""
        return sum(seen.startswith(frame) for seen in tuple(self.frames))

    def wait_for(self, frame: bytes, *, timeout_s: float = 5) -> None:
        """Return when this frame has arrived."""
        wait_until(lambda: self.count(frame), timeout_s=timeout_s, what="the frame arrives")


@contextmanager
def tapped(namespace: str, interface: str = "eth0") -> Iterator[Tapped]:
    """Record what arrives at a guest's eth0, or another interface, during a block."""
    raw = frame_socket(namespace, interface)
    raw.settimeout(0.05)
    seen = Tapped([])
    ending = threading.Event()

    def listen() -> None:
        while not ending.is_set():
            try:
                frame, address = raw.recvfrom(65536)
            except TimeoutError:
                continue
            if address[2] != _PACKET_OUTGOING:
                seen.frames.append(frame)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield seen
    finally:
        ending.set()
        listener.join()
        raw.close()


def frame_socket(namespace: str, interface: str = "eth0") -> socket.socket:
    """Open a socket that sends and receives whole frames on an interface."""

    def make() -> socket.socket:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        raw.bind((interface, _ETH_P_ALL))
        return raw

    return namespaces.run_in(namespace, make)


def send_frame(namespace: str, frame: bytes) -> None:
    """Send one frame; raise when it could not leave the guest."""
    with frame_socket(namespace) as raw:
        assert raw.send(frame) == len(frame)


def arp_reply(frame_source: str, sender: Address, target: Address) -> bytes:
    """Return an ARP reply: who answers stands in the frame's source and, apart from it, in the ARP body."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
    body += _mac(sender.mac) + socket.inet_aton(sender.ip) + _mac(target.mac) + socket.inet_aton(target.ip)
    return ethernet(frame_source, target.mac, 0x0806, body)


def announced(frame: bytes) -> str:
    """Return the IPv4 address that a frame announces (gratuitous ARP: sender and target are the same), or ""."""
    if frame[12:14] != b"\x08\x06" or frame[28:32] != frame[38:42]:
        return ""
    return socket.inet_ntoa(frame[28:32])


def ethernet(source: str, destination: str, ethertype: int, body: bytes) -> bytes:
    """Return a frame."""
    return _mac(destination) + _mac(source) + struct.pack("!H", ethertype) + body


def transfer(client: str, server: str, address: str, megabytes: int) -> int:
    """Send so much by TCP from one guest to another; return how many bytes came out there."""
    received = [0]

    def listen() -> socket.socket:
        listener = socket.create_server((address, 0))
        listener.settimeout(20)
        return listener

    with namespaces.run_in(server, listen) as listener:

        def drain() -> None:
            connection, _peer = listener.accept()
            with connection:
                connection.settimeout(20)
                while chunk := connection.recv(1 << 18):
                    received[0] += len(chunk)

        reader = threading.Thread(target=drain)
        reader.start()
        target = listener.getsockname()
        with namespaces.run_in(client, lambda: socket.create_connection(target, timeout=20)) as connection:
            connection.sendall(bytes(megabytes << 20))
            connection.shutdown(socket.SHUT_WR)
        reader.join()
    return received[0]


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
