"""README.md's session, run as a user would, against the lab that `make demo` brings up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from netctl.lab.discover import ENVIRONMENT
from tests import readme


def netctl(*arguments: str) -> str:
    """Run the command line in this environment; return what it printed."""
    command = [sys.executable, "-m", "netctl.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The demo's lab under a name of its own; README's commands find it as the only running one."""
    with tempfile.TemporaryDirectory(prefix="ncl-") as folder:
        monkeypatch.setenv(ENVIRONMENT, folder)
        monkeypatch.delenv("NETCTL_SERVER", raising=False)
        name = f"readme-{os.getpid()}"
        try:
            yield netctl("lab", "demo", "--name", name)
        finally:
            netctl("lab", "down", "--name", name)


@pytest.mark.timeout(240)
def test_the_demo_and_the_session_of_the_readme(demo: str) -> None:
    for row in demo.splitlines():
        if row.startswith(("within a subnet:", "between subnets:")):
            assert row.endswith(("(ok)", "(-)")), row
    assert "within a subnet: 24 answers expected, 24 seen" in demo
    assert "between subnets: 0 answers expected, 0 seen" in demo
    examples = readme.examples(readme.README.read_text())
    assert len(examples) >= 15, "README.md shows a session"
    for example in examples:
        readme.run(example)
