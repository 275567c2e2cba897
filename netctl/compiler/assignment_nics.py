"""NICs of a host to what its agent plugs where. Pure; a part of `assignment.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netctl.compiler.assignment_announced import announced
from netctl.compiler.assignment_mirrors import Mirrored
from netctl.compiler.assignment_places import FUNCTIONS_BRIDGE, bridge_of_nic, localnet_of
from netctl.compiler.assignment_uplinks import uplinks_of
from netctl.compiler.dhcp import classless_routes, serves_dhcp
from netctl.compiler.migrating import is_incoming, nics_at
from netctl.compiler.native_chain import is_native
from netctl.compiler.observed import Observed
from netctl.model.assignment import DhcpLease, NicAssignment, StaticRoute
from netctl.model.chain import NetworkFunction
from netctl.model.infra import Host
from netctl.model.keys import Kind
from netctl.model.nic import Nic, NicKind, TrunkVlan
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet


def compile_nics(
    snapshot: Snapshot, host: Host, observed: Observed, mirrored: Mirrored
) -> Iterator[NicAssignment]:
    """Yield the NICs of a host and those that are on their way to it, ordered by id.

    `mirrored` says to which bridge the copies go.
    """
    for nic in sorted(nics_at(snapshot, host.id), key=lambda nic: nic.id):
        if nic.kind is NicKind.SPAN_DESTINATION:
            yield _span_destination(nic, mirrored.get(nic.id), _largest_mtu(snapshot, host))
        elif nic.kind is NicKind.NETWORK_FUNCTION:
            yield _function_side(snapshot, nic, observed, _largest_mtu(snapshot, host))
        else:
            guest = _port(snapshot, host, nic, observed) if nic.has_port else _on_uplink(snapshot, host, nic)
            incoming = bool(nic.vm) and is_incoming(snapshot, nic, host.id)
            yield announced(snapshot, host, nic, observed, guest) if incoming else guest


def _bare(nic: Nic, mtu_bytes: int) -> NicAssignment:
    return NicAssignment(
        nic=nic.id,
        iface_id=nic.meta.uid,
        tap_name=nic.tap_name,
        mac_address=nic.mac_address,
        mtu_bytes=mtu_bytes,
        localnet="",
        trunk_vlan_ids=tuple(sorted(vlan.vlan_id for vlan in nic.trunk_vlans)),
    )


def _port(snapshot: Snapshot, host: Host, nic: Nic, observed: Observed) -> NicAssignment:
    """Return a NIC that is a port of OVN."""
    subnet = snapshot.subnet(nic.subnet)
    return replace(
        _bare(nic, subnet.mtu_bytes if subnet else 0),
        localnet=localnet_of(snapshot, host, subnet, observed) if subnet is not None else "",
        learn_addresses=_chooses_addresses(nic),
        guard_ipv6=nic.port_security,
    )


def _on_uplink(snapshot: Snapshot, host: Host, nic: Nic) -> NicAssignment:
    """Return a NIC beside OVN. Where there is no uplink for it, it is plugged nowhere."""
    subnet = snapshot.subnet(nic.subnet)
    bridge = bridge_of_nic(snapshot, host, nic)
    return replace(
        _bare(nic, subnet.mtu_bytes if subnet else 0),
        bridge=bridge or "",
        vlan_id=subnet.vlan_id if subnet else 0,
        trunks_all=nic.trunks_all,
        disconnected=not nic.connected or not bridge,
        dhcp=_lease(subnet, nic) if subnet is not None and nic.kind is NicKind.NORMAL else None,
    )


def _function_side(snapshot: Snapshot, nic: Nic, observed: Observed, mtu_bytes: int) -> NicAssignment:
    """Return a side of a network function: in br.nf, unless the function is one of OVN's own."""
    if observed.network_functions and _is_of_ovn(snapshot, nic, observed):
        return _bare(nic, mtu_bytes)
    return replace(_bare(nic, mtu_bytes), bridge=FUNCTIONS_BRIDGE, disconnected=not nic.connected)


def _is_of_ovn(snapshot: Snapshot, nic: Nic, observed: Observed) -> bool:
    return any(
        isinstance(function, NetworkFunction)
        and any(nic.id in pair.nics for pair in function.nic_pairs)
        and is_native(snapshot, function.id, observed)
        for function in snapshot.of_kind(Kind.NETWORK_FUNCTION)
    )


def _span_destination(nic: Nic, bridge: str | None, mtu_bytes: int) -> NicAssignment:
    """Return a NIC that only gets copies: without a mirror there is no bridge that it belongs to."""
    return replace(
        _bare(nic, mtu_bytes),
        bridge=bridge or "",
        disconnected=bridge is None or not nic.connected,
        mirror_destination=True,
    )


def _largest_mtu(snapshot: Snapshot, host: Host) -> int:
    """What is on no subnet gets frames of all of them; 0 leaves its MTU alone."""
    return max((switch.mtu_bytes for _, switch in uplinks_of(snapshot, host)), default=0)


def _lease(subnet: Subnet, nic: Nic) -> DhcpLease | None:
    """Return what the host tells the guest by DHCP, as OVN would."""
    if not serves_dhcp(subnet) or not nic.ipv4_address or subnet.ipv4 is None or subnet.dhcp is None:
        return None
    dhcp = subnet.dhcp
    return DhcpLease(
        address=nic.ipv4_address,
        prefix_length=int(subnet.ipv4.cidr.partition("/")[2]),
        server_address=dhcp.server_address,
        server_mac_address=dhcp.server_mac_address,
        router=subnet.ipv4.gateway,
        lease_s=dhcp.lease_s,
        dns_servers=tuple(server for server in dhcp.dns_servers if ":" not in server),
        domain_name=dhcp.domain_name,
        domain_search=dhcp.domain_search,
        ntp_servers=dhcp.ntp_servers,
        tftp_server=dhcp.tftp_server,
        bootfile_name=dhcp.bootfile_name,
        static_routes=tuple(
            StaticRoute(destination=route.destination, next_hop=route.next_hop)
            for route in classless_routes(subnet.ipv4, dhcp)
        ),
        mtu_bytes=subnet.mtu_bytes,
    )


def _chooses_addresses(nic: Nic) -> bool:
    """Return whether the guest may use addresses that we did not give, in any VLAN of the NIC."""
    ports: tuple[Nic | TrunkVlan, ...] = (nic, *nic.trunk_vlans)
    return not nic.port_security or any(not (port.ipv4_address or port.ipv6_address) for port in ports)
