"""Address groups: canonical forms, and the fewest networks of any set of addresses, against sets of numbers."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.errors import Exhausted, InvalidIntent
from netctl.model.groups import ADDRESSES_MAX, NETWORKS_MAX, AddressGroup, networks_of
from netctl.model.keys import AddressGroupId
from tests.security import address_group

BASE = {4: int(ipaddress.ip_address("10.0.0.0")), 6: int(ipaddress.ip_address("fd00::"))}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("10.0.0.5/32", "10.0.0.5"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("10.0.0.1 - 10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("10.0.0.9-10.0.0.9", "10.0.0.9"),
        ("224.0.0.0/4", "224.0.0.0/4"),
        ("FD00:0::5", "fd00::5"),
        ("fd00::5/128", "fd00::5"),
        ("FD00::/8", "fd00::/8"),
        ("::/0", "::/0"),
        ("fd00:0::1-fd00::00ff", "fd00::1-fd00::ff"),
        ("ff02::/16", "ff02::/16"),
    ],
)
def test_entries_have_one_form(text: str, stored: str) -> None:
    assert address_group("g", text).addresses == (stored,)
    assert address_group("g", without=(text,)).except_addresses == (stored,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not an IPv4 address"),
        ("10.0.0", "is not an IPv4 address"),
        ("010.0.0.1", "is not an IPv4 address"),
        ("10.0.0.1/33", "is not a network"),
        ("10.0.0.1/8", "has host bits set"),
        ("10.0.0.0/", "is not a network"),
        ("fd00::1%eth0", "is not an IPv6 address"),
        ("fd00::/8%1", "is not a network"),
        ("::ffff:10.0.0.1", "IPv4 inside IPv6"),
        ("::ffff:10.0.0.0/112", "IPv4 inside IPv6"),
        ("::ffff:10.0.0.1-::ffff:10.0.0.9", "IPv4 inside IPv6"),
        ("10.0.0.9-10.0.0.1", "write 10.0.0.1-10.0.0.9"),
        ("10.0.0.1-", "is not an IPv4 address"),
        ("-10.0.0.1", "is not an IPv4 address"),
        ("10.0.0.1-10.0.0.3-10.0.0.9", "is not an IPv4 address"),
        ("10.0.0.1-fd00::1", "is not an IPv6 address"),
        ("10.0.0.0/8-10.0.0.9", "is not an IPv4 address"),
        ("example.com", "is not an IPv4 address"),
        ("example-com", "is not an IPv4 address"),
        ('10.0.0.1"} || ip4', "is not an IPv4 address"),
        ("$as_office", "is not an IPv4 address"),
        ("١٠.0.0.1", "is not an IPv4 address"),
        ("1" * 70_000, "is not an IPv4 address"),
    ],
)
def test_what_is_no_address_is_refused(text: str, reason: str) -> None:
    for field in ("addresses", "except_addresses"):
        with pytest.raises(InvalidIntent) as caught:
            AddressGroup(id=AddressGroupId("g"), **{field: ("192.0.2.1", text)})  # type: ignore[arg-type]
        assert caught.value.field == f"{field}[1]"
        assert reason in caught.value.message
        assert len(caught.value.message) < 400


def test_each_entry_stands_once() -> None:
    with pytest.raises(InvalidIntent, match=r"10\.0\.0\.1 is listed twice") as caught:
        address_group("g", "10.0.0.1", "10.0.0.1/32")
    assert caught.value.field == "addresses[1]"


def test_there_are_not_too_many_entries() -> None:
    many = tuple(f"10.{i >> 8}.{i & 255}.1" for i in range(ADDRESSES_MAX + 1))
    assert len(address_group("g", *many[1:]).addresses) == ADDRESSES_MAX
    with pytest.raises(InvalidIntent, match=f"has {ADDRESSES_MAX + 1} entries; at most {ADDRESSES_MAX}"):
        address_group("g", *many)
    with pytest.raises(InvalidIntent) as caught:
        address_group("g", without=many)
    assert caught.value.field == "except_addresses"


def test_ranges_that_are_too_many_networks_are_refused_with_the_limit() -> None:
    """One range of IPv6 is up to 254 networks."""
    wide = tuple(f"fd00:{i:x}::1-fd00:{i:x}:ffff:ffff:ffff:ffff:ffff:fffe" for i in range(0, 60, 2))
    one = networks_of(address_group("g", wide[0]), 6)
    assert len(one) == 190
    fits = NETWORKS_MAX // len(one)
    assert len(networks_of(address_group("g", *wide[:fits]), 6)) == fits * len(one)
    with pytest.raises(Exhausted, match=f"more than {NETWORKS_MAX} IPv6 networks") as caught:
        address_group("g", *wide[: fits + 1])
    assert caught.value.field == "addresses"


def test_an_exception_is_cut_out() -> None:
    group = address_group("g", "10.0.0.0/8", "fd00::/64", without=("10.128.0.0/9", "10.0.0.0/10"))
    assert networks_of(group, 4) == ("10.64.0.0/10",)
    assert networks_of(group, 6) == ("fd00::/64",)
    assert networks_of(address_group("g", "10.0.0.0/8", without=("0.0.0.0/0",)), 4) == ()
    assert networks_of(address_group("g", "0.0.0.0/0", "10.0.0.0/8"), 4) == ("0.0.0.0/0",)
    assert networks_of(address_group("g", "0.0.0.0-255.255.255.255"), 4) == ("0.0.0.0/0",)
    assert networks_of(address_group("g", "255.255.255.254-255.255.255.255"), 4) == ("255.255.255.254/31",)
    assert networks_of(address_group("g"), 4) == networks_of(address_group("g"), 6) == ()


def test_neighbours_are_one_network() -> None:
    group = address_group("g", "10.0.0.128/25", "10.0.0.0-10.0.0.100", "10.0.0.101-10.0.0.127")
    assert networks_of(group, 4) == ("10.0.0.0/24",)


entries = st.tuples(st.sampled_from([4, 6]), st.integers(0, 63), st.integers(0, 63), st.booleans())


def _text(version: int, a: int, b: int, network: bool) -> str:
    """Make a range, an address or, where the span is one, a network."""
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    low, high = sorted((a, b))
    first, last = make(BASE[version] + low), make(BASE[version] + high)
    if network:
        width = 1 << (a % 5)
        return f"{make(BASE[version] + b // width * width)}/{first.max_prefixlen - a % 5}"
    return f"{first}-{last}" if low != high else str(first)


def _numbers(texts: tuple[str, ...], version: int) -> set[int]:
    found: set[int] = set()
    for text in texts:
        if (":" in text) != (version == 6):
            continue
        first, _, last = text.partition("-")
        if last:
            found |= set(range(int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last)) + 1))
        else:
            found |= {int(address) for address in ipaddress.ip_network(text)}
    return found


@given(st.lists(entries, max_size=8), st.lists(entries, max_size=6), st.sampled_from([4, 6]))
@settings(max_examples=300, deadline=None)
def test_networks_are_the_addresses_and_as_few_as_can_be(
    inside: list[Any], outside: list[Any], version: int
) -> None:
    group = address_group(
        "g",
        *dict.fromkeys(address_group("x", _text(*one)).addresses[0] for one in inside),
        without=tuple(dict.fromkeys(address_group("x", _text(*one)).addresses[0] for one in outside)),
    )
    wanted = _numbers(group.addresses, version) - _numbers(group.except_addresses, version)
    got = networks_of(group, version)
    parsed: list[Any] = [ipaddress.ip_network(text) for text in got]
    assert sum(network.num_addresses for network in parsed) == len(wanted)  # none twice
    assert {int(address) for network in parsed for address in network} == wanted
    assert list(ipaddress.collapse_addresses(parsed)) == parsed  # ascending, and no two can be one
    assert all(
        text == (str(n) if n.prefixlen < n.max_prefixlen else str(n[0]))
        for text, n in zip(got, parsed, strict=True)
    )
