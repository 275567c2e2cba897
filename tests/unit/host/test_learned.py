"""Which addresses are a guest's, by what it sends and is given; which are kept, and for how long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netctl_host.learn_filter import AWAITED_MAX, assemble_filter
from netctl_host.learn_frames import Frame, look_at
from netctl_host.learned import GRACE_S, PORT_MAX, SILENCE_S, LearnedTable, Owner, Tap, find_taps
from netctl_host.report import make_report
from netctl_host.saved_learned import SavedLearned
from netctl_host.settings import Settings
from netctl_host.state import HostState, LearnedAddress, Link

from netctl.errors import HostUnavailable
from tests.unit.host.frames import (
    ACK,
    HOP_BY_HOP,
    MAC,
    NA,
    NAK,
    NS,
    OFFER,
    OTHER_MAC,
    RA,
    REQUEST,
    RS,
    arp,
    dhcp,
    ethernet,
    extension,
    ipv6,
    nd,
)
from tests.unit.host.samples import assign, nic

OWNER = Owner(nic(1).iface_id, nic(1).mac_address)
LOCAL = "fe80::7"


def found(
    data: bytes, tag: int | None = None, *, to_guest: bool = False, requests: tuple[int, ...] = ()
) -> object:
    seen = look_at(Frame(data=data, tag=tag, to_guest=to_guest), MAC, frozenset(requests))
    return seen.vlan_id, seen.addresses


@pytest.mark.parametrize(
    ("frame", "addresses"),
    [
        (arp("192.0.2.7"), ("192.0.2.7",)),
        (arp("192.0.2.7", operation=2), ("192.0.2.7",)),
        (arp("0.0.0.0", target="192.0.2.7"), ()),  # a probe, RFC 5227
        (arp("127.0.0.1"), ()),
        (arp("224.0.0.5"), ()),
        (arp("255.255.255.255"), ()),
        (arp("192.0.2.7")[:40], ()),
        (ethernet(arp("192.0.2.7", mac=OTHER_MAC)[14:], ethertype=0x0806), ()),
        (arp("192.0.2.7", mac=OTHER_MAC), ()),
        (ethernet(ipv6(nd(NS, target="2001:db8::1"))), ("2001:db8::7",)),
        (ethernet(ipv6(nd(NS, target="2001:db8::7"), source="::")), ()),
        (ethernet(ipv6(nd(NA, target="2001:db8::8"), source=LOCAL)), (LOCAL, "2001:db8::8")),
        (ethernet(ipv6(nd(NA))), ("2001:db8::7",)),
        (ethernet(ipv6(nd(RS), source=LOCAL)), ()),
        (ethernet(ipv6(nd(RA), source=LOCAL)), ()),
        (ethernet(ipv6(extension(58) + nd(NS), HOP_BY_HOP)), ()),
        (ethernet(ipv6(nd(NS)).replace(b"\x3a\xff", b"\x3a\x40", 1)), ()),  # came over a router
        (ethernet(ipv6(nd(NA)), source=OTHER_MAC), ()),
        (dhcp(REQUEST), ()),
        (dhcp(REQUEST, client="192.0.2.7"), ("192.0.2.7",)),
        (dhcp(REQUEST, client="192.0.2.7", mac=OTHER_MAC), ()),
        (dhcp(ACK, yours="192.0.2.7"), ()),
    ],
)
def test_what_a_guest_uses_is_its(frame: bytes, addresses: tuple[str, ...]) -> None:
    assert found(frame) == (0, addresses)


@pytest.mark.parametrize(
    ("frame", "addresses"),
    [
        (dhcp(ACK, yours="192.0.2.7"), ("192.0.2.7",)),
        (dhcp(ACK, yours="192.0.2.7", id=8), ()),
        (dhcp(ACK, yours="192.0.2.7", mac=OTHER_MAC), ()),
        (dhcp(OFFER, yours="192.0.2.7"), ()),
        (dhcp(NAK, yours="192.0.2.7"), ()),
        (dhcp(ACK, yours="192.0.2.7")[:-6], ()),
        (arp("192.0.2.9"), ()),
        (ethernet(ipv6(nd(NA))), ()),
    ],
)
def test_what_it_is_given_is_its_when_it_asked(frame: bytes, addresses: tuple[str, ...]) -> None:
    assert found(frame, to_guest=True, requests=(7,)) == (0, addresses)


def test_a_request_is_remembered_by_its_number() -> None:
    assert look_at(Frame(data=dhcp(REQUEST, id=9)), MAC, frozenset()).request == 9
    assert look_at(Frame(data=dhcp(REQUEST, id=9, mac=OTHER_MAC)), MAC, frozenset()).request is None


def test_a_tag_says_which_vlan_wherever_it_is() -> None:
    assert found(arp("192.0.2.7"), tag=30) == (30, ("192.0.2.7",))
    assert found(arp("192.0.2.7"), tag=0xE000 | 30) == (30, ("192.0.2.7",))
    assert found(arp("192.0.2.7"), tag=0) == (0, ("192.0.2.7",))
    assert found(arp("192.0.2.7", tags=(30,))) == (30, ("192.0.2.7",))
    reply = dhcp(ACK, yours="192.0.2.7", tags=(30,))
    assert found(reply, to_guest=True, requests=(7,)) == (30, ("192.0.2.7",))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([arp("192.0.2.7"), ethernet(ipv6(nd(NA))), dhcp(ACK)]),
    st.binary(max_size=400),
    st.booleans(),
)
def test_any_bytes_are_looked_at_in_peace(frame: bytes, more: bytes, to_guest: bool) -> None:
    for size in (0, 13, 17, 30, len(frame)):
        found(frame[:size] + more, to_guest=to_guest, requests=(7,))
    found(frame[:12] + more, 5, to_guest=to_guest)


class Table:
    """A table with one NIC, and its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.table = LearnedTable(lambda: self.now)
        self.table.keep({OWNER})

    def note(self, number: int, vlan_id: int = 0) -> bool:
        """Hear a guest's address of this number."""
        return self.table.note(OWNER, [LearnedAddress(vlan_id=vlan_id, address=f"192.0.2.{number}")])

    def numbers(self, vlan_id: int = 0) -> list[int]:
        """Return what counts."""
        learned = self.table.read().get(OWNER, ())
        return [int(one.address.split(".")[3]) for one in learned if one.vlan_id == vlan_id]


def test_an_address_counts_until_it_is_silent() -> None:
    world = Table()
    assert world.note(1)
    assert not world.note(1)
    world.now += SILENCE_S - 1
    assert world.numbers() == [1]
    assert not world.note(1)
    world.now += SILENCE_S - 1
    assert world.numbers() == [1]
    world.now += 1
    assert world.numbers() == []
    assert world.note(1)


def test_the_most_silent_makes_room_for_a_new_one() -> None:
    world = Table()
    for number in range(1, PORT_MAX + 1):
        world.now += 1
        assert world.note(number)
    world.note(1)
    assert not world.note(9)  # all of them were heard a moment ago
    world.now += GRACE_S
    assert world.note(9)
    assert world.numbers() == [1, *range(3, PORT_MAX + 1), 9]
    assert world.note(1, vlan_id=30)  # another VLAN is another port
    assert world.numbers(30) == [1]


def test_who_is_not_kept_is_forgotten_and_not_heard() -> None:
    world = Table()
    world.note(1)
    world.table.keep(())
    assert world.table.read() == {}
    assert not world.note(1)
    world.table.keep({replace(OWNER, mac_address="02:00:00:00:00:99")})
    assert not world.note(1)


def test_a_restart_takes_nothing_back(tmp_path: Path) -> None:
    world, file = Table(), SavedLearned(tmp_path / "state")
    assert file.load() == {}
    world.note(1)
    world.note(2, vlan_id=30)
    file.save(world.table.read())
    later = Table()
    later.table.load(SavedLearned(tmp_path / "state").load())
    later.table.keep({OWNER})
    assert later.table.read() == world.table.read()
    later.now += SILENCE_S
    assert later.numbers() == []
    (tmp_path / "state" / "learned.json").write_text("{")
    assert SavedLearned(tmp_path / "state").load() == {}


def test_only_a_change_is_saved_and_a_full_disk_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = SavedLearned(tmp_path / "file")
    file.save({})
    with pytest.raises(HostUnavailable, match=r"learned\.json"):
        file.save({OWNER: (LearnedAddress(vlan_id=0, address="192.0.2.1"),)})


def test_taps_of_guests_that_choose_their_addresses_are_listened_to_and_reported() -> None:
    learning = replace(nic(1), learn_addresses=True, trunk_vlan_ids=(30,))
    assignment = assign(nics=(learning, nic(2), replace(nic(3), learn_addresses=True)))
    learned = (LearnedAddress(vlan_id=0, address="192.0.2.1"),)
    state = HostState(
        links={"tap1": Link(name="tap1", index=5), "tap2": Link(name="tap2", index=6)},
        learned={nic(number).iface_id: learned for number in (1, 2)},
    )
    owners = {number: Owner(nic(number).iface_id, nic(number).mac_address) for number in (1, 3)}
    assert find_taps(assignment, state) == {
        Tap(name="tap1", index=5, owner=owners[1], vlan_ids=(30,)),
        Tap(name="tap3", index=0, owner=owners[3]),
    }
    report = make_report("h1", assignment, state, Settings())
    assert [nic.learned_addresses for nic in report.nics] == [learned, (), ()]


@pytest.mark.parametrize("size", [4, 16])
def test_a_filter_has_room_for_what_it_says(size: int) -> None:
    many = [bytes((number,)) * size for number in range(AWAITED_MAX + 5)]
    full = assemble_filter("50:6b:8d:00:00:01", many)
    assert full == assemble_filter("50:6b:8d:00:00:01", many[:AWAITED_MAX])
    assert len(full) > len(assemble_filter("50:6b:8d:00:00:01", many[: AWAITED_MAX - 1]))


def test_a_sign_of_life_is_no_news_and_makes_nothing_known() -> None:
    world = Table()
    world.note(1)
    world.note(2)
    world.now += SILENCE_S / 2 + 1
    world.note(2)
    first, other = (LearnedAddress(vlan_id=0, address=f"192.0.2.{number}") for number in (1, 3))
    assert world.table.silent(OWNER) == (first,)
    world.table.note_life(OWNER, first)
    world.table.note_life(OWNER, other)
    world.table.note_life(replace(OWNER, mac_address="02:00:00:00:00:99"), first)
    assert world.table.silent(OWNER) == ()
    world.now += SILENCE_S / 2
    assert world.numbers() == [1, 2]
