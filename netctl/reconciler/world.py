"""World: what status depends on besides the intents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.keys import HostId, ImageId, Key, NicId, VirtualSwitchId, VmId, VmMigrationId
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.reconciler.compute_book import ComputeHeard
from netctl.reconciler.placement import Waiting
from netctl.reconciler.poison import Poison
from netctl.reconciler.reports import Heard
from netctl.reconciler.rollout import Turns
from netctl.reconciler.status_vpc import Verdict

NAMED = 10  # in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What status depends on besides the intents.

    `northbound_revision`: the intents that the northbound database equals, poison aside. `required_cfg`: the nb_cfg at
    which a revision's flows are installed. `behind`: the connected hosts that have not installed an nb_cfg. `held`: why
    passes do not run, or "". `starting`: hosts get time to connect. `observed`: what the rows are compiled with.
    `told`: the revision at which a host was told what a NIC is. `turns`: where a virtual switch is with its hosts.
    `waits`: why a migration of a virtual machine does not go on yet. `compute`: what compute agents said last.
    `unplaced`: why a machine has no host. `blocked`: who cannot leave a host in maintenance, and why. `image_problem`:
    why an image could not be fetched, or "".
    """

    northbound_revision: int
    required_cfg: Callable[[int], int]
    sb_cfg: int
    heard: Callable[[HostId], Heard]
    behind: Callable[[int], Iterable[HostId]] = lambda nb_cfg: ()
    held: str = ""
    poison: Mapping[Key, Poison] = field(default_factory=dict)
    starting: bool = False
    observed: Observed = NOTHING_OBSERVED
    told: Callable[[HostId, NicId], int] = lambda host, nic: 0
    turns: Callable[[Snapshot, VirtualSwitchId], Turns] = lambda snapshot, switch: Turns()
    waits: Callable[[VmMigrationId], str] = lambda migration: ""
    compute: Callable[[HostId], ComputeHeard] = lambda host: ComputeHeard()
    unplaced: Callable[[VmId], Waiting | None] = lambda vm: None
    blocked: Callable[[HostId], Mapping[VmId, str]] = lambda host: {}
    image_problem: Callable[[ImageId], str] = lambda image: ""


def host_down(host: HostId, world: World) -> Verdict | None:
    """Say what is wrong with a host whose agent is not connected; None when it is."""
    if world.heard(host).connected:
        return None
    if world.starting:
        return Phase.PENDING, "WAITING_FOR_HOST", f"the agent of host {host} has not connected yet"
    return (
        Phase.FAILED,
        "HOST_DOWN",
        f"the agent of host {host} is not connected: start netctl-host-agent there, or check its network",
    )


def named(ids: Iterable[str]) -> str:
    """Return some of these ids as text, sorted."""
    return ", ".join(sorted(ids)[:NAMED])
