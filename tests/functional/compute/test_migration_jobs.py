"""Migrations of a real guest between two real hosts: it is in one place, alive, and has forgotten nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.reported import JobState, MigrationReport
from netctl_compute.tpm import secret_uid, secret_value, secret_xml

from netctl.lab import links
from netctl.loop import wait_until
from tests.functional.compute.libvirt_host import UNDERLAY, PrivateLibvirt
from tests.functional.compute.migrations import UID, Site, boot_sector, machine


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
    if site.vm.vtpm:
        site.drivers[0].set_secret(secret_xml(UID), secret_value(site.vm.vtpm_secret))
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


SLOW = {"bandwidth_mbps": 8, "pause_max_ms": 10}  # what a busy guest writes does not fit for long


def copying(report: MigrationReport) -> bool:
    """Does the copy go round?"""
    return report.evidence.iterations >= 2


def test_a_guest_that_writes_without_end_stays_and_lives(site: Site, short_path: Path) -> None:
    start(site, short_path, busy=True)
    with site.agent(0, short_path / "state") as agent:
        report = agent.end(site.order(1, iterations_max=1, **SLOW))
        assert report.failure == "FAILED_TO_CONVERGE", report
        before = site.count(0)
        assert report.evidence.iterations == 2
        assert report.evidence.dirty_rate_bps > 0
        assert "goes on here" in report.message
        assert site.runs_on() == [0]
        site.counts_on(0, before)
        assert agent.end(site.order(1, iterations_max=1, **SLOW)) == report, "no order is carried out twice"
        wait_until(lambda: not site.hosts[1].qemu_pids(), timeout_s=10, what="nothing is left over there")
        assert agent.end(site.order(1, attempt=2)).state is JobState.DONE, "another try may have more network"
        site.counts_on(1, before)


def test_an_abort_in_the_middle_leaves_it_where_it_is(site: Site, short_path: Path) -> None:
    start(site, short_path, busy=True)
    with site.agent(0, short_path / "state") as agent:
        agent.until(site.order(1, **SLOW), copying, "it is being copied")
        assert agent.jobs.running() == {site.vm.uid}
        report = agent.end(site.order(1, abort=True, **SLOW))
        assert (report.state, report.failure) == (JobState.FAILED, "ABORTED")
        assert site.runs_on() == [0]
        site.counts_on(0, site.count(0))
        (early,) = agent.pass_once(site.order(1, attempt=2, abort=True))
        assert (early.failure, site.runs_on()) == ("ABORTED", [0]), "an order that comes aborted is not begun"


def test_another_agent_finds_the_copy_and_stops_it(site: Site, short_path: Path) -> None:
    start(site, short_path, busy=True)
    with site.agent(0, short_path / "state") as agent:
        agent.until(site.order(1, **SLOW), copying, "it is being copied")
    with site.agent(0, short_path / "state") as next_agent:
        report = next_agent.until(site.order(1, **SLOW), copying, "it is found")
        assert report.state is JobState.RUNNING
        report = next_agent.end(site.order(1, iterations_max=1, **SLOW))
        assert report.failure == "FAILED_TO_CONVERGE", report
        assert site.runs_on() == [0]


def test_another_agent_that_finds_nothing_does_not_guess(site: Site, short_path: Path) -> None:
    start(site, short_path, busy=True)
    with site.agent(0, short_path / "state") as agent:
        agent.until(site.order(1, **SLOW), copying, "it is being copied")
    site.hosts[0].virsh("migrate-setmaxdowntime", site.vm.vm, "2000")  # now it fits
    wait_until(lambda: site.runs_on() == [1], timeout_s=10, what="it arrived, and nobody looked")
    with site.agent(0, short_path / "state") as next_agent:
        report = next_agent.end(site.order(1, **SLOW))
        assert (report.state, report.failure) == (JobState.FAILED, "LIBVIRT")
        assert "see where it runs" in report.message
        assert site.runs_on() == [1]


@pytest.mark.parametrize("killed", [0, 1], ids=["source", "destination"])
def test_libvirtd_killed_in_the_middle(site: Site, short_path: Path, killed: int) -> None:
    start(site, short_path, busy=True)
    with site.agent(0, short_path / "state") as agent:
        agent.until(site.order(1, **SLOW), copying, "it is being copied")
        before = site.count(0)
        site.hosts[killed].kill()
        site.hosts[killed].start()
        report = agent.end(site.order(1, **SLOW))
        assert report.state is JobState.FAILED
        assert report.failure in ("LIBVIRT", "UNREACHABLE")
    wait_until(lambda: site.runs_on() == [0], timeout_s=15, what="it runs at the source")
    site.counts_on(0, before)
    wait_until(lambda: not site.hosts[1].qemu_pids(), timeout_s=15, what="nothing is left over there")


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "arrives"])
def test_libvirtd_killed_at_the_very_end(site: Site, short_path: Path, arrives: bool) -> None:
    start(site, short_path)
    with site.agent(0, short_path / "state") as agent:
        # Slow enough to stop the destination's libvirtd before the end: only QEMU goes on there.
        agent.until(site.order(1, bandwidth_mbps=1), lambda report: report.evidence.iterations >= 1, "copied")
        site.hosts[1].freeze()
        wait_until(lambda: is_handed_over(site), timeout_s=20, what="the source's QEMU handed its guest over")
        before = site.count(0)
        site.hosts[0].kill()
        site.hosts[0].start()
        if arrives:
            site.hosts[1].thaw()  # and it hears that the copy is complete
            wait_until(lambda: site.runs_on() == [1], timeout_s=15, what="it runs over there")
        else:
            site.hosts[1].kill()
            site.hosts[1].start()
            wait_until(lambda: not site.hosts[1].qemu_pids(), timeout_s=15, what="it is given up over there")
        report = agent.end(site.order(1))
        assert (report.state, report.failure) == (JobState.FAILED, "LIBVIRT")
        agent.pass_once(site.order(1))
        assert site.runs_on() == ([1] if arrives else []), "nobody has decided that it runs here"
        if not arrives:
            assert agent.pass_once() == ()
            wait_until(lambda: site.runs_on() == [0], timeout_s=5, what="it goes on where it is")
    site.counts_on(int(arrives), before)


def is_handed_over(site: Site) -> bool:
    return "postmigrate" in site.hosts[0].virsh("qemu-monitor-command", "--hmp", site.vm.vm, "info status")


def test_a_destination_that_is_not_there(site: Site, short_path: Path) -> None:
    start(site, short_path)
    site.hosts[1].kill()
    with site.agent(0, short_path / "state") as agent:
        report = agent.end(site.order(1))
        assert (report.state, report.failure) == (JobState.FAILED, "UNREACHABLE")
        for address in ("tcp://192.0.2.2/x?command=sh", "ssh://192.0.2.2", "192.0.2.2"):
            refused = agent.end(site.order(1, attempt=2 + len(address), destination_address=address))
            assert refused.failure == "LIBVIRT"
            assert "is no tcp://HOST" in refused.message
    site.counts_on(0, site.count(0))


def test_a_destination_that_falls_silent_is_given_up(site: Site, short_path: Path) -> None:
    start(site, short_path, busy=True)
    with site.agent(0, short_path / "state") as agent:
        agent.until(site.order(1, **SLOW), lambda report: report.evidence.iterations >= 1, "it is copied")
        links.set_state(site.hosts[1].namespace, UNDERLAY, up=False)
        report = agent.end(site.order(1, **SLOW))
        assert (report.state, report.failure) == (JobState.FAILED, "UNREACHABLE")
    assert site.runs_on() == [0]
    site.counts_on(0, site.count(0))


def test_disks_are_copied_where_stores_differ(site: Site) -> None:
    places = [host.host.directory / "var/lib/libvirt/store" for host in site.hosts]  # each host's own
    for place in places:
        place.mkdir()
    (places[0] / "disk.raw").write_bytes(boot_sector(busy=False))
    with (places[1] / "disk.raw").open("wb") as sparse:
        sparse.truncate(1 << 20)
    site.start(Path("/var/lib/libvirt/store/disk.raw"))
    with site.agent(0, places[0]) as agent:
        assert agent.end(site.order(1, copy_disks=True)).state is JobState.DONE
    site.counts_on(1, 0)
    assert (places[1] / "disk.raw").read_bytes() == boot_sector(busy=False)


def test_a_vtpm_goes_along(site: Site, short_path: Path) -> None:
    site = replace(site, vm=machine(vtpm=True))
    states = [host.host.directory / "var/lib/libvirt/swtpm" / UID for host in site.hosts]
    start(site, short_path)
    with site.agent(0, short_path / "state") as agent:
        agent.driver.remove_secret(secret_uid(UID))  # libvirtd forgets it when it is restarted
        site.drivers[1].set_secret(secret_xml(UID), secret_value(site.vm.vtpm_secret))
        assert agent.end(site.order(1)).state is JobState.DONE
    site.counts_on(1, 0)
    assert list(states[1].rglob("*permall"))
    assert "encryption secret" in site.drivers[1].read_xml(UID)


def test_a_vtpm_without_its_secret_stays(site: Site, short_path: Path) -> None:
    site = replace(site, vm=machine(vtpm=True))
    start(site, short_path)
    with site.agent(0, short_path / "state") as agent:
        report = agent.end(site.order(1))
        assert (report.state, report.failure) == (JobState.FAILED, "LIBVIRT")
    assert site.runs_on() == [0]
    site.counts_on(0, site.count(0))
