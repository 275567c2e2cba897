"""A guest that asks by IPv6: for a router (RFC 4861), for an address and settings by DHCPv6 (RFC 8415).

Sockets of this process in the guest's namespace, which must have its link-local address. Only what the tests look at is
parsed; an answer that is not well-formed fails.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from netctl.lab import namespaces

T = TypeVar("T")
INFINITE_S = 0xFFFFFFFF
_SOLICIT, _ADVERTISE, _REQUEST, _REPLY, _INFORMATION_REQUEST = 1, 2, 3, 7, 11
_CLIENT_ID, _SERVER_ID, _IA_NA, _IA_ADDRESS, _ASKED, _ELAPSED, _STATUS = 1, 2, 3, 5, 6, 8, 13
_DNS, _SEARCH = 23, 24  # RFC 3646
_CLIENT_PORT, _SERVER_PORT = 546, 547
_SERVERS, _ROUTERS = "ff02::1:2", "ff02::2"
_SOLICITATION, _ADVERTISEMENT = 133, 134
_PREFIX, _MTU, _RDNSS, _DNSSL = 3, 5, 25, 31
_ADVERTISED = struct.Struct("!BBHBBHII")  # RFC 4861, 4.2
_IDENTITY = struct.Struct("!III")  # RFC 8415, 21.4
_LEASED = struct.Struct("!16sII")  # RFC 8415, 21.6
_ANSWER_S, _TRIES = 1.0, 5
_INTERFACE = "eth0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What a router says: flags M (addresses by DHCPv6) and O (other settings); of each prefix flags L and A."""

    source: str
    managed: bool
    other: bool
    prefixes: dict[str, tuple[bool, bool]]
    mtu_bytes: int
    dns_servers: tuple[str, ...]
    search: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a DHCPv6 server says: addresses with their valid lifetimes, and settings."""

    server: bytes
    client: bytes
    addresses: dict[str, int]
    dns_servers: tuple[str, ...]
    search: tuple[str, ...]
    statuses: tuple[int, ...]


def solicit_router(namespace: str) -> Advertisement:
    """Ask for a router and return what the first one says."""

    def ask() -> Advertisement:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)  # others are not believed
            target = (_ROUTERS, 0, 0, socket.if_nametoindex(_INTERFACE))
            question = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0)  # the kernel adds the checksum
            return _exchange(raw, question, target, _parse_advertisement)

    return namespaces.run_in(namespace, ask)


def lease(namespace: str, mac_address: str) -> tuple[Told, Told]:
    """Ask for an address, by all four messages; return what was offered and what was given then."""
    identity = _option(_IA_NA, _IDENTITY.pack(1, 0, 0))
    offered = _ask(namespace, mac_address, (_SOLICIT, _ADVERTISE), identity)
    wanted = b"".join(
        _option(_IA_ADDRESS, _LEASED.pack(ipaddress.IPv6Address(address).packed, 0, 0))
        for address in offered.addresses
    )
    chosen = _option(_SERVER_ID, offered.server) + _option(_IA_NA, _IDENTITY.pack(1, 0, 0) + wanted)
    return offered, _ask(namespace, mac_address, (_REQUEST, _REPLY), chosen)


def inform(namespace: str, mac_address: str) -> Told:
    """Ask for settings alone."""
    return _ask(namespace, mac_address, (_INFORMATION_REQUEST, _REPLY), b"")


def identity_of(mac_address: str) -> bytes:
    """Return the DUID-LL of a MAC address (RFC 8415, 11.4)."""
    return struct.pack("!HH", 3, 1) + bytes.fromhex(mac_address.replace(":", ""))


def _ask(namespace: str, mac_address: str, kinds: tuple[int, int], content: bytes) -> Told:
    number = secrets.token_bytes(3)
    asking, answering = kinds
    question = bytes([asking]) + number + _option(_CLIENT_ID, identity_of(mac_address)) + content
    question += _option(_ASKED, struct.pack("!HH", _DNS, _SEARCH)) + _option(_ELAPSED, bytes(2))

    def parse(answer: bytes, source: str) -> Told | None:
        del source
        ours = answer[:4] == bytes([answering]) + number
        return _parse_told(answer[4:]) if ours else None

    def ask() -> Told:
        index = socket.if_nametoindex(_INTERFACE)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((_link_local(), _CLIENT_PORT, 0, index))
            return _exchange(client, question, (_SERVERS, _SERVER_PORT, 0, index), parse)

    return namespaces.run_in(namespace, ask)


def _exchange(
    sock: socket.socket,
    question: bytes,
    target: tuple[str, int, int, int],
    parse: Callable[[bytes, str], T | None],
) -> T:
    """Send a question until an answer can be parsed; as clients do, it is sent again when none comes."""
    for _ in range(_TRIES):
        sock.sendto(question, target)
        until_s = time.monotonic() + _ANSWER_S
        while (left_s := until_s - time.monotonic()) > 0:
            sock.settimeout(left_s)
            try:
                answer, source = sock.recvfrom(2048)
            except TimeoutError:
                break
            if (parsed := parse(answer, source[0])) is not None:
                return parsed
    raise TimeoutError(f"no answer from {target[0]} to {_TRIES} questions of type {question[0]}")


def _link_local() -> str:
    """Return the link-local address of the guest whose namespace this thread is in."""
    with open("/proc/thread-self/net/if_inet6") as table:
        for line in table:
            address, *_numbers, name = line.split()
            if name == _INTERFACE and address.startswith("fe80"):
                return str(ipaddress.IPv6Address(bytes.fromhex(address)))
    raise LookupError(f"{_INTERFACE} has no link-local address")


def _parse_advertisement(packet: bytes, source: str) -> Advertisement | None:
    if packet[0] != _ADVERTISEMENT:
        return None
    flags = _ADVERTISED.unpack_from(packet)[4]
    prefixes: dict[str, tuple[bool, bool]] = {}
    mtu_bytes, dns, search = 0, b"", b""
    at = _ADVERTISED.size
    while at < len(packet):
        kind, length = packet[at], packet[at + 1] * 8
        body = packet[at + 2 : at + length]
        if kind == _PREFIX:
            network = f"{ipaddress.IPv6Address(body[14:30])}/{body[0]}"
            prefixes[network] = (bool(body[1] & 0x80), bool(body[1] & 0x40))
        elif kind == _MTU:
            (mtu_bytes,) = struct.unpack("!2xI", body)
        elif kind == _RDNSS:
            dns += body[6:]
        elif kind == _DNSSL:
            search += body[6:]
        at += length
    return Advertisement(
        source=source.partition("%")[0],
        managed=bool(flags & 0x80),
        other=bool(flags & 0x40),
        prefixes=prefixes,
        mtu_bytes=mtu_bytes,
        dns_servers=_addresses(dns),
        search=_domains(search),
    )


def _parse_told(options: bytes) -> Told:
    found = list(_options(options))
    leases: dict[str, int] = {}
    statuses = [struct.unpack_from("!H", body)[0] for kind, body in found if kind == _STATUS]
    for _kind, identity in (one for one in found if one[0] == _IA_NA):
        for kind, body in _options(identity[_IDENTITY.size :]):
            if kind == _IA_ADDRESS:
                address, _preferred_s, valid_s = _LEASED.unpack_from(body)
                leases[str(ipaddress.IPv6Address(address))] = valid_s
            elif kind == _STATUS:
                statuses += struct.unpack_from("!H", body)
    return Told(
        server=b"".join(body for kind, body in found if kind == _SERVER_ID),
        client=b"".join(body for kind, body in found if kind == _CLIENT_ID),
        addresses=leases,
        dns_servers=_addresses(b"".join(body for kind, body in found if kind == _DNS)),
        search=_domains(b"".join(body for kind, body in found if kind == _SEARCH)),
        statuses=tuple(statuses),
    )


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        body = data[at + 4 : at + 4 + length]
        assert len(body) == length, f"option {kind} is cut short"
        yield kind, body
        at += 4 + length


def _option(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def _addresses(packed: bytes) -> tuple[str, ...]:
    return tuple(str(ipaddress.IPv6Address(packed[at : at + 16])) for at in range(0, len(packed), 16))


def _domains(packed: bytes) -> tuple[str, ...]:
    """Return names as DNS writes them, without compression (RFC 1035, 3.1); zeros behind the last are padding."""
    names: list[str] = []
    labels: list[str] = []
    at = 0
    while at < len(packed):
        label = packed[at + 1 : at + 1 + packed[at]]
        assert len(label) == packed[at], f"{packed!r} is no list of names"
        if label:
            labels.append(label.decode())
        elif labels:
            names.append(".".join(labels))
            labels = []
        at += 1 + len(label)
    assert not labels, f"{packed!r}: the last name has no end"
    return tuple(names)
