"""An announcement on a real wire: sent on one end of a veth, heard on the other."""

from __future__ import annotations

import socket

import pytest
from netctl_host.announce import Announcement, render_garp, send_announcement

from netctl.errors import HostUnavailable
from tests.functional.host.namespace import NamespaceHost

ETH_P_ARP = 0x0806
ANNOUNCEMENT = Announcement(link="eth1", mac_address="02:00:00:00:00:05", ip="192.0.2.11")


def test_it_arrives(host: NamespaceHost) -> None:
    host.add_link("eth1")
    host.set_link("eth1", "up")
    with host.inside():
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        with heard:
            heard.bind(("x-eth1", ETH_P_ARP))
            heard.settimeout(5.0)
            send_announcement(ANNOUNCEMENT)
            assert heard.recv(2048) == render_garp(ANNOUNCEMENT.mac_address, ANNOUNCEMENT.ip)


@pytest.mark.parametrize("state", ["down", "gone"])
def test_a_link_that_does_not_take_it_says_so(host: NamespaceHost, state: str) -> None:
    if state == "down":
        host.add_link("eth1")
    with host.inside(), pytest.raises(HostUnavailable, match="eth1"):
        send_announcement(ANNOUNCEMENT)
