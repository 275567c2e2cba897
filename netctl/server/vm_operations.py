"""What is done to virtual machines beside changing fields: power, reset, and questions about moving them.

In: requests and the intents as they are; out: edits, or answers. Nothing is decided here that admission or the
scheduler decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netctl.errors import InvalidIntent, NotFound
from netctl.model.infra import Host
from netctl.model.intent import Edit, Place, Replace
from netctl.model.keys import HostId, Kind, VmId, VmMigrationId, check_id
from netctl.model.snapshot import Snapshot
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import VmMigration
from netctl.scheduler.evacuate import plan_evacuation
from netctl.scheduler.place import Refused, place
from netctl.scheduler.preflight import Check, choose_destination, preflight
from netctl.scheduler.view import View
from netctl.server.convert import parse_enum, parse_name, parse_reference
from netctl.server.convert_vm import POWER_STATE_TEXTS, POWER_STATES
from netctl.server.ports import Ports
from netctl.v1 import compute_pb2 as pb
from netctl.v1 import infra_pb2

# Nobody sees a migration of this name: it is asked for to hear what is wrong with it.
_REHEARSAL = VmMigrationId("rehearsal")


def stored_vm(field: str, name: str, snapshot: Snapshot) -> Vm:
    """Return the machine of a name; NotFound names it."""
    id_ = VmId(parse_name(field, name, Kind.VM))
    check_id(field, id_)
    vm = snapshot.vm(id_)
    if vm is None:
        raise NotFound(f"vms/{id_} does not exist", field=field)
    return vm


def stored_host(field: str, name: str, snapshot: Snapshot) -> Host:
    """Return the host of a name; NotFound names it."""
    id_ = HostId(parse_name(field, name, Kind.HOST))
    check_id(field, id_)
    host = snapshot.host(id_)
    if host is None:
        raise NotFound(f"hosts/{id_} does not exist", field=field)
    return host


def plan_power(request: pb.SetVmPowerRequest, snapshot: Snapshot, ports: Ports) -> Sequence[Edit]:
    """Return the edits that make a machine ON, OFF or PAUSED."""
    vm = stored_vm("name", request.name, snapshot)
    state = parse_enum("power_state", request.power_state, POWER_STATES, POWER_STATE_TEXTS)
    off = state is PowerState.OFF
    if request.graceful and not off:
        raise InvalidIntent("graceful", "goes with OFF: only a guest that is to end can be asked to")
    if request.host and state is not PowerState.ON:
        raise InvalidIntent("host", f"goes with ON, not with {state.name}: leave it empty")
    wanted = replace(
        vm,
        power_state=state,
        graceful_off=request.graceful if off else vm.graceful_off,
        # More than the stored one asks for another start (model/admit_vm.py).
        power_epoch=vm.power_epoch + (state is PowerState.ON),
    )
    edit = Replace(intent=wanted, if_revision=vm.meta.revision)
    if not request.host:
        return (edit,)
    return edit, _placed(vm, wanted, stored_host("host", request.host, snapshot), ports.view(snapshot))


def _placed(vm: Vm, wanted: Vm, host: Host, view: View) -> Place:
    """Return the edit that starts a machine on one host; InvalidIntent says what keeps it from there."""
    if vm.is_on:
        raise InvalidIntent(
            "host", f"vms/{vm.id} is {vm.power_state.name} already: switch it off first, or migrate it"
        )
    found = place(wanted, view, wish=host.id)
    if isinstance(found, Refused):
        raise InvalidIntent("host", f"{found.message}: use another host, or none")
    return Place(vm=vm.id, host=found.host, cpu_model=found.cpu_model)


def plan_reset(request: pb.ResetVmRequest, snapshot: Snapshot) -> Sequence[Edit]:
    """Return the edit that resets a machine."""
    vm = stored_vm("name", request.name, snapshot)
    return (Replace(intent=replace(vm, reset_epoch=vm.reset_epoch + 1), if_revision=vm.meta.revision),)


def console_of(name: str, snapshot: Snapshot, ports: Ports) -> pb.GetVmConsoleResponse:
    """Return where a machine's console is."""
    vm = stored_vm("name", name, snapshot)
    seen = ports.compute_reports.get(vm.host).vms.get(vm.id)
    found = seen is not None and seen.uid == vm.meta.uid
    return pb.GetVmConsoleResponse(
        address=seen.console_address if seen is not None and found else "",
        host=f"hosts/{vm.host}" if vm.host else "",
    )


def rehearsal(request: pb.RehearseMigrationRequest, snapshot: Snapshot) -> tuple[Vm, VmMigration]:
    """Return the machine, and the migration as it would be asked for: admission says whether it may be."""
    vm = stored_vm("vm", request.vm, snapshot)
    destination = HostId(parse_reference("destination", request.destination, Kind.HOST))
    migration = VmMigration(
        id=_REHEARSAL, vm=vm.id, destination=destination, cross_cluster=request.cross_cluster
    )
    return vm, migration


def rehearse(vm: Vm, destination: HostId, view: View) -> pb.RehearseMigrationResponse:
    """Return what a migration would find."""
    response = pb.RehearseMigrationResponse()
    if not destination:
        chosen = choose_destination(vm, view)
        if isinstance(chosen, Refused):
            _add(response, Check(check="HOST", ok=False, message=f"no host would take it: {chosen.message}"))
            return response
        destination = chosen.host
    host = view.snapshot.host(destination)
    if host is None:
        raise NotFound(f"hosts/{destination} does not exist", field="destination")
    response.destination = f"hosts/{destination}"
    checks = preflight(vm, host, view)
    for check in checks:
        _add(response, check)
    response.ok = not any(check.stops for check in checks)
    return response


def _add(response: pb.RehearseMigrationResponse, check: Check) -> None:
    response.checks.add(check=check.check, ok=check.ok, message=check.message, warning=check.warning)


def maintenance_of(host: Host, view: View) -> infra_pb2.CheckMaintenanceResponse:
    """Return where the machines of a host would go."""
    response = infra_pb2.CheckMaintenanceResponse(ok=True)
    for move in plan_evacuation(host.id, view):
        destination = f"hosts/{move.destination}" if move.destination else ""
        response.moves.add(vm=f"vms/{move.vm}", destination=destination, message=move.message)
        response.ok = response.ok and bool(destination)
    return response
