"""The connection to libvirtd when calls hang, and what a pass over many domains costs; libvirt's own test driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from netctl_compute.domain_xml import Found, Start, render_domain
from netctl_compute.libvirt_connection import LibvirtConnection
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.settings import Settings
from netctl_compute.storage_state import VmStorage

from netctl.errors import HostUnavailable, NotFound
from tests.unit.compute.samples import nic, vm

URI = "test:///default"


@contextmanager
def connection(call_s: float = 15.0) -> Iterator[tuple[LibvirtConnection, list[object]]]:
    """A connection, and those that it opened so far."""
    opened: list[object] = []

    def note(found: object) -> Callable[[], None]:
        opened.append(found)
        return lambda: None

    made = LibvirtConnection(URI, opened=note, call_s=call_s)
    try:
        yield made, opened
    finally:
        made.close()


def test_a_call_that_hangs_costs_its_limit_and_the_connection() -> None:
    go_on = threading.Event()
    with connection(call_s=0.2) as (made, opened):
        assert made.call("ask", lambda found: found.getType()) == "TEST"
        with pytest.raises(HostUnavailable, match="does not answer within"):
            made.call("hang", lambda found: go_on.wait(30))
        assert made.call("ask", lambda found: found.getType()) == "TEST"
        assert len(opened) == 2
        go_on.set()


def test_a_guest_that_hangs_holds_up_itself_alone() -> None:
    go_on = threading.Event()
    with connection(call_s=0.2) as (made, opened):
        with pytest.raises(HostUnavailable):
            made.call("hang", lambda found: go_on.wait(30), about="vm1")
        with pytest.raises(HostUnavailable, match="hangs in libvirt since before"):
            made.call("ask", lambda found: found.getType(), about="vm1")
        assert made.call("ask", lambda found: found.getType(), about="vm2") == "TEST"
        assert made.call("ask", lambda found: found.getType()) == "TEST"
        assert len(opened) == 1
        go_on.set()


def test_errors_are_ours() -> None:
    with connection() as (made, _opened), pytest.raises(NotFound, match="look up: "):
        made.call("look up", lambda found: found.lookupByName("nobody"))
    nobody = LibvirtConnection("test:///no/such/file")
    with pytest.raises(HostUnavailable):
        nobody.call("ask", lambda found: found.getType())


def test_a_pass_over_many_domains_reads_each_once() -> None:
    driver = LibvirtDriver(URI, lambda: None)
    try:
        for index in range(100):
            machine = vm(f"vm{index}", nics=(nic(f"vm{index}"),))
            start = Start(power_epoch=1, reset_epoch=0, time_s=1)
            found = Found(storage=VmStorage(ready=True))
            driver.start(
                machine.uid, render_domain(machine, found, Settings(domain_type="test"), start), paused=False
            )
        ours, unknown = driver.read_domains()
        assert (len(ours), len(unknown)) == (100, 1)
        again, _ = driver.read_domains()
        # The same values: nothing was asked of the domains themselves.
        assert all(again[uid].nics is ours[uid].nics for uid in ours)
        driver.pause(vm("vm7").uid)
        changed, _ = driver.read_domains()
        assert [uid for uid in ours if changed[uid].nics is not ours[uid].nics] == [vm("vm7").uid]
    finally:
        driver.close()
