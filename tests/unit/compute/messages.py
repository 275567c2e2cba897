"""The controller's side of a compute assignment, for tests: our values -> protobuf."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from google.protobuf.json_format import ParseDict
from netctl_compute import convert
from netctl_compute.assignment import ComputeAssignment

from netctl.v1 import agent_compute_pb2 as pb

_TABLES = (
    convert.ROLES,
    convert.POWER_STATES,
    convert.POLICIES,
    convert.FIRMWARES,
    convert.MACHINES,
    convert.BOOT_DEVICES,
    convert.DISK_KINDS,
    convert.DISK_BUSES,
)
# By type and value: the last number is the specified one.
_NUMBERS = {(type(value), value): number for table in _TABLES for number, value in table.items()}
_RENAMED = {
    "host": "host_id",
    "vm": "vm_id",
    "image": "image_id",
    "source_disk": "source_disk_uid",
    "nic": "nic_id",
    "migration": "migration_id",
    "destination": "destination_host_id",
    "disk": "disk_uid",
}


def to_proto(assignment: ComputeAssignment) -> pb.ComputeAssignment:
    """Return the message; a field that the wire does not have is an error."""
    return ParseDict(_plain(asdict(assignment)), pb.ComputeAssignment())


def _plain(value: Any, *, in_disks: bool = False) -> Any:
    if isinstance(value, dict):
        named = {_RENAMED.get(name, name): (name, item) for name, item in value.items()}
        if in_disks:
            named["disk_uid"] = named.pop("uid")
        return {
            new: item if new == "measured_hosts" else _plain(item, in_disks=old == "disks")
            for new, (old, item) in named.items()
            if item is not None
        }
    if isinstance(value, list | tuple):
        return [_plain(item, in_disks=in_disks) for item in value]
    return _NUMBERS.get((type(value), value), value)
