"""Bugs of the admission of virtual machines, their disks and their migrations."""

from __future__ import annotations

from tests.planted.bug import Bug

_UNIT = "tests/unit/model"

BUGS = (
    Bug(
        "a clone has the generation of its source",
        "netctl/model/admit_vm.py",
        "            generation_id=context.new_uid(),\n",
        "            generation_id=vm.generation_id or context.new_uid(),\n",
        f"{_UNIT}/test_admit_vm.py",
    ),
    Bug(
        "a start goes on with the CPU model of the last",
        "netctl/model/admit_vm.py",
        'effective_cpu_model="" if starts else',
        'effective_cpu_model="" if starts and not before.host else',
        f"{_UNIT}/test_admit_vm.py",
    ),
    Bug(
        "memory changes under a migration",
        "netctl/model/admit_vm.py",
        '    "memory_mib",\n    "disks",\n',
        '    "disks",\n',
        f"{_UNIT}/test_admit_vm.py",
    ),
    Bug(
        "a machine starts while its disks are copied",
        "netctl/model/admit_vm.py",
        "    if vm.is_on and (before is None or not before.is_on):\n",
        "    if vm.is_on and before is None:\n",
        f"{_UNIT}/test_admit_vm.py",
    ),
    Bug(
        "a file that is applied again makes its disks anew",
        "netctl/model/admit_disks.py",
        "            if i not in found:\n",
        "            if i not in found and disk.index != -1:\n",
        f"{_UNIT}/test_admit_disks.py",
    ),
    Bug(
        "a disk shrinks under its guest",
        "netctl/model/admit_disks.py",
        "    if 0 < asked.size_bytes < old.size_bytes:\n",
        "    if 0 < asked.size_bytes < old.size_bytes // 2:\n",
        f"{_UNIT}/test_admit_disks.py",
    ),
    Bug(
        "NICs stay behind when their machine moves",
        "netctl/model/vm_moves.py",
        "        if nic.host != after.host:\n",
        "        if not nic.host:\n",
        f"{_UNIT}/test_vm_moves.py {_UNIT}/test_admit_vm_migration.py",
    ),
    Bug(
        "a host goes while machines are on it",
        "netctl/model/dependents.py",
        "for vm in draft.vms_of_host(intent.id) if not vm.deleting)",
        "for vm in draft.vms_of_host(intent.id) if vm.is_on and vm.deleting)",
        f"{_UNIT}/test_vm_moves.py",
    ),
    Bug(
        "two migrations move one machine",
        "netctl/model/admit_vm_migration.py",
        "    if other is not None:\n        raise AlreadyExists(",
        "    if other is not None and other.stage is not Stage.QUEUED:\n        raise AlreadyExists(",
        f"{_UNIT}/test_admit_vm_migration.py",
    ),
    Bug(
        "a late step is taken for the next one",
        "netctl/model/admit_vm_migration.py",
        "    if before.stage is not edit.if_stage:\n",
        "    if before.stage is not edit.if_stage and not before.is_active:\n",
        f"{_UNIT}/test_admit_vm_migration.py",
    ),
    Bug(
        "the newest migrations are forgotten",
        "netctl/model/admit_vm_migration.py",
        "ended[:-KEPT_OF_VM])",
        "ended[KEPT_OF_VM:])",
        f"{_UNIT}/test_admit_vm_migration.py",
    ),
    Bug(
        "a device's name breaks out of the domain's XML",
        "netctl/model/vm.py",
        '_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\\Z")',
        '_WORD = re.compile(r"[A-Za-z0-9][^/]{0,62}\\Z")',
        f"{_UNIT}/test_compute_shape.py",
    ),
    Bug(
        "a file outside the import folder is an image",
        "netctl/model/image.py",
        "unquote(parts.path)",
        "parts.path",
        f"{_UNIT}/test_compute_shape.py",
    ),
)
