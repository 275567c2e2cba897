"""Bugs of migrations on the hosts: orders at the source, a guest's arrival at the destination."""

from __future__ import annotations

from tests.planted.bug import Bug

_JOBS = "agents/netctl_compute/migration_jobs.py"
_WATCH = "agents/netctl_compute/migration_watch.py"
_ARRIVALS = "agents/netctl_host/arrivals.py"

BUGS = (
    Bug(
        "migration: an order is begun again by the next agent",
        _JOBS,
        "                self._find_again(order, record)\n",
        '                self._begin(order, uids.get(order.vm, ""), state)\n',
        "tests/unit/compute/test_migration_jobs.py",
    ),
    Bug(
        "migration: an order that is not on disk is begun",
        _JOBS,
        "            return False\n        self._records = records\n",
        "            pass\n        self._records = records\n",
        "tests/unit/compute/test_migration_jobs.py",
    ),
    Bug(
        "migration: a guest that left unseen is called migrated",
        _JOBS,
        "jobs.finish(job, (CopyEnd.LIBVIRT, words))",
        "jobs.finish(job, (CopyEnd.DONE, words))",
        "tests/unit/compute/test_migration_jobs.py",
    ),
    Bug(
        "migration: an abort that came too late counts",
        _WATCH,
        "    if end is CopyEnd.DONE:\n",
        "    if end is CopyEnd.DONE and not stopped_for:\n",
        "tests/unit/compute/test_migration_watch.py",
    ),
    Bug(
        "migration: iterations are without limit",
        _WATCH,
        "    return FAILED_TO_CONVERGE if evidence.iterations > order.iterations_max else",
        "    return FAILED_TO_CONVERGE if evidence.iterations < 0 else",
        "tests/functional/compute/test_migration_jobs.py",
    ),
    Bug(
        "migration: an address may go on with what libvirt takes for options",
        _WATCH,
        "_ADDRESS.fullmatch(address)",
        "_ADDRESS.match(address)",
        "tests/unit/compute/test_migration_watch.py",
    ),
    Bug(
        "arrival: told from the bridge's own side, where the guest is not",
        _ARRIVALS,
        "openflow.render_packet_out(1, place.in_port or openflow.CONTROLLER,",
        "openflow.render_packet_out(1, openflow.CONTROLLER,",
        "tests/functional/host/test_arrivals.py",
    ),
    Bug(
        "arrival: balance-slb bonds are told by RARP alone",
        _ARRIVALS,
        "        if with_arp:\n",
        "        if with_arp and not place.bridge:\n",
        "tests/functional/host/test_arrivals.py",
    ),
    Bug(
        "arrival: a trunk is told by one localnet port",
        _ARRIVALS,
        "nic.announce_localnets[at] if",
        "nic.announce_localnets[0] if",
        "tests/unit/host/test_arrivals.py",
    ),
    Bug(
        "arrival: what is sent to a guest is taken for its own",
        "agents/netctl_host/tap_socket.py",
        "_INSTRUCTION.pack(_EQUAL, 0, 1, _PACKET_OUTGOING)",
        "_INSTRUCTION.pack(_EQUAL, 0, 1, _PACKET_OUTGOING + 1)",
        "tests/functional/host/test_arrivals.py",
    ),
    Bug(
        "arrival: OVN's gate is not asked for",
        "agents/netctl_host/arrival_watch.py",
        "guest.told and not (arrival.gate and self._is_closed(arrival))",
        "guest.told",
        "tests/functional/host/test_arrivals.py",
    ),
)
