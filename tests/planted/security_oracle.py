"""Bugs of who may talk to whom that the oracle of security policies must see, within seconds and without OVN."""

from __future__ import annotations

from tests.planted.bug import Bug

ROWS = "tests/unit/oracle/test_policy_rows.py"
CLAUSES = "tests/unit/oracle/test_policy_clauses.py"
VERDICT = "tests/unit/oracle/test_policy_verdict.py"

_ORDER = (
    Bug(
        "of two policies the one with the lower priority comes first",
        "netctl/compiler/ranks.py",
        "for policy in sorted(self._policies, key=lambda p: (-p.priority, p.id)):",
        "for policy in sorted(self._policies, key=lambda p: (p.priority, p.id)):",
        ROWS,
    ),
    Bug(
        "a would-be denial has the priority of what it is in front of",
        "netctl/compiler/ranks.py",
        "            places[way] -= 1\n",
        "            places[way] -= front is None\n",
        ROWS,
    ),
    Bug(
        "the implicit deny of an application comes among the rules of others",
        "netctl/compiler/clauses.py",
        "            yield from _both_ways(policy, Phase.REST, subject, ())\n",
        "            yield from _both_ways(policy, Phase.RULES, subject, ())\n",
        CLAUSES,
    ),
    Bug(
        "what is in MONITOR is in front of what comes before it",
        "netctl/compiler/ranks.py",
        "if order < place and _may_match_both",
        "if order > place and _may_match_both",
        f"{ROWS}::test_rows_are_of_the_line_that_decides_and_of_the_one_that_would_have_dropped",
    ),
)
_MATCHES = (
    Bug(
        "address groups have no IPv6",
        "netctl/compiler/address_group.py",
        "frozenset(networks_of(group, version))",
        "frozenset(networks_of(group, version) if version == 4 else ())",
        ROWS,
    ),
    Bug(
        "exceptions of address groups are lost",
        "netctl/model/groups.py",
        "spans_without(group.addresses, group.except_addresses, version)",
        "spans_without(group.addresses, (), version)",
        ROWS,
    ),
    Bug(
        "peers are looked for among the VLANs, in every VPC",
        "netctl/compiler/acl_match.py",
        "            name = identity.port_group_name(identity.port_group_uuid(uid, realm))\n",
        '            name = identity.port_group_name(identity.port_group_uuid(uid, Uid("")))\n',
        ROWS,
    ),
    Bug(
        "a deny of everything stops ARP",
        "netctl/compiler/acl_match.py",
        'terms.append("ip" if len(traffic.versions) == 2 else',
        'terms.append("1" if len(traffic.versions) == 2 else',
        ROWS,
    ),
    Bug(
        "addresses that hosts learned are not in groups",
        "netctl/compiler/nic.py",
        '" ".join((str(text), *sorted(learned)))',
        "str(text)",
        ROWS,
    ),
    Bug(
        "the ports of a range of ports are its first and last",
        "netctl/compiler/services.py",
        'f"({field} >= {first} && {field} <= {last})"',
        'f"({field} == {first} || {field} == {last})"',
        ROWS,
    ),
)
_ACTIONS = (
    Bug(
        "what would be dropped is dropped",
        "netctl/compiler/security_policy.py",
        "    if clause.action is RuleAction.ALLOW:\n        return",
        "    if clause.action is RuleAction.ALLOW and acl.would_drop_of is None:\n        return",
        ROWS,
    ),
    Bug(
        "stateless rules are stateful",
        "netctl/compiler/security_policy.py",
        '"allow-stateless" if clause.stateless else "allow-related"',
        '"allow-related"',
        ROWS,
    ),
    Bug(
        "the provider of a shared service is opened the wrong way round",
        "netctl/compiler/clauses.py",
        "there = _clause(policy, rule, OTHER_WAY[way], peer, subjects)",
        "there = _clause(policy, rule, way, peer, subjects)",
        CLAUSES,
    ),
)
_ANSWERS = (
    Bug(
        "policy test names the last policy in MONITOR, not the first",
        "netctl/analysis/verdict.py",
        "watched = watched or line.clause",
        "watched = line.clause",
        VERDICT,
    ),
    Bug(
        "policy test believes that every answer comes back",
        "netctl/analysis/verdict.py",
        "        if decision.stateful:\n            return True\n",
        "        return True\n",
        VERDICT,
    ),
)
BUGS: tuple[Bug, ...] = (*_ORDER, *_MATCHES, *_ACTIONS, *_ANSWERS)
