"""VmTemplate: virtual machines to make others from, in versions."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.category_ids import check_categories
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, ImageId, SubnetId, VmTemplateId, check_id
from netctl.model.nic import QUEUES_MAX, NicModel
from netctl.model.vm import DESCRIPTION_MAX, NICS_MAX, Vm

VERSIONS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateNic:
    """What a version has of one NIC."""

    subnet: SubnetId
    model: NicModel = NicModel.VIRTIO
    queues: int = 1
    connected: bool = True
    categories: tuple[CategoryId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One state, never changed: the machine as it was (without what is decided by us), and images of its disks.

    `images` "" is an empty CD-ROM. `create_time_s` is set at admission.
    """

    number: int
    vm: Vm
    nics: tuple[TemplateNic, ...] = ()
    images: tuple[ImageId, ...] = ()
    description: str = ""
    create_time_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmTemplate:
    """A template; `active_version` is deployed when none is named."""

    id: VmTemplateId
    meta: Meta = Meta()
    versions: tuple[TemplateVersion, ...] = ()
    active_version: int = 0
    description: str = ""

    def __post_init__(self) -> None:
        check_id("name", self.id)
        shape.check_text("description", self.description, DESCRIPTION_MAX)
        if len(self.versions) > VERSIONS_MAX:
            raise InvalidIntent(
                "versions",
                f"has {len(self.versions)} versions; at most {VERSIONS_MAX} are kept: delete one first",
            )
        numbers = [version.number for version in self.versions]
        for i, version in enumerate(self.versions):
            field = f"versions[{i}]"
            if version.number < 1 or (numbers[:i] and version.number <= numbers[i - 1]):
                raise InvalidIntent(f"{field}.number", f"{version.number} does not ascend from 1")
            _check_version(version, field)


def _check_version(version: TemplateVersion, field: str) -> None:
    shape.check_text(f"{field}.description", version.description, DESCRIPTION_MAX)
    if len(version.nics) > NICS_MAX:
        raise InvalidIntent(f"{field}.nics", f"has {len(version.nics)} NICs; at most {NICS_MAX} are allowed")
    for i, nic in enumerate(version.nics):
        check_id(f"{field}.nics[{i}].subnet", nic.subnet)
        shape.check_range(f"{field}.nics[{i}].queues", nic.queues, low=1, high=QUEUES_MAX)
        check_categories(nic.categories, f"{field}.nics[{i}].categories")
    if len(version.images) != len(version.vm.disks):
        raise InvalidIntent(
            f"{field}.images",
            f"has {len(version.images)} images for {len(version.vm.disks)} disks; one for each",
        )
    for i, image in enumerate(version.images):
        if image:
            check_id(f"{field}.images[{i}]", image)
