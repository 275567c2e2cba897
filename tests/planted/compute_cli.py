"""Bugs of the command line for virtual machines."""

from __future__ import annotations

from tests.planted.bug import Bug

_LIVE = "tests/functional/cli/test_vms.py"

BUGS = (
    Bug(
        "an image that was made for an upload stays when that fails",
        "netctl/cli/image_upload.py",
        "            stack.callback(_remove, client, asked.name)\n",
        "",
        _LIVE,
    ),
    Bug(
        "the sha256 of a file is not looked at before it is sent",
        "netctl/cli/image_upload.py",
        "    if found != expected:\n",
        "    if False:\n",
        _LIVE,
    ),
    Bug(
        "a rehearsal of a switch switches",
        "netctl/cli/vms.py",
        "    if ask.dry_run:\n        made = [",
        "    if False:\n        made = [",
        _LIVE,
    ),
    Bug(
        "acli: a NIC of a virtual machine is only labelled so",
        "netctl/cli/acli/nic.py",
        "    if machine is None:\n",
        "    if True:\n",
        _LIVE,
    ),
    Bug(
        "acli: a group keeps its machines apart from the start",
        "netctl/cli/acli/group.py",
        "pb.AFFINITY_KIND_VM_ANTI_AFFINITY, True",
        "pb.AFFINITY_KIND_VM_ANTI_AFFINITY, False",
        _LIVE,
    ),
)
