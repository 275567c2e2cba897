"""Labs for tests: named after the test process, so that runs side by side do not meet, and removed whatever happens."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netctl.lab import lab as lab_module
from netctl.lab.lab import Lab
from tests.labs import own_labs

FOLDER = Path(__file__).parents[3] / "containerlab"
TOPOLOGY = (FOLDER / "two-hosts.clab.yml").read_text()


def lab_name(suffix: str) -> str:
    """Name a lab of this test process."""
    return f"t{os.getpid()}-{suffix}"


@pytest.fixture(scope="session", autouse=True)
def _own_labs() -> Iterator[None]:
    with own_labs():
        yield


@pytest.fixture
def new_lab() -> Iterator[Callable[[str], Lab]]:
    """Make labs by suffix; all are taken down at the end."""
    names: list[str] = []

    def make(suffix: str) -> Lab:
        names.append(lab_name(suffix))
        return Lab(TOPOLOGY, name=names[-1])

    yield make
    for name in names:
        lab_module.take_down(name)
