"""Templates of virtual machines: versions made, machines deployed."""

from __future__ import annotations

from netctl.loop import wait_until
from netctl.v1 import compute_pb2
from tests.e2e.site import DEADLINE_S, PROGRAMMED
from tests.e2e.vms import ON, Vms


def add_version(vms: Vms, template: str, vm: str, number: int, *, activate: bool) -> None:
    """Make a version of a template of a machine that is off; return when its images are there."""
    request = compute_pb2.CreateTemplateVersionRequest(template=template, vm=vm, activate=activate)
    made = vms.templates.CreateTemplateVersion(request, timeout=DEADLINE_S).vm_template
    (version,) = (version for version in made.versions if version.number == number)
    for image in version.images:
        wait_until(
            lambda image=image: vms.image(image).status.phase == PROGRAMMED,  # type: ignore[misc]
            timeout_s=30,
            what=f"{image} is there",
        )


def deploy(vms: Vms, template: str, version: int, user_data: str) -> tuple[str, str]:
    """Make a machine of a template's version and start it; return its name and its address."""
    name = f"vms/deployed{version}"
    told = compute_pb2.GuestCustomization(user_data=f"#cloud-config\n{user_data}\n")
    request = compute_pb2.DeployTemplateRequest(
        template=template, version=version, name=name, customization=told
    )
    (nic,) = vms.templates.DeployTemplate(request, timeout=DEADLINE_S).nics
    vms.power(name, ON)
    return name, vms.site.get_nic(nic).ipv4_address
