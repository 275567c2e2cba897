"""README.md, the example files and the reference say what is so."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from tests import readme
from tests.controllers import Controller
from tests.functional.cli.conftest import Run

EXAMPLES = readme.ROOT / "docs" / "examples"
LAB = """
- {kind: Cluster, name: lab}
- {kind: VirtualSwitch, name: vs0, cluster: lab}
- {kind: VirtualSwitch, name: vs1, cluster: lab}
- {kind: Host, name: h1, cluster: lab, tunnel_address: 192.168.77.11/24, uplinks: ["vs0=eth1,eth2", vs1=eth3]}
- {kind: Host, name: h2, cluster: lab, tunnel_address: 192.168.77.12/24, uplinks: ["vs0=eth1,eth2", vs1=eth3]}
"""


def test_the_readme_session_runs_as_printed(netctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(LAB))
    netctl("apply", "-f", "-")
    found = [example for example in readme.examples(readme.README.read_text()) if not example.needs_lab]
    assert len(found) >= 15, "the blocks are not found"
    for example in found:
        readme.run(example)


def test_the_readme_shows_the_example_file() -> None:
    assert list(readme.blocks(readme.README.read_text(), "yaml")) == [(EXAMPLES / "web.yaml").read_text()]


def test_the_cluster_example_applies_and_prunes(netctl: Run, controller: Controller) -> None:
    file = str(EXAMPLES / "cluster.yaml")
    ran = netctl("apply", "-f", file, "--wait")
    assert ran.lines[-2:] == ["10 created", "9 PROGRAMMED, 1 PENDING (not attached to a host)"]
    assert netctl("apply", "-f", file, "--prune").lines[-1] == "10 unchanged"
    assert netctl("get", "nic", "web-2", "-o", "json").data[0]["ipv4_address"] == "10.0.10.7"


@pytest.mark.parametrize(
    ("example", "count"), [("vpc", 16), ("transit", 12), ("security", 13), ("host_network", 8)]
)
def test_the_examples_apply_in_any_order_and_go_again(
    netctl: Run, monkeypatch: pytest.MonkeyPatch, example: str, count: int, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(LAB))
    netctl("apply", "-f", "-")
    file = EXAMPLES / f"{example}.yaml"
    assert netctl("apply", "-f", str(file), "--wait").lines[-2:] == [
        f"{count} created",
        f"{count} PROGRAMMED",
    ]
    assert netctl("apply", "-f", str(file), "--prune").lines[-1] == f"{count} unchanged"
    printed = tmp_path / "printed.yaml"
    printed.write_text(netctl("get", "all", "-o", "yaml").out)
    assert netctl("apply", "-f", str(printed)).lines[-1] == f"{count + 5} unchanged"
    content = yaml.safe_load(file.read_text())
    turned, empty = tmp_path / "turned.yaml", tmp_path / "empty.yaml"
    empty.write_text(f"set: {content['set']}\nresources: []\n")
    assert netctl("apply", "-f", str(empty), "--prune").lines[-1] == f"{count} deleted"
    content["resources"].reverse()
    turned.write_text(yaml.safe_dump(content))
    assert netctl("apply", "-f", str(turned)).lines[-1] == f"{count} created"


def test_the_machines_of_the_example_apply_and_go_again(netctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(LAB))
    netctl("apply", "-f", "-")
    file = str(EXAMPLES / "vms.yaml")
    assert netctl("apply", "-f", file).lines[-1] == "7 created"
    assert netctl("apply", "-f", file, "--prune").lines[-1] == "7 unchanged"
