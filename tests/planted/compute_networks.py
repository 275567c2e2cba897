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
        "a trunk's VLANs stay at the source while its guest migrates",
        "netctl/compiler/nic.py",
        '        if other:\n            columns["options"] = _on_both(nic.host, other)\n        columns["tag_request"]',
        '        columns["tag_request"]',
        "tests/unit/compiler",
    ),
)
