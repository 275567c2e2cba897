"""acli's commands that make, change and run virtual machines. What is no option here is refused with what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netctl.cli import api, vm_migrate
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Create, Delete, Update, ask_of, send, send_again
from netctl.cli.acli.grammar import Call, bytes_of, expand_names
from netctl.cli.acli.names import HOSTS, IMAGES, VMS, display_of, find, find_many, to_id
from netctl.cli.acli.network import small
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.kinds import BY_COLLECTION
from netctl.cli.messages import new_message
from netctl.cli.outcome import Outcome, compare
from netctl.cli.output import note
from netctl.v1 import compute_pb2 as pb

_CLUSTERS = BY_COLLECTION["clusters"]
_MIB = 1 << 20
_NUMBERS = ("num_vcpus", "num_cores_per_vcpu", "num_threads_per_core", "num_vnuma_nodes")
_FLAGS = {
    "memory_overcommit": "memory_overcommit",
    "agent_vm": "agent_vm",
    "cpu_passthrough": "cpu_passthrough",
    "secure_boot": "secure_boot",
    "virtual_tpm": "vtpm",
}
# What AHV has and we have not, and what to do instead.
_UNKNOWN = {
    "timezone": "the hardware clock is in UTC: leave it out, and set the zone in the guest",
    "ha_priority": "there is no high availability yet: leave it out; restart_policy says what follows a crash",
    "extra_flags": "leave it out: agent_vm=true says that a machine belongs to its host",
    "container": "leave it out: disks are in the store of the machine's host",
    "clone_from_snapshot": "there are no snapshots: say clone_from_vm=VM, or deploy a template (netctl template)",
}
_BUSES = {"scsi": pb.DISK_BUS_SCSI, "ide": pb.DISK_BUS_IDE, "sata": pb.DISK_BUS_SATA, "pci": pb.DISK_BUS_PCI}


def create(client: Client, call: Call) -> Answer:
    """Make virtual machines, all or none."""
    cluster = _cluster(client, call)
    edits = []
    for name in expand_names(call.get("name")):
        vm = _new(name)
        vm.cluster = cluster
        fill(vm, call)
        edits.append(Create(resource=vm))
    return answer.made(send(client, edits, call))


def update(client: Client, call: Call) -> Answer:
    """Change virtual machines, all or none."""
    if len(call.values) == 1:
        raise Failure.usage("vm.update: nothing to change", hint=f"usage: {call.command.usage}")

    def plan() -> list[Update]:
        return [_changed(vm, call) for vm in _several(client, call, "new_name")]

    return answer.made(send_again(client, plan, call))


def delete(client: Client, call: Call) -> Answer:
    """Delete virtual machines and their NICs, all or none."""
    vms = find_many(client, VMS, call.get("name"))
    return answer.made(send(client, [Delete(resource=vm) for vm in vms], call))


def create_disk(client: Client, call: Call) -> Answer:
    """Add a disk to each of the machines, to all or to none."""
    disk = _disk(client, call)

    def plan() -> list[Update]:
        found = []
        for before in find_many(client, VMS, call.get("name")):
            after = _copy(before)
            after.disks.append(disk)
            found.append(Update(before=before, resource=after, paths=["disks"]))
        return found

    return answer.made(send_again(client, plan, call))


def on(client: Client, call: Call) -> Answer:
    """Start machines."""
    host = find(client, HOSTS, call.get("host")).name if "host" in call else ""
    return _power(client, call, pb.SetVmPowerRequest(power_state=pb.POWER_STATE_ON, host=host))


def off(client: Client, call: Call) -> Answer:
    """Stop machines at once."""
    return _power(client, call, pb.SetVmPowerRequest(power_state=pb.POWER_STATE_OFF))


def shutdown(client: Client, call: Call) -> Answer:
    """Ask machines to stop."""
    return _power(client, call, pb.SetVmPowerRequest(power_state=pb.POWER_STATE_OFF, graceful=True))


def clone(client: Client, call: Call) -> Answer:
    """Copy a machine: every copy is checked before the first is made."""
    _refuse_unknown(call)
    if "clone_from_vm" not in call:
        raise Failure.usage("vm.clone: clone_from_vm is missing", hint=f"usage: {call.command.usage}")
    source = find(client, VMS, call.get("clone_from_vm"))
    requests = [_copy_request(source, name, call) for name in expand_names(call.get("name"))]
    for request in requests:
        request.validate_only = True
        client.call("VmService/CloneVm", request, pb.CloneVmResponse)
    outcomes: list[Outcome] = []
    for request in requests:
        request.validate_only, request.request_id = False, ask_of(call).with_id().request_id
        made = client.call("VmService/CloneVm", request, pb.CloneVmResponse)
        outcomes.append(compare(None, made.vm))
        outcomes += [compare(None, api.get(client, nic)) for nic in made.nics]
    return answer.made(outcomes)


def migrate(client: Client, call: Call) -> Answer:
    """Ask for migrations."""
    if call.get("live") == "false":
        hint = "leave live out; or vm.shutdown it and vm.on it with host="
        raise Failure.usage("live=false: a machine moves while it runs", hint=hint)
    asked = vm_migrate.Asked(
        names=[vm.name for vm in find_many(client, VMS, call.get("name"))],
        destination=find(client, HOSTS, call.get("host")).name if "host" in call else "",
        bandwidth_mbps=small("bandwidth_mbps", call.get("bandwidth_mbps", "0")),
    )
    ask = ask_of(call)

    def one(name: str) -> Outcome:
        return compare(None, vm_migrate.create(client, name, asked, ask).vm_migration)

    return answer.made(_each(asked.names, one), ["`netctl get migrations` shows how far they are"])


def set_affinity(client: Client, call: Call) -> Answer:
    """Keep machines on these hosts."""
    hosts = [host.name for host in find_many(client, HOSTS, call.get("host_list"))]
    return _set_hosts(client, call, hosts)


def unset_affinity(client: Client, call: Call) -> Answer:
    """Let machines be anywhere."""
    return _set_hosts(client, call, ())


def fill(vm: Any, call: Call) -> list[str]:
    """Set what a line says of a machine; return the fields."""
    _refuse_unknown(call)
    paths = []
    for key in _NUMBERS:
        if key in call:
            setattr(vm, key, small(key, call.get(key)))
            paths.append(key)
    for key, field in _FLAGS.items():
        if key in call:
            setattr(vm, field, call.get(key) == "true")
            paths.append(field)
    if "memory" in call:
        vm.memory_mib = _memory(call.get("memory"))
        paths.append("memory_mib")
    if "uefi_boot" in call:
        vm.firmware = pb.FIRMWARE_UEFI if call.get("uefi_boot") == "true" else pb.FIRMWARE_BIOS
        paths.append("firmware")
    if "machine_type" in call:
        vm.machine_type = _machine_type(call.get("machine_type"))
        paths.append("machine_type")
    if "annotation" in call:
        vm.description = call.get("annotation")
        paths.append("description")
    return paths


def _refuse_unknown(call: Call) -> None:
    for key, hint in _UNKNOWN.items():
        if key in call:
            raise Failure.usage(f"{call.command.name}: {key} is nothing that netctl has", hint=hint)
    if call.get("vga_console") == "false":
        raise Failure.usage("vga_console=false: every machine has one", hint="leave vga_console out")


def _memory(text: str) -> int:
    count = bytes_of(text)
    if count % _MIB:
        raise Failure.usage(f"memory={text}: not a whole number of MiB", hint="write 4G or 512M")
    return count // _MIB


def _machine_type(text: str) -> pb.MachineType.ValueType:
    known = {"pc": pb.MACHINE_TYPE_PC, "q35": pb.MACHINE_TYPE_Q35}
    if text.lower() not in known:
        raise Failure.usage(f"machine_type={text}: neither pc nor q35", hint="say one of the two")
    return known[text.lower()]


def _new(name: str) -> Any:
    vm = new_message(VMS, f"{VMS.collection}/{to_id(name, prefix='vm')}")
    if vm.name != f"{VMS.collection}/{name}":
        vm.display_name = name
    return vm


def _cluster(client: Client, call: Call) -> str:
    if "cluster" in call:
        return str(find(client, _CLUSTERS, call.get("cluster")).name)
    clusters = list(api.list_all(client, _CLUSTERS))
    if len(clusters) == 1:
        return str(clusters[0].name)
    known = ", ".join(display_of(it) for it in clusters)
    raise Failure.usage(f"there are {len(clusters)} clusters: {known}", hint="say cluster=CLUSTER")


def _several(client: Client, call: Call, single: str) -> list[Any]:
    """Return the machines that a line names; an option that is of one machine alone does not go with several."""
    vms = find_many(client, VMS, call.get("name"))
    if len(vms) > 1 and single in call:
        raise Failure.usage(f"{call.command.name}: {len(vms)} virtual machines cannot share one {single}")
    return vms


def _copy(vm: Any) -> Any:
    after = type(vm)()
    after.CopyFrom(vm)
    return after


def _changed(before: Any, call: Call) -> Update:
    after = _copy(before)
    paths = fill(after, call)
    if "new_name" in call:  # the id stays
        after.display_name = call.get("new_name")
        paths.append("display_name")
    return Update(before=before, resource=after, paths=paths)


def _disk(client: Client, call: Call) -> pb.Disk:
    """Return the disk that a line asks for."""
    _refuse_unknown(call)
    if call.get("bus") == "nvme":
        raise Failure.usage("bus=nvme is nothing that netctl has", hint="say scsi, pci, sata or ide")
    sources = [key for key in ("clone_from_image", "clone_from_vmdisk", "create_size") if key in call]
    sources += ["empty"] if call.get("empty") == "true" else []
    if len(sources) != 1:
        hint = "say one of clone_from_image=IMAGE, clone_from_vmdisk=DISK, create_size=SIZE, cdrom=true empty=true"
        said = " and ".join(sources) or "nothing"
        raise Failure.usage(f"vm.disk_create: {said} says what is on the disk", hint=hint)
    cdrom = call.get("cdrom") == "true"
    fitting = (
        ("empty", "clone_from_image") if cdrom else ("create_size", "clone_from_vmdisk", "clone_from_image")
    )
    if sources[0] not in fitting:
        hint = "a drive is cdrom=true with empty=true or clone_from_image=IMAGE; a disk is without cdrom"
        raise Failure.usage(f"vm.disk_create: {sources[0]} and cdrom do not fit", hint=hint)
    disk = pb.Disk(kind=pb.DISK_KIND_CDROM if cdrom else pb.DISK_KIND_DISK)
    _fill_disk(client, disk, call)
    return disk


def _fill_disk(client: Client, disk: pb.Disk, call: Call) -> None:
    if "clone_from_image" in call:
        disk.image = find(client, IMAGES, call.get("clone_from_image")).name
    if "clone_from_vmdisk" in call:
        disk.source_vm, disk.source_index = _find_disk(client, call.get("clone_from_vmdisk"))
    if "create_size" in call:
        disk.size_bytes = bytes_of(call.get("create_size"))
    if "bus" in call:
        disk.bus = _BUSES[call.get("bus")]
    if "index" in call:
        disk.index = small("index", call.get("index"))


def _find_disk(client: Client, uid: str) -> tuple[str, int]:
    for vm in api.list_all(client, VMS):
        for index, disk in enumerate(vm.disks):
            if disk.uid == uid:
                return vm.name, index
    raise Failure.usage(
        f"there is no disk {uid!r}", hint="say its uid: `vm.get VM -o json` shows those of its disks"
    )


def _copy_request(source: Any, name: str, call: Call) -> pb.CloneVmRequest:
    vm = _new(name)
    paths = fill(vm, call)
    request = pb.CloneVmRequest(source=source.name, name=vm.name, change_reason=ask_of(call).reason)
    if vm.display_name:
        paths.append("display_name")
    vm.ClearField("name")
    if paths:
        request.overrides.CopyFrom(vm)
        request.update_mask.paths.extend(paths)
    return request


def _power(client: Client, call: Call, request: pb.SetVmPowerRequest) -> Answer:
    vms = {vm.name: vm for vm in find_many(client, VMS, call.get("name"))}
    request.change_reason = ask_of(call).reason

    def one(name: str) -> Outcome:
        request.name, request.request_id = name, ask_of(call).with_id().request_id
        return compare(vms[name], client.call("VmService/SetVmPower", request, pb.SetVmPowerResponse).vm)

    return answer.made(_each(list(vms), one))


def _each(names: Sequence[str], do: Callable[[str], Outcome]) -> list[Outcome]:
    """Do something to machines one after the other; say which were done when one is refused."""
    outcomes: list[Outcome] = []
    for name in names:
        try:
            outcomes.append(do(name))
        except Failure:
            if outcomes:
                note(f"done before: {', '.join(outcome.name for outcome in outcomes)}")
            raise
    return outcomes


def _set_hosts(client: Client, call: Call, hosts: Sequence[str]) -> Answer:
    def plan() -> list[Update]:
        found = []
        for before in find_many(client, VMS, call.get("name")):
            after = _copy(before)
            del after.affinity_hosts[:]
            after.affinity_hosts.extend(hosts)
            found.append(Update(before=before, resource=after, paths=["affinity_hosts"]))
        return found

    return answer.made(send_again(client, plan, call))
