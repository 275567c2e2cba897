"""Gate 3 for templates: are the images of their disks there? Pure: intents -> verdict."""

from __future__ import annotations

from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.model.template import VmTemplate
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import named


def template_verdict(template: VmTemplate, snapshot: Snapshot) -> Verdict:
    """Say whether all versions of a template can be deployed."""
    images = {id: snapshot.image(id) for version in template.versions for id in version.images if id}
    missing = [id for id, image in images.items() if image is None or not image.is_stored]
    if missing:
        return Phase.PENDING, "WAITING_FOR_IMAGES", f"disks are still copied, to images {named(missing)}"
    return PROGRAMMED
