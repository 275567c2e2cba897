"""VmTemplate: virtual machines to make others from, in versions."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, ImageId, SubnetId, VmTemplateId, check_id
from netctl.model.nic import NicModel
from netctl.model.vm import Vm

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
