"""status: each reason, exactly when it applies; PROGRAMMED never before the host has the flows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.model.intent import Intent
from netctl.model.keys import HostId, Kind
from netctl.model.status import BridgeReport, HostReport, NicReport, Phase
from netctl.reconciler.poison import Poison
from netctl.reconciler.reports import Heard
from netctl.reconciler.status import World, status_of
from tests.intents import cluster, host, infra, nic, overlay, snapshot, uid_of, vlan

READY = NicReport(iface_id=uid_of("n1"), tap_present=True, plugged=True, ovn_installed=True)


def report(*nics: NicReport, nb_cfg: int = 7, problems: tuple[str, ...] = (), up: bool = True) -> HostReport:
    bridges = (BridgeReport(bridge="br0", physnet="physnet-vs0", up=up),)
    return HostReport(
        host=HostId("h1"), assignment_revision=9, nb_cfg=nb_cfg, nics=nics, problems=problems, bridges=bridges
    )


def world(said: HostReport | None = None, *, connected: bool = True, **change: object) -> World:
    heard = Heard(said, connected, {n.iface_id: n for n in said.nics} if said else {})
    silent = Heard(None, False)
    base = World(
        northbound_revision=9,
        required_cfg=lambda revision: 7,
        sb_cfg=7,
        heard=lambda name: heard if name == "h1" else silent,
    )
    return replace(base, **change)  # type: ignore[arg-type]


def reason(of: World, *intents: Intent, kind: Kind = Kind.NIC, name: str = "n1") -> tuple[Phase, str]:
    status = status_of((kind, name), snapshot([*infra(), *intents]), of)
    assert status is not None
    assert status.message or status.phase is Phase.PROGRAMMED
    return status.phase, status.reason


PENDING, FAILED, PROGRAMMED = Phase.PENDING, Phase.FAILED, Phase.PROGRAMMED


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (world(report(READY)), (PROGRAMMED, "")),
        (world(report(READY), northbound_revision=0), (PENDING, "WAITING_FOR_NORTHBOUND")),
        (world(report(READY), connected=False), (FAILED, "HOST_DOWN")),
        (world(None, connected=False, starting=True), (PENDING, "WAITING_FOR_HOST")),
        (world(report()), (PENDING, "WAITING_FOR_AGENT")),
        (world(report(replace(READY, tap_present=False))), (FAILED, "TAP_MISSING")),
        (world(report(replace(READY, plugged=False))), (PENDING, "WAITING_FOR_OVN")),
        (world(report(replace(READY, ovn_installed=False))), (PENDING, "WAITING_FOR_OVN")),
        (world(report(READY, nb_cfg=6)), (PROGRAMMED, "")),  # first flows: ovn-installed tells
    ],
)
def test_a_new_nic(of: World, expected: tuple[Phase, str]) -> None:
    assert reason(of, vlan(), nic()) == expected


@pytest.mark.parametrize(
    ("nb_cfg", "expected"),
    [(6, (PENDING, "WAITING_FOR_FLOWS")), (7, (PROGRAMMED, "")), (8, (PROGRAMMED, ""))],
)
def test_a_changed_nic_waits_for_the_flows_of_its_revision(nb_cfg: int, expected: tuple[Phase, str]) -> None:
    assert reason(world(report(READY, nb_cfg=nb_cfg)), vlan(), nic(revision=5)) == expected


def test_a_floating_nic_is_not_attached() -> None:
    assert reason(world(report(READY)), vlan(), nic(host="")) == (PENDING, "NOT_ATTACHED")


def test_a_host_without_the_uplink_fails_vlan_nics_only() -> None:
    bare = replace(host(uplink=""), id=HostId("h1"))
    assert reason(world(report(READY)), bare, vlan(), nic()) == (FAILED, "NO_UPLINK")
    assert reason(world(report(READY)), bare, overlay(), nic(subnet="o1")) == (PROGRAMMED, "")


def test_poison_says_why() -> None:
    poison = {(Kind.NIC, "n1"): Poison(revision=1, message="constraint violation")}
    status = status_of(
        (Kind.NIC, "n1"), snapshot([*infra(), vlan(), nic()]), world(report(READY), poison=poison)
    )
    assert status is not None
    assert (status.phase, status.reason) == (FAILED, "REJECTED_BY_OVN")
    assert "constraint violation" in status.message


def test_a_subnet_waits_for_northd() -> None:
    assert reason(world(), vlan(), kind=Kind.SUBNET, name="v10") == (PROGRAMMED, "")
    assert reason(world(sb_cfg=6), vlan(), kind=Kind.SUBNET, name="v10") == (PENDING, "WAITING_FOR_NORTHD")


def test_held_passes_say_why() -> None:
    held = world(northbound_revision=0, held="mass-delete guard: ...")
    status = status_of((Kind.SUBNET, "v10"), snapshot([*infra(), vlan()]), held)
    assert status is not None
    assert status.message == "mass-delete guard: ..."


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (world(report()), (PROGRAMMED, "")),
        (world(report(problems=("no br0",))), (FAILED, "HOST_PROBLEM")),
        (world(report(up=False)), (FAILED, "UPLINK_DOWN")),
        (world(replace(report(), assignment_revision=0)), (PENDING, "WAITING_FOR_AGENT")),
        (world(report(), connected=False), (FAILED, "HOST_DOWN")),
    ],
)
def test_a_host(of: World, expected: tuple[Phase, str]) -> None:
    assert reason(of, kind=Kind.HOST, name="h1") == expected


def test_a_virtual_switch_waits_for_its_hosts() -> None:
    said = report()
    both = replace(world(said), heard=lambda name: Heard(said, True))
    assert reason(both, kind=Kind.VIRTUAL_SWITCH, name="vs0") == (PROGRAMMED, "")
    assert reason(world(said), kind=Kind.VIRTUAL_SWITCH, name="vs0") == (PENDING, "WAITING_FOR_HOSTS")


def test_a_cluster_needs_nobody_and_the_unknown_have_no_status() -> None:
    assert reason(world(), cluster(), kind=Kind.CLUSTER, name="c1") == (PROGRAMMED, "")
    assert status_of((Kind.NIC, "nobody"), snapshot(infra()), world()) is None
