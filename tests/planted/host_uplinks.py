"""Bugs of the host agent's uplinks: trials, moves of addresses, reversions, LLDP, queries."""

from __future__ import annotations

from tests.planted.bug import Bug

_TRIAL_TESTS = "tests/unit/host/test_uplink_trial.py"

BUGS = (
    Bug(
        "uplinks: a trial never ends",
        "agents/netctl_host/uplink_trial.py",
        "    if moment.now_s >= record.deadline_s:",
        "    if moment.now_s >= record.deadline_s + 3600:",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: what is tried is not on disk first",
        "agents/netctl_host/uplinks.py",
        "                for bridge in begun:\n",
        "                for bridge in frozenset[str]():\n",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: a reboot in the middle builds what was tried",
        "agents/netctl_host/uplink_trial.py",
        "    if moment.rebooted:",
        "    if False:",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: the controller is asked before the change shows",
        "agents/netctl_host/uplinks.py",
        "        elif not self._asked and now_s - self._changed_s >= self._settle_s(state):",
        "        elif not self._asked:",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: what was undone is tried again",
        "agents/netctl_host/uplink_trial.py",
        "    if wanted == record.rolled_back_id or (held and confirmed is not None):",
        "    if held and confirmed is not None:",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: a held host changes",
        "agents/netctl_host/uplink_trial.py",
        "    if wanted == record.rolled_back_id or (held and confirmed is not None):",
        "    if wanted == record.rolled_back_id:",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: routes do not come back with their address",
        "agents/netctl_host/uplink_found.py",
        "                if route not in link.routes:",
        "                if route in link.routes:",
        _TRIAL_TESTS,
    ),
    Bug(
        "uplinks: the way to the controller is taken unasked",
        "agents/netctl_host/uplink_members.py",
        "        carriers = {name, *_on_top_of(name, state)}",
        "        carriers = set(_on_top_of(name, state))",
        "tests/unit/host/test_plan_uplinks.py",
    ),
    Bug(
        "uplinks: an interface of a Linux bridge is taken",
        "agents/netctl_host/uplink_members.py",
        "    if master is None or master.kind == _OVS_KIND:",
        "    if True:",
        "tests/unit/host/test_plan_uplinks.py",
    ),
    Bug(
        "uplinks: an address of somebody else is removed",
        "agents/netctl_host/plan_addresses.py",
        "        for address in sorted((ours & there) - assigned):\n            yield RemoveAddress",
        "        for address in sorted(there - assigned):\n            yield RemoveAddress",
        "tests/unit/host/test_plan.py tests/unit/host/test_plan_uplinks.py",
    ),
    Bug(
        "uplinks: an edit of others is undone in silence",
        "agents/netctl_host/reversions.py",
        "                if now != value and after.get(key, {}).get(field) == value:",
        "                if now != value and after.get(key, {}).get(field) != value:",
        "tests/unit/host/test_reversions.py",
    ),
    Bug(
        "LLDP: a neighbour stays for ever",
        "agents/netctl_host/lldp.py",
        "if end_s <= now_s]:",
        "if end_s <= 0]:",
        "tests/unit/host/test_lldp.py",
    ),
    Bug(
        "multicast: a querier of another host silences ours",
        "agents/netctl_host/igmp_query.py",
        "        return int(source) != 0  # 0.0.0.0 are our like on other hosts",
        "        return True",
        "tests/unit/host/test_igmp_query.py",
    ),
)
