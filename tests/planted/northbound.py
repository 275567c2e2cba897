"""Bugs between the intents and the northbound database: replica, fence, diff, passes."""

from __future__ import annotations

from tests.planted.bug import Bug

DATABASE = (
    Bug(
        "no epoch fence",
        "netctl/ovsdb/northbound.py",
        "operations = [*guard, *work, *ours, *count_up(self._steps())]",
        "guard = [it for it in guard if it['op'] != 'wait']\n"
        "            operations = [*guard, *work, *ours, *count_up(self._steps())]",
        "tests/functional/ovsdb/test_fence.py",
    ),
    Bug(
        "the fence trusts the replica",
        "netctl/ovsdb/fence.py",
        "    if stored == ours:\n        return [_holds(key, ours)]",
        "    if stored == ours:\n        return []",
        "tests/functional/ovsdb/test_fence.py",
    ),
    Bug(
        "epochs are compared as text",
        "netctl/ovsdb/fence.py",
        "int(stored) > epoch",
        "stored > ours",
        "tests/functional/ovsdb/test_northbound_contract.py",
    ),
    Bug(
        "a restored database counts nb_cfg again",
        "netctl/ovsdb/northbound.py",
        "return 1 + self._monitor.highest_cfg - self.nb_cfg",
        "return 1",
        "tests/functional/ovsdb/test_northbound_faults.py",
    ),
    Bug(
        "a reconnect forgets what had changed",
        "netctl/ovsdb/facts.py",
        'any fact may have changed."""\n        self._changed = None',
        'any fact may have changed."""\n        self._changed = set()',
        "tests/unit/ovsdb/test_facts.py",
    ),
    Bug(
        "the change of a set is added to it",
        "netctl/ovsdb/wire.py",
        "return old ^ change",
        "return old | change",
        "tests/unit/ovsdb/test_wire.py",
    ),
    Bug(
        "the change of an optional value is toggled",
        "netctl/ovsdb/wire.py",
        "isinstance(old, frozenset) and column.max > 1",
        "isinstance(old, frozenset)",
        "tests/unit/ovsdb/test_wire.py",
    ),
    Bug(
        "a key that left a map stays",
        "netctl/ovsdb/wire.py",
        "                del result[key]",
        "                continue",
        "tests/unit/ovsdb/test_wire.py",
    ),
    Bug(
        "foreign members are taken for ours",
        "netctl/ovsdb/replica.py",
        "return self._is_ours(self.row((self._tables[table].members[column], member)))",
        "return self._is_ours(self.row((table, parent)))",
        "tests/unit/ovsdb/test_replica.py",
    ),
    Bug(
        "foreign map keys are removed",
        "netctl/nb/diff.py",
        "remove = frozenset(key for key in have if key in managed and key not in want)",
        "remove = frozenset(key for key in have if key not in want)",
        "tests/unit/nb",
    ),
)

PASSES = (
    Bug(
        "drift is not seen",
        "netctl/reconciler/reconcile.py",
        "self._pending |= touched | actual_changed",
        "self._pending |= touched",
        "tests/unit/reconciler/test_reconcile.py",
    ),
    Bug(
        "there is no full comparison after the first",
        "netctl/reconciler/reconcile.py",
        "full = now - self._last_full_s >= self._settings.resync_s",
        "full = self._pending is None",
        "tests/unit/reconciler/test_reconcile.py",
    ),
    Bug(
        "a failed write is forgotten",
        "netctl/reconciler/reconcile.py",
        "        nb_cfg = self._write(snapshot, raise_cfg=asked > self._raised[0])",
        "        try:\n            nb_cfg = self._write(snapshot, raise_cfg=asked > self._raised[0])\n"
        "        except BaseException:\n            self._pending = set()\n            raise",
        "tests/unit/reconciler/test_reconcile.py",
    ),
    Bug(
        "rows of a removed intent stay",
        "netctl/reconciler/desired.py",
        "        return touched | old.keys()",
        "        return touched",
        "tests/unit/reconciler/test_desired.py",
    ),
    Bug(
        "a key that changes again is lost",
        "netctl/server/recent.py",
        "            self._changed.pop(key, None)\n",
        "",
        "tests/unit/server/test_recent.py",
    ),
    Bug(
        "a wake during a step is lost",
        "netctl/loop.py",
        "                self.wake.wait(self._pace.resync_s)",
        "                self.wake.wait(0)\n                self.wake.wait(self._pace.resync_s)",
        "tests/unit/test_loop_run.py",
    ),
    Bug(
        "mass deletes pass",
        "netctl/reconciler/guard.py",
        "    if unexplained <= limit:",
        "    if unexplained <= limit or True:",
        "tests/unit/reconciler/test_reconcile.py",
    ),
    Bug(
        "one permit lets every mass delete pass",
        "netctl/reconciler/reconcile.py",
        "            self._mass_delete_allowed.clear()\n",
        "",
        "tests/unit/reconciler/test_reconcile.py",
    ),
    Bug(
        "poison stops everybody",
        "netctl/reconciler/poison.py",
        "            if len(keys) == 1:",
        "            if len(keys) >= 1:",
        "tests/unit/reconciler/test_reconcile.py",
    ),
    Bug(
        "a mended intent stays poison",
        "netctl/reconciler/reconcile.py",
        "if full or intent is None or intent.meta.revision != poison.revision:",
        "if full or intent is None:",
        "tests/unit/reconciler/test_reconcile.py",
    ),
)

STATUS = (
    Bug(
        "a NIC is PROGRAMMED before its flows",
        "netctl/reconciler/status_nic.py",
        "    if not seen.plugged or not seen.ovn_installed:",
        "    if not seen.plugged:",
        "tests/unit/reconciler/test_status.py",
    ),
    Bug(
        "a changed NIC is PROGRAMMED by its first flows",
        "netctl/reconciler/status_nic.py",
        "    if changed_since and report.nb_cfg < world.required_cfg(nic.meta.revision):",
        "    if False and report.nb_cfg < world.required_cfg(nic.meta.revision):",
        "tests/unit/reconciler/test_status.py",
    ),
    Bug(
        "the pass before answers for a revision",
        "netctl/reconciler/passes.py",
        "            at = bisect.bisect_left(self._revisions, revision)",
        "            at = max(0, bisect.bisect_left(self._revisions, revision) - 1)",
        "tests/unit/reconciler/test_passes.py",
    ),
    Bug(
        "a host that fell silent is not down",
        "netctl/reconciler/world.py",
        "    if world.heard(host).connected:",
        "    if world.heard(host).report:",
        "tests/unit/reconciler",
    ),
    Bug(
        "watchers do not hear that a host is lost",
        "netctl/reconciler/board.py",
        "        self._mark(self._on_host(host), unsettled=False)",
        "        self._mark((), unsettled=False)",
        "tests/unit/reconciler/test_board.py",
    ),
)

BUGS = (*DATABASE, *PASSES, *STATUS)
