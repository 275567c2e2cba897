"""The lab of bonded hosts: what its hosts say of their uplinks, and how these are changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from netctl.loop import wait_until
from netctl.v1 import agent_pb2, infra_pb2, network_pb2
from tests.e2e.site import DEADLINE_S, Site
from tests.lossmeter.meter import LossMeter, measure, nothing_denied

HostReport = agent_pb2.HostReport
Nic = network_pb2.Nic
Subnet = network_pb2.Subnet
PPS = 200  # a gap is seen to 5 ms
SWITCH = "virtualSwitches/vs0"
HOSTS = ("h1", "h2")


def vlan(subnet_id: str, vlan_id: int, *, basic: bool = False, switch: str = SWITCH) -> Subnet:
    """Return a subnet, of vs0 unless told otherwise; the router of VLANs 10 and 20 there is the lab's upstream."""
    network = f"10.{vlan_id}.0"
    return Subnet(
        name=f"subnets/{subnet_id}",
        kind=network_pb2.SUBNET_KIND_VLAN_BASIC if basic else network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=[switch],
        vlan_id=vlan_id,
        ipv4=network_pb2.IpConfig(cidr=f"{network}.0/24", gateway=f"{network}.1"),
        dhcp=network_pb2.DhcpOptions(
            lease_s=3600,
            dns_servers=[f"{network}.3", f"{network}.4"],
            domain_name="basic.example",
            ntp_servers=[f"{network}.5"],
            static_routes=[network_pb2.StaticRoute(destination="198.18.0.0/24", next_hop=f"{network}.9")],
        ),
    )


def get_report(here: Site, host: str) -> infra_pb2.GetHostReportResponse:
    """Return what a host's agent said last, and whether it is connected."""
    request = infra_pb2.GetHostReportRequest(name=f"hosts/{host}")
    return here.hosts.GetHostReport(request, timeout=DEADLINE_S, wait_for_ready=True)


def wait_report(
    here: Site, host: str, right: Callable[[HostReport], object], what: str, *, timeout_s: float = 10
) -> HostReport:
    """Return a host's report when it is right."""
    last = [HostReport()]

    def reached() -> bool:
        last[0] = get_report(here, host).report
        return bool(right(last[0]))

    try:
        wait_until(reached, timeout_s=timeout_s, what=f"{host}: {what}")
    except TimeoutError as error:
        raise TimeoutError(f"{host}: {what}: not within {timeout_s:g} s, its report: {last[0]}") from error
    return last[0]


def bond_of(report: HostReport, name: str = "br0-up") -> agent_pb2.BondReport:
    """Return a bond."""
    return next((bond for bond in report.bonds if bond.bond == name), agent_pb2.BondReport())


def bridge_of(report: HostReport, name: str = "br0") -> agent_pb2.BridgeReport:
    """Return an uplink bridge."""
    return next((bridge for bridge in report.bridges if bridge.bridge == name), agent_pb2.BridgeReport())


def get_switch(here: Site, switch: str = "vs0") -> infra_pb2.VirtualSwitch:
    """Return a virtual switch."""
    request = infra_pb2.GetVirtualSwitchRequest(name=f"virtualSwitches/{switch}")
    return here.virtual_switches.GetVirtualSwitch(
        request, timeout=DEADLINE_S, wait_for_ready=True
    ).virtual_switch


def change_switch(here: Site, changes: infra_pb2.VirtualSwitch, *fields: str) -> infra_pb2.VirtualSwitch:
    """Change the named fields of a virtual switch, vs0 when it has no name."""
    request = infra_pb2.UpdateVirtualSwitchRequest(virtual_switch=changes)
    request.virtual_switch.name = changes.name or SWITCH
    request.update_mask.paths.extend(fields)
    return here.virtual_switches.UpdateVirtualSwitch(
        request, timeout=DEADLINE_S, wait_for_ready=True
    ).virtual_switch


def get_host(here: Site, host: str) -> infra_pb2.Host:
    """Return a host."""
    request = infra_pb2.GetHostRequest(name=f"hosts/{host}")
    return here.hosts.GetHost(request, timeout=DEADLINE_S, wait_for_ready=True).host


def uplinks(host: infra_pb2.Host, *interfaces: str, addresses: tuple[str, ...] = ()) -> infra_pb2.Host:
    """Return a host whose uplinks of vs0 are these interfaces."""
    changed = infra_pb2.Host()
    changed.CopyFrom(host)
    changed.ClearField("uplinks")
    changed.ClearField("status")
    others = [uplink for uplink in host.uplinks if uplink.virtual_switch != SWITCH]
    own = infra_pb2.Uplink(virtual_switch=SWITCH, interfaces=interfaces, addresses=addresses)
    changed.uplinks.extend([own, *others])
    return changed


@contextmanager
def metered(here: Site, a: Nic, b: Nic) -> Iterator[LossMeter]:
    """Count what is lost between two guests during a block."""
    with measure(here.end(a), here.end(b), pps=PPS, denied=nothing_denied) as meter:
        yield meter


def carried(here: Site, host: str, interface: str) -> int:
    """Return how many packets an interface of a host has carried."""
    [link] = json.loads(here.lab.exec(host, ["ip", "-s", "-j", "link", "show", interface]).stdout)
    return sum(int(link["stats64"][way]["packets"]) for way in ("rx", "tx"))
