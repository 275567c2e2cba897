"""Tables, failures, settled or not, and the matcher of the README."""

from __future__ import annotations

import json

import pytest

from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.output import print_table
from netctl.cli.waiting import is_settled
from netctl.v1 import network_pb2, status_pb2
from tests import readme


def test_tables_align_also_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "PHASE"), [("网络", "PENDING"), ("e\u0301", ""), ("a-long-name", "FAILED")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME         PHASE",
        "网络         PENDING",
        "e\u0301            -",
        "a-long-name  FAILED",
    ]


def test_a_failure_says_where_which_field_what_and_what_to_do() -> None:
    refused = Failure("is empty", code="INVALID_ARGUMENT", field="subnet.kind", hint="set it").located(
        "f.yaml:3"
    )
    assert refused.render_text() == "error: f.yaml:3: subnet.kind: is empty\nhint: set it"
    gone = Failure("subnets/x does not exist", exit_status=NOT_FOUND, code="NOT_FOUND", field="nic.subnet")
    assert gone.render_text() == "error: subnets/x does not exist (field nic.subnet)"
    assert json.loads(gone.render_json())["error"] == {
        "code": "NOT_FOUND",
        "message": "subnets/x does not exist",
        "exit_status": 4,
        "field": "nic.subnet",
    }


@pytest.mark.parametrize(
    ("phase", "reason", "revision", "settled"),
    [
        (status_pb2.PHASE_PROGRAMMED, "", 5, True),
        (status_pb2.PHASE_PROGRAMMED, "", 4, False),
        (status_pb2.PHASE_FAILED, "REJECTED_BY_OVN", 5, True),
        (status_pb2.PHASE_FAILED, "TAP_MISSING", 5, False),
        (status_pb2.PHASE_PENDING, "WAITING_FOR_OVN", 6, False),
        (status_pb2.PHASE_PENDING, "NOT_ATTACHED", 6, True),
        (status_pb2.PHASE_PENDING, "NOT_ASSOCIATED", 6, True),
        (status_pb2.PHASE_FAILED, "NEXT_HOP_DEAD", 5, False),
        (status_pb2.PHASE_FAILED, "FALLBACK", 5, False),
        (status_pb2.PHASE_UNSPECIFIED, "", 6, False),
    ],
)
def test_settled(phase: status_pb2.Phase.ValueType, reason: str, revision: int, settled: bool) -> None:
    status = status_pb2.Status(phase=phase, reason=reason, revision=revision)
    assert is_settled(network_pb2.Nic(status=status), 5) is settled


def test_readme_sessions_are_read_and_compared() -> None:
    text = "```console\n$ netctl get nics    # exit status 4\nNAME  IP\n…\nend 1.…\n$ true\n```\n"
    text += "```console lab\n$ false\n```\n"
    first, second, third = readme.examples(text)
    assert (first.command, first.exit_status, first.needs_lab) == ("netctl get nics", 4, False)
    assert (second.command, second.expected, third.needs_lab) == ("true", (), True)
    assert readme.matches(first.expected, "NAME IP\nend 1.5\n")
    assert readme.matches(first.expected, "NAME      IP\na\nb\nend 1.5\n")
    assert not readme.matches(first.expected, "NAME IP\nend 2.5\n")
    assert not readme.matches(first.expected, "NAME IP\nend 1.5\nmore\n")
    assert not readme.matches((), "something\n")
    with pytest.raises(AssertionError, match="promises otherwise"):
        readme.run(readme.Example("echo a", ("b",), 0, needs_lab=False))
    with pytest.raises(AssertionError, match="status 1"):
        readme.run(third)
