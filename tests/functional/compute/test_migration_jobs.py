"""Migrations of a real guest between two real hosts: it is in one place, alive, and has forgotten nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.reported import JobState

from netctl.loop import wait_until
from tests.functional.compute.libvirt_host import PrivateLibvirt
from tests.functional.compute.migrations import Site, boot_sector, machine


@pytest.fixture
def site(libvirt_pair: list[PrivateLibvirt]) -> Iterator[Site]:
    """Two hosts, and the machine on none of them."""
    first, second = libvirt_pair
    drivers = tuple(LibvirtDriver(host.uri, lambda: None) for host in (first, second))
    yield Site((first, second), (drivers[0], drivers[1]), machine())
    for driver in drivers:
        driver.close()


def start(site: Site, folder: Path, *, busy: bool = False) -> None:
    disk = folder / "disk.raw"
    disk.write_bytes(boot_sector(busy=busy))
    site.start(disk)


def test_it_goes_and_comes_back(site: Site, short_path: Path) -> None:
    start(site, short_path)
    for at, (source, destination) in enumerate([(0, 1), (1, 0), (0, 1)]):
        before = site.count(source)
        with site.agent(source, short_path / f"state{at}") as agent:
            report = agent.end(site.order(destination))
        assert (report.state, report.failure, report.message) == (JobState.DONE, "", "")
        assert site.runs_on() == [destination]
        site.counts_on(destination, before)
        assert report.evidence.iterations >= 1
        assert 0 < report.evidence.pause_ms < 1000
        assert report.evidence.transferred_bytes > 0
        assert report.evidence.copy_ms > 0
