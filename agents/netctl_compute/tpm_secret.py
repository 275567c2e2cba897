"""The name of the libvirt secret of a machine's vTPM. Pure."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5


def secret_uid(vm_uid: str) -> str:
    """Return the UUID of the libvirt secret of a machine's vTPM: what `<encryption secret=>` names."""
    return str(uuid5(NAMESPACE_URL, f"netctl:vtpm/{vm_uid}"))
