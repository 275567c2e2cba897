"""What the compiler observes of a random world of policies."""

from __future__ import annotations

from hypothesis import Phase

from netctl.compiler import identity
from netctl.compiler.observed import Observed
from netctl.model.keys import NicId, SecurityPolicyId
from tests.oracle.policy_worlds import MadeWorld

# A world is not made smaller: it is nearly all of one number, and the thousands of packets of each take their time.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def observed(made: MadeWorld, *, reject: bool = False, acl_tiers: bool = False) -> Observed:
    """Return it, as the reconciler would hand it over."""
    world = made.world
    learned = {}
    for (id, vlan_id), addresses in world.learned.items():
        nic = made.snapshot.nic(NicId(id))
        assert nic is not None
        name = identity.child_name(nic.meta.uid, vlan_id) if vlan_id else str(nic.meta.uid)
        learned[name] = addresses
    return Observed(
        dhcpv6=world.dhcpv6,
        expired=frozenset((SecurityPolicyId(policy), rule) for policy, rule in world.expired),
        learned=learned,
        reject=reject,
        acl_tiers=acl_tiers,
    )
