"""The controller's command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from netctl.config import DEFAULT_LISTEN, parse_arguments
from netctl.server.syslog import SyslogTarget


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETCTL_STATE_DIR", "/var/other")
    monkeypatch.setenv("NETCTL_NORTHBOUND", "tcp:192.0.2.1:6641")
    config = parse_arguments(["--state-dir", "/var/mine", "--listen", "unix:a", "--listen", "[::1]:5"])
    assert config.state_dir == Path("/var/mine")
    assert config.northbound == "tcp:192.0.2.1:6641"
    assert config.listen == ("unix:a", "[::1]:5")


def test_there_is_a_default_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "STATE_DIR",
        "NORTHBOUND",
        "OVN_REMOTE",
        "LISTEN",
        "METRICS_LISTEN",
        "RESYNC_S",
        "LOG_FORMAT",
    ):
        monkeypatch.delenv(f"NETCTL_{name}", raising=False)
    config = parse_arguments([])
    assert config.listen == (DEFAULT_LISTEN,)
    assert config.resync_s == 30


@pytest.mark.parametrize("value", ["soon", "0", "-1"])
def test_nonsense_ends_with_a_usage_text(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--resync-s", value])
    assert ended.value.code == 2
    assert "--resync-s" in capsys.readouterr().err


def test_bfd_is_left_as_ovn_has_it_unless_asked_for() -> None:
    assert parse_arguments([]).ovn_options == {}
    config = parse_arguments(["--bfd-min-rx-ms", "300", "--bfd-min-tx-ms", "250", "--bfd-multiplier", "3"])
    assert config.ovn_options == {"bfd-min-rx": "300", "bfd-min-tx": "250", "bfd-mult": "3"}


@pytest.mark.parametrize("value", ["fast", "0", "-1", "60001", "1.5"])
def test_bfd_takes_numbers(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments([f"--bfd-min-rx-ms={value}"])
    assert ended.value.code == 2
    assert "--bfd-min-rx-ms" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["trust_dhcpv6", "trust_reject"])
def test_an_unsafe_ovn_is_trusted_only_when_the_operator_says_so(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable, flag = f"NETCTL_{name.upper()}", f"--{name.replace('_', '-')}"
    monkeypatch.delenv(variable, raising=False)
    assert getattr(parse_arguments([]), name) is False
    assert getattr(parse_arguments([flag]), name) is True
    other = {"trust_dhcpv6": "trust_reject", "trust_reject": "trust_dhcpv6"}[name]
    assert getattr(parse_arguments([flag]), other) is False
    for value, trusted in (("", False), ("0", False), ("1", True)):
        monkeypatch.setenv(variable, value)
        assert getattr(parse_arguments([]), name) is trusted


def test_trust_is_not_guessed_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETCTL_TRUST_DHCPV6", "no")
    with pytest.raises(SystemExit) as ended:
        parse_arguments([])
    assert ended.value.code == 2
    assert "NETCTL_TRUST_DHCPV6: 'no'" in capsys.readouterr().err


def test_the_help_says_what_trust_risks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "CVE-2026-5367" in said
    assert "CVE-2026-5265" in said
    assert "read the memory" in said


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("udp:192.0.2.7:1514", SyslogTarget("udp", "192.0.2.7", 1514)),
        ("tcp:logs.example.net", SyslogTarget("tcp", "logs.example.net", 514)),
        ("udp:[fd00::7]:515", SyslogTarget("udp", "fd00::7", 515)),
        ("tcp:[fd00::7]", SyslogTarget("tcp", "fd00::7", 514)),
        ("unix:/dev/log", SyslogTarget("unix", "/dev/log")),
        ("", None),
    ],
)
def test_where_the_log_of_policies_goes(text: str, target: SyslogTarget | None) -> None:
    assert parse_arguments([f"--syslog={text}"]).syslog == target


@pytest.mark.parametrize(
    "text", ["logs:514", "udp:", "udp::514", "tcp:h:0", "tcp:h:70000", "unix:log", "udp:fd00::7"]
)
def test_a_syslog_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments([f"--syslog={text}"])
    assert ended.value.code == 2
    assert "--syslog" in capsys.readouterr().err
