"""The commands of `netctl acli` about virtual machines, groups and maintenance. Who does them: `handlers.py`."""

from __future__ import annotations

from netctl.cli.acli.grammar import Command, Option, boolean, number, said, size

_VMS = Option(
    name="name",
    metavar="VM",
    help="One, or several: a,b or vm-[01..20].",
    check=said,
    refers="vm",
    required=True,
)
_NEW = Option(
    name="name",
    metavar="VM",
    help="One, or several: a,b or vm-[01..20].",
    check=said,
    required=True,
)
_GROUP = Option(name="name", metavar="GROUP", help="The group.", check=said, refers="group", required=True)
_HOST = Option(name="host", metavar="HOST", help="Name or address.", check=said, refers="host", required=True)


def _text(name: str, metavar: str, help_: str, *, refers: str = "") -> Option:
    return Option(name=name, metavar=metavar, help=help_, check=said, refers=refers)


def _number(name: str, help_: str) -> Option:
    return Option(name=name, metavar="N", help=help_, check=number)


def _flag(name: str, help_: str) -> Option:
    return Option(name=name, metavar="BOOL", help=help_, check=boolean)


def _size(name: str, help_: str) -> Option:
    return Option(name=name, metavar="SIZE", help=help_, check=size)


def _command(
    name: str,
    about: str,
    example: str,
    positionals: tuple[Option, ...] = (),
    options: tuple[Option, ...] = (),
) -> Command:
    later = name in ("ads.update", "ha.update")
    return Command(
        name=name, about=about, example=example, positionals=positionals, options=options, later=later
    )


_MACHINE = (
    _number("num_vcpus", "Virtual CPUs (sockets)."),
    _number("num_cores_per_vcpu", "Cores of each."),
    _number("num_threads_per_core", "Threads of each core."),
    _number("num_vnuma_nodes", "Virtual NUMA nodes."),
    _size("memory", "RAM."),
    _flag("memory_overcommit", "RAM may be reclaimed."),
    _flag("agent_vm", "First on, last off, never moved."),
    _flag("cpu_passthrough", "The host's CPU as it is."),
    _flag("uefi_boot", "UEFI firmware."),
    _flag("secure_boot", "UEFI Secure Boot."),
    _flag("virtual_tpm", "A virtual TPM."),
    _flag("vga_console", "A VGA console."),
    _number("ha_priority", "Order of restarts."),
    _text("machine_type", "pc|q35", "Chipset."),
    _text("timezone", "ZONE", "Of the hardware clock."),
    _text("extra_flags", "KEY=VALUE;...", "Other settings."),
    Option(name="annotation", metavar="TEXT", help="Free text; quote it when it has blanks."),
)
_DISK = (
    _text("clone_from_image", "IMAGE", "Copy of an image; with cdrom: its medium.", refers="image"),
    _text("clone_from_vmdisk", "DISK", "Copy of a disk, by its uid, of a machine that is off."),
    _size("create_size", "A new, empty disk."),
    _text("container", "CONTAINER", "Where a new disk is."),
    _flag("cdrom", "A CD-ROM drive."),
    _flag("empty", "With cdrom: nothing in it."),
    Option(
        name="bus", metavar="BUS", help="How it is attached.", choices=("scsi", "ide", "sata", "pci", "nvme")
    ),
    _number("index", "Place on the bus."),
)
_VM_COMMANDS = (
    _command(
        "vm.create",
        "Make virtual machines.",
        "vm.create fooVM num_vcpus=2 num_cores_per_vcpu=1 memory=4G",
        (_NEW,),
        (*_MACHINE, _text("cluster", "CLUSTER", "Where; not needed when there is one.")),
    ),
    _command(
        "vm.update",
        "Change virtual machines.",
        "vm.update fooVM,barVM memory_overcommit=True",
        (_VMS,),
        (*_MACHINE, Option(name="new_name", metavar="VM", help="Another name.", check=said)),
    ),
    _command("vm.delete", "Delete virtual machines.", "vm.delete fooVM", (_VMS,)),
    _command("vm.disk_create", "Add a disk.", "vm.disk_create fooVM create_size=50G", (_VMS,), _DISK),
    _command(
        "vm.on",
        "Start virtual machines.",
        "vm.on fooVM",
        (_VMS,),
        (_text("host", "HOST", "Where.", refers="host"),),
    ),
    _command("vm.off", "Stop virtual machines at once.", "vm.off fooVM", (_VMS,)),
    _command("vm.shutdown", "Ask virtual machines to stop.", "vm.shutdown fooVM", (_VMS,)),
    _command(
        "vm.clone",
        "Copy virtual machines.",
        "vm.clone clone-vm-[01..20] clone_from_vm=fooVM",
        (_NEW,),
        (
            _text("clone_from_vm", "VM", "Of this one.", refers="vm"),
            _text("clone_from_snapshot", "SNAPSHOT", "Of this snapshot."),
            *_MACHINE,
        ),
    ),
    _command(
        "vm.migrate",
        "Move running virtual machines.",
        "vm.migrate fooVM host=192.0.2.12 bandwidth_mbps=100",
        (_VMS,),
        (
            _text("host", "HOST", "Where to; chosen otherwise.", refers="host"),
            _number("bandwidth_mbps", "At most that fast."),
            _flag("live", "While it runs."),
        ),
    ),
    _command(
        "vm.affinity_set",
        "Keep virtual machines on these hosts.",
        "vm.affinity_set fooVM host_list=192.0.2.11,192.0.2.12",
        (_VMS,),
        (
            Option(
                name="host_list",
                metavar="HOST,...",
                help="The hosts.",
                check=said,
                refers="host",
                required=True,
            ),
        ),
    ),
    _command("vm.affinity_unset", "Let virtual machines be anywhere.", "vm.affinity_unset fooVM", (_VMS,)),
)
_GROUP_COMMANDS = (
    _command("vm_group.create", "Make a group of virtual machines.", "vm_group.create web", (_GROUP,)),
    _command("vm_group.list", "List groups.", "vm_group.list"),
    _command("vm_group.delete", "Delete a group.", "vm_group.delete web", (_GROUP,)),
    *(
        _command(
            f"vm_group.{verb}",
            about,
            f"vm_group.{verb} web vm_list=fooVM,barVM",
            (_GROUP,),
            (
                Option(
                    name="vm_list", metavar="VM,...", help="Which.", check=said, refers="vm", required=True
                ),
            ),
        )
        for verb, about in (
            ("add_vms", "Put virtual machines in."),
            ("remove_vms", "Take virtual machines out."),
        )
    ),
    _command("vm_group.list_vms", "List who is in a group.", "vm_group.list_vms web", (_GROUP,)),
    _command(
        "vm_group.antiaffinity_set", "Keep its machines apart.", "vm_group.antiaffinity_set web", (_GROUP,)
    ),
    _command("vm_group.antiaffinity_unset", "Stop that.", "vm_group.antiaffinity_unset web", (_GROUP,)),
)
_CLUSTER_COMMANDS = (
    _command(
        "ads.update",
        "Set dynamic scheduling.",
        "ads.update enable=false",
        (),
        (Option(name="enable", metavar="BOOL", help="On or off.", check=boolean, required=True),),
    ),
    _command(
        "ha.update",
        "Set high availability.",
        "ha.update num_host_failures_to_tolerate=1",
        (),
        (
            _number("num_host_failures_to_tolerate", "Hosts that may fail."),
            Option(
                name="reservation_type",
                metavar="TYPE",
                help="How room is kept.",
                choices=("kAcropolisHAReserveHosts", "kAcropolisHAReserveSegments"),
            ),
        ),
    ),
    *(
        _command(
            f"host.{verb}",
            about,
            f"host.{verb} 192.0.2.11",
            (_HOST,),
            ()
            if verb.startswith("exit")
            else (
                _flag("wait", "Return when it is empty."),
                Option(
                    name="non_migratable_vm_action",
                    metavar="ACTION",
                    help="What becomes of those that cannot move.",
                    choices=("block", "acpi_shutdown"),
                ),
            ),
        )
        for verb, about in (
            ("enter_maintenance_mode_check", "Could a host be emptied?"),
            ("enter_maintenance_mode", "Empty a host."),
            ("exit_maintenance_mode", "Use a host again."),
        )
    ),
)
COMPUTE_COMMANDS = (*_VM_COMMANDS, *_GROUP_COMMANDS, *_CLUSTER_COMMANDS)
