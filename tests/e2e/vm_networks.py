"""Machines on every kind of network, and what a lab keeps of where they are.

`CROSSING` is a machine with a NIC of each kind: on a VLAN, on VLAN basic, in a VPC with a floating IP, a trunk, and on
a VLAN behind a service chain. Each is probed from all hosts, so one migration tells of all of them.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from netctl.lab import namespaces
from netctl.loop import wait_until
from netctl.v1 import compute_pb2, network_pb2, vpc_pb2
from tests.e2e import vpcs
from tests.e2e.appliances import Appliance, add_inline, chain
from tests.e2e.probes import Station
from tests.e2e.site import Site
from tests.e2e.vms import CLUSTER, IMAGE, MEMORY_MIB, ON, OUTSIDE, OUTSIDE_ADDRESS, SUBNETS, Disk, Vm, Vms

Nic = network_pb2.Nic
Subnet = network_pb2.Subnet
SWITCH = "virtualSwitches/vs0"
HOSTS = ("h1", "h2", "h3")
BASIC_OUTSIDE, NAT_OUTSIDE = "10.30.0.254", "198.51.100.1"  # of upstream, in VLANs 30 and 100
NATIVE_VLAN, CHILD_VLAN, CHAINED_VLAN = 41, 42, 43
DROPPED_PORT = 4343  # by the function of the chain
PERIOD_S = 0.01


def vlan(subnet_id: str, vlan_id: int, cidr: str, **fields: object) -> Subnet:
    """Return a subnet of vs0 that serves DHCP."""
    made = Subnet(
        name=f"subnets/{subnet_id}",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=[SWITCH],
        vlan_id=vlan_id,
        ipv4=network_pb2.IpConfig(cidr=cidr),
        dhcp=network_pb2.DhcpOptions(lease_s=3600),
    )
    made.MergeFrom(Subnet(**fields))  # type: ignore[arg-type]
    return made


NAT = Subnet(
    name="subnets/moving-out",
    kind=network_pb2.SUBNET_KIND_EXTERNAL,
    virtual_switches=[SWITCH],
    vlan_id=100,
    ipv4=network_pb2.IpConfig(
        cidr="198.51.100.0/24",
        gateway=NAT_OUTSIDE,
        pools=[network_pb2.AddressRange(start="198.51.100.10", end="198.51.100.99")],
    ),
)
BASIC = vlan("basic", 30, "10.30.0.0/24", kind=network_pb2.SUBNET_KIND_VLAN_BASIC)
RESOURCES = (
    NAT,
    vpcs.vpc("moving", vpcs.connection(NAT)),
    vpcs.overlay("moving-vpc", "moving", "10.70.0.0/24"),
    vpcs.default_route("moving", NAT),
    vlan("moving-native", NATIVE_VLAN, "10.41.0.0/24"),
    vlan("moving-child", CHILD_VLAN, "10.42.0.0/24"),
)
CHAINED = vlan("moving-chained", CHAINED_VLAN, "10.43.0.0/24", service_chain="serviceChains/moving")
# Where probes of a NIC stand: in its own subnet, on every host.
PROBED = {
    "vlan": "vlan",
    "basic": "basic",
    "vpc": "moving-vpc",
    "native": "moving-native",
    "child": "moving-child",
    "chained": "moving-chained",
}


def make(vms: Vms, vm: Vm, nics: Sequence[Nic], *, host: str) -> Vm:
    """Create a machine with a disk of the guest image and these NICs, and start it there."""
    made = Vm(cluster=CLUSTER, num_vcpus=1, memory_mib=MEMORY_MIB)
    made.disks.append(Disk(image=IMAGE, bus=compute_pb2.DISK_BUS_PCI))
    made.MergeFrom(vm)
    for nic in nics:
        nic.vm = made.name
    vms.site.apply(made, *nics)
    vms.power(made.name, ON, host=host)
    return vms.get(made.name)


@dataclass
class Crossing:
    """The machine with a NIC of each kind, the function of its chain, and the guests that probe it."""

    vms: Vms
    vm: Vm
    function: Appliance
    nics: Mapping[str, Nic]
    floating: str
    probes: dict[str, Nic] = field(default_factory=dict)

    def addresses(self) -> dict[str, str]:
        """Return the machine's address by each network, as admitted."""
        found = {kind: self.vms.site.get_nic(nic.name).ipv4_address for kind, nic in self.nics.items()}
        return found | {"child": self.nics["native"].trunk_vlans[0].ipv4_address}

    def stations(self) -> dict[str, Station]:
        """Return whence it is probed: from every host on each network, and from beyond the uplink."""
        site, guest = self.vms.site, self.addresses()
        found = {
            name: Station(site.namespace(nic), nic.ipv4_address, guest[name.partition(" ")[0]])
            for name, nic in self.probes.items()
        }
        outside = namespaces.node_namespace(site.lab.name, OUTSIDE)
        return found | {
            "vlan outside": Station(outside, OUTSIDE_ADDRESS, guest["vlan"]),
            "basic outside": Station(outside, BASIC_OUTSIDE, guest["basic"]),
        }

    def answers_floating(self) -> bool:
        """Does it answer at its floating IP, from beyond the uplink?"""
        return self.vms.try_ask(self.floating, "echo here") == "here"

    def places(self) -> dict[str, tuple[int, str]]:
        """Return VLAN and MAC address of each NIC that the physical network sees."""
        vlans = {"vlan": 10, "basic": 30, "native": NATIVE_VLAN, "chained": CHAINED_VLAN}
        found = {kind: (vlan_id, self.nics[kind].mac_address) for kind, vlan_id in vlans.items()}
        child = self.nics["native"].mac_address
        return found | {"child": (CHILD_VLAN, child)}


@contextmanager
def crossing(vms: Vms) -> Iterator[Crossing]:
    """Have the machine, running on h1, with the guests that probe it; all is gone after the block."""
    site = vms.site
    function = add_inline(site, "moving", HOSTS, [DROPPED_PORT])
    try:
        site.apply(chain("moving", "moving"), BASIC, *RESOURCES, CHAINED)
        yield _start(vms, function)
    finally:
        vms.abort_all()
        site.remove("floatingIps/moving")
        if vms.exists("vms/crossing"):
            vms.remove("vms/crossing")
        site.discard(*(nic for nic in site.list_nics() if nic.name.startswith("nics/at-")))
        site.remove(CHAINED.name, *(one.name for one in reversed(RESOURCES)), "serviceChains/moving")
        site.remove("networkFunctions/moving")
        for guest in function.guests.values():
            site.lab.remove_guest(guest.name)
        site.remove(*(nic.name for nic in function.nics))
        site.apply(*(subnet for subnet in SUBNETS if subnet.name == BASIC.name))


def _start(vms: Vms, function: Appliance) -> Crossing:
    site = vms.site
    wanted = {
        kind: Nic(name=f"nics/crossing-{number}", subnet=f"subnets/{PROBED[kind]}")
        for number, kind in enumerate(kind for kind in PROBED if kind != "child")
    }
    wanted["native"].mode = network_pb2.NIC_MODE_TRUNK
    wanted["native"].trunk_vlans.add(vlan_id=CHILD_VLAN)
    vm = make(vms, Vm(name="vms/crossing"), list(wanted.values()), host="h1")
    nics = {kind: site.get_nic(nic.name) for kind, nic in wanted.items()}
    site.apply(vpc_pb2.FloatingIp(name="floatingIps/moving", external_subnet=NAT.name, nic=nics["vpc"].name))
    floating = site.get_floating_ip("floatingIps/moving").address
    made = Crossing(vms=vms, vm=vm, function=function, nics=nics, floating=floating)
    for name, nic in _probes(site).items():
        made.probes[name] = nic
    _prepare_guest(made)
    return made


def _probes(site: Site) -> dict[str, Nic]:
    names = {f"{kind} {host}": (kind, host) for kind in PROBED for host in HOSTS}
    wanted = [vpcs.nic(f"at-{host}-{kind}", PROBED[kind], host) for kind, host in names.values()]
    site.apply(*wanted)
    made = [site.get_nic(nic.name) for nic in wanted]
    for nic in made:
        site.plug(nic)
    site.wait_programmed(*(nic.name for nic in made))
    return dict(zip(names, made, strict=True))


def _prepare_guest(made: Crossing) -> None:
    vms, name = made.vms, made.vm.name
    vms.wait_booted(name)
    interfaces = {line.split()[1]: line.split()[0] for line in vms.ask(name, "nics").splitlines()}
    trunk, vpc = (interfaces[made.nics[kind].mac_address] for kind in ("native", "vpc"))
    member = made.nics["native"].trunk_vlans[0]
    settled = "until [ -e /run/settled ]; do usleep 50000; done"  # its kernel knows VLANs from then on
    vms.ask(name, f"{settled}; vlan {trunk} {CHILD_VLAN} {member.ipv4_address}/24")
    wanted = {kind: nic.ipv4_address for kind, nic in made.nics.items()}

    def has_all() -> bool:
        said = vms.ask(name, "nics")
        return all(address in said for address in wanted.values())

    wait_until(has_all, timeout_s=20, what=f"the guest has {wanted}")
    vms.ask(name, f"ip route replace default via 10.70.0.1 dev {vpc}")


def learned_ports(site: Site, host: str, vlan_id: int, mac: str) -> list[str]:
    """Name the ports of br0 behind which a host's switch believes a MAC address: one, or none."""
    ports = {
        number: port
        for port in site.vsctl(host, "list-ifaces", "br0").split()
        for number in [site.vsctl(host, "get", "Interface", port, "ofport").strip()]
    }
    lines = re.findall(r"^\s*(\S+)\s+(\d+)\s+([0-9a-f:]{17})", site.appctl(host, "fdb/show", "br0"), re.M)
    return [ports.get(port, port) for port, tag, found in lines if int(tag) == vlan_id and found == mac]


# -- asking without an answer ------------------------------------------------------------------------------------------


class Strangers:
    """Who may not reach a machine and tries all the time, from several places, on several ports of UDP."""

    def __init__(self, stations: Mapping[str, Station], ports: Sequence[int]) -> None:
        self._ports = ports
        self._sockets = {
            name: (namespaces.run_in(station.namespace, lambda own=station.own: _bound(own)), station.guest)  # type: ignore[misc]
            for name, station in stations.items()
        }
        self.sent = 0
        self.answered: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Strangers:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        for opened, _guest in self._sockets.values():
            opened.close()

    def _run(self) -> None:
        while not self._over.wait(PERIOD_S):
            for name, (opened, guest) in self._sockets.items():
                for port in self._ports:
                    opened.sendto(b"let me in", (guest, port))
                    self.sent += 1
                self._hear(name, opened)

    def _hear(self, name: str, opened: socket.socket) -> None:
        while True:
            try:
                opened.recv(64)
            except OSError:  # nothing there
                return
            self.answered[name] = self.answered.get(name, 0) + 1


def _bound(own: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((own, 0))
    opened.setblocking(False)
    return opened
