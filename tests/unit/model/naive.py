"""What must hold of any set of stored intents, said a second time: by walking all of them, with ipaddress and no index.

Shares nothing with admission but the nouns. What concerns VPCs is said in naive_vpc.py.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic, NicKind, NicMode
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import Vpc
from tests.unit.model import naive_chain, naive_compute, naive_security, naive_vpc


class World:
    """Stored intents by kind and id."""

    def __init__(self, intents: Iterable[Intent]) -> None:
        self.intents = list(intents)
        self.clusters = {x.id: x for x in self.intents if isinstance(x, Cluster)}
        self.switches = {x.id: x for x in self.intents if isinstance(x, VirtualSwitch)}
        self.hosts = {x.id: x for x in self.intents if isinstance(x, Host)}
        self.subnets = {x.id: x for x in self.intents if isinstance(x, Subnet)}
        self.nics = {x.id: x for x in self.intents if isinstance(x, Nic)}
        self.vpcs = {x.id: x for x in self.intents if isinstance(x, Vpc)}
        self.floating_ips = {x.id: x for x in self.intents if isinstance(x, FloatingIp)}
        self.routes = {x.id: x for x in self.intents if isinstance(x, Route)}
        self.policies = {x.id: x for x in self.intents if isinstance(x, RoutingPolicy)}
        self.functions = {x.id: x for x in self.intents if isinstance(x, NetworkFunction)}
        self.chains = {x.id: x for x in self.intents if isinstance(x, ServiceChain)}
        self.mirrors = {x.id: x for x in self.intents if isinstance(x, TrafficMirror)}
        self.network_functions = False  # has this OVN them?
        self.reservations = {x.id: x for x in self.intents if isinstance(x, AddressReservation)}

    def check(self) -> None:
        """Assert everything that admission promises."""
        self._check_references()
        self._check_unique()
        for subnet in self.subnets.values():
            self._check_mtu(subnet)
            self._check_addresses(subnet)
        self._check_tunnels()
        naive_vpc.check(self)
        naive_security.check(self)
        naive_chain.check(self)
        naive_compute.check(self)

    def dependents(self, kind: str, id: str) -> set[str]:
        """Return the names of what needs a resource."""
        return set(self._references(kind, id))

    def free_addresses(self, subnet: Subnet, version: int) -> set[str]:
        """Return the addresses that an automatic NIC may get; for small networks."""
        config = subnet.ipv4 if version == 4 else subnet.ipv6
        assert config is not None
        network: Any = ipaddress.ip_network(config.cidr)
        free = set(network)
        free.discard(network[0])
        if version == 4:
            free.discard(network[-1])
        if config.pools:
            free = {a for a in free if any(_within(a, r) for r in config.pools)}
        free = {a for a in free if not any(_within(a, r) for r in config.exclusions)}
        for kept in self.reservations.values():
            if kept.subnet == subnet.id and kept.ip_version == version:
                free = {a for a in free if not any(_within(a, r) for r in kept.reserved)}
        taken = {address for id, address, _ in self.addresses() if id == subnet.id}
        if subnet.vpc:
            taken |= {x.private_address for x in self.floating_ips.values() if x.vpc == subnet.vpc}
        return {str(a) for a in free} - taken

    def _references(self, kind: str, id: str) -> Iterator[str]:
        for host in self.hosts.values():
            if kind == "clusters" and host.cluster == id:
                yield f"hosts/{host.id}"
            if kind == "virtualSwitches" and any(up.virtual_switch == id for up in host.uplinks):
                yield f"hosts/{host.id}"
        for switch in self.switches.values():
            if kind == "clusters" and switch.cluster == id:
                yield f"virtualSwitches/{switch.id}"
        for subnet in self.subnets.values():
            of_cluster = not subnet.virtual_switches and kind == "clusters" and id in subnet.clusters
            if of_cluster or (kind == "virtualSwitches" and id in subnet.virtual_switches):
                yield f"subnets/{subnet.id}"
        for nic in self.nics.values():
            subnets = {nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)}
            if (kind == "subnets" and id in subnets) or (kind == "hosts" and nic.host == id):
                yield f"nics/{nic.id}"
        yield from naive_vpc.references(self, kind, id)
        yield from naive_security.references(self, kind, id)
        yield from naive_chain.references(self, kind, id)
        yield from naive_compute.references(self, kind, id)

    def _check_references(self) -> None:
        for switch in self.switches.values():
            assert switch.cluster in self.clusters
            assert switch.bridge
        for host in self.hosts.values():
            assert host.cluster in self.clusters
            assert all(self.switches[up.virtual_switch].cluster == host.cluster for up in host.uplinks)
        for subnet in self.subnets.values():
            assert all(cluster in self.clusters for cluster in subnet.clusters)
            if subnet.virtual_switches:
                found = [self.switches[switch].cluster for switch in subnet.virtual_switches]
                assert found == list(subnet.clusters)
        for nic in self.nics.values():
            subnets = [id for id in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)) if id]
            assert len(set(subnets)) == len(subnets)
            for id in subnets:
                assert self.subnets[id].kind is not SubnetKind.EXTERNAL
                assert not nic.host or self.hosts[nic.host].cluster in self.subnets[id].clusters
            if nic.mode is NicMode.TRUNK and not nic.trunk_vlans and nic.kind is NicKind.NORMAL:
                parent = self.subnets[nic.subnet]
                assert parent.virtual_switches
                assert parent.vlan_id == 0 or (nic.basic and parent.kind is SubnetKind.VLAN_BASIC)

    def _check_unique(self) -> None:
        values: list[tuple[object, ...]] = [("uid", x.meta.uid) for x in self.intents]
        values += [("bridge", x.cluster, x.bridge) for x in self.switches.values()]
        values += [("tunnel", x.cluster, x.tunnel_ip) for x in self.hosts.values()]
        for subnet in self.subnets.values():
            values.append(("vni", subnet.vni))
            values += [("vlan", switch, subnet.vlan_id) for switch in subnet.virtual_switches]
            if subnet.dhcp is not None and (subnet.dhcp.server_address or subnet.ipv6_mode.by_dhcp):
                values.append(("mac", subnet.dhcp.server_mac_address))
            if subnet.vpc:
                values.append(("mac", subnet.gateway_mac_address))
        for nic in self.nics.values():
            values.append(("tap", nic.tap_name))
            values.append(("mac", nic.mac_address))
        values += [("address", id, address) for id, address, _ in self.addresses()]
        values += naive_vpc.unique_values(self)
        assert all(value[-1] not in ("", 0) for value in values if value[0] != "vlan")
        assert [value for value, count in Counter(values).items() if count > 1] == []

    def _check_mtu(self, subnet: Subnet) -> None:
        limits = [self.switches[switch].mtu_bytes for switch in subnet.virtual_switches]
        for cluster in subnet.clusters if not limits else ():
            inside = [x for x in self.hosts.values() if x.cluster == cluster]
            overhead = 78 if any(ipaddress.ip_address(x.tunnel_ip).version == 6 for x in inside) else 58
            limits.append(self.clusters[cluster].underlay_mtu_bytes - overhead)
        limit = min(limits)
        assert subnet.mtu_bytes == limit if subnet.auto_mtu else subnet.mtu_bytes <= limit

    def _check_tunnels(self) -> None:
        for host in self.hosts.values():
            if host.tunnel_virtual_switch:
                carried = self.switches[host.tunnel_virtual_switch].mtu_bytes
                assert carried >= self.clusters[host.cluster].underlay_mtu_bytes

    def _check_addresses(self, subnet: Subnet) -> None:
        """Every address is a host's in its network; those of guests that make their own follow from the MAC."""
        for version, config in ((4, subnet.ipv4), (6, subnet.ipv6)):
            held = [(address, mac) for id, address, mac in self.addresses() if id == subnet.id]
            held = [(address, mac) for address, mac in held if (":" in address) == (version == 6)]
            if config is None:
                continue
            network: Any = ipaddress.ip_network(config.cidr)
            for address, mac in held:
                assert ipaddress.ip_address(address) in network
                assert address != str(network[0])
                assert version == 6 or address != str(network[-1])
                if version == 6 and subnet.ipv6_mode.from_mac and mac:
                    assert ipaddress.ip_address(address).packed[8:] == _eui64(mac)
        if subnet.dhcp is not None:
            assert bool(subnet.dhcp.server_address) == (subnet.ipv4 is not None and not subnet.dhcp.disabled)

    def addresses(self) -> Iterator[tuple[str, str, str]]:
        """Yield (subnet, address, MAC of a guest or "") for all that is held."""
        for nic in self.nics.values():
            places = [(nic.subnet, nic.ipv4_address, nic.ipv6_address)]
            places += [(vlan.subnet, vlan.ipv4_address, vlan.ipv6_address) for vlan in nic.trunk_vlans]
            for subnet_id, four, six in places:
                yield from ((subnet_id, address, nic.mac_address) for address in (four, six) if address)
        for subnet in self.subnets.values():
            own = {config.gateway for config in (subnet.ipv4, subnet.ipv6) if config is not None}
            own.add(subnet.dhcp.server_address if subnet.dhcp is not None else "")
            yield from ((subnet.id, address, "") for address in own if address)
        yield from naive_vpc.addresses(self)


def _eui64(mac: str) -> bytes:
    """Return the interface identifier as RFC 4291, appendix A, writes it."""
    octets = bytes.fromhex(mac.replace(":", ""))
    return bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]


def _within(address: Any, span: Any) -> bool:
    low, high = ipaddress.ip_address(span.start), ipaddress.ip_address(span.end)
    return bool(low <= address <= high)
