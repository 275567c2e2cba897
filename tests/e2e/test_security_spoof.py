"""Lies at the door: what a guest must not say is stopped at its tap, without any policy; what it may is heard.

Every kind of frame is sent as a lie and as the truth, in one stream: the truth arrives, and what was sent before it is
there or was dropped (one path, one order).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netctl.v1 import network_pb2
from tests.e2e import forged, vpcs
from tests.e2e.raw import arp_reply, ethernet
from tests.e2e.site import Site
from tests.e2e.stations import Station, beside, heard
from tests.lossmeter.frames import Address
from tests.lossmeter.meter import FOREIGN_MAC

PORTS = (5000, 5001)


@pytest.fixture(scope="module")
def stations(three_hosts: Site) -> Iterator[dict[str, Station]]:
    """On a VLAN three guests, two of them on one host; in a VPC two."""
    here = three_hosts
    with vpcs.removed_after(here) as made:
        vlan = network_pb2.Subnet(
            name="subnets/spoof",
            kind=network_pb2.SUBNET_KIND_VLAN,
            virtual_switches=["virtualSwitches/vs0"],
            vlan_id=30,
            ipv4=network_pb2.IpConfig(cidr="10.30.0.0/24"),
            ipv6=network_pb2.IpConfig(cidr="2001:db8:30::/64"),
        )
        vpcs.make(here, made, vlan, vpcs.vpc("spoof"))
        vpcs.make(here, made, vpcs.overlay("spoof-in", "spoof", "10.31.0.0/24", "fd42:31::/64"))
        places = {"liar": "h1", "beside": "h1", "across": "h2"}
        wanted = {f"vlan-{name}": ("spoof", host) for name, host in places.items()}
        wanted |= {f"vpc-{name}": ("spoof-in", places[name]) for name in ("liar", "across")}
        nics = {name: here.create_nic(vpcs.nic(name, *place)) for name, place in wanted.items()}
        for nic in nics.values():
            here.plug(nic)
        here.wait_programmed(*(nic.name for nic in nics.values()))
        here.settle_datapaths()
        for kind in ("vlan", "vpc"):
            here.wait_ping(nics[f"{kind}-liar"], nics[f"{kind}-across"].ipv4_address)
        yield {name: Station(nic=nic) for name, nic in nics.items()}


def lies(own: Station, victim: Station) -> dict[str, bytes]:
    """Return frames that port security stops."""
    four, six = own.four, own.six
    liar = Address(FOREIGN_MAC, beside(four.ip, 77))
    liar6 = Address(FOREIGN_MAC, beside(six.ip, 0x77))
    honest = forged.udp(four, victim.four, PORTS)
    return {
        "IPv4 source": forged.udp(Address(four.mac, liar.ip), victim.four, PORTS),
        "IPv4 frame source": forged.udp(Address(liar.mac, four.ip), victim.four, PORTS),
        "the victim's own IPv4": forged.udp(Address(four.mac, victim.four.ip), victim.four, PORTS),
        "IPv6 source": forged.udp(Address(six.mac, liar6.ip), victim.six, PORTS),
        "IPv6 frame source": forged.udp(Address(liar.mac, six.ip), victim.six, PORTS),
        "ARP hardware address": arp_reply(four.mac, Address(liar.mac, four.ip), victim.four),
        "ARP protocol address": arp_reply(four.mac, Address(four.mac, liar.ip), victim.four),
        "ARP frame source": arp_reply(liar.mac, four, victim.four),
        "ARP question, protocol address": forged.arp_request(
            four.mac, Address(four.mac, liar.ip), beside(four.ip, 98)
        ),
        "NA target": forged.advertisement(six, victim.six, liar6.ip, six.mac),
        "NA link-layer address": forged.advertisement(six, victim.six, six.ip, liar.mac),
        "NA frame source": forged.advertisement(Address(liar.mac, six.ip), victim.six, six.ip, six.mac),
        "NS source": forged.solicitation(Address(six.mac, liar6.ip), beside(liar6.ip, 0x99), six.mac),
        "NS frame source": forged.solicitation(Address(liar.mac, six.ip), beside(liar6.ip, 0x99), six.mac),
        "RARP": forged.rarp(four.mac),
        "RARP of another": forged.rarp(liar.mac),
        "unknown ethertype": ethernet(four.mac, victim.four.mac, 0x88B5, bytes(46)),
        "VLAN tag": forged.tagged(honest, 31),
        "VLAN tag 0": forged.tagged(honest, 0),
        "link-local protocol": ethernet(four.mac, "01:80:c2:00:00:02", 0x8809, bytes(46)),
        "spanning tree": ethernet(four.mac, "01:80:c2:00:00:00", 0x88B5, bytes(46)),
    }


def truths(own: Station, victim: Station) -> dict[str, bytes]:
    """Return the same without the lie; among them what asks everybody for an address that nobody has."""
    four, six = own.four, own.six
    nobody, nobody6 = beside(four.ip, 99), beside(six.ip, 0x99)
    return {
        "IPv4": forged.udp(four, victim.four, PORTS),
        "IPv6": forged.udp(six, victim.six, PORTS),
        "IPv6, link-local": forged.udp(own.local, victim.local, PORTS),
        "ARP": arp_reply(four.mac, four, victim.four),
        "ARP question": forged.arp_request(four.mac, four, nobody),
        "NA": forged.advertisement(six, victim.six, six.ip, six.mac),
        "NS": forged.solicitation(six, nobody6, six.mac),
        "NS without option": forged.solicitation(six, nobody6),
        "duplicate address detection": forged.solicitation(Address(six.mac, "::"), six.ip),
    }


def guarded(own: Station, victim: Station) -> dict[str, bytes]:
    """Return frames that no ACL and no port security of OVN 23.03 stops: the host's guard does."""
    six, local = own.six, own.local
    nobody = beside(six.ip, 0x99)
    return {
        "NS link-layer option": forged.solicitation(six, nobody, FOREIGN_MAC),
        "NS link-layer option, link-local": forged.solicitation(local, nobody, victim.six.mac),
        "router advertisement": forged.router_advertisement(local),
        "router advertisement to one": forged.router_advertisement(local, victim.local),
    }


PAIRS = (("vlan-liar", "vlan-across"), ("vlan-liar", "vlan-beside"), ("vpc-liar", "vpc-across"))


@pytest.mark.parametrize(("liar", "victim"), PAIRS)
def test_port_security_stops_lies_and_nothing_else(
    here: Site, stations: dict[str, Station], liar: str, victim: str
) -> None:
    ends = stations[liar], stations[victim]
    true = {f"true {name}": frame for name, frame in truths(*ends).items()}
    assert heard(here, *ends, lies(*ends) | true) == set(true)
    assert heard(here, *ends, true | lies(*ends)) == set(true), (
        "what the truth let hosts cache lets no lie in"
    )


@pytest.mark.parametrize(("liar", "victim"), PAIRS)
def test_the_hosts_guard_stops_what_ovn_lets_through(
    here: Site, stations: dict[str, Station], liar: str, victim: str
) -> None:
    """Router advertisements, and solicitations that would change a neighbour's table; true ones pass."""
    ends = stations[liar], stations[victim]
    true = truths(*ends)
    assert heard(here, *ends, guarded(*ends) | true) == set(true)
    assert heard(here, *ends, true | guarded(*ends)) == set(true)
