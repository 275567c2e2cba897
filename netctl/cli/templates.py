"""`netctl template`: versions of a template, and machines that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netctl.cli import api
from netctl.cli.api import Ask
from netctl.cli.client import Client
from netctl.cli.edit import Given, fill_mask
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.kinds import complete_reference
from netctl.cli.mutate import End, finish
from netctl.cli.outcome import Made, compare
from netctl.cli.vms import finish_copy
from netctl.v1 import compute_pb2 as pb

_TOLD = "customization."


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version to be made; the machine and what its guests are told are flags."""

    template: str
    description: str = ""
    activate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A machine to be made; its name and what is to differ are flags."""

    template: str
    version: int = 0
    subnets: Sequence[str] = ()


def add_version(client: Client, asked: Version, given: Given, ask: Ask, end: End) -> None:
    """Add a version made of the machine `given.name`; make the template when there is none."""
    before = _existing(client, asked.template)
    filled, paths = fill_mask(given)
    request = pb.CreateTemplateVersionRequest(
        template=asked.template,
        vm=given.name,
        description=asked.description,
        activate=asked.activate,
        customization=filled.customization if paths else None,
        request_id=ask.with_id().request_id,
        change_reason=ask.reason,
    )
    answer = client.call(
        "VmTemplateService/CreateTemplateVersion", request, pb.CreateTemplateVersionResponse
    ).vm_template
    finish(client, Made(outcomes=(compare(before, answer),)), ask, end)


def delete_version(client: Client, template: str, number: int, ask: Ask, end: End) -> None:
    """Remove a version."""
    before = api.get(client, template)
    request = pb.DeleteTemplateVersionRequest(
        template=template, number=number, request_id=ask.with_id().request_id, change_reason=ask.reason
    )
    answer = client.call(
        "VmTemplateService/DeleteTemplateVersion", request, pb.DeleteTemplateVersionResponse
    ).vm_template
    finish(client, Made(outcomes=(compare(before, answer),)), ask, end)


def deploy(client: Client, asked: Deployment, given: Given, ask: Ask, end: End) -> None:
    """Make a machine of a template."""
    overrides, paths = fill_mask(given)
    told = any(path.startswith(_TOLD) for path in paths)
    request = pb.DeployTemplateRequest(
        template=asked.template,
        version=asked.version,
        name=given.name,
        subnets=[complete_reference("subnet", subnet.strip()) for subnet in asked.subnets],
        customization=overrides.customization if told else None,
        **ask.fields,
    )
    overrides.ClearField("customization")
    overrides.ClearField("name")
    request.overrides.CopyFrom(overrides)
    request.update_mask.paths.extend(path for path in paths if not path.startswith(_TOLD))
    answer = client.call("VmTemplateService/DeployTemplate", request, pb.DeployTemplateResponse)
    finish_copy(client, answer, ask, end)


def _existing(client: Client, name: str) -> pb.VmTemplate | None:
    try:
        found: pb.VmTemplate = api.get(client, name)
    except Failure as failure:
        if failure.exit_status != NOT_FOUND:
            raise
        return None
    return found
