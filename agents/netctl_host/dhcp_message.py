"""DHCP between one guest and us: its frames -> requests, leases -> replies. Pure.

RFC 2131 for the messages, RFC 2132 for options, RFC 3442 for routes, RFC 3397 for search domains, RFC 3396 for options
of more than 255 bytes. What comes in is hostile: everything that is not a whole request of this guest is None.
"""

from __future__ import annotations

import enum
import ipaddress
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netctl_host.assignment import DhcpLease

CLIENT_PORT, SERVER_PORT = 68, 67
_BROADCAST_MAC, _ANYWHERE = b"\xff" * 6, "255.255.255.255"
_IPV4 = 0x0800
_IP_HEADER = struct.Struct("!BBHHHBBH4s4s")
_UDP_HEADER = struct.Struct("!HHHH")
# op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file
_BOOTP = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE = b"\x63\x82\x53\x63"
_REQUEST, _REPLY, _ETHERNET = 1, 2, 1
_BROADCAST_FLAG = 0x8000
_PAD, _END = 0, 255
_LEAST_SIZE = 576  # RFC 2131, section 2: what every client takes, headers of IP and UDP included
_MAX_SIZE = 1500


class Kind(enum.IntEnum):
    """DHCP message type, option 53."""

    DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)


class _Option(enum.IntEnum):
    MASK, ROUTER, DNS, DOMAIN, MTU, NTP = 1, 3, 6, 15, 26, 42
    REQUESTED, LEASE, KIND, SERVER, WANTED, MAX_SIZE, T1, T2 = 50, 51, 53, 54, 55, 57, 58, 59
    CLIENT_ID, TFTP, BOOTFILE, SEARCH, ROUTES = 61, 66, 67, 119, 121


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a guest asks; addresses "" where it says none."""

    kind: Kind
    xid: int
    flags: int
    secs: int
    client_address: str
    mac: bytes
    requested: str = ""
    server: str = ""
    wanted: tuple[int, ...] = ()
    max_size: int = _LEAST_SIZE
    client_id: bytes = b""


def parse_request(frame: bytes, mac: bytes) -> Request | None:
    """Return the request that the guest with this MAC address makes in an untagged frame."""
    if len(frame) < 14 or frame[6:12] != mac or int.from_bytes(frame[12:14], "big") != _IPV4:
        return None
    payload = _udp_payload(frame[14:])
    if payload is None or len(payload) < _BOOTP.size + len(_COOKIE):
        return None
    op, htype, hlen, _hops, xid, secs, flags, client, _, _, relay, chaddr, sname, file = _BOOTP.unpack_from(
        payload
    )
    if (op, htype, hlen, chaddr[:6]) != (_REQUEST, _ETHERNET, 6, mac) or any(relay):
        return None
    if payload[_BOOTP.size :][:4] != _COOKIE:
        return None
    options = _parse_options(payload[_BOOTP.size + 4 :], file, sname)
    kind = options.get(_Option.KIND, b"")
    if len(kind) != 1 or kind[0] not in list(Kind):
        return None
    size = options.get(_Option.MAX_SIZE, b"")
    return Request(
        kind=Kind(kind[0]),
        xid=xid,
        flags=flags,
        secs=secs,
        client_address=_text(client) if any(client) else "",
        mac=mac,
        requested=_address(options.get(_Option.REQUESTED, b"")),
        server=_address(options.get(_Option.SERVER, b"")),
        wanted=tuple(options.get(_Option.WANTED, b"")),
        max_size=max(_LEAST_SIZE, int.from_bytes(size, "big")) if len(size) == 2 else _LEAST_SIZE,
        client_id=options.get(_Option.CLIENT_ID, b""),
    )


def make_reply(request: Request, lease: DhcpLease) -> bytes | None:
    """Return the frame to the guest, None where nothing is to be said."""
    match request.kind:
        case Kind.DISCOVER:
            return _render(request, lease, Kind.OFFER)
        case Kind.REQUEST:
            if request.server and request.server != lease.server_address:
                return None  # it chose another server
            asked = request.requested if request.server else request.client_address or request.requested
            return _render(request, lease, Kind.ACK if asked == lease.address else Kind.NAK)
        case Kind.INFORM if request.client_address == lease.address:
            return _render(request, lease, Kind.ACK)
        case _:
            return None


def _udp_payload(packet: bytes) -> bytes | None:
    """Return what a whole UDP packet from client to server carries."""
    if len(packet) < _IP_HEADER.size:
        return None
    first, _, total, _, fragment, _, protocol, _, _, _ = _IP_HEADER.unpack_from(packet)
    head = (first & 15) * 4
    if first >> 4 != 4 or head < 20 or protocol != 17 or fragment & 0x3FFF:
        return None
    if not head + _UDP_HEADER.size <= total <= len(packet):
        return None
    source, destination, size, _ = _UDP_HEADER.unpack_from(packet, head)
    if (source, destination) != (CLIENT_PORT, SERVER_PORT) or not _UDP_HEADER.size <= size <= total - head:
        return None
    return packet[head + _UDP_HEADER.size : head + size]


def _parse_options(data: bytes, file: bytes, sname: bytes) -> dict[int, bytes]:
    """Return the options by number, parts joined; those of `file` and `sname` where option 52 says so."""
    options: dict[int, bytes] = {}
    _collect(data, options)
    overload = options.get(52, b"\0")[:1]
    if overload in (b"\1", b"\3"):
        _collect(file, options)
    if overload in (b"\2", b"\3"):
        _collect(sname, options)
    return options


def _collect(data: bytes, options: dict[int, bytes]) -> None:
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return
        options[data[at]] = options.get(data[at], b"") + data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def _render(request: Request, lease: DhcpLease, kind: Kind) -> bytes:
    is_nak, is_inform = kind is Kind.NAK, request.kind is Kind.INFORM
    options: dict[int, bytes] = {
        _Option.KIND: bytes((kind,)),
        _Option.SERVER: _packed(lease.server_address),
    }
    if request.client_id:  # RFC 6842
        options[_Option.CLIENT_ID] = request.client_id
    if not is_nak:
        times = {} if is_inform else _times(lease)
        options |= times | dict(_settings(lease))
    yours = b"\0" * 4 if is_nak or is_inform else _packed(lease.address)
    client = b"\0" * 4 if is_nak or not request.client_address else _packed(request.client_address)
    head = _BOOTP.pack(
        *(_REPLY, _ETHERNET, 6, 0, request.xid, 0, request.flags),
        *(client, yours, _packed(lease.server_address) if not is_nak else b"\0" * 4, b"\0" * 4),
        *(request.mac, b"", lease.bootfile_name.encode()[:127] if not is_nak else b""),
    )
    most = min(request.max_size, max(_LEAST_SIZE, lease.mtu_bytes or _MAX_SIZE))
    room = most - _IP_HEADER.size - _UDP_HEADER.size - len(head) - len(_COOKIE)
    message = (head + _COOKIE + _join(options, request.wanted, room)).ljust(300, b"\0")
    if is_nak or (not request.client_address and request.flags & _BROADCAST_FLAG):
        return _frame(message, lease, _BROADCAST_MAC, _ANYWHERE)
    return _frame(message, lease, request.mac, request.client_address or lease.address)


def _times(lease: DhcpLease) -> dict[int, bytes]:
    return {
        _Option.LEASE: struct.pack("!I", lease.lease_s),
        _Option.T1: struct.pack("!I", lease.lease_s // 2),
        _Option.T2: struct.pack("!I", lease.lease_s * 7 // 8),
    }


def _settings(lease: DhcpLease) -> Iterator[tuple[int, bytes]]:
    """Yield what the guest is told about its network, the most needed first."""
    mask = ipaddress.IPv4Network(f"0.0.0.0/{lease.prefix_length}").netmask
    yield _Option.MASK, mask.packed
    if lease.static_routes:
        routes = [(route.destination, route.next_hop) for route in lease.static_routes]
        # RFC 3442: a client that takes this option ignores the router's, so the default route is said here as well.
        if lease.router and not any(destination == "0.0.0.0/0" for destination, _ in routes):
            routes.append(("0.0.0.0/0", lease.router))
        yield _Option.ROUTES, b"".join(_route(*route) for route in routes)
    if lease.router:
        yield _Option.ROUTER, _packed(lease.router)
    if lease.mtu_bytes:
        yield _Option.MTU, struct.pack("!H", lease.mtu_bytes)
    for option, addresses in ((_Option.DNS, lease.dns_servers), (_Option.NTP, lease.ntp_servers)):
        if packed := b"".join(_packed(address) for address in addresses if ":" not in address):
            yield option, packed
    texts = (
        (_Option.DOMAIN, lease.domain_name),
        (_Option.TFTP, lease.tftp_server),
        (_Option.BOOTFILE, lease.bootfile_name),
    )
    for option, text in texts:
        if text:
            yield option, text.encode()
    if lease.domain_search:
        yield _Option.SEARCH, b"".join(_labels(name) for name in lease.domain_search)


def _route(destination: str, next_hop: str) -> bytes:
    network = ipaddress.IPv4Network(destination, strict=False)
    significant = network.network_address.packed[: (network.prefixlen + 7) // 8]
    return bytes((network.prefixlen,)) + significant + _packed(next_hop)


def _labels(name: str) -> bytes:
    """Return a name in the form of RFC 1035, without compression."""
    labels = [label.encode()[:63] for label in name.strip(".").split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _join(options: Mapping[int, bytes], wanted: tuple[int, ...], room: int) -> bytes:
    """Write the options, as many as there is room for; what the guest did not ask for is left out first."""
    must = {_Option.KIND, _Option.SERVER, _Option.LEASE, _Option.T1, _Option.T2, _Option.CLIENT_ID}
    ranked = sorted(options, key=lambda number: 0 if number in must else 1 if number in wanted else 2)
    written, left = b"", room - 1
    for number in ranked:
        value = options[number]
        parts = b"".join(
            bytes((number, len(value[at : at + 255]))) + value[at : at + 255]
            for at in range(0, len(value), 255)
        )
        if len(parts) <= left:
            written, left = written + parts, left - len(parts)
    return written + bytes((_END,))


def _frame(message: bytes, lease: DhcpLease, mac: bytes, destination: str) -> bytes:
    udp_length = _UDP_HEADER.size + len(message)
    ends = (_packed(lease.server_address), _packed(destination))
    udp = _UDP_HEADER.pack(SERVER_PORT, CLIENT_PORT, udp_length, 0) + message
    checksum = internet_checksum(b"".join(ends) + struct.pack("!HH", 17, udp_length) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", checksum) + udp[8:]
    head = _IP_HEADER.pack(0x45, 0xC0, 20 + udp_length, 0, 0, 64, 17, 0, *ends)
    head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
    server = bytes.fromhex(lease.server_mac_address.replace(":", ""))
    return mac + server + struct.pack("!H", _IPV4) + head + udp


def internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def _packed(address: str) -> bytes:
    return ipaddress.IPv4Address(address).packed


def _text(packed: bytes) -> str:
    return str(ipaddress.IPv4Address(packed))


def _address(value: bytes) -> str:
    return _text(value) if len(value) == 4 else ""
