"""The command in this process, against a real server in a thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from netctl.cli.main import main
from tests.controllers import Controller

FURNITURE = """
resources:
  - {kind: Cluster, name: c1}
  - {kind: VirtualSwitch, name: vs0, cluster: c1}
  - {kind: Host, name: h1, cluster: c1, tunnel_address: 192.0.2.1/24, uplinks: ["vs0=eth1,eth2"]}
  - {kind: Host, name: h2, cluster: c1, tunnel_address: 192.0.2.2/24, uplinks: ["vs0=eth1,eth2"]}
  - {kind: Subnet, name: web, subnet_kind: vlan, virtual_switches: [vs0], vlan_id: 10, ipv4: {cidr: 10.0.0.0/24}}
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Ran]


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    with Controller(tmp_path) as controller:
        monkeypatch.setenv("NETCTL_SERVER", controller.address)
        yield controller


@pytest.fixture
def netctl(controller: Controller, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, expect: int = 0) -> Ran:
        capsys.readouterr()
        status = main(arguments)
        captured = capsys.readouterr()
        assert status == expect, f"exit status {status}, not {expect}: {captured.out}{captured.err}"
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def furnished(netctl: Run, tmp_path: Path) -> Run:
    """The command, after a cluster with a virtual switch, two hosts and the subnet `web`."""
    file = tmp_path / "furniture.yaml"
    file.write_text(FURNITURE)
    netctl("apply", "-f", str(file))
    return netctl
