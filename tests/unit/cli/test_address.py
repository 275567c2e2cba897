"""Which controller is meant, and what is said when that is not clear."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from netctl.cli import address
from netctl.cli.failures import UNREACHABLE, USAGE, Failure
from netctl.lab import discover


def test_among_several_labs_none_is_chosen_and_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETCTL_SERVER", raising=False)
    with TemporaryDirectory() as root:  # short: a Unix socket's path has 107 characters
        monkeypatch.setenv(discover.ENVIRONMENT, root)
        monkeypatch.setattr(address, "DEFAULT_SERVER", f"unix:{root}/packaged.sock")
        for lab in ("one", "two"):
            (Path(root) / lab).mkdir()
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(discover.controller_socket(lab)))
        with pytest.raises(Failure) as failure:
            address.check_listening(address.find_server(""))
        one, two = (f"unix:{root}/{lab}/netctl.sock" for lab in ("one", "two"))
    assert failure.value.message == f"several labs run and none is chosen: {one}, {two}"
    assert failure.value.hint == f"choose one, e.g.: export NETCTL_SERVER={one}"
    assert failure.value.exit_status == UNREACHABLE


def test_what_is_no_address_is_said_at_once() -> None:
    with pytest.raises(Failure, match="'controller' is not an address") as failure:
        address.check_listening("controller")
    assert failure.value.exit_status == USAGE
