"""Bugs of explanations: hits of policies, a VPC's router, the path of a packet."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a counter that starts anew is not added",
        "netctl/model/hits.py",
        "        if self.packets < before.packets or self.bytes < before.bytes:\n            return self\n",
        "",
        "tests/unit/analysis/test_hits.py",
    ),
    Bug(
        "a silent host's old hits are counted after clearing",
        "netctl/analysis/hits.py",
        "skipping=set(missing))",
        "skipping=set())",
        "tests/unit/analysis/test_hits.py",
    ),
    Bug(
        "hits are forgotten at a restart",
        "netctl/server/hits.py",
        "        self._book = self._file.load()\n",
        "        self._book = HitsFile(None).load()\n",
        "tests/functional/server/test_explain.py",
    ),
    Bug(
        "of equal policies of two VPCs one has no hits",
        "netctl/ovsdb/southbound.py",
        "        for datapath in {*alone, *(each for group in shared for each in group)}:",
        "        for datapath in [*alone, *(each for group in shared for each in group)][:1]:",
        "tests/functional/northd/test_southbound.py",
    ),
    Bug(
        "flows of every cookie are counted",
        "agents/netctl_host/flow_counts.py",
        "openflow.ALL_TABLES, match, key.cookie)",
        "openflow.ALL_TABLES, match)",
        "tests/unit/host/test_flow_counts.py tests/functional/host/test_flow_counts.py",
    ),
    Bug(
        "a question to an agent that leaves is waited for",
        "netctl/server/agents.py",
        "        for answer in self.waiting.values():\n",
        "        for answer in ():\n",
        "tests/functional/server/test_explain.py",
    ),
    Bug(
        "a tunnel that BFD does not hear counts as heard",
        "agents/netctl_host/report.py",
        'bfd_up=interface.bfd_enabled and interface.bfd_state == "up",',
        "bfd_up=interface.bfd_enabled,",
        "tests/unit/host/test_report.py",
    ),
    Bug(
        "a gateway that nobody hears is told alive",
        "netctl/analysis/gateways.py",
        '    if watching:\n        return "no host hears it by BFD"\n',
        "",
        "tests/unit/analysis/test_router.py",
    ),
    Bug(
        "a floating IP at the gateway is told to be at its host",
        "netctl/analysis/router.py",
        "            local = is_distributed(snapshot, floating) and found.nic is not None\n",
        "            local = found.nic is not None\n",
        "tests/unit/analysis/test_router.py",
    ),
    Bug(
        "the trace follows the router's ARP request instead of the packet",
        "netctl/analysis/trace_walk.py",
        "    elif stage.search(_ASKS):\n        walk.verdict, walk.vpc = PENDING, vpc\n",
        "",
        "tests/unit/analysis/test_trace.py",
    ),
    Bug(
        "the way back of a policy is not known as its own",
        "netctl/analysis/trace_walk.py",
        "    numbers = (priority.policy_forth, priority.policy_back)\n",
        "    numbers = (priority.policy_forth,)\n",
        "tests/unit/analysis/test_trace.py",
    ),
    Bug(
        "a port that ovn-trace does not know is a path without steps",
        "netctl/server/trace.py",
        'done.returncode or done.stdout.startswith("unknown port")',
        "done.returncode",
        "tests/functional/northd/test_explain.py",
    ),
)
