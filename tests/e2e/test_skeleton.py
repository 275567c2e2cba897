"""The walking skeleton: subnets and NICs in, leases and packets out, across two hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from netctl.v1 import network_pb2
from tests.e2e.raw import transfer
from tests.e2e.site import PROGRAMMED, Site, site

WANTED = {
    f"{kind}-{host}-{n}": (kind, host)
    for kind in ("vlan", "overlay")
    for host in ("h1", "h2")
    for n in (1, 2)
}
Nic = network_pb2.Nic
Nics = dict[str, Nic]


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("skel") as running:
        yield running


@pytest.fixture(scope="module")
def nics(here: Site) -> Nics:
    """Eight NICs as admitted, guests behind them, leases taken, all PROGRAMMED."""
    made = {
        name: here.create_nic(Nic(name=f"nics/{name}", subnet=f"subnets/{kind}", host=f"hosts/{host}"))
        for name, (kind, host) in WANTED.items()
    }
    for nic in made.values():
        here.plug(nic, address=False)
    here.wait_programmed(*(nic.name for nic in made.values()), timeout_s=60)
    return made


@pytest.fixture(scope="module")
def leased(here: Site, nics: Nics) -> Nics:
    for name in nics:
        here.lab.lease(name)
    return nics


def test_the_lab_is_ready_and_says_so(here: Site, nics: Nics) -> None:
    for nic in nics.values():
        status = here.get_nic(nic.name).status
        assert (status.phase, status.reason) == (PROGRAMMED, "")


def test_dhcp_leases_what_was_admitted(here: Site, nics: Nics) -> None:
    subnets = {name: here.get_subnet(f"subnets/{name}") for name in ("vlan", "overlay")}
    for name, (kind, _host) in WANTED.items():
        lease = here.lab.lease(name)
        subnet = subnets[kind]
        assert ipaddress.ip_interface(lease.address).ip == ipaddress.ip_address(nics[name].ipv4_address)
        assert ipaddress.ip_interface(lease.address).network == ipaddress.ip_network(subnet.ipv4.cidr)
        assert lease.mtu_bytes == subnet.mtu_bytes > 0
        assert lease.router == subnet.ipv4.gateway
        assert lease.dns_servers == tuple(subnet.dhcp.dns_servers)
        assert lease.lease_s == subnet.dhcp.lease_s
        assert lease.options["serverid"] == subnet.dhcp.server_address
    vlan = here.lab.lease("vlan-h1-1").options
    assert vlan["domain"] == "vlan.example"
    assert vlan["staticroutes"].split() == ["192.0.2.0/24", "10.10.0.9", "0.0.0.0/0", "10.10.0.1"]


def test_geneve_costs_the_overlay_58_bytes(here: Site) -> None:
    vlan, overlay = (here.get_subnet(f"subnets/{name}").mtu_bytes for name in ("vlan", "overlay"))
    assert (vlan, overlay) == (9000, 9000 - 58)


def test_who_reaches_whom(here: Site, leased: Nics) -> None:
    """Every ordered pair: those of one subnet reach each other, those of two do not, whatever host they are on."""
    expected = {(a, b): WANTED[a][0] == WANTED[b][0] for a in WANTED for b in WANTED if a != b}
    # A negative takes a second each: all pairs at once, a few at a time.
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = pool.map(
            lambda pair: reaches(here, leased[pair[0]], leased[pair[1]], expected[pair]), expected
        )
        seen = dict(zip(expected, answers, strict=True))
    assert seen == expected


def reaches(here: Site, a: Nic, b: Nic, expected: bool) -> bool:
    """Ping; where an answer is due, again once: a userspace tunnel drops its first packet while ARP asks."""
    return here.ping_once(a, b.ipv4_address) or (expected and here.ping_once(a, b.ipv4_address))


def test_the_largest_packet_passes_whole(here: Site, leased: Nics) -> None:
    for kind in ("vlan", "overlay"):
        mtu_bytes = here.get_subnet(f"subnets/{kind}").mtu_bytes
        sender_name, receiver = f"{kind}-h1-1", leased[f"{kind}-h2-1"]
        size = str(mtu_bytes - 28)  # IPv4 and ICMP headers
        command = ["ping", "-n", "-c", "1", "-W", "3", "-M", "do", "-s", size, receiver.ipv4_address]
        assert here.lab.exec(sender_name, command, check=False).returncode == 0, f"{kind} {size}"
        command[command.index(size)] = str(mtu_bytes - 27)  # the guest knows its MTU and refuses by itself
        assert "too long" in here.lab.exec(sender_name, command, check=False).stderr


@pytest.mark.parametrize("kind", ["vlan", "overlay"])
def test_tcp_across_hosts(here: Site, leased: Nics, kind: str) -> None:
    client, server = leased[f"{kind}-h1-1"], leased[f"{kind}-h2-2"]
    assert transfer(here.namespace(client), here.namespace(server), server.ipv4_address, 8) == 8 << 20


def test_programmed_is_never_said_before_the_flows_are_there(here: Site, leased: Nics) -> None:
    """Twenty NICs in a row: at the moment of PROGRAMMED one single echo request must be answered."""
    early: list[str] = []
    for n in range(20):
        kind, host, peer_host = ("vlan", "overlay")[n % 2], ("h1", "h2")[n // 2 % 2], ("h2", "h1")[n // 2 % 2]
        nic = here.add(f"first-{n}", kind, host)  # the guest has its address before PROGRAMMED can be said
        if not here.ping_once(nic, leased[f"{kind}-{peer_host}-1"].ipv4_address):
            early.append(nic.name)
        here.discard(nic)
    assert not early


def test_nor_before_a_hosts_first_nic_of_a_vlan_has_its_way_out(here: Site) -> None:
    """Ten fresh VLANs: ovn-controller reports a NIC installed before the localnet port that it makes for the VLAN."""
    early: list[str] = []
    for n in range(10):
        name, host, peer_host = f"fresh-{n}", ("h1", "h2")[n % 2], ("h2", "h1")[n % 2]
        here.apply(
            network_pb2.Subnet(
                name=f"subnets/{name}",
                kind=network_pb2.SUBNET_KIND_VLAN,
                virtual_switches=("virtualSwitches/vs0",),
                vlan_id=100 + n,
                ipv4=network_pb2.IpConfig(cidr=f"10.30.{n}.0/24"),
            )
        )
        peer = here.add(f"{name}-peer", name, peer_host)
        nic = here.add(name, name, host)
        if not here.ping_once(nic, peer.ipv4_address):
            early.append(nic.name)
        here.discard(nic, peer)
        here.remove(f"subnets/{name}")
    assert not early
