"""Admission of VmTemplate: versions are added and removed, never changed."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import InvalidIntent
from netctl.model.keys import Kind
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, replace_unchecked, stamp
from netctl.model.template import TemplateVersion, VmTemplate


def admit_vm_template(
    asked: VmTemplate, before: VmTemplate | None, draft: Draft, context: Context
) -> VmTemplate:
    """Return the template to store. `active_version` 0 stays what it is; at the start it is the first.

    No versions are all that there are: the last one is the active one, which cannot go.
    """
    if before is not None and not asked.versions:
        asked = replace_unchecked(asked, versions=before.versions)
    known = {version.number: version for version in before.versions} if before is not None else {}
    versions = tuple(
        _admit_version(version, known, f"versions[{i}]", draft, context)
        for i, version in enumerate(asked.versions)
    )
    active = asked.active_version or (before.active_version if before is not None else 0)
    numbers = [version.number for version in versions]
    if not active and numbers:
        active = numbers[0]
    if active and active not in numbers:
        if active in known and not asked.active_version:
            raise InvalidIntent("versions", f"version {active} is the active one: make another active first")
        there = ", ".join(map(str, numbers)) or "none"
        raise InvalidIntent(
            "active_version", f"{active} is not one of its versions ({there}): name one of them"
        )
    return replace_unchecked(
        asked, meta=stamp(asked.meta, before, context), versions=versions, active_version=active
    )


def _admit_version(
    asked: TemplateVersion, known: dict[int, TemplateVersion], field: str, draft: Draft, context: Context
) -> TemplateVersion:
    stored = known.get(asked.number)
    if stored is not None:
        if replace(asked, create_time_s=stored.create_time_s) != stored:
            raise InvalidIntent(field, f"version {asked.number} cannot change: make a new version")
        return stored
    if known and asked.number < max(known):
        raise InvalidIntent(
            f"{field}.number",
            f"{asked.number} was used or passed over: a new version comes after {max(known)}",
        )
    for i, image in enumerate(asked.images):
        if image and draft.image(image) is None:
            raise absent((Kind.IMAGE, image), f"{field}.images[{i}]")
    for i, nic in enumerate(asked.nics):
        if draft.subnet(nic.subnet) is None:
            raise absent((Kind.SUBNET, nic.subnet), f"{field}.nics[{i}].subnet")
    return replace(asked, create_time_s=context.time_s)
