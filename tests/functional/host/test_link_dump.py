"""Our reading of the kernel's dumps is pyroute2's, for links of all sorts and addresses of both families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from netctl_host.link_dump import AddressDump, Dumps, LinkDump
from pyroute2 import IPRoute

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost

LINKS = 300  # more than fit into one answer of the kernel


@pytest.fixture
def here(host: NamespaceHost) -> Iterator[tuple[Dumps, Any]]:
    """Both ways to ask about the host's namespace."""
    with host.inside():
        dumps, netlink = Dumps(), IPRoute()
    yield dumps, netlink
    dumps.close()
    netlink.close()


def read_by_pyroute2(netlink: Any) -> list[LinkDump]:
    return [
        LinkDump(
            index=link["index"],
            name=link.get("ifname"),
            mac_address=link.get("address"),
            flags=link["flags"],
            carrier=bool(link.get("carrier")),
            mtu_bytes=link.get("mtu"),
            hardware_type=link["ifi_type"],
            kind=(link.get("linkinfo") or {}).get("kind", ""),
            alias=link.get("ifalias") or "",
            master=link.get("master") or 0,
            parent=link.get("link") or 0,
        )
        for link in netlink.get_links()
    ]


def test_links_are_as_pyroute2_reads_them(here: tuple[Dumps, Any]) -> None:
    dumps, netlink = here
    netlink.link(
        "add", ifname="va", kind="veth", peer={"ifname": "vb"}, mtu=1442, address="0a:00:00:00:00:01"
    )
    netlink.link("add", ifname="down", kind="bridge")
    bridge = netlink.link_lookup(ifname="down")[0]
    netlink.link("set", index=bridge, ifalias="somebody's")
    netlink.link("set", index=netlink.link_lookup(ifname="vb")[0], master=bridge)
    index = netlink.link_lookup(ifname="va")[0]
    netlink.link("set", index=index, state="up")
    netlink.link("set", index=netlink.link_lookup(ifname="vb")[0], state="up")

    def of_one_moment() -> list[list[LinkDump]]:
        """Read both ways; nothing when links changed meanwhile: the kernel sets carrier and flags a moment later."""
        expected, found = read_by_pyroute2(netlink), dumps.links()
        is_up = any(link.name == "va" and link.carrier for link in expected)
        return [expected, found] if is_up and expected == read_by_pyroute2(netlink) else []

    expected, found = wait_until(of_one_moment, timeout_s=10, what="links at rest")
    assert found == expected
    va = next(link for link in found if link.name == "va")
    assert (va.mac_address, va.mtu_bytes, va.carrier) == ("0a:00:00:00:00:01", 1442, True)


def test_addresses_of_both_families(here: tuple[Dumps, Any]) -> None:
    dumps, netlink = here
    netlink.link("add", ifname="d0", kind="bridge")
    index = netlink.link_lookup(ifname="d0")[0]
    netlink.addr("add", index=index, address="192.0.2.1", prefixlen=24)
    netlink.addr("add", index=index, address="2001:db8::1", prefixlen=64)
    found = [address for address in dumps.addresses() if address.index == index]
    assert found == [AddressDump(index, "192.0.2.1", 24), AddressDump(index, "2001:db8::1", 64)]


def test_an_answer_in_many_parts(here: tuple[Dumps, Any]) -> None:
    dumps, netlink = here
    for number in range(LINKS):
        netlink.link("add", ifname=f"d{number}", kind="bridge")
    names = {link.name for link in dumps.links()}
    assert {f"d{number}" for number in range(LINKS)} <= names
