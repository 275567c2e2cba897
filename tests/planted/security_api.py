"""Bugs of security nouns by gRPC and on the command line, and of the rows that a change would touch."""

from __future__ import annotations

from tests.planted.bug import Bug

UNIT, FUNCTIONAL = "tests/unit/server", "tests/functional/server"

BUGS = (
    Bug(
        "the exceptions of an entity group are lost on the way out",
        "netctl/server/convert_security.py",
        "    _except_of(message).extend(",
        "    list(",
        f"{UNIT}/test_convert.py",
    ),
    Bug(
        "any ICMP type is meant by type 0",
        "netctl/server/convert_security.py",
        'icmp_type=message.icmp_type if message.HasField("icmp_type") else None',
        "icmp_type=message.icmp_type or None",
        f"{UNIT}/test_convert_security.py",
    ),
    Bug(
        "a policy without a mode is enforced",
        "netctl/server/convert_security_policy.py",
        'parse_enum("mode", message.mode,',
        'parse_enum("mode", message.mode or pb.SECURITY_POLICY_MODE_ENFORCE,',
        f"{UNIT}/test_convert_security.py",
    ),
    Bug(
        "rules do not expire",
        "netctl/server/convert_security_policy.py",
        'has_end = message.HasField("expire_time")',
        "has_end = False",
        f"{UNIT}/test_convert.py",
    ),
    Bug(
        "nobody is found by the exceptions of a group",
        "netctl/server/filters.py",
        '    "except": "except_",\n',
        "",
        f"{UNIT}/test_filters.py",
    ),
    Bug(
        "exceptions are members",
        "netctl/analysis/members.py",
        "if nic is not None and any(in_term(snapshot, port, term) for port in ports_of(snapshot, nic))",
        "if nic is not None",
        f"{FUNCTIONAL}/test_members.py",
    ),
    Bug(
        "rows of who reads what changes are not foretold",
        "netctl/analysis/rows.py",
        "sorted(readers_between(before, after, changed))",
        "sorted(changed)",
        f"{FUNCTIONAL}/test_row_changes.py",
    ),
    Bug(
        "ACLs of one line are not told apart",
        "netctl/analysis/row_names.py",
        "if counts[line] > 1 else",
        "if counts[line] > 9 else",
        "tests/unit/analysis/test_row_names.py",
    ),
    Bug(
        "groups of every VPC have one name",
        "netctl/analysis/row_names.py",
        "term if realm == VLANS else",
        "term if realm else",
        "tests/unit/analysis/test_row_names.py",
    ),
    Bug(
        "rows of what comes along are not foretold",
        "netctl/server/group.py",
        "would = tuple(one for all_ in admitted for one in all_ if",
        "would = tuple(one for all_ in admitted for one in all_[:1] if",
        f"{FUNCTIONAL}/test_row_changes.py",
    ),
    Bug(
        "a long answer of rows does not say how many there are",
        "netctl/server/row_diff.py",
        "count=len(found)",
        "count=len(rows)",
        f"{FUNCTIONAL}/test_row_changes.py",
    ),
    Bug(
        "from and to are exchanged in rules on one line",
        "netctl/cli/rule_forms.py",
        '_WAYS = {"from": "in", "to": "out", "with": "in_out"}',
        '_WAYS = {"from": "out", "to": "in", "with": "in_out"}',
        "tests/unit/cli/test_rule_forms.py",
    ),
    Bug(
        "several ports of a service become services of their own",
        "netctl/cli/values.py",
        '"Service", "EntitySelector", "SecurityRule")',
        '"SecurityRule")',
        "tests/functional/cli/test_security.py",
    ),
    Bug(
        "an id that two policies have means the first",
        "netctl/cli/policies.py",
        "    if len(found) > 1:",
        "    if len(found) > 2:",
        "tests/functional/cli/test_security.py",
    ),
)
