"""FloatingIp to NAT, at the host of its NIC where that has a way out, at the gateway elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler.exits import Exit, exits_of
from netctl.compiler.identity import external_ids, floating_uuid
from netctl.compiler.nat import nat
from netctl.compiler.observed import Observed
from netctl.model.floating_ip import FloatingIp
from netctl.model.intent import key_of
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import Fact


@dataclass(frozen=True, slots=True)
class Association:
    """What a floating IP stands for: a private address behind an exit, and the NIC when it is of one."""

    exit: Exit
    private_address: str
    nic: Nic | None


def compile_floating_ip(
    snapshot: Snapshot, floating: FloatingIp, owner: str, observed: Observed
) -> Iterator[Fact]:
    """Yield the rows of one floating IP; none while it is associated with nothing."""
    found = association_of(snapshot, floating)
    if found is None:
        return
    local = is_distributed(snapshot, floating)
    yield from nat(
        found.exit,
        floating_uuid(floating.meta.uid),
        {
            "type": "dnat_and_snat",
            "external_ip": floating.address,
            "logical_ip": found.private_address,
            "logical_port": frozenset({found.nic.meta.uid}) if local and found.nic else frozenset(),
            "external_mac": frozenset({floating.mac_address}) if local else frozenset(),
            "external_ids": external_ids(owner, key_of(floating)),
        },
        observed,
    )


def association_of(snapshot: Snapshot, floating: FloatingIp) -> Association | None:
    """Return what a floating IP stands for; None when that is nothing, or its VPC is not connected."""
    nic = snapshot.nic(floating.nic) if floating.nic else None
    vpc_id, private = floating.vpc, floating.private_address
    if nic is not None:
        subnet = snapshot.subnet(nic.subnet)
        vpc_id = subnet.vpc if subnet is not None else vpc_id
        private = nic.ipv6_address if ":" in floating.address else nic.ipv4_address
    vpc = snapshot.vpc(vpc_id) if vpc_id else None
    if vpc is None or not private or not floating.address:
        return None
    exits = (exit for exit in exits_of(snapshot, vpc) if exit.subnet.id == floating.external_subnet)
    exit = next(exits, None)
    return Association(exit, private, nic) if exit is not None and exit.connection.gateways else None


def is_distributed(snapshot: Snapshot, floating: FloatingIp) -> bool:
    """Does the host of its NIC translate, because it has an uplink of the external subnet? Else the gateway does."""
    nic = snapshot.nic(floating.nic) if floating.nic else None
    host = snapshot.host(nic.host) if nic is not None and nic.host else None
    external = snapshot.subnet(floating.external_subnet)
    if host is None or external is None or not floating.mac_address:
        return False
    return any(uplink.virtual_switch in external.virtual_switches for uplink in host.uplinks)
