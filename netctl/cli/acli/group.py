"""acli's `vm_group.*`: a group is an affinity policy of the kind VM_ANTI_AFFINITY, disabled until it is set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netctl.cli import api
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Create, Delete, Update, send, send_again
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import GROUPS, VMS, display_of, find, find_many, to_id
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.messages import new_message
from netctl.cli.tables import phase_of
from netctl.v1 import compute_pb2 as pb


def create(client: Client, call: Call) -> Answer:
    """Make a group without machines."""
    name = call.get("name")
    group = new_message(GROUPS, f"{GROUPS.collection}/{to_id(name, prefix='group')}")
    group.kind, group.disabled = pb.AFFINITY_KIND_VM_ANTI_AFFINITY, True
    if group.name != f"{GROUPS.collection}/{name}":
        group.display_name = name
    return answer.made(send(client, [Create(resource=group)], call))


def list_(client: Client, call: Call) -> Answer:
    """List groups."""
    rows = [
        {
            "name": display_of(group),
            "vms": len(group.vms),
            "anti_affinity": "off" if group.disabled else "on",
            "phase": phase_of(group),
            "uuid": group.uid,
        }
        for group in api.list_all(client, GROUPS)
        if group.kind == pb.AFFINITY_KIND_VM_ANTI_AFFINITY
    ]
    headers = {"name": "GROUP", "vms": "VMS", "anti_affinity": "ANTI-AFFINITY", "phase": "PHASE"}
    return answer.table(headers, rows)


def delete(client: Client, call: Call) -> Answer:
    """Delete a group; its machines stay."""
    return answer.made(send(client, [Delete(resource=_find(client, call))], call))


def add_vms(client: Client, call: Call) -> Answer:
    """Put machines in; those that are in stay."""
    names = [vm.name for vm in find_many(client, VMS, call.get("vm_list"))]
    return _change(client, call, lambda group: group.vms.extend(it for it in names if it not in group.vms))


def remove_vms(client: Client, call: Call) -> Answer:
    """Take machines out."""
    names = {vm.name for vm in find_many(client, VMS, call.get("vm_list"))}

    def take_out(group: Any) -> None:
        left = [name for name in group.vms if name not in names]
        if not left and not group.disabled and not group.vm_categories:
            hint = f"first vm_group.antiaffinity_unset {call.get('name')}, or delete the group"
            raise Failure.usage("vm_group.remove_vms: anti-affinity is of nobody then", hint=hint)
        del group.vms[:]
        group.vms.extend(left)

    return _change(client, call, take_out)


def list_vms(client: Client, call: Call) -> Answer:
    """List who is in a group."""
    group = _find(client, call)
    apart = set(group.non_compliant_vms)
    rows = []
    for name in group.vms:
        vm = api.get(client, name)
        host = vm.host.partition("/")[2]
        rows.append({"name": display_of(vm), "host": host, "compliant": str(name not in apart).lower()})
    return answer.table({"name": "VM", "host": "HOST", "compliant": "COMPLIANT"}, rows)


def set_anti_affinity(client: Client, call: Call) -> Answer:
    """Keep the group's machines apart."""
    return _change(client, call, lambda group: setattr(group, "disabled", False))


def unset_anti_affinity(client: Client, call: Call) -> Answer:
    """Stop that."""
    return _change(client, call, lambda group: setattr(group, "disabled", True))


def _find(client: Client, call: Call) -> Any:
    group = find(client, GROUPS, call.get("name"))
    if group.kind != pb.AFFINITY_KIND_VM_ANTI_AFFINITY:
        hint = "`netctl update affinitypolicy` changes it"
        raise Failure.usage(f"{call.get('name')!r} is no group: it ties machines to hosts", hint=hint)
    return group


def _change(client: Client, call: Call, change: Callable[[Any], None]) -> Answer:
    def plan() -> list[Update]:
        before = _find(client, call)
        after = type(before)()
        after.CopyFrom(before)
        change(after)
        return [Update(before=before, resource=after, paths=["vms", "disabled"])]

    return answer.made(send_again(client, plan, call))
