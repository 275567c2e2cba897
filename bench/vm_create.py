"""From the call to a guest that answers, and many machines created at once until all of them run.

Size is how many machines. Three hosts share two cores under emulation, and guests boot one after the other: most of the
seconds are the guests' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from bench.figures import Figure, percentile
from tests.e2e.site import site
from tests.e2e.vms import RUNNING, SUBNETS, Vms

TARGETS = ()


def run(sizes: Sequence[int] = (1, 10), repetitions: int = 3) -> list[Figure]:
    """Measure."""
    figures = []
    with site("vm-create", "compute-hosts", SUBNETS) as here:
        vms = Vms(here)
        vms.upload()
        vms.wait_hosts()
        for size in sizes:
            for _ in range(repetitions):
                figures += _measure(vms, size)
    return figures


def _measure(vms: Vms, size: int) -> list[Figure]:
    began = monotonic()
    running, reachable = [], []
    names = [vms.create(f"many{number}").name for number in range(size)]
    taken = monotonic() - began
    for name in names:
        vms.wait_state(name, RUNNING, timeout_s=300)
        running.append(monotonic() - began)
    for name in names:
        vms.wait_booted(name, timeout_s=300)
        reachable.append(monotonic() - began)
    vms.remove(*names)
    return [
        Figure(
            bench="vm_create", way=way, size=size, seconds=percentile(took, 50), p99_s=percentile(took, 99)
        )
        for way, took in (("taken", [taken]), ("running", running), ("reachable", reachable))
    ]
