"""The bugs: one edit of one file each, and the tests that must fail with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """Replace `old` (which stands once in `file`) by `new`; then `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


BUGS = (
    Bug(
        "no epoch fence",
        "netctl/ovsdb/northbound.py",
        "operations = [*guard, *work, *count_up(self._steps())]",
        "operations = [*guard[:0], *work, *count_up(self._steps())]; guard = []",
        "tests/functional/ovsdb",
    ),
    Bug(
        "foreign map keys are removed",
        "netctl/nb/diff.py",
        "remove = frozenset(key for key in have if key in managed and key not in want)",
        "remove = frozenset(key for key in have if key not in want)",
        "tests/unit/nb tests/unit/reconciler",
    ),
    Bug(
        "mass deletes pass",
        "netctl/reconciler/guard.py",
        "    if unexplained <= limit:",
        "    if unexplained <= limit or True:",
        "tests/unit/reconciler",
    ),
    Bug(
        "poison stops everybody",
        "netctl/reconciler/poison.py",
        "            if len(keys) == 1:",
        "            if len(keys) >= 1:",
        "tests/unit/reconciler",
    ),
    Bug(
        "a NIC is PROGRAMMED before its flows",
        "netctl/reconciler/status.py",
        "    if not seen.plugged or not seen.ovn_installed:",
        "    if not seen.plugged:",
        "tests/unit/reconciler",
    ),
    Bug(
        "a changed NIC is PROGRAMMED by its first flows",
        "netctl/reconciler/status.py",
        "    if changed_since and heard.report.nb_cfg < world.required_cfg(nic.meta.revision):",
        "    if False and heard.report.nb_cfg < world.required_cfg(nic.meta.revision):",
        "tests/unit/reconciler",
    ),
    Bug(
        "a changed subnet leaves its NICs' rows",
        "netctl/compiler/compile.py",
        "        for nic in snapshot.nics_of_subnet(SubnetId(key[1])):",
        "        for nic in ():",
        "tests/unit/reconciler",
    ),
    Bug(
        "port security is off",
        "netctl/compiler/nic.py",
        '"port_security": frozenset({own}) if nic.port_security else _EMPTY,',
        '"port_security": _EMPTY,',
        "tests/unit/compiler",
    ),
    Bug(
        "a failed write is forgotten",
        "netctl/reconciler/reconcile.py",
        "        nb_cfg = self._write(snapshot)\n        self._pending = set()",
        "        try:\n            nb_cfg = self._write(snapshot)\n        finally:\n            self._pending = set()",
        "tests/unit/reconciler",
    ),
    Bug(
        "a name used again keeps its port",
        "netctl/compiler/identity.py",
        'return row_uuid("Logical_Switch_Port", nic)',
        'return row_uuid("Logical_Switch_Port", "the port")',
        "tests/unit/reconciler tests/unit/compiler",
    ),
)
