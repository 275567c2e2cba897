"""acli lines into calls: what is understood, and what is said of what is not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.grammar import Call, expand_names, parse, split_line
from netctl.cli.acli.run import Leave, Runner
from netctl.cli.failures import NOT_FOUND, REFUSED, UNREACHABLE, USAGE, Failure
from netctl.cli.options import Session
from tests.unit.cli.acli.lines import LINES


def read(line: str) -> Call:
    return parse(split_line(line), COMMANDS)


def run_without_server(line: str, directory: Path) -> Failure | None:
    """Run a line where no controller is; return what was refused."""
    try:
        Runner(session=Session(server=f"unix:{directory}/nobody.sock")).run_line(line)
    except Failure as failure:
        return failure
    return None


@pytest.mark.parametrize("line", LINES)
def test_every_public_line_is_understood(line: str, tmp_path: Path) -> None:
    failure = run_without_server(line, tmp_path)
    assert failure is not None
    expected = (UNREACHABLE, "UNAVAILABLE")
    if line.startswith(("ads.", "ha.")):
        expected = (REFUSED, "UNSUPPORTED")
    elif "container=" in line or "clone_from_snapshot=" in line:  # told what to do without asking anybody
        expected = (USAGE, "USAGE")
    assert (failure.exit_status, failure.code) == expected, failure.render_text()


def test_the_line_of_the_seed() -> None:
    call = read("vm.nic_create fooVM vlan_mode=kTrunked trunked_networks=10,20,30 network=vlan.10")
    assert call.values == {
        "name": "fooVM",
        "vlan_mode": "kTrunked",
        "trunked_networks": "10,20,30",
        "network": "vlan.10",
    }


def test_uplinks_are_said_without_an_equals_sign() -> None:
    call = read("net.update_virtual_switch vs0 host_uplink_config select all 10g quick_mode=True")
    assert call.values == {"name": "vs0", "host_uplink_config": "select all 10g", "quick_mode": "true"}
    assert (
        read("net.update_virtual_switch vs0 host_uplink_config=h1:eth1").get("host_uplink_config")
        == "h1:eth1"
    )


def test_what_is_positional_may_be_named_and_a_value_may_have_equals_signs() -> None:
    assert read("net.get_virtual_switch name=vs0").values == read("net.get_virtual_switch vs0").values
    assert read("vm.nic_delete fooVM mac_address=aa").values == read("vm.nic_delete fooVM aa").values
    assert read("vm.update a extra_flags=is_system_vm=true").get("extra_flags") == "is_system_vm=true"
    assert read("vm.nic_update mac=aa fooVM").values == {"mac": "aa", "name": "fooVM"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("net.craete a", "did you mean 'net.create'?"),
        ("net.zzzzzzzzzzzzzzzzz a", "known: net.create, net.list, "),
        ("vm.nic_create a netwrok=b", "did you mean 'network'?"),
        ("vm.nic_create a network=b vlan_mode=kTrunk", "did you mean 'kTrunked'?"),
        ("vm.nic_create a network=b vlan_mode=x", "none of kAccess, kTrunked"),
        ("vm.nic_create a b", "what is 'b' for?"),
        ("vm.nic_create a network=b network=c", "network is said twice"),
        ("vm.nic_create a network", "network has no value"),
        ("vm.nic_update a", "MAC is missing"),
        ("net.create a vlan=ten", "'ten' is not a whole number"),
        ("net.create a", "vlan is missing"),
        ("vm.nic_create a network=b connected=perhaps", "neither true nor false"),
        ("vm.create a memory=4X", "not a size"),
        ("vm.create a num_vcpu=2", "did you mean 'num_vcpus'?"),
        ("manage_ovs --bridge br0 show_uplinks", "did you mean '--bridge_name'?"),
        ("manage_ovs show_uplink", "did you mean 'show_uplinks'?"),
        ("manage_ovs --bridge_name", "--bridge_name has no value"),
        ("vm.get 'a", "close the quotes"),
        ("-o yaml vm.list", "one of text, json, json-pretty"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(line: str, told: str, tmp_path: Path) -> None:
    failure = run_without_server(line, tmp_path)
    assert failure is not None
    assert failure.exit_status == USAGE
    assert told in failure.render_text()


def test_names_are_spread() -> None:
    assert expand_names("clone-vm-[01..20]")[::19] == ["clone-vm-01", "clone-vm-20"]
    assert expand_names("a, b,a") == ["a", "b"]
    assert expand_names("r[1..2]-[9..10],x") == ["r1-9", "r1-10", "r2-9", "r2-10", "x"]
    assert expand_names("a\0[1..2]") == ["a\x001", "a\x002"]
    for text in ("[1..9999]", "[1..99][1..99]", ",".join(f"v{i}-[1..100]" for i in range(11)), "[5..4]"):
        with pytest.raises(Failure):
            expand_names(text)


def test_every_example_in_the_help_is_understood(tmp_path: Path) -> None:
    for command in COMMANDS.values():
        assert read(command.example).command is command
        assert run_without_server(f"help {command.name}", tmp_path) is None


@settings(max_examples=300, deadline=None)
@given(line=st.sampled_from(LINES), seed=st.integers(0, 1 << 32))
def test_a_mutated_line_is_understood_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, line: str, seed: int
) -> None:
    mutated = mutate(line, random.Random(seed))
    try:
        failure = run_without_server(mutated, tmp_path_factory.getbasetemp())
    except Leave:
        return
    if failure is not None:
        assert failure.exit_status in (REFUSED, USAGE, UNREACHABLE, NOT_FOUND)
        assert failure.message


def mutate(line: str, chance: random.Random) -> str:
    """Return a line with one to three words or characters dropped, doubled, swapped or made strange."""
    for _ in range(chance.randint(1, 3)):
        words = line.split(" ")
        at = chance.randrange(len(words))
        where = chance.randrange(len(line) + 1)
        line = chance.choice(
            [
                " ".join(words[:at] + words[at + 1 :]),
                " ".join([*words[: at + 1], *words[at:]]),
                " ".join(chance.sample(words, len(words))),
                line[:where] + line[where + 1 :],
                line[:where] + chance.choice("='\"\\#,[].-é\x00 \t{}*?\u202e9") + line[where:],
                line[:where]
                + chance.choice(("[1..", "..9999999]", "=" * 9, "--", "-o", "9" * 40))
                + line[where:],
            ]
        )
    return line
