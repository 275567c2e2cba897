"""Bugs of the command line."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "pruning removes another set's resources",
        "netctl/cli/apply.py",
        """f'labels.{SET_LABEL} = "{documents.set_name}"'):
            # The label is looked at here too: what is removed must not hang on how a filter is understood.
            if resource.labels.get(SET_LABEL) == documents.set_name and""",
        """f'labels.{SET_LABEL} != ""'):
            if""",
        "tests/functional/cli/test_changes.py",
    ),
    Bug(
        "pruning removes what was changed meanwhile",
        "netctl/cli/apply.py",
        "operations.DeleteEdit(name=resource.name, if_revision=resource.revision)",
        "operations.DeleteEdit(name=resource.name)",
        "tests/functional/cli/test_changes.py",
    ),
    Bug(
        "waiting ends with the status of an older revision",
        "netctl/cli/waiting.py",
        "    if status.revision < revision:",
        "    if status.revision < 0:",
        "tests/unit/cli/test_output.py",
    ),
    Bug(
        "waiting ends while a NIC is PENDING",
        "netctl/cli/waiting.py",
        "return status.reason in _STAYS",
        "return True",
        "tests/functional/cli/test_changes.py",
    ),
    Bug(
        "a wait that timed out is a refusal",
        "netctl/cli/waiting.py",
        """{self._list([*sorted(self._open), *failed])}",
                exit_status=TIMED_OUT,""",
        """{self._list([*sorted(self._open), *failed])}",""",
        "tests/functional/cli/test_changes.py",
    ),
    Bug(
        "what is not found is a refusal",
        "netctl/cli/failures.py",
        '    "NOT_FOUND": NOT_FOUND,\n',
        "",
        "tests/functional/cli/test_reading.py",
    ),
    Bug(
        "a dry run writes",
        "netctl/cli/api.py",
        '"validate_only": self.dry_run,',
        '"validate_only": False,',
        "tests/functional/cli/test_changes.py",
    ),
    Bug(
        "what was left is pruned before it is left",
        "netctl/cli/order.py",
        "            pairs |= {(index, removals[name]) for name in step.leaves if name in removals}\n",
        "",
        "tests/unit/cli/test_order.py",
    ),
    Bug(
        "references inside lists order nothing",
        "netctl/cli/messages.py",
        "                yield from references_of(item)",
        "                yield from ()",
        "tests/functional/cli/test_vpcs.py",
    ),
    Bug(
        "an IPv6 next hop is taken for a subnet",
        "netctl/cli/short_forms.py",
        'is_address = ":" in text or text[:1].isdigit()',
        'is_address = "." in text',
        "tests/unit/cli/test_values_and_messages.py",
    ),
    Bug(
        "BFD cannot be taken away again",
        "netctl/cli/values.py",
        'elif text.strip().lower() in ("", "off"):',
        'elif text == "none":',
        "tests/unit/cli/test_values_and_messages.py",
    ),
)
