"""Bugs that the state machine must see by itself, whoever else does."""

from __future__ import annotations

from tests.planted.bug import Bug

MACHINE = "tests/functional/machine"

BUGS = (
    Bug(
        "machine: a key that changes again is lost",
        "netctl/server/recent.py",
        "            self._changed.pop(key, None)\n",
        "",
        MACHINE,
    ),
    Bug(
        "machine: rows of any owner are ours",
        "netctl/ovsdb/replica.py",
        "return type(marks) is dict and marks.get(OWNER_KEY) == self._owner",
        "return type(marks) is dict",
        MACHINE,
    ),
    Bug(
        "machine: what is stored is not what is answered",
        "netctl/model/admit.py",
        "        after = updated(after, context)\n    draft.put(after)",
        "        draft.put(after)\n        after = updated(after, context)",
        MACHINE,
    ),
    Bug(
        "machine: removals are not stored",
        "netctl/server/group.py",
        "changed = [(one, extra) for one, extra in changed if one.before is not one.after]",
        "changed = [(one, extra) for one, extra in changed if one.after is not None and one.before is not one.after]",
        MACHINE,
    ),
)
