"""What must hold of any set of stored intents, said a second time: by walking all of them, with ipaddress and no index.

Shares nothing with admission but the nouns.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.nic import Nic
from netctl.model.subnet import Subnet, SubnetKind


class World:
    """Stored intents by kind and id."""

    def __init__(self, intents: Iterable[Intent]) -> None:
        self.intents = list(intents)
        self.clusters = {x.id: x for x in self.intents if isinstance(x, Cluster)}
        self.switches = {x.id: x for x in self.intents if isinstance(x, VirtualSwitch)}
        self.hosts = {x.id: x for x in self.intents if isinstance(x, Host)}
        self.subnets = {x.id: x for x in self.intents if isinstance(x, Subnet)}
        self.nics = {x.id: x for x in self.intents if isinstance(x, Nic)}

    def check(self) -> None:
        """Assert everything that admission promises."""
        self._check_references()
        self._check_unique()
        for subnet in self.subnets.values():
            self._check_mtu(subnet)
            self._check_addresses(subnet)
        self._check_overlaps()

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
        taken = {config.gateway} | {address for _, address in self._addresses(subnet, version)}
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
            of_cluster = subnet.kind is SubnetKind.OVERLAY and kind == "clusters" and id in subnet.clusters
            if of_cluster or (kind == "virtualSwitches" and id in subnet.virtual_switches):
                yield f"subnets/{subnet.id}"
        for nic in self.nics.values():
            if (kind == "subnets" and nic.subnet == id) or (kind == "hosts" and nic.host == id):
                yield f"nics/{nic.id}"

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
            assert not nic.host or self.hosts[nic.host].cluster in self.subnets[nic.subnet].clusters

    def _check_unique(self) -> None:
        values: list[tuple[object, ...]] = [("uid", x.meta.uid) for x in self.intents]
        values += [("bridge", x.cluster, x.bridge) for x in self.switches.values()]
        values += [("tunnel", x.cluster, x.tunnel_ip) for x in self.hosts.values()]
        for subnet in self.subnets.values():
            values.append(("vni", subnet.vni))
            values += [("vlan", switch, subnet.vlan_id) for switch in subnet.virtual_switches]
            if subnet.dhcp is not None and not subnet.dhcp.disabled:
                values.append(("mac", subnet.dhcp.server_mac_address))
        for nic in self.nics.values():
            values.append(("tap", nic.tap_name))
            values.append(("mac", nic.mac_address))
            values += [("address", nic.subnet, a) for a in (nic.ipv4_address, nic.ipv6_address) if a]
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

    def _check_addresses(self, subnet: Subnet) -> None:
        for version, config in ((4, subnet.ipv4), (6, subnet.ipv6)):
            if config is None:
                continue
            network: Any = ipaddress.ip_network(config.cidr)
            reserved = {config.gateway, str(network[0]), str(network[-1]) if version == 4 else ""}
            if version == 4 and subnet.dhcp is not None:
                reserved.add(subnet.dhcp.server_address)
                assert subnet.dhcp.disabled == (subnet.dhcp.server_address == "")
            for nic in self.nics.values():
                address = nic.ipv4_address if version == 4 else nic.ipv6_address
                if nic.subnet == subnet.id and address:
                    assert address not in reserved
                    assert ipaddress.ip_address(address) in network

    def _check_overlaps(self) -> None:
        for one in self.subnets.values():
            for other in self.subnets.values():
                if one.id < other.id and one.vpc and one.vpc == other.vpc:
                    for a, b in ((one.ipv4, other.ipv4), (one.ipv6, other.ipv6)):
                        if a is not None and b is not None:
                            mine: Any = ipaddress.ip_network(a.cidr)
                            assert not mine.overlaps(ipaddress.ip_network(b.cidr))

    def _addresses(self, subnet: Subnet, version: int) -> Iterator[tuple[str, str]]:
        for nic in self.nics.values():
            if nic.subnet == subnet.id:
                yield nic.id, nic.ipv4_address if version == 4 else nic.ipv6_address
        if version == 4 and subnet.dhcp is not None:
            yield "", subnet.dhcp.server_address


def _within(address: Any, span: Any) -> bool:
    low, high = ipaddress.ip_address(span.start), ipaddress.ip_address(span.end)
    return bool(low <= address <= high)
