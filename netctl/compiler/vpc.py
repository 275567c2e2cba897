"""Vpc to Logical_Router, and for each external connection the two ports and the gateway hosts."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler import identity, priority
from netctl.compiler.exits import Exit, exits_of
from netctl.compiler.identity import external_ids, router_uuid, switch_uuid
from netctl.compiler.observed import Observed
from netctl.compiler.spoke import compile_spoke
from netctl.model.intent import key_of
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import Vpc
from netctl.nb.rows import Fact, Member, Row

# Seconds after which a neighbour's MAC address that was learned is asked for again, so that one that moved is found.
# An OVN older than 22.09 ignores it.
_NEIGHBOUR_AGE_S = 300


def compile_vpc(snapshot: Snapshot, vpc: Vpc, owner: str, observed: Observed) -> Iterator[Fact]:
    """Yield the rows of one VPC."""
    marks = external_ids(owner, key_of(vpc))
    router = router_uuid(vpc.meta.uid)
    yield Row(
        "Logical_Router",
        router,
        {
            "name": vpc.id,
            "options": {
                "requested-tnl-key": str(vpc.vni),
                # Neighbours are learned from answers to our own questions alone: nobody fills the table from outside.
                "always_learn_from_arp_request": "false",
                # Hundreds of routers on an external subnet need not know each other's MAC address beforehand.
                "dynamic_neigh_routers": "true",
                "mac_binding_age_threshold": str(_NEIGHBOUR_AGE_S),
            },
            "external_ids": marks,
        },
    )
    largest = max((subnet.mtu_bytes for subnet in snapshot.subnets_of_vpc(vpc.id)), default=0)
    for exit in exits_of(snapshot, vpc):
        yield from _router_port(exit, largest, marks)
        yield from _switch_port(exit, marks)
        yield from _gateways(exit, marks, observed)
        yield from compile_spoke(snapshot, exit, marks, observed)


def _router_port(exit: Exit, largest_mtu_bytes: int, marks: dict[str, str]) -> Iterator[Fact]:
    mtu_bytes = exit.subnet.mtu_bytes
    group = identity.gateway_group_uuid(exit.vpc.meta.uid, exit.subnet.meta.uid)
    yield Row(
        "Logical_Router_Port",
        exit.port_uuid,
        {
            "name": exit.port_name,
            "mac": exit.connection.mac_address,
            "networks": exit.networks,
            "ha_chassis_group": frozenset({group}) if exit.connection.gateways else frozenset(),
            # Guests that may send larger packets than fit are told so (path MTU discovery).
            "options": {"gateway_mtu": str(mtu_bytes)} if largest_mtu_bytes > mtu_bytes else {},
            "ipv6_ra_configs": {},
            "external_ids": marks,
        },
    )
    yield Member("Logical_Router", router_uuid(exit.vpc.meta.uid), "ports", exit.port_uuid)


def _switch_port(exit: Exit, marks: dict[str, str]) -> Iterator[Fact]:
    vpc, subnet = exit.vpc.meta.uid, exit.subnet.meta.uid
    port = identity.external_peer_uuid(vpc, subnet)
    yield Row(
        "Logical_Switch_Port",
        port,
        {
            "name": identity.external_peer_name(vpc, subnet),
            "type": "router",
            "addresses": frozenset({"router"}),
            "options": {
                "router-port": exit.port_name,
                # The gateway announces the router's and the floating addresses when it takes over.
                "nat-addresses": "router",
                "exclude-lb-vips-from-garp": "true",
            },
            "external_ids": marks,
        },
    )
    yield Member("Logical_Switch", switch_uuid(subnet), "ports", port)


def _gateways(exit: Exit, marks: dict[str, str], observed: Observed) -> Iterator[Fact]:
    vpc, subnet = exit.vpc.meta.uid, exit.subnet.meta.uid
    hosts = observed.preferred(exit.connection.gateways)
    if not hosts:
        return
    rows = {host: identity.gateway_uuid(vpc, subnet, host) for host in hosts}
    yield Row(
        "HA_Chassis_Group",
        identity.gateway_group_uuid(vpc, subnet),
        {
            "name": identity.gateway_group_name(vpc, subnet),
            "ha_chassis": frozenset(rows.values()),
            "external_ids": marks,
        },
    )
    for position, (host, row) in enumerate(rows.items()):
        yield Row(
            "HA_Chassis",
            row,
            {"chassis_name": host, "priority": priority.gateway(position), "external_ids": marks},
        )
