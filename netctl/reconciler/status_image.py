"""Gate 3 for images: are their bytes there? Pure: intents and reports -> verdict."""

from __future__ import annotations

from netctl.model.image import Image
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.reconciler.status_vm import compute_down
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import World


def image_verdict(image: Image, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether an image can be used, or where its bytes are to come from."""
    if image.is_stored:
        return PROGRAMMED
    if image.source_vm:
        return _exported(image, snapshot, world)
    if not image.source_uri:
        return (
            Phase.PENDING,
            "WAITING_FOR_UPLOAD",
            f"its bytes are not here yet: netctl image upload {image.id} FILE",
        )
    problem = world.image_problem(image.id)
    if problem:
        return Phase.FAILED, "FETCH_FAILED", problem
    return Phase.PENDING, "FETCHING", f"it is fetched from {image.source_uri}"


def _exported(image: Image, snapshot: Snapshot, world: World) -> Verdict:
    """Say how far the copy of a disk is."""
    vm = snapshot.vm(image.source_vm)
    if vm is None or not vm.host:
        where = "does not exist any more" if vm is None else "was never on a host: it has no disks yet"
        return Phase.FAILED, "SOURCE_MISSING", f"vms/{image.source_vm} {where}"
    down = compute_down(vm.host, world)
    if down is not None:
        return down
    report = world.compute(vm.host).report
    exports = report.exports if report is not None else ()
    for one in exports:
        if one.image == image.id and one.problem:
            return Phase.FAILED, "EXPORT_FAILED", f"host {vm.host}: {one.problem}"
        if one.image == image.id:
            return Phase.PENDING, "COPYING", f"host {vm.host} copies the disk ({one.progress_percent} %)"
    return Phase.PENDING, "COPYING", f"host {vm.host} copies the disk"
