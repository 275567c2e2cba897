"""What the agent is told of a NIC: whether to guard its tap, whether to learn its addresses, and in which VLANs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.model.keys import HostId
from netctl.model.nic import Nic, NicMode, TrunkVlan
from tests.intents import infra, nic, snapshot, vlan

GIVEN = nic()
OWN = replace(GIVEN, ipv4_address="", ipv6_address="")
OPEN = replace(GIVEN, port_security=False)
LIST = (TrunkVlan(vlan_id=30, ipv4_address="192.0.2.30"), TrunkVlan(vlan_id=20, ipv6_address="2001:db8::20"))
TRUNK = replace(GIVEN, mode=NicMode.TRUNK, trunk_vlans=LIST)


@pytest.mark.parametrize(
    ("given", "learns", "guards", "tags"),
    [
        (GIVEN, False, True, ()),
        (OWN, True, True, ()),
        (replace(OWN, ipv6_address="2001:db8::7"), False, True, ()),
        (OPEN, True, False, ()),
        (replace(OPEN, allow_unknown_macs=True), True, False, ()),
        (TRUNK, False, True, (20, 30)),
        (replace(TRUNK, trunk_vlans=(*LIST, TrunkVlan(vlan_id=40))), True, True, (20, 30, 40)),
        (replace(GIVEN, mode=NicMode.TRUNK), False, True, ()),
    ],
)
def test_a_guest_is_guarded_and_learned_from_as_its_nic_says(
    given: Nic, learns: bool, guards: bool, tags: tuple[int, ...]
) -> None:
    settings = AssignmentSettings(ovn_remote="tcp:192.0.2.100:6642", epoch=1)
    found = compile_assignment(snapshot([*infra(), vlan(), given]), HostId("h1"), settings)
    assert found is not None
    (assigned,) = found.nics
    assert (assigned.learn_addresses, assigned.guard_ipv6) == (learns, guards)
    assert assigned.trunk_vlan_ids == tags
