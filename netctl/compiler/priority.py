"""Every priority that we write, in one place: what is decided by a number between two rows is decided here."""

from __future__ import annotations

from typing import Final

# Logical_Router_Policy.priority, ovn-nb(5): 0 to 32767, the highest first. Those of users are 20 to 2001.
POLICY_GUARD: Final = 30_000
# HA_Chassis.priority, ovn-nb(5): 0 to 32767. Counted down from here, so that a gateway more moves none.
_GATEWAY: Final = 100


def policy_forth(priority: int) -> int:
    """Return OVN's priority of a routing policy."""
    return 2 * priority + 1


def policy_back(priority: int) -> int:
    """Return OVN's priority of its way back: no two rows that match the same packet have the same."""
    return 2 * priority


def gateway(position: int) -> int:
    """Return HA_Chassis.priority of the gateway at `position`, 0 being the most preferred."""
    return _GATEWAY - position
