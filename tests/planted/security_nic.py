"""Bugs of what a NIC is described as: where its categories come from, its addresses, the policies about it."""

from __future__ import annotations

from tests.planted.bug import Bug

_SOURCE = "netctl/analysis/port_security.py"
_TESTS = "tests/unit/analysis/test_port_security.py"

BUGS = (
    Bug(
        "a described NIC has no category from its VPC",
        _SOURCE,
        "    if vpc is not None:\n",
        "    if vpc is None:\n",
        _TESTS,
    ),
    Bug(
        "a described NIC's policies come by id",
        _SOURCE,
        "sorted(found, key=lambda pair: pair[0])",
        "found",
        _TESTS,
    ),
    Bug(
        "a described NIC's policies come without their phase",
        _SOURCE,
        "order_of(policy, lines[0].phase)",
        "order_of(policy, lines[-1].phase.__class__.RULES)",
        _TESTS,
    ),
    Bug(
        "a described NIC is told the policies of others",
        _SOURCE,
        " if clause.subject in terms]",
        "]",
        _TESTS,
    ),
    Bug(
        "a described NIC's learned addresses are not asked for",
        "netctl/server/security_explain.py",
        "to_thread(explain_nic, snapshot, self._observed(), nic)",
        "to_thread(explain_nic, snapshot, type(self._observed())(), nic)",
        "tests/functional/server/test_security_explain.py",
    ),
)
