"""A host loses power while the controller is dead, and comes back by itself; acknowledged writes outlive any kill."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import grpc
import pytest

from netctl.errors import Unavailable
from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e.figures import note
from tests.e2e.raw import arp_reply, send_frame, tapped
from tests.e2e.site import Site, site
from tests.lossmeter.frames import Address
from tests.lossmeter.meter import FOREIGN_MAC

Nic = network_pb2.Nic
REBOOT_S = 10.0
KILLS = 4
CLIENTS = 4


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("reboot") as running:
        yield running


@pytest.fixture(scope="module")
def pairs(here: Site) -> dict[str, tuple[Nic, Nic]]:
    return {
        kind: (here.add(f"{kind}-a", kind, "h1"), here.add(f"{kind}-b", kind, "h2"))
        for kind in ("vlan", "overlay")
    }


def test_a_rebooted_host_needs_no_controller(here: Site, pairs: dict[str, tuple[Nic, Nic]]) -> None:
    """All processes of the host dead, Open vSwitch empty, links new: leases, pings and port security are back."""
    controller = here.lab.process("central", "controller")
    controller.kill()
    began = time.monotonic()
    here.lab.reboot("h1")
    for kind, (near, far) in pairs.items():
        name = near.name.removeprefix("nics/")
        wait_until(partial(leased, here, name), timeout_s=REBOOT_S, what=f"{name} has a lease")
        here.wait_ping(near, far.ipv4_address, timeout_s=REBOOT_S)
        here.wait_ping(far, near.ipv4_address)
        note(f"reboot without the controller / {kind} pings", f"{time.monotonic() - began:.1f} s")
        assert time.monotonic() - began <= REBOOT_S
        assert_guarded(here, near, far)
    assert not controller.pid()
    controller.start()
    here.wait_programmed(*(nic.name for pair in pairs.values() for nic in pair))


def leased(here: Site, guest: str) -> bool:
    """Ask for a lease once."""
    try:
        here.lab.lease(guest, timeout_s=2)
    except Unavailable:
        return False
    return True


def assert_guarded(here: Site, liar: Nic, victim: Nic) -> None:
    """A forged ARP reply is dropped, a true one behind it arrives."""
    own = Address(liar.mac_address, liar.ipv4_address)
    target = Address(victim.mac_address, victim.ipv4_address)
    forged = arp_reply(FOREIGN_MAC, Address(FOREIGN_MAC, own.ip), target)
    honest = arp_reply(own.mac, own, target)
    with tapped(here.namespace(victim)) as arrived:
        send_frame(here.namespace(liar), forged)
        send_frame(here.namespace(liar), honest)
        arrived.wait_for(honest)
        assert arrived.count(forged) == 0


def test_a_reboot_with_the_controller_alive(here: Site, pairs: dict[str, tuple[Nic, Nic]]) -> None:
    began = time.monotonic()
    here.lab.reboot("h2")
    for near, far in pairs.values():
        here.lab.set_address(far.name.removeprefix("nics/"), f"{far.ipv4_address}/24")
        here.wait_status(far.name, "", timeout_s=REBOOT_S)
        here.wait_ping(near, far.ipv4_address)
    note("reboot / PROGRAMMED and pinging", f"{time.monotonic() - began:.1f} s")


class Client:
    """Creates NICs one after the other, and remembers what was acknowledged."""

    def __init__(self, here: Site, number: int, ending: threading.Event) -> None:
        self.acknowledged: dict[str, Nic] = {}
        self.tried: set[str] = set()
        self._here, self._number, self._ending = here, number, ending
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        n = 0
        while not self._ending.is_set():
            n += 1
            nic = Nic(name=f"nics/w{self._number}-{n}", subnet="subnets/writes")
            self.tried.add(nic.name)
            try:
                answer = self._here.nics.CreateNic(
                    network_pb2.CreateNicRequest(nic=nic), timeout=10, wait_for_ready=True
                )
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                continue
            self.acknowledged[nic.name] = answer.nic


def test_acknowledged_writes_survive_kills_and_none_is_there_twice(here: Site) -> None:
    here.apply(
        network_pb2.Subnet(
            name="subnets/writes",
            kind=network_pb2.SUBNET_KIND_OVERLAY,
            clusters=("clusters/lab",),
            ipv4=network_pb2.IpConfig(cidr="10.99.0.0/16", gateway="10.99.0.1"),
        )
    )
    controller = here.lab.process("central", "controller")
    ending = threading.Event()
    clients = [Client(here, number, ending) for number in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    for _kill in range(KILLS):
        goal = acknowledged_count(clients) + 40
        wait_until(partial(has_reached, clients, goal), timeout_s=30, what="writes go on")
        controller.kill()
        controller.start()
    ending.set()
    for client in clients:
        client.thread.join()
    compare(here, clients)


def acknowledged_count(clients: list[Client]) -> int:
    return sum(len(client.acknowledged) for client in clients)


def has_reached(clients: list[Client], goal: int) -> bool:
    return acknowledged_count(clients) >= goal


def compare(here: Site, clients: list[Client]) -> None:
    """Hold what is stored against what was answered, and the northbound against what is stored."""
    stored = [nic for nic in here.list_nics() if nic.subnet == "subnets/writes"]
    by_name = {nic.name: nic for nic in stored}
    acknowledged = {name: nic for client in clients for name, nic in client.acknowledged.items()}
    tried = {name for client in clients for name in client.tried}
    note(
        "kill -9 under writes",
        f"{len(acknowledged)} acknowledged, {len(tried)} tried, {len(stored)} stored, {KILLS} kills",
    )
    assert len(by_name) == len(stored)
    assert set(acknowledged) <= set(by_name) <= tried
    identity = ("uid", "mac_address", "ipv4_address", "tap_name", "revision")
    for name, nic in acknowledged.items():
        assert [getattr(by_name[name], field) for field in identity] == [
            getattr(nic, field) for field in identity
        ]
    for field in ("uid", "mac_address", "ipv4_address", "tap_name"):
        assert len({getattr(nic, field) for nic in stored}) == len(stored), f"two NICs share a {field}"
    everyone = sorted(f"{nic.uid} {nic.mac_address} {nic.ipv4_address}" for nic in here.list_nics())
    wait_until(lambda: northbound_ports(here) == everyone, timeout_s=10, what="northbound equals the intents")


def northbound_ports(here: Site) -> list[str]:
    """Return name and addresses of every port that is not a localnet port, with repetitions."""
    text = here.nbctl(
        "--format=csv",
        "--no-headings",
        "--columns=name,addresses",
        "find",
        "Logical_Switch_Port",
        "type!=localnet",
    )
    return sorted(
        line.replace('"', "").replace(",", " ", 1).replace("[", "").replace("]", "")
        for line in text.splitlines()
    )
