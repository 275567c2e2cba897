"""The demo: two subnets with four NICs each over the hosts of a lab, made through the public API, proved by packets.

Everything is applied, so that a second start finds most of it done. What comes out is a `Demo`; `report.py` shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from netctl.errors import Unavailable
from netctl.lab.api import Api
from netctl.lab.guests import Lease
from netctl.lab.lab import Lab
from netctl.lab.progress import Progress
from netctl.loop import wait_until
from netctl.v1.network_pb2 import (
    SUBNET_KIND_OVERLAY,
    SUBNET_KIND_VLAN,
    DhcpOptions,
    IpConfig,
    Nic,
    Subnet,
)
from netctl.v1.operations_pb2 import Edit, Resource
from netctl.v1.status_pb2 import PHASE_PROGRAMMED, Phase

NICS_PER_SUBNET = 4
PROGRAMMED_TIMEOUT_S = 60.0
PING_TIMEOUT_S = 1
VLAN, OVERLAY = "subnets/vlan10", "subnets/overlay"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGuest:
    """A guest as the demo made it."""

    name: str
    host: str
    subnet: str
    tap_name: str
    address: str
    mtu_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One cell of the matrix: whether an answer was expected, and whether one came."""

    source: str
    destination: str
    expected: bool
    seen: bool
    rtt_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo showed."""

    lab: str
    server: str
    guests: tuple[DemoGuest, ...]
    matrix: tuple[Probe, ...]
    northbound: str

    @property
    def ok(self) -> bool:
        """Every answer that was expected came, and no other."""
        return all(probe.expected == probe.seen for probe in self.matrix)


def run(lab: Lab, progress: Progress) -> Demo:
    """Bring the lab up and show the product at work; raise Unavailable where it does not get that far."""
    lab.up()
    with Api(lab.server) as api:
        with progress.step("2 subnets and 8 NICs stored, one atomic change"):
            stored = api.batch((Edit(apply=resource) for resource in intents(lab)), "netctl lab demo")
        nics = [resource.nic for resource in stored if resource.HasField("nic")]
        mtus = {r.subnet.name: r.subnet.mtu_bytes for r in stored if r.HasField("subnet")}
        with progress.step("guests behind their taps"):
            for nic in nics:
                host, name = _id(nic.host), _id(nic.name)
                lab.add_guest(host, nic.tap_name, nic.mac_address, mtus[nic.subnet], name=name)
        with progress.step("NICs PROGRAMMED: every host has installed its flows"):
            _wait_programmed(api, frozenset(nic.name for nic in nics))
    with progress.step("addresses leased by DHCP, all guests at once"):
        leases = _lease_all(lab, nics)
    guests = [_guest(nic, lease) for nic, lease in zip(nics, leases, strict=True)]
    with progress.step("every guest pings every other"):
        matrix = _probe_all(lab, guests)
    northbound = lab.exec("central", ["ovn-nbctl", "show"]).stdout
    return Demo(
        lab=lab.name, server=lab.server, guests=tuple(guests), matrix=tuple(matrix), northbound=northbound
    )


def intents(lab: Lab) -> list[Resource]:
    """Return the demo's subnets and NICs, the NICs dealt to the hosts in turn."""
    switch = lab.topology.virtual_switches[0]
    vlan = Subnet(
        name=VLAN,
        kind=SUBNET_KIND_VLAN,
        virtual_switches=[f"virtualSwitches/{switch}"],
        vlan_id=10,
        ipv4=IpConfig(cidr="10.10.0.0/24", gateway="10.10.0.1"),
        dhcp=DhcpOptions(dns_servers=["10.10.0.2"], domain_name="vlan10.example"),
    )
    overlay = Subnet(
        name=OVERLAY,
        kind=SUBNET_KIND_OVERLAY,
        clusters=(f"clusters/{lab.topology.cluster}",),
        ipv4=IpConfig(cidr="10.20.0.0/24", gateway="10.20.0.1"),
        dhcp=DhcpOptions(dns_servers=["10.20.0.2"], domain_name="overlay.example"),
    )
    hosts = lab.topology.hosts
    nics = [
        Nic(name=f"nics/{letter}{i + 1}", subnet=subnet, host=f"hosts/{hosts[i % len(hosts)].id}")
        for letter, subnet in (("v", VLAN), ("o", OVERLAY))
        for i in range(NICS_PER_SUBNET)
    ]
    return [Resource(subnet=vlan), Resource(subnet=overlay), *(Resource(nic=nic) for nic in nics)]


def _wait_programmed(api: Api, names: frozenset[str]) -> None:
    last: list[Nic] = []

    def all_programmed() -> bool:
        last[:] = [nic for nic in api.nics() if nic.name in names]
        return len(last) == len(names) and all(nic.status.phase == PHASE_PROGRAMMED for nic in last)

    try:
        wait_until(all_programmed, timeout_s=PROGRAMMED_TIMEOUT_S, what="NICs PROGRAMMED", poll_s=0.05)
    except TimeoutError:
        left = [nic for nic in last if nic.status.phase != PHASE_PROGRAMMED]
        reasons = "; ".join(
            f"{nic.name} {Phase.Name(nic.status.phase)} {nic.status.reason}: {nic.status.message}"
            for nic in left
        )
        raise Unavailable(f"not PROGRAMMED within {PROGRAMMED_TIMEOUT_S:g} s: {reasons}") from None


def _lease_all(lab: Lab, nics: Sequence[Nic]) -> list[Lease]:
    with ThreadPoolExecutor(max_workers=len(nics)) as pool:
        leases = list(pool.map(lambda nic: lab.lease(_id(nic.name)), nics))
    for nic, lease in zip(nics, leases, strict=True):
        if lease.address.partition("/")[0] != nic.ipv4_address:
            raise Unavailable(f"{nic.name} is to have {nic.ipv4_address}; DHCP gave {lease.address}")
    return leases


def _probe_all(lab: Lab, guests: Sequence[DemoGuest]) -> list[Probe]:
    def probe(pair: tuple[DemoGuest, DemoGuest]) -> Probe:
        source, destination = pair
        seen = lab.ping(source.name, destination.address.partition("/")[0], timeout_s=PING_TIMEOUT_S)
        return Probe(
            source=source.name,
            destination=destination.name,
            expected=source.subnet == destination.subnet,
            seen=seen.ok,
            rtt_ms=seen.rtt_ms,
        )

    pairs = [(source, destination) for source in guests for destination in guests if source != destination]
    # Those that expect no answer wait out their time, so all run at once.
    with ThreadPoolExecutor(max_workers=len(pairs)) as pool:
        return list(pool.map(probe, pairs))


def _guest(nic: Nic, lease: Lease) -> DemoGuest:
    return DemoGuest(
        name=_id(nic.name),
        host=_id(nic.host),
        subnet=_id(nic.subnet),
        tap_name=nic.tap_name,
        address=lease.address,
        mtu_bytes=lease.mtu_bytes,
    )


def _id(name: str) -> str:
    return name.rpartition("/")[2]
