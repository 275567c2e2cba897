"""Bugs of what is told about security policies: tests of a connection, reports, traces."""

from __future__ import annotations

from tests.planted.bug import Bug

_VERDICT = "tests/unit/oracle/test_policy_verdict.py"
_NEVER = "tests/unit/analysis/test_report_never.py"
_SHADOWS = "tests/unit/analysis/test_shadows.py"
_TRACE = "tests/functional/northd/test_explain_security.py"

BUGS = (
    Bug(
        "a policy in MONITOR decides",
        "netctl/analysis/verdict.py",
        "                if not line.clause.monitored:\n",
        "                if line.clause.monitored or not line.clause.monitored:\n",
        _VERDICT,
    ),
    Bug(
        "a stateless rule takes no tracking from answers",
        "netctl/analysis/verdict.py",
        "for one, way in ((packet, direction), (packet.answer(), OTHER_WAY[direction]))",
        "for one, way in ((packet, direction),)",
        "tests/unit/analysis/test_verdict.py",
    ),
    Bug(
        "learned addresses are nobody's",
        "netctl/analysis/whose.py",
        "        for port in self._learned_ports().get((realm, address), ()):\n            found[port.name] = port\n",
        "",
        f"{_VERDICT} tests/unit/analysis/test_ends.py",
    ),
    Bug(
        "addresses of another realm are recognised",
        "netctl/analysis/whose.py",
        "        for subnet in self._subnets_of(realm):\n",
        "        for subnet in self._snapshot.table(Kind.SUBNET).values():\n",
        f"{_VERDICT} tests/unit/analysis/test_ends.py",
    ),
    Bug(
        "a stateless rule is shadowed by one that tracks",
        "netctl/analysis/shadows.py",
        "        if one.clause.stateless and not (before.clause.stateless and before.allows):\n",
        "        if False:\n",
        _SHADOWS,
    ),
    Bug(
        "rules are shadowed where the other one does not hold",
        "netctl/analysis/shadows.py",
        "return _reaches(before.policy, one.policy) and self._covers(before, one)",
        "return self._covers(before, one)",
        _SHADOWS,
    ),
    Bug(
        "the exceptions of an address group are covered",
        "netctl/analysis/peers.py",
        "spans_without(same.value.addresses, same.value.except_addresses, version)",
        "spans_without(same.value.addresses, (), version)",
        _SHADOWS,
    ),
    Bug(
        "pieces of ports that nobody covers are forgotten",
        "netctl/analysis/services.py",
        "        yield box._replace(first=between, second=(cut_high + 1, high))\n",
        "        return\n",
        "tests/unit/analysis/test_services.py",
    ),
    Bug(
        "a trace takes the ACL of the other direction",
        "netctl/analysis/trace_security.py",
        '"ls_in_acl": Direction.OUT, "ls_out_acl": Direction.IN',
        '"ls_in_acl": Direction.IN, "ls_out_acl": Direction.OUT',
        _TRACE,
    ),
    Bug(
        "a trace names the rule that would have dropped as the one that decides",
        "netctl/analysis/trace_security.py",
        "{told(acl.clause)}, {where}",
        "{told(acl.would_drop_of or acl.clause)}, {where}",
        _TRACE,
    ),
    Bug(
        "a denied test exits as if it were allowed",
        "netctl/cli/policy_check.py",
        "return OK if answer.allowed else DENIED",
        "return OK",
        "tests/functional/cli/test_policy_check.py",
    ),
    Bug(
        "a trunk's untagged port is asked about whatever the other end is",
        "netctl/analysis/ends.py",
        "            pair[0].subnet.id != pair[1].subnet.id,\n            pair[0].realm != pair[1].realm,\n",
        "",
        "tests/unit/analysis/test_ends.py",
    ),
    Bug(
        "a rule that nothing hit is unused the day it was made",
        "netctl/analysis/report.py",
        " or policy.meta.update_time_s > since",
        "",
        "tests/unit/analysis/test_report.py",
    ),
    Bug(
        "one service that cannot match is enough to say that its rule cannot",
        "netctl/analysis/never.py",
        'dict.fromkeys(reasons)) if all(reasons) else ""',
        'dict.fromkeys(filter(None, reasons))) if any(reasons) else ""',
        _NEVER,
    ),
    Bug(
        "peers that are groups of NICs have no IP version",
        "netctl/analysis/never.py",
        "if not peers or not all(map(is_address_group, peers)):\n        return _BOTH\n",
        "peers = list(filter(is_address_group, peers))\n    if not peers:\n        return _BOTH\n",
        _NEVER,
    ),
    Bug(
        "what a guest says of its multicast groups before it has an address is never seen",
        "netctl/analysis/never.py",
        "frozenset({130, 133,",
        "frozenset({130, 131, 133,",
        _NEVER,
    ),
)
