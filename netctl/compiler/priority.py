"""Every priority that we write, in one place: what is decided by a number between two rows is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netctl.compiler.clause import Phase
from netctl.model.security_policy import PolicyKind

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


# ACL.priority, ovn-nb(5): 0 to 32767, the highest first; northd adds 1000, and what it writes itself is above 34000.
# DHCP of a subnet's own server is let through in front of every policy.
ACL_DHCP: Final = 32_767
# None is the band at the bottom, of what policies in MONITOR say where no enforced one allows.
Band = tuple[PolicyKind, Phase] | None


@dataclass(frozen=True, slots=True)
class AclBand:
    """Priorities `first` downwards, `places` of them."""

    first: int
    places: int

    @property
    def last(self) -> int:
        """The lowest priority of the band."""
        return self.first - self.places + 1


def _lay_out(first: int, sizes: Mapping[Band, int]) -> dict[Band, AclBand]:
    found: dict[Band, AclBand] = {}
    for band, places in sizes.items():
        found[band] = AclBand(first, places)
        first -= places
    return found


ACL_BANDS: Final[Mapping[Band, AclBand]] = _lay_out(
    ACL_DHCP - 1,
    {
        (PolicyKind.QUARANTINE, Phase.STRICT): 1024,
        (PolicyKind.QUARANTINE, Phase.RULES): 1280,
        (PolicyKind.QUARANTINE, Phase.REST): 1024,
        (PolicyKind.SHARED_SERVICE, Phase.RULES): 2560,
        (PolicyKind.ISOLATION, Phase.RULES): 1536,
        (PolicyKind.APPLICATION, Phase.RULES): 11_264,
        (PolicyKind.APPLICATION, Phase.REST): 2560,
        (PolicyKind.VDI, Phase.RULES): 5632,
        (PolicyKind.VDI, Phase.REST): 1280,
        None: 4352,
    },
)
# Below the bands: routing policies with a chain, each lower than the one before it, and what a subnet's chain takes.
ACL_ROUTED: Final = 254
ACL_CHAIN: Final = 1
# ACL.tier, ovn-nb(5): 0 to 3, OVN 23.06. There are more kinds than tiers: the last two keep apart by their bands, and
# what is in MONITOR stays below them.
_TIERS: Final[Mapping[PolicyKind, int]] = {
    PolicyKind.QUARANTINE: 0,
    PolicyKind.SHARED_SERVICE: 1,
    PolicyKind.ISOLATION: 2,
    PolicyKind.APPLICATION: 3,
    PolicyKind.VDI: 3,
}
ACL_DHCP_TIER: Final = 0
ACL_CHAIN_TIER: Final = max(_TIERS.values())


def acl_tier(kind: PolicyKind, *, monitored: bool) -> int:
    """Return ACL.tier of what a policy of a kind says."""
    return max(_TIERS.values()) if monitored else _TIERS[kind]
