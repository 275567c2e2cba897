"""Pre-flight: what a live migration would find at a destination. Pure: a machine, a host and a view -> checks.

One function per check; each says what was found also where all is well. Used before a migration starts, by its
rehearsal, and by plans that empty a host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netctl.model.compute_report import ComputeReport
from netctl.model.disk import DiskKind
from netctl.model.infra import Host
from netctl.model.keys import HostId
from netctl.model.mtu import GENEVE_IPV4_BYTES, GENEVE_IPV6_BYTES
from netctl.model.nic import Nic, NicKind
from netctl.model.places import subnets_of, switch_in
from netctl.model.vm import PASSTHROUGH, Vm
from netctl.model.vm_migration import ROUND_TRIP_ADVISED_US, ROUND_TRIP_MAX_US
from netctl.scheduler.cpu_models import lacking_for
from netctl.scheduler.demand import (
    Demand,
    demand_of,
    is_closed,
    is_kept_away,
    lacks_answer,
    lacks_device,
    lacks_memory,
    lacks_network,
)
from netctl.scheduler.place import Placed, Refused, rank
from netctl.scheduler.view import View

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a migration needs; one that is not `ok` stops it unless it is a `warning`.

    `passing`: a moment may help.
    """

    check: str
    ok: bool
    message: str
    warning: bool = False
    passing: bool = False

    @property
    def stops(self) -> bool:
        """Does it keep the migration from starting?"""
        return not self.ok and not self.warning


def preflight(vm: Vm, destination: Host, view: View) -> tuple[Check, ...]:
    """Return every check of a migration of a running machine to a host."""
    return checks_of(demand_of(vm, view), destination, view)


def checks_of(demand: Demand, host: Host, view: View) -> tuple[Check, ...]:
    """Return every check, of a machine whose needs are looked up already."""
    checks = [
        check_host(demand, host, view),
        check_cpu(demand, host, view),
        check_memory(demand, host, view),
        check_storage(demand, host, view),
        check_affinity(demand, host, view),
        check_devices(demand, host, view),
        check_vlans(demand, host, view),
        check_tunnel_mtu(demand, host, view),
    ]
    if host.cluster != demand.vm.cluster:
        checks.append(check_latency(demand, host, view))
    return (*checks, check_flows(host, view))


def is_passing(checks: Iterable[Check]) -> bool:
    """Is all that stops a migration such that a moment may help?"""
    return all(one.passing for one in checks if one.stops)


def problem_of(checks: Iterable[Check]) -> str:
    """Return all that stops a migration, in one text; "" when nothing does."""
    return "; ".join(f"{one.check}: {one.message}" for one in checks if one.stops)


def choose_destination(vm: Vm, view: View) -> Placed | Refused:
    """Choose where a running machine is migrated to in its cluster: the best host at which all checks are well."""
    fitting, refused = destinations_of(demand_of(vm, view), view)
    return Placed(host=fitting[0].id, cpu_model=vm.effective_cpu_model) if fitting else refused


def destinations_of(demand: Demand, view: View) -> tuple[list[Host], Refused]:
    """Return the hosts of its cluster that a running machine can migrate to, the best first, and why not the others."""
    fitting: list[Host] = []
    reasons: dict[HostId, tuple[str, ...]] = {}
    passing = False
    for host in view.hosts(demand.vm.cluster):
        if host.id == demand.vm.host:
            continue
        stopping = [one for one in checks_of(demand, host, view) if one.stops]
        if stopping:
            reasons[host.id] = tuple(one.message for one in stopping)
            passing |= is_passing(stopping)
        else:
            fitting.append(host)
    fitting.sort(key=lambda host: rank(demand, host, view))
    return fitting, Refused(reasons=reasons, passing=passing)


def round_trip_us(vm: Vm, destination: HostId, view: View) -> int | None:
    """Return the measured round trip from a machine's host to another; None when it was not measured."""
    report = view.said(vm.host)[0]
    return report.round_trips_us.get(destination) if report is not None else None


def check_host(demand: Demand, host: Host, view: View) -> Check:
    """HOST: are both hosts there, is the destination open, and its QEMU not an older one?"""
    vm = demand.vm
    if host.id == vm.host:
        return _fails("HOST", host, f"is where vms/{vm.id} is already; name another")
    if host.maintenance:
        return _fails("HOST", host, is_closed(host))
    silent = lacks_answer(host, view)
    if silent:
        return _fails("HOST", host, silent, passing=True)
    source = view.snapshot.host(vm.host)
    if source is None:
        return Check(check="HOST", ok=False, message=f"vms/{vm.id} is nowhere yet: switch it on")
    silent = lacks_answer(source, view)
    if silent:
        return _fails("HOST", source, silent, passing=True)
    here, there = view.said(source.id)[0], view.said(host.id)[0]
    older = _is_older(there, here)
    if older:
        return _fails("HOST", host, older)
    return _well("HOST", host, "is up")


def check_cpu(demand: Demand, host: Host, view: View) -> Check:
    """CPU: can the destination serve the model that the machine runs with?"""
    model, report = demand.vm.effective_cpu_model, view.said(host.id)[0]
    if model == PASSTHROUGH:
        return _well("CPU", host, "is not asked: see DEVICES")
    if report is None:
        return _fails("CPU", host, "has not said what its CPU can", passing=True)
    lacking = lacking_for(model, report.capacity) if model else ""
    if lacking:
        return _fails("CPU", host, lacking)
    return _well("CPU", host, f"can serve {model or 'any model'}")


def check_memory(demand: Demand, host: Host, view: View) -> Check:
    """MEMORY: has the destination room?"""
    lacks = lacks_memory(demand, host, view)
    if lacks:
        return _fails("MEMORY", host, lacks, passing=view.said(host.id)[0] is None)
    room = view.room(host.id, demand.vm)
    return _well("MEMORY", host, f"has {room.free_mib} of {room.total_mib} MiB of memory free")


def check_storage(demand: Demand, host: Host, view: View) -> Check:
    """STORAGE: do the hosts share their store, or has the destination's room for the disks?"""
    disks = [disk for disk in demand.vm.disks if disk.kind is DiskKind.DISK]
    here, there = view.said(demand.vm.host)[0], view.said(host.id)[0]
    if not disks:
        return _well("STORAGE", host, "has no disk to get")
    if here is None or there is None:
        silent = host.id if there is None else demand.vm.host
        message = f"hosts/{silent} has not said which store it has"
        return Check(check="STORAGE", ok=False, passing=True, message=message)
    if here.capacity.store_id and here.capacity.store_id == there.capacity.store_id:
        return _well("STORAGE", host, f"shares the store with hosts/{demand.vm.host}")
    seen = view.seen(demand.vm, demand.vm.host)
    sizes = seen.disk_bytes if seen is not None else {}
    needed = sum(max(disk.size_bytes, sizes.get(disk.uid, 0)) for disk in disks)
    free = there.capacity.store_free_bytes
    text = f"has {free // _MIB} MiB free in its store; the disks may take {-(-needed // _MIB)} MiB"
    if needed > free:
        return _fails("STORAGE", host, f"{text}: make room there, or share the store")
    return _well("STORAGE", host, f"{text}, which are copied, too")


def check_affinity(demand: Demand, host: Host, view: View) -> Check:
    """AFFINITY: is the destination allowed; are machines there that this one should keep away from?"""
    forbidden = is_kept_away(demand, host)
    if forbidden:
        return _fails("AFFINITY", host, forbidden)
    near = sorted(demand.partners & view.machines(host.id).keys())
    if near:
        message = f"hosts/{host.id} runs {', '.join(f'vms/{id}' for id in near[:10])}, apart from which it should be"
        return Check(check="AFFINITY", ok=False, warning=True, message=message)
    return _well("AFFINITY", host, "is as affinity says")


def check_devices(demand: Demand, host: Host, view: View) -> Check:
    """DEVICES: is there something of its host that cannot go along, or that the destination has not?"""
    vm = demand.vm
    for held, what in (
        (
            vm.cpu_passthrough or vm.effective_cpu_model == PASSTHROUGH,
            "it has its host's CPU (cpu_passthrough)",
        ),
        (bool(vm.pci_devices), f"it has PCI devices of its host: {', '.join(vm.pci_devices[:4])}"),
        (bool(vm.gpu_profiles), f"it has GPUs of its host: {', '.join(vm.gpu_profiles[:4])}"),
        (vm.agent_vm, "it is an agent VM, an appliance of its host"),
    ):
        if held:
            message = f"vms/{vm.id} cannot migrate, {what}: switch it off instead"
            return Check(check="DEVICES", ok=False, message=message)
    lacks = lacks_device(vm, host, view)
    if lacks:
        return _fails("DEVICES", host, lacks, passing=view.said(host.id)[0] is None)
    return _well("DEVICES", host, "has what it needs")


def check_vlans(demand: Demand, host: Host, view: View) -> Check:
    """VLANS: has the destination an uplink with carrier for each NIC?"""
    lacks = lacks_network(demand.subnets, host, view)
    if lacks:
        return _fails("VLANS", host, lacks)
    report = view.network(host.id)[0]
    up = {bridge.physnet for bridge in report.bridges if bridge.up} if report is not None else set()
    for subnet in demand.subnets:
        switch = switch_in(view.snapshot, subnet, host.cluster) if subnet.has_vlan else None
        if switch is not None and switch.physnet not in up:
            lacks = f"has no carrier on {switch.bridge}, which subnets/{subnet.id} needs"
            return _fails("VLANS", host, lacks, passing=report is None)
    return _well("VLANS", host, "reaches the networks of its NICs")


def check_tunnel_mtu(demand: Demand, host: Host, view: View) -> Check:
    """TUNNEL_MTU: while OVN binds a port to both hosts its frames go through tunnels, the VLANs' as well."""
    cluster = view.snapshot.cluster(host.cluster)
    ports = [nic for nic in view.nics(demand.vm) if nic.has_port]
    if cluster is None or not ports:
        return _well("TUNNEL_MTU", host, "needs no tunnel for it")
    overhead = GENEVE_IPV6_BYTES if ":" in host.tunnel_address else GENEVE_IPV4_BYTES
    carried = cluster.underlay_mtu_bytes - overhead
    for nic, mtu_bytes, has_vlan in _largest(ports, view):
        if mtu_bytes > carried:
            message = (
                f"nics/{nic.id} has an MTU of {mtu_bytes} bytes, tunnels to hosts/{host.id} carry {carried}: larger"
                f" frames are lost between COPYING and SETTLING; give clusters/{cluster.id} an underlay_mtu_bytes of"
                f" {mtu_bytes + overhead}, or subnets/{nic.subnet} a smaller mtu_bytes"
            )
            return Check(check="TUNNEL_MTU", ok=False, warning=has_vlan, message=message)
    return _well("TUNNEL_MTU", host, f"gets {carried} bytes through tunnels")


def check_latency(demand: Demand, host: Host, view: View) -> Check:
    """LATENCY: of another cluster: 40 ms at most, 5 ms advised."""
    measured = round_trip_us(demand.vm, host.id, view)
    if measured is None:
        message = (
            f"the round trip from hosts/{demand.vm.host} to hosts/{host.id} is not measured yet; it is before the"
            f" start, and refused over {ROUND_TRIP_MAX_US // 1000} ms"
        )
        return Check(check="LATENCY", ok=False, warning=True, passing=True, message=message)
    text = f"is {measured / 1000:.1f} ms away from hosts/{demand.vm.host}"
    if measured > ROUND_TRIP_MAX_US:
        return _fails("LATENCY", host, f"{text}; at most {ROUND_TRIP_MAX_US // 1000} ms are allowed")
    if measured > ROUND_TRIP_ADVISED_US:
        message = f"hosts/{host.id} {text}; {ROUND_TRIP_ADVISED_US // 1000} ms or less are advised"
        return Check(check="LATENCY", ok=False, warning=True, message=message)
    return _well("LATENCY", host, text)


def check_flows(host: Host, view: View) -> Check:
    """FLOWS: does the destination's ovn-controller follow?"""
    report, connected = view.network(host.id)
    if report is None or not connected:
        message = "has no agent connected (netctl-host-agent): nothing would be plugged there"
        return _fails("FLOWS", host, message, passing=True)
    if not report.ovn_controller_connected:
        message = "has no ovn-controller that is connected to the southbound database"
        return _fails("FLOWS", host, message, passing=True)
    if report.nb_cfg < view.overdue_nb_cfg:
        message = (
            f"has installed the flows up to nb_cfg {report.nb_cfg}; {view.overdue_nb_cfg} was due a while ago"
        )
        return _fails("FLOWS", host, message, passing=True)
    return _well("FLOWS", host, "has current flows")


def _largest(ports: list[Nic], view: View) -> list[tuple[Nic, int, bool]]:
    """Return each NIC with the largest MTU of its subnets, and whether they have a VLAN; overlays first."""
    found = []
    for nic in ports:
        if nic.kind is not NicKind.NORMAL:
            continue
        for subnet in subnets_of(view.snapshot, nic):
            found.append((nic, subnet.mtu_bytes, subnet.has_vlan))
    return sorted(found, key=lambda one: (one[2], -one[1], one[0].id))


def _is_older(there: ComputeReport | None, here: ComputeReport | None) -> str:
    """Say whether a destination is an older QEMU than the source, or another sort of it."""
    if there is None or here is None:
        return ""
    if there.capacity.domain_type != here.capacity.domain_type:
        return (
            f"runs machines by {there.capacity.domain_type}, hosts/{here.host} by {here.capacity.domain_type}"
        )
    was, has = _version(here.capacity.qemu_version), _version(there.capacity.qemu_version)
    if was and has and has < was:
        return (
            f"has QEMU {there.capacity.qemu_version}, older than {here.capacity.qemu_version} of hosts/{here.host}:"
            " machines migrate to the same or a newer one"
        )
    return ""


def _version(text: str) -> tuple[int, ...]:
    """Return major and minor; machine types are made with those."""
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _well(check: str, host: Host, message: str) -> Check:
    return Check(check=check, ok=True, message=f"hosts/{host.id} {message}")


def _fails(check: str, host: Host, message: str, *, passing: bool = False) -> Check:
    return Check(check=check, ok=False, passing=passing, message=f"hosts/{host.id} {message}")
