"""The guard's program in the kernel, frame by frame, against what the RFCs and `guard_oracle.py` say."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from netctl_host import bpf
from netctl_host.guard_program import HEADERS_MAX, NAME, NAME_PREFIX, OPTIONS_MAX, PROGRAM, TAGS_MAX

from tests.functional.host.guard_oracle import drops
from tests.functional.host.xdp_run import DROP, PASS, run
from tests.unit.host.frames import (
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    MAC,
    NA,
    NONCE,
    NS,
    OTHER_MAC,
    RA,
    REDIRECT,
    ROUTING,
    RS,
    SOURCE,
    TARGET,
    ethernet,
    extension,
    fragment,
    ipv6,
    nd,
    option,
    snap,
)

MINE, FOREIGN = option(SOURCE, MAC), option(SOURCE, OTHER_MAC)
MY_TARGET, FOREIGN_TARGET = option(TARGET, MAC), option(TARGET, OTHER_MAC)
A_RA = nd(RA, MINE)
ECHO = bytes((128, 0, 0, 0, 0, 1, 0, 1)) + b"hello"
MLD = bytes((143, 0, 0, 0, 0, 0, 0, 0))
UDP = b"\0\x35\0\x35\0\x0c\0\0data"


def chain(*kinds: int, last: int = ICMPV6) -> tuple[int, bytes]:
    """Return the first next header and the extension headers."""
    following = (*kinds[1:], last)
    return kinds[0], b"".join(extension(after) for after in following)


def behind(*kinds: int, message: bytes) -> bytes:
    first, headers = chain(*kinds)
    return ethernet(ipv6(headers + message, first))


DROPPED = {
    "router advertisement": ethernet(ipv6(A_RA)),
    "from the link-local address": ethernet(ipv6(A_RA, source="fe80::7")),
    "with a code": ethernet(ipv6(bytes((RA, 9)) + A_RA[2:])),
    "cut short": ethernet(ipv6(A_RA)[:44]),
    "of another router": ethernet(ipv6(nd(RA, FOREIGN))),
    "tagged": ethernet(ipv6(A_RA), tags=(30,)),
    "with a priority tag": ethernet(ipv6(A_RA), tags=(0,)),
    "twice tagged": ethernet(ipv6(A_RA), tags=(30, 40)),
    "twice tagged, 802.1ad": ethernet(ipv6(A_RA), tags=(0x88A8_0000 | 30, 40)),
    "tagged by an old switch": ethernet(ipv6(A_RA), tags=(0x9100_0000 | 30,)),
    "behind four tags": ethernet(ipv6(A_RA), tags=(0, 0, 0, 0)),
    "behind more tags than anybody needs": ethernet(ipv6(UDP, 17), tags=(0,) * (TAGS_MAX + 1)),
    "LLC and SNAP": snap(ipv6(A_RA)),
    "LLC and SNAP, tagged": snap(ipv6(A_RA), tags=(0,)),
    "behind hop-by-hop": behind(HOP_BY_HOP, message=A_RA),
    "behind destination options": behind(DESTINATION, message=A_RA),
    "behind a routing header": behind(ROUTING, message=A_RA),
    "behind mobility, HIP and shim6": behind(135, 139, 140, message=A_RA),
    "behind a long header": ethernet(ipv6(extension(ICMPV6, 255) + A_RA, DESTINATION)),
    "behind all": behind(HOP_BY_HOP, DESTINATION, ROUTING, DESTINATION, message=A_RA),
    "behind as many as are looked at": behind(*(DESTINATION,) * HEADERS_MAX, message=A_RA),
    "behind one more": behind(*(DESTINATION,) * (HEADERS_MAX + 1), message=ECHO),
    "a chain that ends early": ethernet(ipv6(extension(DESTINATION), HOP_BY_HOP)),
    "a header longer than the packet": ethernet(ipv6(bytes((ICMPV6, 9)) + b"\0" * 6, HOP_BY_HOP)),
    "half a header": ethernet(ipv6(b"\x3a\0", HOP_BY_HOP)),
    "the first fragment": ethernet(ipv6(fragment(ICMPV6) + A_RA, FRAGMENT)),
    "the only fragment": ethernet(ipv6(fragment(ICMPV6, more=False) + A_RA, FRAGMENT)),
    "a fragment behind options": ethernet(
        ipv6(extension(FRAGMENT) + fragment(DESTINATION) + extension(ICMPV6) + A_RA, HOP_BY_HOP)
    ),
    "a first fragment that hides what it is": ethernet(
        ipv6(fragment(DESTINATION) + extension(ICMPV6), FRAGMENT)
    ),
    "a first fragment of nothing": ethernet(ipv6(fragment(ICMPV6), FRAGMENT)),
    "fragments in a fragment": ethernet(ipv6(fragment(FRAGMENT) + fragment(ICMPV6) + A_RA, FRAGMENT)),
    "fragmented NS": ethernet(ipv6(fragment(ICMPV6) + nd(NS, MINE), FRAGMENT)),
    "fragmented NA": ethernet(ipv6(fragment(ICMPV6) + nd(NA, MY_TARGET), FRAGMENT)),
    "fragmented RS": ethernet(ipv6(fragment(ICMPV6) + nd(RS, MINE), FRAGMENT)),
    "a jumbogram": ethernet(ipv6(extension(ICMPV6) + A_RA, HOP_BY_HOP, length=0)),
    "a packet that says it is longer": ethernet(ipv6(A_RA, length=900)),
    "redirect": ethernet(ipv6(nd(REDIRECT, MY_TARGET))),
    "NS of another MAC": ethernet(ipv6(nd(NS, FOREIGN))),
    "NS of another MAC, tagged": ethernet(ipv6(nd(NS, FOREIGN)), tags=(30,)),
    "NS of another MAC, behind options": behind(HOP_BY_HOP, message=nd(NS, FOREIGN)),
    "NS of two MACs": ethernet(ipv6(nd(NS, MINE, FOREIGN))),
    "NS of another MAC behind a nonce": ethernet(ipv6(nd(NS, NONCE, FOREIGN))),
    "NS with a foreign target option": ethernet(ipv6(nd(NS, FOREIGN_TARGET))),
    "NS: last byte": ethernet(ipv6(nd(NS, option(SOURCE, MAC[:5] + b"\xff")))),
    "NS: first byte": ethernet(ipv6(nd(NS, option(SOURCE, b"\xff" + MAC[1:])))),
    "NS with an option of no length": ethernet(ipv6(nd(NS, option(SOURCE, MAC, 0)))),
    "NS with an option that is too long": ethernet(ipv6(nd(NS, option(SOURCE, MAC, 2)))),
    "NS with a long MAC": ethernet(ipv6(nd(NS, option(SOURCE, MAC + b"\0" * 8, 2)))),
    "NS with half an option": ethernet(ipv6(nd(NS, MINE[:5]))),
    "NS with too many options": ethernet(ipv6(nd(NS, *(NONCE,) * (OPTIONS_MAX + 1)))),
    "half an NS": ethernet(ipv6(nd(NS)[:20])),
    "NA of another MAC": ethernet(ipv6(nd(NA, FOREIGN_TARGET))),
    "NA with a foreign source option": ethernet(ipv6(nd(NA, FOREIGN))),
    "RS of another MAC": ethernet(ipv6(nd(RS, FOREIGN))),
    "half an IPv6 header": ethernet(ipv6(A_RA)[:39]),
    "half an ICMPv6 header": ethernet(ipv6(b"\x86\0")),
}
PASSED = {
    "NS": ethernet(ipv6(nd(NS, MINE))),
    "NS, tagged": ethernet(ipv6(nd(NS, MINE)), tags=(30,)),
    "NS for an address that is tried": ethernet(ipv6(nd(NS), source="::")),
    "the same with a nonce": ethernet(ipv6(nd(NS, NONCE), source="::")),
    "NS with many options": ethernet(ipv6(nd(NS, MINE, *(NONCE,) * (OPTIONS_MAX - 1)))),
    "NS behind options": behind(HOP_BY_HOP, message=nd(NS, MINE)),
    "NS with a trailer that is not the packet's": ethernet(ipv6(nd(NS, MINE)) + b"\0\1\2"),
    "NS with a foreign option behind its end": ethernet(ipv6(nd(NS) + FOREIGN, length=24)),
    "NA": ethernet(ipv6(nd(NA, MY_TARGET))),
    "NA without an option": ethernet(ipv6(nd(NA))),
    "RS": ethernet(ipv6(nd(RS, MINE))),
    "RS without an option": ethernet(ipv6(nd(RS), source="::")),
    "echo": ethernet(ipv6(ECHO)),
    "echo, fragmented": ethernet(ipv6(fragment(ICMPV6) + ECHO, FRAGMENT)),
    "MLD behind hop-by-hop": behind(HOP_BY_HOP, message=MLD),
    "a later fragment": ethernet(ipv6(fragment(ICMPV6, 3) + A_RA, FRAGMENT)),
    "a later fragment that is short": ethernet(ipv6(fragment(DESTINATION, 185), FRAGMENT)),
    "UDP": ethernet(ipv6(UDP, 17)),
    "UDP behind options": ethernet(ipv6(chain(HOP_BY_HOP, DESTINATION, last=17)[1] + UDP, HOP_BY_HOP)),
    "UDP, fragmented": ethernet(ipv6(fragment(17) + UDP, FRAGMENT)),
    "a large segment": ethernet(ipv6(extension(6) + b"\0" * 1400, HOP_BY_HOP, length=0)),
    "no next header": ethernet(ipv6(b"", 59)),
    "ESP": ethernet(ipv6(A_RA, 50)),
    "IPv4": ethernet(A_RA, ethertype=0x0800),
    "ARP": ethernet(A_RA, ethertype=0x0806),
    "a protocol of nobody": ethernet(A_RA, ethertype=0x88B5),
    "LLC": ethernet(b"\x42\x42\x03" + A_RA, ethertype=38),
    "SNAP of another protocol": ethernet(b"\xaa\xaa\x03\0\0\0\x08\0" + A_RA, ethertype=38),
    "half a tag": ethernet(b"", tags=(30,))[:15],
    "a header alone": ethernet(b"", ethertype=0x0800),
}


@pytest.fixture(scope="module")
def guard() -> Iterator[int]:
    descriptor = bpf.load_xdp(PROGRAM, NAME)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("frame", DROPPED.values(), ids=DROPPED.keys())
def test_a_guest_cannot_send(guard: int, frame: bytes) -> None:
    assert run(guard, frame) == DROP
    assert drops(frame)


@pytest.mark.parametrize("frame", PASSED.values(), ids=PASSED.keys())
def test_a_guest_can_send(guard: int, frame: bytes) -> None:
    assert run(guard, frame) == PASS
    assert not drops(frame)


@pytest.mark.parametrize("frame", (DROPPED | PASSED).values(), ids=(DROPPED | PASSED).keys())
def test_a_frame_cut_anywhere_meets_its_fate(guard: int, frame: bytes) -> None:
    for size in range(14, min(len(frame), 400)):
        assert (run(guard, frame[:size]) == DROP) == drops(frame[:size]), size


def test_program_and_meaning_agree_about_anything(guard: int) -> None:
    seed = random.randrange(2**32)
    luck = random.Random(seed)
    samples = [frame[:600] for frame in (*DROPPED.values(), *PASSED.values())]
    dropped = 0
    for number in range(40_000):
        frame = bytearray(luck.choice(samples) if number % 10 else luck.randbytes(luck.randrange(14, 200)))
        for _ in range(luck.randrange(4)):
            frame[luck.randrange(12, len(frame))] = luck.choice((0, 1, 2, 44, 58, 60, luck.randrange(256)))
        if luck.random() < 0.3:
            at = luck.randrange(14, len(frame) + 1)
            frame[at:at] = luck.choice((extension(58), extension(60), fragment(58), MINE, FOREIGN, NONCE))
        expected = drops(bytes(frame))
        dropped += expected
        assert (run(guard, bytes(frame)) == DROP) == expected, (seed, number, frame.hex())
    assert 4_000 < dropped < 36_000, "the samples are one-sided"


def test_a_name_says_whose_it_is_and_which_version() -> None:
    assert NAME.startswith(NAME_PREFIX)
    assert len(NAME) <= 15  # linux/bpf.h: BPF_OBJ_NAME_LEN with its NUL
