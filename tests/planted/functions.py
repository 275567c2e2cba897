"""Bugs of br.nf, of functions' health, of DHCP on taps, of taps on br0 and of mirrors."""

from __future__ import annotations

from tests.planted.bug import Bug

_FLOWS = "agents/netctl_host/function_flows.py"

BUGS = (
    Bug(
        "functions: a chain is met in the same order both ways",
        _FLOWS,
        "        ids = chain.function_ids if way is Way.OUT else chain.function_ids[::-1]",
        "        ids = chain.function_ids",
        "tests/unit/host/test_function_flows.py",
    ),
    Bug(
        "functions: fail-close is skipped",
        _FLOWS,
        "            elif not function.fail_open:\n                return\n",
        "            else:\n                continue\n",
        "tests/unit/host/test_function_flows.py",
    ),
    Bug(
        "functions: chains in opposite orders are both served",
        "agents/netctl_host/chain_order.py",
        "any(_leads(extended, after, before) for before, after in steps)",
        "False",
        "tests/unit/host/test_function_flows.py",
    ),
    Bug(
        "functions: what comes from a function and matches nothing goes on",
        _FLOWS,
        'yield _flow(_RULES[way], 0, ("reg1=0",), f"goto_table:{_HOPS[way]}")',
        'yield _flow(_RULES[way], 0, ("reg2=0",), f"set_field:0->reg1,goto_table:{_HOPS[way]}")',
        "tests/unit/host/test_function_flows.py",
    ),
    Bug(
        "functions: what guests get is matched as what they send",
        "agents/netctl_host/steering_match.py",
        "    is_opener = (way is Way.OUT) == rule.local_opens\n    ends",
        "    is_opener = rule.local_opens\n    ends",
        "tests/unit/host/test_function_flows.py",
    ),
    Bug(
        "functions: later fragments are not steered",
        "agents/netctl_host/steering_match.py",
        '                yield _match((kind, *later, "nw_frag=later"), sets, later=True)',
        "                continue",
        "tests/unit/host/test_function_flows.py",
    ),
    Bug(
        "health: a pair that came back is used unproven",
        "agents/netctl_host/function_health.py",
        "            self._healthy, self._successes, self._failures = False, 0, 0",
        "            pass",
        "tests/unit/host/test_function_health.py",
    ),
    Bug(
        "health: the first pair that works is taken again",
        "agents/netctl_host/function_health.py",
        '    return before if before in working else next(iter(working), "")',
        '    return next(iter(working), "")',
        "tests/unit/host/test_function_health.py",
    ),
    Bug(
        "health: a restarted agent forgets the pair in use",
        "agents/netctl_host/steering.py",
        "        self._active = dict(self._saved.load())",
        "        self._active: dict[str, str] = {}",
        "tests/functional/host/test_functions.py",
    ),
    Bug(
        "flows: a new ovs-vswitchd keeps none",
        "agents/netctl_host/flow_keeper.py",
        "        is_news = socket_id != kept.socket_id or kept.written != wanted",
        "        is_news = kept.written is None or kept.written != wanted",
        "tests/functional/host/test_flow_keeper.py",
    ),
    Bug(
        "DHCP on taps: a foreign address is acknowledged",
        "agents/netctl_host/dhcp_message.py",
        "Kind.ACK if asked == lease.address else Kind.NAK",
        "Kind.ACK",
        "tests/unit/host/test_dhcp_message.py",
    ),
    Bug(
        "DHCP on taps: the guest's requests go on",
        "agents/netctl_host/guest_flows.py",
        '            yield f"priority={_PRIORITY},in_port={ofport},{_UNTAGGED},{request},actions=drop"',
        "            pass",
        "tests/functional/host/test_basic_taps.py",
    ),
    Bug(
        "taps: a moved tap keeps its iface-id",
        "agents/netctl_host/plan_taps.py",
        '    return "" if nic.bridge or nic.mirror_destination else nic.iface_id',
        "    return nic.iface_id",
        "tests/functional/host/test_basic_taps.py",
    ),
    Bug(
        "mirrors: a destination gets floods",
        "agents/netctl_host/plan_taps.py",
        '        return "trunk", None, (_NOBODYS_VLAN,)',
        '        return "", None, ()',
        "tests/functional/host/test_basic_taps.py",
    ),
)
