"""Columns of virtual machines, images, templates, affinity policies and migrations: header, cell, is it only wide?

`tables.py` puts them beside the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message

from netctl.cli.values import fields_of, short_enum

_GIB, _MIB = 1 << 30, 1 << 20
Cell = tuple[str, Callable[[Any], str]] | tuple[str, Callable[[Any], str], bool]


def word(message: Message, field: str) -> str:
    """Return an enum's value as people say it: `vm-host`; "" when it is unset."""
    descriptor = next(one for one in fields_of(message) if one.name == field)
    assert descriptor.enum_type is not None
    return short_enum(descriptor.enum_type, getattr(message, field)).lower().replace("_", "-")


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that says it well: `20 GiB`, `1.5 GiB`, `300 MiB`, `512 B`."""
    unit, of = ("GiB", _GIB) if count >= _GIB else ("MiB", _MIB)
    told = f"{count / of:.1f}".removesuffix(".0")
    return f"{told} {unit}" if count >= _MIB else f"{count} B" if count else ""


def cpus(vm: Any) -> int:
    """Return how many processors the guest sees."""
    of_each = (vm.num_vcpus, vm.num_cores_per_vcpu, vm.num_threads_per_core)
    return (of_each[0] or 1) * (of_each[1] or 1) * (of_each[2] or 1)


def runs(vm: Any) -> str:
    """Return what a machine does, as its host says; `deleting` when it goes."""
    return "deleting" if vm.deleting else word(vm, "run_state")


def _id(name: str) -> str:
    return name.partition("/")[2]


def _ids(names: Iterable[str]) -> str:
    return ",".join(map(_id, names))


def _from_template(vm: Any) -> str:
    return f"{_id(vm.template)} v{vm.template_version}" if vm.template else ""


def _versions(template: Any) -> str:
    return ",".join(str(version.number) for version in template.versions)


def _source(image: Any) -> str:
    """Return where the bytes come from: an address, `vm/web-1 disk 0`, or that somebody sends them."""
    if image.source_vm:
        return f"vm/{_id(image.source_vm)} disk {image.source_index}"
    return str(image.source_uri) or "upload"


def _members(policy: Any) -> str:
    return ",".join([*map(_id, policy.vms), *(f"cat/{_id(name)}" for name in policy.vm_categories)])


def _hosts(policy: Any) -> str:
    return ",".join([*map(_id, policy.hosts), *(f"cat/{_id(name)}" for name in policy.host_categories)])


def _compliance(policy: Any) -> str:
    """Return how many machines are as the policy says, of all: `3/4`."""
    if policy.disabled:
        return "disabled"
    return f"{policy.compliant_vms}/{policy.compliant_vms + len(policy.non_compliant_vms)}"


def stage(migration: Any) -> str:
    """Return where a migration is; of one that waits, how many go first."""
    told = word(migration, "stage")
    return f"{told} ({migration.queue_position} before)" if migration.queue_position else told


def _measured(field: str) -> Callable[[Any], str]:
    """Return a cell of milliseconds: nothing where nothing was measured."""

    def cell(migration: Any) -> str:
        count = getattr(migration.evidence, field)
        return f"{count} ms" if count else ""

    return cell


def _iterations(migration: Any) -> str:
    return str(migration.evidence.iterations or "")


COMPUTE_CELLS: dict[str, tuple[Cell, ...]] = {
    "vm": (
        ("POWER", lambda it: word(it, "power_state")),
        ("RUNS", runs),
        ("HOST", lambda it: _id(it.host)),
        ("VCPUS", lambda it: str(cpus(it))),
        ("MEMORY", lambda it: size(it.memory_mib * _MIB)),
        ("CLUSTER", lambda it: _id(it.cluster), True),
        ("DISKS", lambda it: str(len(it.disks)), True),
        ("FIRMWARE", lambda it: word(it, "firmware"), True),
        ("CPU-MODEL", lambda it: it.effective_cpu_model, True),
        ("TEMPLATE", _from_template, True),
        ("CATEGORIES", lambda it: _ids(it.categories), True),
    ),
    "image": (
        ("FORMAT", lambda it: word(it, "format")),
        ("SIZE", lambda it: size(it.size_bytes)),
        ("STORED", lambda it: size(it.stored_bytes)),
        ("SOURCE", _source),
        ("SHA256", lambda it: it.sha256, True),
    ),
    "vmtemplate": (
        ("ACTIVE", lambda it: str(it.active_version or "")),
        ("VERSIONS", _versions),
        ("DESCRIPTION", lambda it: it.description),
    ),
    "affinitypolicy": (
        ("KIND", lambda it: word(it, "kind")),
        ("VMS", _members),
        ("HOSTS", _hosts),
        ("COMPLIANT", _compliance),
        ("NOT-COMPLIANT", lambda it: _ids(it.non_compliant_vms), True),
    ),
    "vmmigration": (
        ("VM", lambda it: _id(it.vm)),
        ("FROM", lambda it: _id(it.source)),
        ("TO", lambda it: _id(it.destination)),
        ("STAGE", stage),
        ("PAUSE", _measured("pause_ms")),
        ("GAP", _measured("network_gap_ms")),
        ("ITERATIONS", _iterations),
        ("CAUSE", lambda it: it.cause, True),
        ("ATTEMPT", lambda it: str(it.attempt or ""), True),
        ("FAILURE", lambda it: it.failure, True),
    ),
}
