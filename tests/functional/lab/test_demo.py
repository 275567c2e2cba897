"""The demo by its command line, as a user runs it: real controller, real agents, real packets; twice; then gone."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from netctl.lab import daemons
from netctl.lab.lab import take_down
from tests.functional.lab.conftest import lab_name
from tests.functional.lab.test_lab import traces


@pytest.fixture
def name() -> Iterator[str]:
    name = lab_name("demo")
    yield name
    take_down(name)


def netctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [daemons.program("netctl"), "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def answer(*arguments: str) -> dict[str, Any]:
    done = netctl(*arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_demo_shows_packets_and_survives_a_second_start(name: str) -> None:
    first = answer("demo", "--name", name)
    assert first["ok"]
    assert len(first["guests"]) == 8
    assert {guest["host"] for guest in first["guests"]} == {"h1", "h2"}
    assert sum(probe["seen"] for probe in first["matrix"]) == 24
    assert len(first["matrix"]) == 56

    before = {row["pid"] for row in answer("status", "--name", name)["processes"]}
    assert len(before) == 12
    assert netctl("kill", "central", "controller", "--name", name).returncode == 0
    assert (
        netctl("ping", "v1", first["guests"][1]["address"].partition("/")[0], "--name", name).returncode == 0
    )
    second = answer("demo", "--name", name)
    assert second["ok"]
    assert second["guests"] == first["guests"]
    after = {row["pid"] for row in answer("status", "--name", name)["processes"]}
    assert len(after - before) == 1

    bridges = netctl("exec", "--name", name, "h1", "--", "ovs-vsctl", "list-br").stdout.split()
    assert set(bridges) == {"brAtlas", "br0", "br1"}
    assert netctl("down", "--name", name).returncode == 0
    assert not traces(name)


def test_wrong_use_is_one_line_and_a_status(name: str) -> None:
    for arguments, status in (
        (("up", "no-such-file.yml"), 4),
        (("status", "--name", name), 4),
        (("up", "--name", "No Name"), 1),
        (("up", "--name", name, "--without", "nonsense"), 1),
    ):
        done = netctl(*arguments)
        assert done.returncode == status, done.stderr
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1
    assert not traces(name)
