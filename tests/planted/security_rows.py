"""Bugs of security policies between the intents and the rows: clauses, bands, matches, members, who reads whom."""

from __future__ import annotations

from tests.planted.bug import Bug

COMPILER, RECONCILER = "tests/unit/compiler", "tests/unit/reconciler"
ROWS = f"{COMPILER}/test_security_acls.py"

BUGS = (
    Bug(
        "applications come before isolation",
        "netctl/compiler/priority.py",
        "        (PolicyKind.ISOLATION, Phase.RULES): 1536,\n        (PolicyKind.APPLICATION, Phase.RULES): 11_264,\n",
        "        (PolicyKind.APPLICATION, Phase.RULES): 11_264,\n        (PolicyKind.ISOLATION, Phase.RULES): 1536,\n",
        f"{COMPILER}/test_ranks.py",
    ),
    Bug(
        "two policies share their priorities",
        "netctl/compiler/ranks.py",
        "            at -= fitting(need)\n",
        "            at -= fitting(need) - 1\n",
        f"{COMPILER}/test_ranks.py",
    ),
    Bug(
        "peers by IPv4 alone",
        "netctl/compiler/acl_match.py",
        "    for version in sorted(traffic.versions):\n",
        "    for version in sorted(traffic.versions)[:1]:\n",
        COMPILER,
    ),
    Bug(
        "exceptions of groups are lost",
        "netctl/compiler/membership.py",
        "self._selected(group.include) and not self._selected(group.except_)",
        "self._selected(group.include)",
        f"{COMPILER}/test_security.py",
    ),
    Bug(
        "categories of subnets are not their NICs'",
        "netctl/compiler/membership.py",
        "(*port.nic.categories, *port.subnet.categories)",
        "(*port.nic.categories,)",
        COMPILER,
    ),
    Bug(
        "the members of a realm are those of all",
        "netctl/compiler/term.py",
        "            if uid is not None and port.realm in coverage_of(snapshot, term):\n",
        "            if uid is not None:\n",
        COMPILER,
    ),
    Bug(
        "a rule whose service group is gone is for everything",
        "netctl/compiler/clauses.py",
        "return replace(line.clause, services=services) if services else None",
        "return replace(line.clause, services=services)",
        ROWS,
    ),
    Bug(
        "an unsafe OVN is asked to reject",
        "netctl/compiler/security_policy.py",
        'return "reject" if clause.action is RuleAction.REJECT and observed.reject else "drop"',
        'return "reject" if clause.action is RuleAction.REJECT else "drop"',
        ROWS,
    ),
    Bug(
        "a policy in MONITOR drops",
        "netctl/compiler/security_policy.py",
        '    if clause.monitored:\n        return "allow-related"\n',
        "",
        ROWS,
    ),
    Bug(
        "the shared service is not allowed at the provider",
        "netctl/compiler/clauses.py",
        "        if policy.kind is PolicyKind.SHARED_SERVICE:\n            for peer in rule.peers:\n",
        "        if policy.kind is PolicyKind.ISOLATION:\n            for peer in rule.peers:\n",
        ROWS,
    ),
    Bug(
        "a group that is edited keeps its members",
        "netctl/compiler/security_readers.py",
        "is_other = key[0] in _TERMS and (kept is None or _selects(old) != _selects(new))",
        "is_other = key[0] in _TERMS and kept is None",
        RECONCILER,
    ),
    Bug(
        "policies that move are left where they were",
        "netctl/compiler/security_readers.py",
        "                if old.get(id) != block:\n",
        "                if id not in old:\n",
        RECONCILER,
    ),
    Bug(
        "rules expire with the next change",
        "netctl/reconciler/liveness.py",
        "self._wake.within(min(again_s, ends_s))",
        "self._wake.within(again_s)",
        f"{RECONCILER}/test_reconcile_security.py",
    ),
    Bug(
        "learned addresses pass port security",
        "netctl/compiler/nic.py",
        '        columns["addresses"] = frozenset(\n',
        '        columns["port_security"] = columns["addresses"] = frozenset(\n',
        COMPILER,
    ),
    Bug(
        "quarantine keeps guests from their DHCP server",
        "netctl/compiler/subnet.py",
        "        yield from compile_dhcp_acls(subnet, marks, observed)\n",
        "        pass\n",
        ROWS,
    ),
    Bug(
        "what looks like DHCP leaves quarantine",
        "netctl/compiler/dhcp.py",
        '(("from-lport", "allow"), ("to-lport", "drop"))',
        '(("from-lport", "allow"),)',
        ROWS,
    ),
    Bug(
        "a group keeps its ports alive",
        "netctl/ovsdb/transact.py",
        "    return found is not None and bool(found.strong)",
        "    return found is not None",
        "tests/functional/ovsdb/test_security_contract.py",
    ),
)
