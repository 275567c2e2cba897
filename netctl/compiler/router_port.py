"""Subnet in a VPC: its port on the VPC's router, the way out of its addresses, and what keeps the outside out."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler import identity, priority
from netctl.compiler.exits import configs_of, nat_exits_of, prefix_length
from netctl.compiler.identity import router_uuid, switch_uuid
from netctl.compiler.nat import snat
from netctl.compiler.observed import Observed
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Ipv6Mode, Subnet, SubnetKind
from netctl.model.vpc import Vpc
from netctl.nb.rows import Fact, Member, Row

# RFC 4861 §6.2.1: at least 3 s and a third of the maximum. Guests ask at boot; those that hear nothing for
# the lifetime of a router (three maxima) lose it.
_RA_MAX_INTERVAL_S, _RA_MIN_INTERVAL_S = 600, 200


def compile_router_port(
    snapshot: Snapshot, subnet: Subnet, vpc: Vpc, marks: dict[str, str], observed: Observed
) -> Iterator[Fact]:
    """Yield the rows by which a subnet is routed."""
    networks = gateway_networks(subnet)
    if not networks or not subnet.gateway_mac_address:
        return
    uid, router = subnet.meta.uid, router_uuid(vpc.meta.uid)
    port, peer = identity.gateway_port_uuid(uid), identity.gateway_peer_uuid(uid)
    yield Row(
        "Logical_Router_Port",
        port,
        {
            "name": identity.gateway_port_name(uid),
            "mac": subnet.gateway_mac_address,
            "networks": networks,
            "ha_chassis_group": frozenset(),
            "options": _options(snapshot, subnet, vpc),
            "ipv6_ra_configs": router_advertisement(subnet, vpc, observed),
            "external_ids": marks,
        },
    )
    yield Member("Logical_Router", router, "ports", port)
    yield Row(
        "Logical_Switch_Port",
        peer,
        {
            "name": identity.gateway_peer_name(uid),
            "type": "router",
            "addresses": frozenset({"router"}),
            "options": {"router-port": identity.gateway_port_name(uid)},
            "external_ids": marks,
        },
    )
    yield Member("Logical_Switch", switch_uuid(uid), "ports", peer)
    yield from _ways_out(snapshot, subnet, vpc, marks, observed)


def gateway_networks(subnet: Subnet) -> frozenset[str]:
    """Return the gateway addresses of a subnet with prefix lengths."""
    configs = (config for config in configs_of(subnet) if config.gateway)
    return frozenset(f"{config.gateway}/{prefix_length(config)}" for config in configs)


def _options(snapshot: Snapshot, subnet: Subnet, vpc: Vpc) -> dict[str, str]:
    """Return the port's options: a sender in a subnet of larger packets is told what fits here."""
    largest = max((other.mtu_bytes for other in snapshot.subnets_of_vpc(vpc.id)), default=0)
    return {"gateway_mtu": str(subnet.mtu_bytes)} if largest > subnet.mtu_bytes else {}


def _ways_out(
    snapshot: Snapshot, subnet: Subnet, vpc: Vpc, marks: dict[str, str], observed: Observed
) -> Iterator[Fact]:
    uid = subnet.meta.uid
    router = router_uuid(vpc.meta.uid)
    for exit in nat_exits_of(snapshot, vpc):
        for config in configs_of(subnet):
            yield from snat(exit, uid, config.cidr, marks, observed)
        guard = identity.guard_uuid(uid, exit.subnet.meta.uid)
        yield Row(
            "Logical_Router_Policy",
            guard,
            {
                "priority": priority.POLICY_GUARD,
                "match": _untranslated(exit.port_name, identity.gateway_port_name(uid)),
                "action": "drop",
                "nexthops": frozenset(),
                "external_ids": marks,
            },
        )
        yield Member("Logical_Router", router, "policies", guard)


def _untranslated(outer: str, inner: str) -> str:
    """Match what comes in by a port with NAT, for a subnet, and not to a translated address.

    Answers to what guests sent (un-SNAT) and packets to floating IPs have had their destination translated, which
    conntrack says by `ct.dnat`; `ct.rel` are ICMP errors about those. What was sent to a private address outright has
    been through no conntrack at all: that must be said, for `!ct.dnat` alone means tracked and not translated.
    """
    return f'inport == "{outer}" && outport == "{inner}" && (!ct.trk || (!ct.dnat && !ct.rel))'


def router_advertisement(subnet: Subnet, vpc: Vpc, observed: Observed) -> dict[str, str]:
    """Return Logical_Router_Port.ipv6_ra_configs of a subnet; empty is no advertisement.

    OVN has no mode without addresses from it other than DHCPv6, so STATIC guests are told nothing.
    """
    if subnet.ipv6 is None or subnet.kind is SubnetKind.EXTERNAL or not subnet.ipv6.gateway:
        return {}
    modes = {
        Ipv6Mode.SLAAC: "slaac",
        # Guests would ask in vain for the rest where OVN must not answer.
        Ipv6Mode.DHCPV6_STATELESS: "dhcpv6_stateless" if observed.dhcpv6 else "slaac",
        Ipv6Mode.DHCPV6_STATEFUL: "dhcpv6_stateful",
    }
    mode = modes.get(subnet.ipv6_mode)
    if mode is None:
        return {}
    configs = {
        "address_mode": mode,
        "send_periodic": "true",
        "max_interval": str(_RA_MAX_INTERVAL_S),
        "min_interval": str(_RA_MIN_INTERVAL_S),
        "mtu": str(subnet.mtu_bytes),
    }
    servers = [server for server in vpc.dns_servers if ":" in server]
    if servers:
        configs["rdnss"] = servers[0]  # ovn-nb(5): OVN supports one
    if subnet.dhcp is not None and subnet.dhcp.domain_search:
        configs["dnssl"] = ",".join(subnet.dhcp.domain_search)  # a blank would become part of the name
    return configs
