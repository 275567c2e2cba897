"""What the host's operator decides, from the command line; everything else comes in the assignment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every domain of this host has in common.

    `domain_type` is `kvm` or `qemu` (TCG), `arch` as libvirt spells it. `tap_offloads`: guests may leave checksums and
    segmentation to the host; a userspace datapath reads frames as they are and needs them off.
    """

    domain_type: str = "kvm"
    arch: str = "x86_64"
    console_listen: str = "127.0.0.1"
    tap_offloads: bool = True
    serial_log_bytes: int = 1 << 20
