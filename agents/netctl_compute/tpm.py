"""A machine's vTPM: the libvirt secret that encrypts its state, and the directory in which swtpm keeps that state.

The secret is ephemeral (in libvirtd's memory, gone when libvirtd ends) and private (no client can read it back): the
agent sets it before a start and for a PLACEHOLDER, whenever libvirtd does not have it. libvirt gives it to swtpm
through a pipe. The state is this host's own, never in a shared store: libvirt 9 has no place for it but its own
directory. It goes along with a migration, so a machine with a vTPM that is off starts where its state is.
Source: libvirt's formatsecret.html and formatdomain.html#tpm-device.
"""

from __future__ import annotations

import base64
import binascii
import shutil
from pathlib import Path
from xml.etree import ElementTree

from netctl_compute.problem import Problem
from netctl_compute.store import checked_uid
from netctl_compute.tpm_secret import secret_uid as secret_uid


def secret_xml(vm_uid: str) -> str:
    """Return the definition of that secret, without its value."""
    secret = ElementTree.Element("secret", ephemeral="yes", private="yes")
    ElementTree.SubElement(secret, "uuid").text = secret_uid(vm_uid)
    ElementTree.SubElement(secret, "description").text = f"vTPM of {vm_uid}, by netctl"
    usage = ElementTree.SubElement(secret, "usage", type="vtpm")
    ElementTree.SubElement(usage, "name").text = f"netctl-vtpm-{vm_uid}"
    return ElementTree.tostring(secret, encoding="unicode")


def secret_value(vtpm_secret: str) -> bytes:
    """Return the secret's value for libvirt's setValue; the messages never have it. Raises Problem NO_VTPM_SECRET.

    It is the base64 text itself: swtpm reads a passphrase, which zero bytes and line ends would cut off.
    """
    if not vtpm_secret:
        raise Problem(
            "NO_VTPM_SECRET", "the vTPM's secret is not here: it comes from the controller at each start"
        )
    try:
        value = base64.b64decode(vtpm_secret, validate=True)
    except binascii.Error:
        value = b""
    if len(value) < 16:
        raise Problem("NO_VTPM_SECRET", "the vTPM's secret is not base64 of at least 16 bytes")
    return vtpm_secret.encode()


class TpmStates:
    """What swtpm keeps: `{directory}/{vm uid}`, libvirt's (`/var/lib/libvirt/swtpm`)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def exists(self, vm_uid: str) -> bool:
        """Say whether a state of this machine's vTPM is on this host."""
        return self._of(vm_uid).is_dir()

    def remove(self, vm_uid: str) -> None:
        """Remove it; its domain is gone."""
        path = self._of(vm_uid)
        if path.is_symlink():
            raise Problem("LEFT_OVER", f"{path} is a symbolic link: remove it by hand")
        if path.is_dir():
            shutil.rmtree(path)

    def _of(self, vm_uid: str) -> Path:
        return self._directory / checked_uid(vm_uid, "virtual machine")
