"""Host to Assignment: everything that the agent of one host must build."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from netctl.compiler.assignment_mirrors import compile_mirrors, mirrored_to
from netctl.compiler.assignment_nics import compile_nics
from netctl.compiler.assignment_uplinks import (
    compile_internal_bridge,
    compile_internal_ports,
    compile_uplinks,
)
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.steering import compile_service_chains
from netctl.model.assignment import Assignment, Chassis
from netctl.model.keys import HostId
from netctl.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentSettings:
    """What the controller adds to the intents: the southbound's address and its own epoch."""

    ovn_remote: str
    epoch: int


def compile_assignment(
    snapshot: Snapshot,
    host_id: HostId,
    settings: AssignmentSettings,
    observed: Observed = NOTHING_OBSERVED,
    held: Container[str] = frozenset(),
) -> Assignment | None:
    """Return the assignment of a host, or None when there is no such host. Its NICs are ordered by id.

    `held` are the uplink bridges whose turn to change it is not.
    """
    host = snapshot.host(host_id)
    if host is None:
        return None
    chassis = Chassis(
        system_id=host.id, ovn_remote=settings.ovn_remote, encap_type="geneve", encap_ip=host.tunnel_ip
    )
    return Assignment(
        host=host.id,
        revision=snapshot.revision,
        epoch=settings.epoch,
        chassis=chassis,
        uplink_bridges=compile_uplinks(snapshot, host, held),
        nics=tuple(compile_nics(snapshot, host, observed, mirrored_to(snapshot, host))),
        internal_ports=compile_internal_ports(snapshot, host),
        internal_bridge=compile_internal_bridge(host),
        service_chains=compile_service_chains(snapshot, host, observed),
        mirrors=compile_mirrors(snapshot, host),
    )
