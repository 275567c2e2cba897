"""Bugs of security intents at the door: groups, policies, what names what, capacity."""

from __future__ import annotations

from tests.planted.bug import Bug

_GROUPS = "tests/unit/model/test_admit_security.py"
_POLICIES = "tests/unit/model/test_admit_security_policy.py"
_MACHINE = "tests/unit/model/test_security_machine.py"

BUGS = (
    Bug(
        "a circle of groups is seen only when it is short",
        "netctl/model/admit_security.py",
        "                ahead.append(name)\n",
        "                ahead.extend([name] if at == term else [])\n",
        _GROUPS,
    ),
    Bug(
        "a circle by an exception is not seen",
        "netctl/model/admit_security.py",
        '(("include", group.include), ("except", group.except_))',
        '(("include", group.include),)',
        _GROUPS,
    ),
    Bug(
        "a category that a subnet has can be removed",
        "netctl/model/dependents.py",
        "        (Relation.SUBNETS_OF_CATEGORY, Kind.SUBNET),\n",
        "",
        _MACHINE,
    ),
    Bug(
        "a group that a policy names as peer can be removed",
        "netctl/model/relations.py",
        "        names.update(dict.fromkeys(rule.peers))\n",
        "",
        _GROUPS,
    ),
    Bug(
        "the clauses of a policy that goes stay counted",
        "netctl/model/snapshot.py",
        "for policy, sign in ((before, -1), (after, 1)):",
        "for policy, sign in ((before, -1 if after else 0), (after, 1)):",
        _POLICIES,
    ),
    Bug(
        "an exception between two addresses is lost",
        "netctl/model/address_ranges.py",
        "                kept.append((low, out[i][0] - 1))\n",
        "                kept.append((low, out[i][0]))\n",
        "tests/unit/model/test_address_ranges.py",
    ),
    Bug(
        "ranges that touch stay two",
        "netctl/model/address_ranges.py",
        "if low <= merged[-1][1] + 1:",
        "if low <= merged[-1][1]:",
        "tests/unit/model/test_address_ranges.py",
    ),
    Bug(
        "a rule whose time is over is let in",
        "netctl/model/admit_security_policy.py",
        "rule != stored.get(rule.name)",
        "rule.name not in stored and stored",
        _POLICIES,
    ),
    Bug(
        "a shared service is not counted at the provider's end",
        "netctl/model/bands.py",
        "            found[1, _OTHER[way]] += ",
        "            found[1, way] += 0 * ",
        _MACHINE,
    ),
    Bug(
        "policies of all VPCs count once",
        "netctl/model/lookups.py",
        "self.clause_count(IN_EVERY_VPC) * vpcs + ",
        "self.clause_count(IN_EVERY_VPC) + ",
        _POLICIES,
    ),
    Bug(
        "a NIC may be in a category that is not there",
        "netctl/model/admit_nic.py",
        "    check_categories_exist(asked.categories, draft)\n",
        "",
        _MACHINE,
    ),
)
