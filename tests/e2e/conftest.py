"""Shows the figures that the tests noted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.figures import FIGURES
from tests.e2e.site import Site, site
from tests.e2e.vpcs import EXTERNALS, removed_after
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


@pytest.fixture
def here(three_hosts: Site) -> Site:
    """The lab of the VPCs' tests."""
    return three_hosts


@pytest.fixture
def made(three_hosts: Site) -> Iterator[list[str]]:
    """Names of what a test makes in the lab of the VPCs' tests; removed after it, with every guest."""
    with removed_after(three_hosts) as names:
        yield names


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List loss, leaks and convergence times below the results."""
    if FIGURES:
        terminalreporter.section("measured")
    for what, value in FIGURES:
        terminalreporter.write_line(f"{what}: {value}")
