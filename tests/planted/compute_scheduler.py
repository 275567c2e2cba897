"""Planted in the scheduler, placement, maintenance and the status of machines."""

from __future__ import annotations

from tests.planted.bug import Bug

_SCHEDULER = "netctl/scheduler"
_RECONCILER = "netctl/reconciler"
_TESTS = "tests/unit/scheduler"

BUGS: tuple[Bug, ...] = (
    Bug(
        "a machine on its way to a host takes nothing of it yet",
        f"{_SCHEDULER}/view.py",
        "if migration.stage in AT_DESTINATION else None",
        "if migration.stage is None else None",
        f"{_TESTS}/test_place.py",
    ),
    Bug(
        "memory of one that still shuts down is given away",
        f"{_SCHEDULER}/view.py",
        "RunState.PAUSED, RunState.SHUTTING_DOWN, RunState.INCOMING",
        "RunState.PAUSED, RunState.INCOMING",
        f"{_TESTS}/test_place.py",
    ),
    Bug(
        "a machine that may still run on a lost host is started on another",
        f"{_SCHEDULER}/demand.py",
        "    report, connected = view.said(vm.host)\n    if report is None or not connected:",
        "    report, connected = view.said(vm.host)\n    if report is None:",
        f"{_TESTS}/test_place.py",
    ),
    Bug(
        "the report of before it was switched off says that it does not run",
        f"{_SCHEDULER}/demand.py",
        "    if report.assignment_revision < vm.meta.revision:",
        "    if report.assignment_revision < 0:",
        f"{_TESTS}/test_place.py",
    ),
    Bug(
        "free memory comes before anti-affinity",
        f"{_SCHEDULER}/place.py",
        "return unplugged, partners, not was_there, -view.room(host.id, demand.vm).free_mib, host.id",
        "return unplugged, -view.room(host.id, demand.vm).free_mib, not was_there, partners, host.id",
        f"{_TESTS}/test_place.py {_TESTS}/test_place_properties.py",
    ),
    Bug(
        "of the policies of a machine one is enough",
        f"{_SCHEDULER}/affinity.py",
        '        return f"is not among the affinity_hosts of vms/{vm.id}: {_some(vm.affinity_hosts)}"',
        '        return ""',
        f"{_TESTS}/test_place.py",
    ),
    Bug(
        "the baseline is the newest of any host",
        f"{_SCHEDULER}/cpu_models.py",
        "frozenset.intersection(*(",
        "frozenset().union(*(",
        f"{_TESTS}/test_cpu_models.py",
    ),
    Bug(
        "tunnels carry as much as the underlay",
        f"{_SCHEDULER}/preflight.py",
        "carried = cluster.underlay_mtu_bytes - overhead",
        "carried = cluster.underlay_mtu_bytes",
        f"{_TESTS}/test_preflight.py",
    ),
    Bug(
        "machines of one evacuation each have the destination to themselves",
        f"{_SCHEDULER}/evacuate.py",
        "            view = view.moved(guest.vm, best.id)\n",
        "",
        f"{_TESTS}/test_evacuate.py",
    ),
    Bug(
        "machines placed in one look do not see each other",
        f"{_RECONCILER}/placement.py",
        "                view = view.moved(_as_placed(vm, found), found.host)\n",
        "",
        "tests/unit/reconciler/test_placement.py",
    ),
    Bug(
        "hosts in maintenance send more than two at a time",
        f"{_RECONCILER}/maintenance.py",
        "                free -= 1\n",
        "",
        "tests/unit/reconciler/test_maintenance.py",
    ),
    Bug(
        "an evacuation that failed is tried again at once",
        f"{_RECONCILER}/maintenance.py",
        "        return self._wall() >= _ended_s(failed[-1]) + pause_s",
        "        return pause_s > 0",
        "tests/unit/reconciler/test_maintenance.py",
    ),
    Bug(
        "a machine is PROGRAMMED before its host carried out the start",
        f"{_RECONCILER}/status_vm.py",
        "    if seen.power_epoch < vm.power_epoch:",
        "    if seen.power_epoch < 0:",
        "tests/unit/reconciler/test_status_compute.py",
    ),
    Bug(
        "a report that only says that it lives wakes every watcher",
        f"{_RECONCILER}/board.py",
        "        if changed:\n            self._mark(changed, unsettled=True)",
        "        self._mark({(Kind.HOST, host), *changed}, unsettled=True)",
        "tests/unit/reconciler/test_compute_changes.py",
    ),
)
