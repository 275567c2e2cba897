"""Scripts, the command's own options, completion: all that needs no controller."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.complete import Completer
from netctl.cli.acli.handlers import HANDLERS, refuse_later
from netctl.cli.acli.reference import render
from netctl.cli.failures import REFUSED, USAGE
from netctl.cli.main import main
from netctl.cli.options import Session


def test_every_command_has_somebody_who_does_it_and_few_are_refused() -> None:
    assert set(HANDLERS) == set(COMMANDS)
    refused = {name for name, handler in HANDLERS.items() if handler is refuse_later}
    assert (
        refused
        == {name for name, command in COMMANDS.items() if command.later}
        == {"ads.update", "ha.update"}
    )


def test_a_script_stops_at_the_first_error_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "net.acli"
    script.write_text("# networks\n\nhelp net.list  # a comment\nacli net.lst\nhelp net.get\n")
    assert main(["acli", "-f", str(script)]) == USAGE
    said = capsys.readouterr()
    assert said.err == f"error: {script}:4: 'net.lst' is no acli command\nhint: did you mean 'net.list'?\n"
    assert "List networks" in said.out
    assert "Show networks" not in said.out


def test_a_script_that_keeps_going_tells_every_error_and_ends_with_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "net.acli"
    script.write_text("ads.update enable=true\nnet.lst\nhelp net.get\nexit\nnonsense\n")
    assert main(["acli", "--keep-going", "-f", str(script)]) == REFUSED
    said = capsys.readouterr()
    assert [line.split()[1] for line in said.err.splitlines()[::2]] == [f"{script}:1:", f"{script}:2:"]
    assert "Show networks" in said.out


def test_a_script_comes_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("help net.list\nads.update enable=true\n"))
    assert main(["acli"]) == REFUSED
    assert capsys.readouterr().err.startswith(
        "error: <stdin>:2: ads.update: netctl has no scheduler and no HA yet"
    )


def test_a_script_that_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acli", "-f", str(tmp_path / "none")]) == REFUSED
    assert capsys.readouterr().err == f"error: cannot read {tmp_path / 'none'}: No such file or directory\n"
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert main(["acli", "-f", str(binary)]) == REFUSED
    assert "not text in UTF-8" in capsys.readouterr().err


def test_one_command_as_words_or_in_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["ads.update", "enable=true"],
        ["ads.update enable=true"],
        ["-y", "ads.update", "enable=true"],
        ["-o", "text", "ads.update enable=true"],
    ):
        assert main(["acli", *words]) == REFUSED
        assert capsys.readouterr().err.startswith("error: ads.update: netctl has no scheduler and no HA yet")
    assert main(["acli", "help ads.update\nads.update enable=true"]) == REFUSED
    said = capsys.readouterr()
    assert said.err.startswith("error: line:2: ads.update")
    assert "usage: ads.update enable=BOOL" in said.out


def test_errors_are_json_where_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["-o", "json", "ads.update", "enable=true"],
        ["ads.update", "enable=true", "-o", "json"],
        ["-o", "json-pretty", "ads.update enable=true"],
    ):
        assert main(["acli", *words]) == REFUSED
        assert capsys.readouterr().err.startswith('{"error": {"code": "UNSUPPORTED"')


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acli", "--help"]) == 0
    assert "Example: netctl acli vm.nic_create fooVM" in capsys.readouterr().out
    for words in (["help", "vm.nic_create"], ["vm.nic_create", "--help"]):
        assert main(["acli", *words]) == 0
        assert "trunked_networks=VLAN,..." in capsys.readouterr().out
    assert main(["manage_ovs", "--help"]) == 0
    assert main(["manage-ovs", "--interfaces", "eth1", "show_uplinks", "--hosst", "x"]) == USAGE
    assert "did you mean '--host'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ([], "net.cr", ["net.create "]),
        ([], "ex", ["exit "]),
        (["help"], "vm.nic_l", ["vm.nic_list "]),
        (["vm.nic_create", "a"], "vlan_", ["vlan_mode="]),
        (["vm.nic_create", "a"], "vlan_mode=", ["vlan_mode=kAccess", "vlan_mode=kTrunked"]),
        (["vm.nic_create", "a"], "vlan_mode=kt", ["vlan_mode=kTrunked"]),
        (["vm.nic_create", "a", "connected=true"], "connected", []),
        (["vm.nic_create", "a"], "connected=f", ["connected=false"]),
        (["manage_ovs"], "show_i", ["show_interfaces "]),
        (["manage_ovs"], "--bond_m", ["--bond_mode "]),
        (["manage_ovs", "--bond_mode"], "balance-t", ["balance-tcp "]),
        (["manage_ovs", "--bridge_name", "br0"], "show_u", ["show_uplinks "]),
        (["nonsense"], "a", []),
    ],
)
def test_completion_of_what_is_known_without_a_server(words: list[str], text: str, found: list[str]) -> None:
    assert Completer(Session(server="unix:/nonexistent")).complete(words, text) == found


def test_completion_of_names_is_empty_and_quick_without_a_server(tmp_path: Path) -> None:
    completer = Completer(Session(server=f"unix:{tmp_path}/nobody.sock"))
    assert completer.complete(["net.get"], "v") == []


def test_the_page_is_what_the_table_says() -> None:
    page = Path(__file__).parents[4] / "docs" / "acli.md"
    assert page.read_text() == render(), "run: python -m netctl.cli.acli.reference > docs/acli.md"
