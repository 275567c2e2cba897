"""Bugs of migrations: what hosts are told, when a stage is left, what counts as proof of where a guest runs."""

from __future__ import annotations

from tests.planted.bug import Bug

_STEPS = "netctl/reconciler/migration_steps.py"
_TESTS = "tests/unit/reconciler/test_vm_migrations.py"

BUGS = (
    Bug(
        "a migration is copied before the destination has its flows",
        _STEPS,
        "    if heard.report.nb_cfg < sight.raised:\n",
        "    if heard.report.nb_cfg < 0:\n",
        _TESTS,
    ),
    Bug(
        "a migration's flows are those that there were before its ports were bound",
        "netctl/reconciler/vm_migrations.py",
        "            kept.asked = None  # what was raised before all ports are bound says nothing\n",
        "            pass\n",
        _TESTS,
    ),
    Bug(
        "a migration whose copy broke off goes back though the guest may run at the destination",
        _STEPS,
        "(at_source in ALIVE or _is_not(there, migration, sight, _doubt_s(sight)))",
        "True",
        _TESTS,
    ),
    Bug(
        "a migration believes a destination's word of before the doubt",
        _STEPS,
        "    fresh = sight.came or there.received_s >= since_s + UNDER_WAY_S\n",
        "    fresh = True\n",
        _TESTS,
    ),
    Bug(
        "a migration takes another try's job for its own",
        "netctl/reconciler/migration_sight.py",
        "return found if found is not None and found.attempt == migration.attempt else None",
        "return found",
        _TESTS,
    ),
    Bug(
        "a migration is done before the source has cleaned up",
        "netctl/reconciler/migration_sight.py",
        " or report.assignment_revision < migration.meta.revision:\n",
        ":\n",
        _TESTS,
    ),
    Bug(
        "a host takes part in three migrations",
        "netctl/reconciler/vm_migrations.py",
        "any(active[host] >= ACTIVE_PER_HOST_MAX for host in ends)",
        "any(active[host] > ACTIVE_PER_HOST_MAX for host in ends)",
        "tests/unit/reconciler/test_vm_migrations_queue.py",
    ),
    Bug(
        "disks of a migrated machine are deleted while it is not known whether the store is shared",
        "netctl/compiler/compute_assignment.py",
        "share_store(reports, host.id, vm.host) is not False",
        "share_store(reports, host.id, vm.host) is True",
        "tests/unit/compiler/test_compute_assignment.py",
    ),
    Bug(
        "VLANs of a trunk stay at the source while their guest is copied",
        "netctl/compiler/nic.py",
        '        if other:\n            columns["options"] = _on_both(nic.host, other)\n',
        "",
        "tests/unit/compiler/test_migrating.py",
    ),
    Bug(
        "a migration leaves its activation strategy behind",
        "netctl/nb/schema.py",
        '            "activation-strategy",\n',
        "",
        "tests/unit/compiler/test_migrating.py",
    ),
    Bug(
        "the ports of a machine do not follow its migration",
        "netctl/compiler/dependents.py",
        "        case VmMigration() as migration if migration.stage in ON_BOTH:\n"
        "            yield from map(key_of, snapshot.nics_of_vm(migration.vm))\n",
        "",
        "tests/unit/compiler/test_migrating.py",
    ),
    Bug(
        "a deleted machine is purged by a report of before",
        "netctl/reconciler/vm_purge.py",
        "    if report.assignment_revision < vm.meta.revision:\n",
        "    if report.assignment_revision < 0:\n",
        "tests/unit/reconciler/test_compute_book.py",
    ),
    Bug(
        "an nb_cfg that is asked for is not raised when nothing is to be written",
        "netctl/reconciler/reconcile.py",
        "        if not delta and raise_cfg:\n",
        "        if not delta and raise_cfg and self._pending is None:\n",
        "tests/unit/reconciler/test_vm_migrations_seen.py",
    ),
)
