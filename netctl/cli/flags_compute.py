"""The flags of virtual machines, images, templates, affinity policies and migrations; `flags.py` puts all together."""

from __future__ import annotations

from netctl.cli.flag import COMMON, Flag, make_flag

_FIRMWARE = (
    make_flag("firmware", "bios|uefi", "What runs before the boot loader; bios by default."),
    make_flag("machine_type", "pc|q35", "Chipset; pc by default, q35 with --secure-boot."),
    make_flag("secure_boot", "BOOL", "UEFI Secure Boot; needs --firmware uefi."),
    make_flag("vtpm", "BOOL", "A virtual TPM 2.0 of its own.", fixed=True),
    make_flag(
        "boot_order",
        "disk|cdrom|network",
        "What is booted from, in this order; repeat for more.",
        option="--boot",
        many=True,
    ),
)
_DEVICES = (
    make_flag(
        "cpu_model",
        "MODEL",
        "This CPU model (libvirt's name) instead of the cluster's baseline.",
        option="--cpu-model",
    ),
    make_flag("cpu_passthrough", "BOOL", "The host's CPU as it is; cannot migrate."),
    make_flag("agent_vm", "BOOL", "An appliance of its host: never moved."),
    make_flag(
        "pci_devices",
        "0000:3b:00.0",
        "A PCI device of its one --affinity-host; cannot migrate. Repeat for more.",
        option="--pci-device",
        many=True,
    ),
    make_flag(
        "gpu_profiles",
        "PROFILE",
        "A GPU or vGPU as hosts report them; repeat for more.",
        option="--gpu",
        many=True,
    ),
)
_CUSTOMIZATION = (
    make_flag(
        "customization.user_data",
        "TEXT",
        "cloud-init's user-data, told to the guest at its first start (@FILE reads a file). Sealed, never shown again.",
        option="--user-data",
    ),
    make_flag(
        "customization.meta_data",
        "TEXT",
        "cloud-init's meta-data, or @FILE; made up by default.",
        option="--meta-data",
    ),
    make_flag(
        "customization.network_config",
        "TEXT",
        "cloud-init's network-config, or @FILE.",
        option="--network-config",
    ),
    make_flag(
        "customization.sysprep_unattend_xml",
        "TEXT",
        "Windows' answer file, unattend.xml, or @FILE.",
        option="--unattend-xml",
    ),
    make_flag(
        "customization.windows_license_key",
        "KEY",
        "Set into the answer file; 5 groups of 5. @FILE keeps it out of the shell's history.",
        option="--windows-license-key",
    ),
)

COMPUTE_FLAGS: dict[str, tuple[Flag, ...]] = {
    "vm": (
        make_flag("cluster", "CLUSTER", "Where it runs.", fixed=True),
        make_flag("memory_mib", "MIB", "Memory in MiB.", option="--memory"),
        make_flag("num_vcpus", "N", "Virtual CPUs (sockets); 1 by default.", option="--vcpus"),
        make_flag("num_cores_per_vcpu", "N", "Cores of each; 1 by default.", option="--cores"),
        make_flag("num_threads_per_core", "N", "Threads of each core; 1 by default.", option="--threads"),
        make_flag(
            "disks",
            "SIZE|image=IMAGE",
            "A disk: '20G' is empty, 'image=debian' a copy, 'image=debian,20G' a larger one, 'cdrom=tools' a CD-ROM,"
            " 'cdrom' an empty drive; more words: bus scsi|pci|sata|ide, index N. Repeat for more.",
            option="--disk",
            many=True,
        ),
        make_flag("power_state", "on|off|paused", "What it is to be; off by default.", option="--power"),
        make_flag("graceful_off", "BOOL", "off asks the guest to shut down, and waits."),
        make_flag(
            "restart_policy",
            "on-failure|always|never",
            "Is it started again when it ended by itself? on-failure by default.",
            option="--restart",
        ),
        make_flag("memory_overcommit", "BOOL", "The host may take back what the guest does not use."),
        make_flag("num_vnuma_nodes", "N", "Virtual NUMA nodes.", option="--vnuma-nodes"),
        *_FIRMWARE,
        make_flag(
            "affinity_hosts",
            "HOST",
            "It runs on these alone; repeat for more.",
            option="--affinity-host",
            many=True,
        ),
        make_flag(
            "categories",
            "CATEGORY",
            "What policies know it and its NICs by; repeat for more.",
            option="--category",
            many=True,
        ),
        *_DEVICES,
        *_CUSTOMIZATION,
        make_flag("description", "TEXT", "Free text."),
        *COMMON,
    ),
    "image": (
        make_flag(
            "source_uri",
            "URI",
            "Fetched from here: https://, http://, or file:/// in the import folder.",
            fixed=True,
        ),
        make_flag("source_vm", "VM", "Copied from a disk of this machine, which is off.", fixed=True),
        make_flag("source_index", "N", "With --source-vm: the number of its disk, from 0.", fixed=True),
        make_flag("format", "raw|qcow2|iso", "Seen from the content by default.", fixed=True),
        make_flag("sha256", "HEX", "What its bytes must have.", fixed=True),
        *COMMON,
    ),
    "vmtemplate": (
        make_flag("active_version", "N", "The version that is deployed when none is named."),
        make_flag("description", "TEXT", "Free text."),
        *COMMON,
    ),
    "affinitypolicy": (
        make_flag(
            "kind",
            "vm-host|vm-anti-affinity",
            "vm-host: machines run on these hosts alone. vm-anti-affinity: on hosts of their own, if there are enough.",
            fixed=True,
        ),
        make_flag("vms", "VM", "A machine; repeat for more.", option="--vm", many=True),
        make_flag(
            "vm_categories",
            "CATEGORY",
            "Every machine that has it; repeat for more.",
            option="--vm-category",
            many=True,
        ),
        make_flag("hosts", "HOST", "vm-host: a host; repeat for more.", option="--host", many=True),
        make_flag(
            "host_categories",
            "CATEGORY",
            "vm-host: every host that has it; repeat for more.",
            option="--host-category",
            many=True,
        ),
        make_flag("disabled", "BOOL", "true: kept, without effect."),
        *COMMON,
    ),
    "vmmigration": (
        make_flag("vm", "VM", "The machine to move; it is on.", fixed=True),
        make_flag("destination", "HOST", "Where to; chosen by default.", fixed=True),
        make_flag(
            "bandwidth_mbps", "MBPS", "At most this much of the network.", option="--bandwidth", fixed=True
        ),
        make_flag("cross_cluster", "BOOL", "The destination is of another cluster.", fixed=True),
        make_flag("retries", "N", "Tries after the first, 0 to 10.", fixed=True),
        make_flag("abort", "BOOL", "true: stop it, the machine stays where it is."),
        *COMMON,
    ),
}

COMPUTE_ABOUT: dict[str, str] = {
    "vm": "A virtual machine. Its NICs are resources of their own: create nic NAME --vm VM --subnet SUBNET.",
    "image": "Content that disks are copied from. Without a source it waits for `netctl image upload`.",
    "vmtemplate": "A virtual machine to make others from; `netctl template add-version` makes its versions.",
    "affinitypolicy": "Where virtual machines may run, by name and by category.",
    "vmmigration": "Moves a running virtual machine to another host; `netctl vm migrate` makes one and follows it.",
}
COMPUTE_EXAMPLES: dict[str, tuple[str, str]] = {
    "vm": (
        "create vm web-1 --cluster lab --memory 2048 --vcpus 2 --disk image=debian,20G --power on",
        "update vm web-1 --memory 4096",
    ),
    "image": (
        "create image debian --source-uri https://images.example.com/debian.qcow2 --sha256 HEX",
        "update image debian --display-name 'Debian 12'",
    ),
    "vmtemplate": (
        "create vmtemplate web --description 'A web server'",
        "update template web --active-version 2",
    ),
    "affinitypolicy": (
        "create affinitypolicy apart --kind vm-anti-affinity --vm db-1 --vm db-2",
        "update affinity apart --vm-category db",
    ),
    "vmmigration": (
        "create vmmigration web-1-to-h2 --vm web-1 --destination h2",
        "update migration web-1-to-h2 --abort true",
    ),
}
