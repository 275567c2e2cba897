"""Shows the figures that the tests noted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.bonded import vlan
from tests.e2e.figures import FIGURES, note
from tests.e2e.site import Site, site
from tests.e2e.vms import SUBNETS, Vms
from tests.e2e.vpcs import EXTERNALS, removed_after
from tests.e2e.wards import Ward, emptied_after, wards
from tests.labs import own_labs


@pytest.fixture(scope="session", autouse=True)
def _own_labs() -> Iterator[None]:
    with own_labs():
        yield


@pytest.fixture(scope="session")
def three_hosts() -> Iterator[Site]:
    """The lab of the VPCs' tests: three hosts, two of them with the way out, and the external subnets."""
    with site("vpc", "three-hosts", EXTERNALS) as running:
        yield running


@pytest.fixture(scope="session")
def bonded() -> Iterator[Site]:
    """The lab of VLAN basic and of service chains: two hosts behind a leaf switch, the router of VLAN 10 and 20."""
    basic = [vlan("basic10", 10, basic=True), vlan("basic30", 30, basic=True)]
    with site("bonded", "bonded-hosts", [*basic, vlan("plain20", 20)]) as running:
        yield running


@pytest.fixture(scope="session")
def vms() -> Iterator[Vms]:
    """The lab of virtual machines: three hosts with libvirt, the guest's image."""
    with site("vm", "compute-hosts", SUBNETS) as running:
        found = Vms(running)
        found.upload()
        found.wait_hosts()
        yield found


@pytest.fixture
def here(three_hosts: Site) -> Site:
    """The lab of the VPCs' tests."""
    return three_hosts


@pytest.fixture
def made(three_hosts: Site) -> Iterator[list[str]]:
    """Names of what a test makes in the lab of the VPCs' tests; removed after it, with every guest."""
    with removed_after(three_hosts) as names:
        yield names


@pytest.fixture(scope="module")
def both_wards(three_hosts: Site) -> Iterator[dict[str, Ward]]:
    """The guests of the security policies' tests, on a VLAN and in a VPC."""
    with wards(three_hosts) as found:
        yield found
        asked = sum(ward.guests.asked for ward in found.values())
        note("security policies / packets held to their fate", str(asked))


@pytest.fixture(params=["vlan", "vpc"])
def ward(both_wards: dict[str, Ward], request: pytest.FixtureRequest) -> Iterator[Ward]:
    """Each of the two in turn, without policies at first."""
    with emptied_after(both_wards[request.param]) as used:
        yield used


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List loss, leaks and convergence times below the results."""
    if FIGURES:
        terminalreporter.section("measured")
    for what, value in FIGURES:
        terminalreporter.write_line(f"{what}: {value}")
