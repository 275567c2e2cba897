"""A leaf switch's LLDP frame, taken apart by its TLVs."""

from netctl.lab.lldp import render_lldp


def test_a_frame_says_who_and_which_port() -> None:
    frame = render_lldp("leaf1", "02:1a:bf:00:00:01", "192.0.2.1", "h1-eth1")
    assert frame[:14].hex() == "0180c200000e021abf00000188cc"
    tlvs, at = [], 14
    while at < len(frame):
        head = int.from_bytes(frame[at : at + 2], "big")
        tlvs.append((head >> 9, frame[at + 2 : at + 2 + (head & 511)]))
        at += 2 + (head & 511)
    assert at == len(frame)
    assert [kind for kind, _value in tlvs[:3]] == [1, 2, 3], "the mandatory ones in their order"
    assert tlvs[-1] == (0, b"")
    found = dict(tlvs)
    assert found[1] == bytes.fromhex("04021abf000001")
    assert found[2] == b"\x05h1-eth1"
    assert found[5] == b"leaf1"
    assert found[8] == bytes.fromhex("0501c0000201020000000000")
    assert found[127] == bytes.fromhex("0080c2010001")
