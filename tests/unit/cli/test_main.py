"""The command itself: help, start-up, usage errors; no server."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from netctl.cli import reference
from netctl.cli.flags import EXAMPLES, FLAGS
from netctl.cli.kinds import KINDS
from netctl.cli.main import main, make_command
from netctl.cli.messages import new_message
from netctl.cli.values import fields_of
from tests.readme import ROOT


def test_the_reference_is_current() -> None:
    written = (ROOT / "docs" / "cli.md").read_text()
    assert "\n".join(reference.render()).rstrip() + "\n" == written, (
        "python -m netctl.cli.reference > docs/cli.md"
    )


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from netctl.cli.main import main; status = main(['--help']);"
        " print(*sorted({'grpc', 'google.protobuf', 'yaml', 'rich', 'netctl.lab.commands'} & set(sys.modules)));"
        " sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ""
    assert "  apply " in done.stdout


def _commands(command: Any, context: Any, path: str) -> list[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        return [(path, command)]
    names = [name for name in command.list_commands(context) if name != "lab"]
    children = [(name, command.get_command(context, name)) for name in names]
    return [found for name, child in children for found in _commands(child, context, f"{path} {name}")]


def test_every_command_teaches_with_an_example() -> None:
    command = make_command()
    context = command.make_context("netctl", [], resilient_parsing=True)
    found = _commands(command, context, "netctl")
    assert len(found) > 20
    assert not [path for path, child in found if "Example: netctl" not in (child.help or "")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_flags_name_fields_that_exist_once(kind: Any) -> None:
    for flag in FLAGS[kind.word]:
        message = new_message(kind, "")
        *parents, last = flag.path.split(".")
        for parent in parents:
            message = getattr(message, parent)
        field = {field.name: field for field in fields_of(message)}[last]
        assert field.is_repeated == flag.many, flag.path
    options = [flag.option for flag in FLAGS[kind.word]]
    assert len(options) == len(set(options))
    assert len(EXAMPLES[kind.word]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["get"], "Missing argument"),
        (["nope"], "No such command"),
        (["get", "subnts"], "did you mean 'subnet"),
        (["get", "all", "web"], "one kind only"),
        (["get", "nics", "-l", "tier"], "not KEY=VALUE"),
        (["describe", "nic/a", "x/y"], "is no kind"),
        (["wait", "web-1"], "KIND/NAME"),
        (["delete", "nic", "subnets/web"], "does not name a nic"),
        (["update", "nic", "a"], "nothing to change"),
        (["create", "subnet", "a", "--vlan-id", "ten"], "--vlan-id: 'ten' is not a whole number"),
        (["create", "nic", "a", "--connected", "maybe"], "neither true nor false"),
        (["create", "host", "a", "--uplink", "eth1"], "VIRTUAL_SWITCH=INTERFACE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETCTL_SERVER", "unix:nobody-is-here.sock")
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_NETCTL_COMPLETE=complete_" + shell in capsys.readouterr().out
