"""What a host can carry, asked of a real libvirtd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netctl_compute.capacity import CapacitySettings, HypervisorFacts, read_capacity
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.store import Store

from netctl.errors import HostUnavailable
from netctl.loop import Wake, wait_until
from tests.functional.compute.libvirt_host import PrivateLibvirt


@pytest.fixture
def driver(libvirt_host: PrivateLibvirt) -> Iterator[LibvirtDriver]:
    connected = LibvirtDriver(libvirt_host.uri, Wake())
    yield connected
    connected.close()


def test_what_a_host_can_carry(driver: LibvirtDriver, tmp_path: Path) -> None:
    def told() -> tuple[str, HypervisorFacts] | None:
        try:
            return driver.read_facts("qemu")
        except HostUnavailable:
            return None

    told_at_last = wait_until(told, timeout_s=60, what="libvirt tells what it can do")
    assert told_at_last is not None
    domain_type, facts = told_at_last
    settings = CapacitySettings(migration_address="tcp://192.0.2.1", domain_type=domain_type)
    found = read_capacity(Store(tmp_path, "h1"), facts, settings)
    assert found.vtpm
    assert found.uefi
    assert found.secure_boot
    assert found.cpu_vendor in ("AMD", "Intel")
    models = {model.name: model for model in found.cpu_models}
    assert models["qemu64"].usable
    # Emulation has no such CPU; and libvirt's own word agrees with what we find missing, for every model.
    assert "avx512f" in models["Icelake-Server"].missing_features
    for model in found.cpu_models:
        assert model.usable == (not model.missing_features), model
