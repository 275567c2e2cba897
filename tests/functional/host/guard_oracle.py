"""What the guard must do with a frame, said again without its program: the meaning, in the words of the RFCs."""

from __future__ import annotations

VLANS = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
IPV6, SNAP = b"\x86\xdd", b"\xaa\xaa\x03\x00\x00\x00\x86\xdd"
EXTENSIONS = {0, 43, 60, 135, 139, 140}
FRAGMENT, ICMPV6 = 44, 58


def drops(frame: bytes) -> bool:
    """Say whether a guest may not send this."""
    source, kind, packet = frame[6:12], frame[12:14], frame[14:]
    tags = 0
    while kind in VLANS:
        if tags == 4:
            return True
        if len(packet) < 4:
            return False
        tags, kind, packet = tags + 1, packet[2:4], packet[4:]
    if kind < b"\x06\x00" and packet.startswith(SNAP):
        kind, packet = IPV6, packet[len(SNAP) :]
    return kind == IPV6 and _drops_packet(packet, source)


def _drops_packet(packet: bytes, source: bytes) -> bool:
    if len(packet) < 40:
        return True
    claimed = int.from_bytes(packet[4:6], "big") or 0xFFFF
    following, payload = packet[6], packet[40:]
    headers, fragmented = 0, False
    while following in EXTENSIONS | {FRAGMENT}:
        if headers == 8 or len(payload) < 8:
            return True
        size = 8 if following == FRAGMENT else 8 * (payload[1] + 1)
        if following == FRAGMENT:
            if payload[2] or payload[3] & 0xF8:
                return False
            fragmented = True
        if size > claimed:
            return True
        headers, following, payload, claimed = headers + 1, payload[0], payload[size:], claimed - size
    return following == ICMPV6 and _drops_message(payload, claimed, source, fragmented)


def _drops_message(message: bytes, claimed: int, source: bytes, fragmented: bool) -> bool:
    if min(len(message), claimed) < 4:
        return True
    kind = message[0]
    if kind in (134, 137) or (fragmented and kind in (133, 135, 136)):
        return True
    if kind not in (133, 135, 136):
        return False
    size = 8 if kind == 133 else 24
    if size > claimed:
        return True
    options, claimed = message[size:], claimed - size
    for _ in range(8):
        if not claimed:
            return False
        if len(options) < 8 or not options[1] or 8 * options[1] > claimed:
            return True
        if options[0] in (1, 2) and options[:8] != bytes((options[0], 1)) + source:
            return True
        size = 8 * options[1]
        options, claimed = options[size:], claimed - size
    return claimed > 0
