"""Stations: guests by what they are on the wire, for frames that no kernel would send; and who hears these."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from tests.e2e import forged
from tests.e2e.raw import arp_reply, frame_socket, tapped
from tests.e2e.site import Site
from tests.e2e.vpcs import Nic
from tests.lossmeter.frames import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A guest's own addresses."""

    nic: Nic

    @property
    def four(self) -> Address:
        """By IPv4."""
        return Address(self.nic.mac_address, self.nic.ipv4_address)

    @property
    def six(self) -> Address:
        """By IPv6."""
        return Address(self.nic.mac_address, self.nic.ipv6_address)

    @property
    def local(self) -> Address:
        """By its link-local address."""
        return Address(self.nic.mac_address, forged.link_local(self.nic.mac_address))


def beside(address: str, last: int) -> str:
    """Return another address of the same network, of the /24 or /64."""
    network = ipaddress.ip_network(f"{address}/{64 if ':' in address else 24}", strict=False)
    return str(network[last])


def heard(here: Site, liar: Station, victim: Station, frames: dict[str, bytes]) -> set[str]:
    """Send frames, and then the truth: return the names of those that arrived."""
    last = arp_reply(liar.four.mac, liar.four, victim.four)
    with tapped(here.namespace(victim.nic)) as arrived, frame_socket(here.namespace(liar.nic)) as wire:
        for frame in (*frames.values(), last):
            assert wire.send(frame) == len(frame)
        arrived.wait_for(last)
        return {name for name, frame in frames.items() if arrived.count(frame)}
