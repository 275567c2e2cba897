"""A policy in MONITOR about a group that has no port yet: when it gets one, what it would drop there is counted."""

from __future__ import annotations

from tests.e2e.security import ALLOW, BOTH, DENY, IN, MONITOR, Ask, category, rule
from tests.e2e.test_security_seen import hits, wait_hits
from tests.e2e.wards import WEB, Ward

LATE = "categories/late"


def test_a_group_that_gets_its_first_port_is_known_in_the_pairs_of_others(ward: Ward) -> None:
    """Until then ovn-controller does not know the group that half of the pair's match is about."""
    ward.put(
        category("late"),
        ward.policy("application", "open", [WEB], rule("all", BOTH)),
        ward.policy("quarantine", "watched", [LATE], mode=MONITOR),
    )
    asked = [Ask("rest1", "web1", "udp/53")] * 3
    assert ward.guests.passing(asked) == set(asked)
    wait_hits(ward, "open", {("all", IN, ALLOW, False): 3})
    assert hits(ward, "watched") == {}
    ward.join("web1", WEB, LATE)
    ward.here.settle_datapaths()
    assert ward.guests.passing(asked) == set(asked)
    wait_hits(ward, "watched", {("", IN, DENY, True): 3})
    ward.join("web1", WEB)  # a category that a NIC has is not removed
