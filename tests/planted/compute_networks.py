"""Bugs of migrations over all kinds of networks, and of what a killed controller leaves."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a trunk's VLANs are dead once its guest migrated",
        "agents/netctl_compute/domain_xml.py",
        "virtio-net-pci.ctrl_vlan=off",
        "virtio-net-pci.ctrl_vlan=on",
        "tests/unit/compute/test_domain_xml.py",
    ),
    Bug(
        "a migration fails where a controller that has just started asks too much of silent hosts",
        "netctl/scheduler/preflight.py",
        '"has not said what its CPU can", passing=True)',
        '"has not said what its CPU can")',
        "tests/unit/scheduler/test_preflight.py",
    ),
)
