"""Admission of disks: which of those that are asked for a machine has already, and places and sources of the others."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import InvalidIntent
from netctl.model.disk import PLACES, SECTOR_BYTES, Disk, DiskBus, DiskKind
from netctl.model.image import ImageFormat
from netctl.model.keys import Kind, Uid, VmId
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept
from netctl.model.vm import MachineType, PowerState, Vm

Taken = set[tuple[DiskBus, int]]


def admit_disks(asked: Vm, before: Vm | None, draft: Draft, context: Context) -> tuple[Disk, ...]:
    """Return the disks to store; `asked.machine_type` is decided. Without a uid a disk is known by what it is."""
    kept = _kept(asked.disks, before.disks if before is not None else ())
    bus = [_bus(disk, kept.get(i), asked, f"disks[{i}].bus") for i, disk in enumerate(asked.disks)]
    taken: Taken = {(old.bus, old.index) for old in kept.values()}
    for i, disk in enumerate(asked.disks):
        if i not in kept and disk.index != -1:
            _take((bus[i], disk.index), taken, f"disks[{i}].index")
    found: list[Disk] = []
    for i, disk in enumerate(asked.disks):
        field = f"disks[{i}]"
        old = kept.get(i)
        if old is not None:
            found.append(_changed(disk, old, draft, field))
            continue
        index = disk.index if disk.index != -1 else _free(bus[i], taken, f"{field}.bus")
        placed = replace(disk, uid=context.new_uid(), bus=bus[i], index=index)
        found.append(_sourced(placed, asked, draft, field))
    return tuple(found)


def is_restored(before: Vm, disks: tuple[Disk, ...]) -> bool:
    """Did content from elsewhere take the place of a disk? To the guest that is a way back in time."""
    old = {(disk.bus, disk.index): disk.uid for disk in before.disks if disk.kind is DiskKind.DISK}
    return any(
        disk.kind is DiskKind.DISK
        and (disk.image or disk.source_vm)
        and old.get((disk.bus, disk.index), disk.uid) != disk.uid
        for disk in disks
    )


def source_of(id: VmId, index: int, field: str, draft: Draft) -> tuple[Vm, Disk]:
    """Return a machine whose disk may be copied now, and the disk."""
    source = draft.vm(id)
    if source is None:
        raise absent((Kind.VM, id), f"{field}source_vm")
    if source.deleting:
        raise InvalidIntent(f"{field}source_vm", f"vms/{id} is being deleted: name another one")
    if source.power_state is not PowerState.OFF:
        raise InvalidIntent(
            f"{field}source_vm",
            f"vms/{id} is {source.power_state.name}: switch it off while its disk is copied",
        )
    if index >= len(source.disks) or source.disks[index].kind is not DiskKind.DISK:
        raise InvalidIntent(
            f"{field}source_index",
            f"vms/{id} has no disk number {index} (they count from 0, CD-ROMs are none)",
        )
    return source, source.disks[index]


def _kept(asked: tuple[Disk, ...], stored: tuple[Disk, ...]) -> dict[int, Disk]:
    """Return which stored disk each of those asked for is, by its place in the list.

    A uid of another machine, as in a backup that is put back, says nothing.
    """
    by_uid = {disk.uid: disk for disk in stored}
    found: dict[int, Disk] = {}
    for i, disk in enumerate(asked):
        if disk.uid in by_uid:
            if by_uid[disk.uid] in found.values():
                raise InvalidIntent(f"disks[{i}].uid", f"{disk.uid} is listed twice; list it once")
            found[i] = by_uid[disk.uid]
    for exactly in (True, False):  # a disk that fits as it is goes before one that would grow
        for i, disk in enumerate(asked):
            if i not in found:
                free = (old for old in stored if old not in found.values() and _is(disk, old, exactly))
                same = next(free, None)
                found |= {i: same} if same is not None else {}
    return found


def _is(asked: Disk, stored: Disk, exactly: bool) -> bool:
    """May a disk without a uid be this one? A CD-ROM is, also with another medium."""
    if asked.kind is not stored.kind or asked.bus not in (DiskBus.AUTO, stored.bus):
        return False
    if asked.index not in (-1, stored.index):
        return False
    if asked.kind is DiskKind.CDROM:
        return True
    fits = asked.size_bytes in (0, stored.size_bytes) or (
        not exactly and asked.size_bytes > stored.size_bytes
    )
    return fits and _origin(asked) == _origin(stored)


def _origin(disk: Disk) -> tuple[str, str, int]:
    return disk.image, disk.source_vm, disk.source_index if disk.source_vm else 0


def _bus(disk: Disk, old: Disk | None, vm: Vm, field: str) -> DiskBus:
    q35 = vm.machine_type is MachineType.Q35
    bus = disk.bus
    if bus is DiskBus.AUTO and old is not None:
        bus = old.bus
    elif bus is DiskBus.AUTO:
        drive = DiskBus.SATA if q35 else DiskBus.IDE
        bus = drive if disk.kind is DiskKind.CDROM else DiskBus.SCSI
    if bus is DiskBus.IDE and q35:
        raise InvalidIntent(field, "IDE is not in machine_type Q35: use SATA")
    if old is not None:
        check_kept(field, old.bus.name, bus.name)
    return bus


def _take(place: tuple[DiskBus, int], taken: Taken, field: str) -> None:
    bus, index = place
    if index >= PLACES[bus]:
        raise InvalidIntent(field, f"{index} is outside 0 to {PLACES[bus] - 1} of bus {bus.name}")
    if place in taken:
        raise InvalidIntent(field, f"{index} of bus {bus.name} is used by another disk; leave it unset")
    taken.add(place)


def _free(bus: DiskBus, taken: Taken, field: str) -> int:
    for index in range(PLACES[bus]):
        if (bus, index) not in taken:
            taken.add((bus, index))
            return index
    raise InvalidIntent(field, f"all {PLACES[bus]} places of bus {bus.name} are taken: use another bus")


def _changed(asked: Disk, old: Disk, draft: Draft, field: str) -> Disk:
    """Return a stored disk with what may change: it grows, and a drive gets another medium."""
    check_kept(f"{field}.kind", old.kind.name, asked.kind.name)
    if asked.index != -1:
        check_kept(f"{field}.index", str(old.index), str(asked.index))
    if old.kind is DiskKind.CDROM:
        changed = replace(old, image=asked.image)
        return _with_image(changed, draft, field) if changed.image != old.image else old
    if asked.image:
        check_kept(f"{field}.image", old.image, asked.image)
    if asked.source_vm:
        check_kept(f"{field}.source_vm", old.source_vm, asked.source_vm)
        check_kept(f"{field}.source_index", str(old.source_index), str(asked.source_index))
    if 0 < asked.size_bytes < old.size_bytes:
        raise InvalidIntent(
            f"{field}.size_bytes",
            f"{asked.size_bytes} is less than its {old.size_bytes}: a disk may grow, not shrink",
        )
    if not asked.size_bytes or asked.size_bytes == old.size_bytes:
        return old
    grown = replace(old, size_bytes=asked.size_bytes)
    return _with_image(grown, draft, field) if grown.image and not old.size_bytes else grown


def _sourced(disk: Disk, vm: Vm, draft: Draft, field: str) -> Disk:
    """Return a new disk with its source resolved, and as large as that where no size was asked for."""
    disk = replace(disk, source_disk=Uid(""), source_vm_uid=Uid(""))
    if not disk.source_vm:
        return _with_image(disk, draft, field) if disk.image else disk
    if disk.source_vm == vm.id:
        raise InvalidIntent(f"{field}.source_vm", "is this machine itself: name another one")
    source, original = source_of(disk.source_vm, disk.source_index, f"{field}.", draft)
    if source.cluster != vm.cluster:
        raise InvalidIntent(
            f"{field}.source_vm",
            f"vms/{source.id} is in clusters/{source.cluster}, this one in clusters/{vm.cluster}: use one of the same"
            " cluster, or an image",
        )
    if 0 < disk.size_bytes < original.size_bytes:
        raise _too_small(disk, original.size_bytes, f"the disk of vms/{source.id}", field)
    size = disk.size_bytes or original.size_bytes
    if not source.host:
        # That disk was never made: a copy of nothing yet is what it is to be made of.
        first = replace(original, uid=disk.uid, bus=disk.bus, index=disk.index, size_bytes=size)
        return _sourced(first, vm, draft, field) if first.source_vm else first
    return replace(disk, size_bytes=size, source_disk=original.uid, source_vm_uid=source.meta.uid)


def _with_image(disk: Disk, draft: Draft, field: str) -> Disk:
    image = draft.image(disk.image) if disk.image else None
    if image is None:
        if disk.image:
            raise absent((Kind.IMAGE, disk.image), f"{field}.image")
        return disk
    if disk.kind is DiskKind.CDROM:
        if image.format is ImageFormat.QCOW2:
            raise InvalidIntent(
                f"{field}.image", f"images/{image.id} is QCOW2: a CD-ROM needs an ISO or RAW one"
            )
        return disk
    size = -(-image.size_bytes // SECTOR_BYTES) * SECTOR_BYTES
    if 0 < disk.size_bytes < size:
        raise _too_small(disk, size, f"images/{image.id}", field)
    return replace(disk, size_bytes=disk.size_bytes or size)


def _too_small(disk: Disk, size: int, source: str, field: str) -> InvalidIntent:
    return InvalidIntent(
        f"{field}.size_bytes",
        f"{disk.size_bytes} is less than the {size} of {source}: ask for as many, or for 0",
    )
