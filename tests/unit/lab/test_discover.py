"""The CLI finds the only running lab, and nothing when the answer would be a guess."""

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from netctl.lab import discover


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with TemporaryDirectory() as directory:  # short: a Unix socket's path has 107 characters
        monkeypatch.setenv(discover.ENVIRONMENT, directory)
        yield Path(directory)


def serve(lab: str) -> None:
    discover.run_dir(lab).mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(discover.controller_socket(lab)))


def test_no_lab(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert discover.default_server() is None
    monkeypatch.setenv(discover.ENVIRONMENT, str(root / "absent"))
    assert discover.default_server() is None
    assert discover.lab_names() == []


def test_one_lab(root: Path) -> None:
    serve("one")
    (root / "empty").mkdir()
    assert discover.default_server() == f"unix:{root}/one/netctl.sock"
    assert discover.lab_names() == ["empty", "one"]


def test_two_labs(root: Path) -> None:
    serve("one")
    serve("two")
    assert discover.default_server() is None
