"""Bugs of netctl acli."""

from __future__ import annotations

from tests.planted.bug import Bug

_LIVE = "tests/functional/cli/test_acli.py"
_RUN = "tests/unit/cli/acli/test_run.py"
_GRAMMAR = "tests/unit/cli/acli/test_grammar.py"

BUGS = (
    Bug(
        "acli: the network's own VLAN is a tag too",
        "netctl/cli/acli/nic.py",
        "vlans = [vlan_id for vlan_id in said if vlan_id != own]",
        "vlans = said",
        _LIVE,
    ),
    Bug(
        "acli: a trunk of the own VLAN alone is one of all VLANs",
        "netctl/cli/acli/nic.py",
        "        if said and not vlans:\n",
        "        if False:\n",
        _LIVE,
    ),
    Bug(
        "acli: a NIC that is made anew takes addresses of another network along",
        "netctl/cli/acli/nic.py",
        "    if after.subnet != before.subnet:\n        nic.ipv4_address",
        "    if False:\n        nic.ipv4_address",
        _LIVE,
    ),
    Bug(
        "acli: trunks change without update_vlan_trunk_info",
        "netctl/cli/acli/nic.py",
        'and call.get("update_vlan_trunk_info") != "true"',
        'and call.get("update_vlan_trunk_info") == "false"',
        _LIVE,
    ),
    Bug(
        "acli: long names that begin alike are one",
        "netctl/cli/acli/names.py",
        "f\"{made[: room - _DIGEST - 1].rstrip('-')}-{_digest(name)}\"",
        "made[:room].rstrip('-')",
        "tests/unit/cli/acli/test_names.py",
    ),
    Bug(
        "acli: quick mode stays for later changes",
        "netctl/cli/acli/switch.py",
        "infra.ROLLOUT_QUICK if quick else infra.ROLLOUT_ROLLING",
        "infra.ROLLOUT_QUICK if quick else after.rollout",
        _LIVE,
    ),
    Bug(
        "acli: interfaces without a link are chosen by speed",
        "netctl/cli/acli/uplinks.py",
        "(link.up or not need_link) and ",
        "",
        _LIVE,
    ),
    Bug(
        "acli: a script that keeps going tells its first error alone",
        "netctl/cli/acli/run.py",
        "                status = located.report(as_json=self.as_json)\n                first = first or status\n",
        "                first = first or located.report(as_json=self.as_json)\n",
        _RUN,
    ),
    Bug(
        "acli: spoken uplinks swallow what follows",
        "netctl/cli/acli/grammar.py",
        "        while rest and not _KEY.match(rest[0]):\n            taken",
        "        while rest:\n            taken",
        _GRAMMAR,
    ),
)
