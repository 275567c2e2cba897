"""What a network function of the lab looks at: the ports of TCP and UDP, of whole packets and first fragments."""

import struct

import pytest

from netctl.lab.forwarder import ports_of
from tests.lossmeter.frames import DENIED_PORT, Address, forge

FOUR = (Address("02:00:00:00:00:01", "10.0.0.1"), Address("02:00:00:00:00:02", "10.0.0.2"))
SIX = (Address("02:00:00:00:00:01", "2001:db8::1"), Address("02:00:00:00:00:02", "2001:db8::2"))


@pytest.mark.parametrize("ends", [FOUR, SIX])
def test_ports_of_udp(ends: tuple[Address, Address]) -> None:
    assert ports_of(forge(*ends, b"payload")) == (DENIED_PORT, DENIED_PORT)


def test_options_of_ipv4_are_passed_over() -> None:
    frame = bytearray(forge(*FOUR, b"payload"))
    frame[14] = 0x46
    frame[34:34] = bytes(4)
    assert ports_of(bytes(frame)) == (DENIED_PORT, DENIED_PORT)


def test_other_packets_have_no_ports() -> None:
    later = bytearray(forge(*FOUR, b"payload"))
    later[20:22] = struct.pack("!H", 1)
    icmp = bytearray(forge(*FOUR, b"payload"))
    icmp[23] = 1
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    for frame in (bytes(later), bytes(icmp), arp, forge(*FOUR, b"")[:36], b""):
        assert ports_of(frame) == (0, 0)
