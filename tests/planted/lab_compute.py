"""Bugs of the lab's hosts that run virtual machines."""

from __future__ import annotations

from tests.planted.bug import Bug

_LIBVIRT = "tests/functional/compute/test_libvirt_host.py"

BUGS = (
    Bug(
        "all libvirts of the lab are one host",
        "netctl/lab/libvirt.py",
        'uuid5(NAMESPACE_DNS, f"{self.directory}/{self.name}")',
        'uuid5(NAMESPACE_DNS, "host")',
        f"{_LIBVIRT}::test_a_guest_with_a_tpm_moves_to_the_other_host",
    ),
    Bug(
        "libvirt of the lab listens to nobody",
        "netctl/lab/libvirt.py",
        "listen_tcp = 1",
        "listen_tcp = 0",
        f"{_LIBVIRT}::test_a_guest_with_a_tpm_moves_to_the_other_host",
    ),
    Bug(
        "a host of the lab has a store without machines",
        "netctl/lab/topology.py",
        '    if not (_STORE.match(store) and _flag(labels, "netctl.compute")):',
        "    if not _STORE.match(store):",
        "tests/unit/lab/test_topology.py::test_labels_of_virtual_machines_that_cannot_be",
    ),
    Bug(
        "the lab's compute agent sees the machine's libvirt",
        "netctl/lab/daemons.py",
        "        _daemon(place, COMPUTE_AGENT, host.inside(*agent)),",
        "        _daemon(place, COMPUTE_AGENT, agent),",
        "tests/unit/lab/test_daemons.py::test_hosts_of_virtual_machines_run_libvirt_and_its_agent_last",
    ),
    Bug(
        "the lab's hosts are called alike by libvirt",
        "netctl/lab/libvirt.py",
        'hostname "$name"',
        "hostname host",
        "tests/functional/lab/test_compute.py::test_hosts_are_told_apart_by_libvirt",
    ),
)
