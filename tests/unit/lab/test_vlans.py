"""Tags go on behind the addresses; a received one is read from where the kernel keeps it."""

import struct

from netctl.lab.vlans import tagged, vlan_of


def test_a_tag_stands_behind_the_addresses() -> None:
    frame = bytes(range(12)) + b"\x08\x00payload"
    assert tagged(frame, 100) == bytes(range(12)) + b"\x81\x00\x00\x64\x08\x00payload"


def test_the_kernels_auxiliary_data_tells_the_vlan() -> None:
    def told(status: int, tci: int) -> bytes:
        return struct.pack("=IIIHHHH", status, 60, 60, 0, 14, tci, 0x8100)

    assert vlan_of(told(1 << 4, 0x6064)) == 100, "priority bits are no part of the id"
    assert vlan_of(told(1, 100)) == 0, "no tag: the field means nothing"
