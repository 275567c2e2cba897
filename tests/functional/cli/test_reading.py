"""get, describe, status, history, watch, completion and lost connections against the real server."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.kinds import BY_COLLECTION
from netctl.cli.messages import unwrap
from netctl.cli.stream import follow, print_events
from netctl.loop import wait_until
from netctl.model.keys import Kind
from netctl.model.status import Phase
from netctl.v1 import operations_pb2 as operations
from tests.controllers import Controller
from tests.functional.cli.conftest import Run


@pytest.fixture
def client(controller: Controller) -> Iterator[Client]:
    with closing(Client(controller.address)) as client:
        yield client


@pytest.fixture
def nics(furnished: Run) -> Run:
    """The command, with web-1 on h1 and web-2 floating."""
    furnished(
        "create",
        "nic",
        "web-1",
        "--subnet",
        "web",
        "--host",
        "h1",
        "--label",
        "tier=web",
        "--reason",
        "first",
    )
    furnished("create", "nic", "web-2", "--subnet", "web")
    return furnished


def test_tables_keep_every_cell_whole_and_columns_countable(nics: Run) -> None:
    header, first, second = nics("get", "nics").lines
    assert header.split() == ["NAME", "SUBNET", "HOST", "MAC", "IPV4", "IPV6", "LINK", "PHASE", "REASON"]
    assert first.split()[:3] == ["web-1", "web", "h1"]
    assert second.split()[-2:] == ["PENDING", "NOT_ATTACHED"]
    assert len(first.split()) == len(second.split()) == 9


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("nic",), ["nics/web-1", "nics/web-2"]),
        (("nics", "web-2"), ["nics/web-2"]),
        (("nic/web-2",), ["nics/web-2"]),
        (("nics", "-l", "tier=web"), ["nics/web-1"]),
        (("nics", "--filter", 'host = ""'), ["nics/web-2"]),
        (("nics", "--filter", "subnet = subnets/web", "-l", "tier=web"), ["nics/web-1"]),
        (("vs,sn",), ["virtualSwitches/vs0", "subnets/web"]),
        (("virtual-switches",), ["virtualSwitches/vs0"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_get_finds(nics: Run, arguments: tuple[str, ...], names: list[str]) -> None:
    assert nics("get", *arguments, "-o", "name").lines == names
    assert [resource["name"] for resource in nics("get", *arguments, "-o", "json").data] == names


def test_what_is_not_there_is_status_4(nics: Run) -> None:
    assert nics("get", "nic", "nope", expect=4).err == "error: nics/nope does not exist\n"
    assert nics("describe", "nic/nope", expect=4).out == ""
    assert "nics/nope does not exist" in nics("wait", "nic/nope", expect=4).err


def test_describe_tells_the_neighbourhood(nics: Run, controller: Controller) -> None:
    controller.statuses.say((Kind.NIC, "web-1"), Phase.FAILED, "TAP_MISSING", "start the guest")
    text = nics("describe", "nic", "web-1").out
    assert all(part in text for part in ("FAILED", "TAP_MISSING", "start the guest", "subnets/web", "first"))
    assert nics("describe", "subnet", "web", "-o", "json").data["used_by"] == ["nics/web-1", "nics/web-2"]
    assert nics("describe", "host", "h1", "-o", "json").data["used_by"] == ["nics/web-1"]
    switch = nics("describe", "vs", "vs0", "-o", "json").data
    assert switch["used_by"] == ["subnets/web", "hosts/h1", "hosts/h2"]
    cluster = nics("describe", "cluster", "c1", "-o", "json").data
    assert cluster["used_by"] == ["virtualSwitches/vs0", "hosts/h1", "hosts/h2", "subnets/web"]


def test_history_shows_what_changed(nics: Run) -> None:
    nics("update", "nic", "web-1", "--connected", "false", "--reason", "quarantine")
    assert nics("history", "-n", "2").lines[1].split()[-2:] == ["local", "quarantine"]
    assert nics("history", "nic/web-1", "--diff").lines[:3] == [
        nics("history", "nic/web-1", "--diff").lines[0],
        "    - connected: true",
        "    + connected: false",
    ]
    assert len(nics("history", "nic/web-1", "-o", "json").data) == 2
    assert nics("history", "nic/web-9").err == "no changes\n"
    assert nics("history", "nic/web-9", "-o", "json").data == []


def test_status_is_1_when_something_failed_or_the_controller_has_a_problem(
    nics: Run, controller: Controller
) -> None:
    assert nics("status").lines[0].startswith("controller  ready")
    controller.statuses.say((Kind.NIC, "web-1"), Phase.FAILED, "TAP_MISSING", "start the guest")
    ran = nics("status", expect=1)
    assert "nics/web-1      FAILED   TAP_MISSING   start the guest" in ran.lines
    controller.statuses.say((Kind.NIC, "web-1"), Phase.PROGRAMMED)
    controller.info.problems = ("the northbound database is not connected",)
    assert "problem     the northbound database is not connected" in nics("status", expect=1).lines
    assert not nics("status", "-o", "json", expect=1).data["well"]


def test_mass_delete_and_versions(netctl: Run, controller: Controller) -> None:
    netctl("allow-mass-delete", "--reason", "moving out")
    assert controller.info.allowed == ["moving out"]
    assert netctl("version", "-o", "json").data["controller"] == "0.1.0"


def test_watch_goes_on_after_a_restart(furnished: Run, controller: Controller, client: Client) -> None:
    events = follow(client, [BY_COLLECTION["nics"]])
    furnished("create", "nic", "a", "--subnet", "web")
    assert [event.name for event in itertools.islice(events, 2)] == ["nics/a", ""], "as it is, then SYNCED"
    controller.restart()
    furnished("create", "nic", "b", "--subnet", "web")
    furnished("delete", "nic", "a")
    seen: list[str] = []
    for event in events:
        if event.kind != operations.EVENT_KIND_SYNCED:
            seen.append(f"{operations.EventKind.Name(event.kind)} {event.name}")
        if "EVENT_KIND_REMOVED nics/a" in seen and "EVENT_KIND_PUT nics/b" in seen:
            break


def test_watch_prints_a_line_for_each_event(
    nics: Run, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    events = follow(client, [BY_COLLECTION["nics"]])
    print_events(itertools.islice(events, 3), "text", lambda resource: True)
    assert "nics/web-1  PROGRAMMED  ipv4=10.0.0.1 host=hosts/h1" in capsys.readouterr().out
    events = follow(client, [BY_COLLECTION["nics"]])
    print_events(itertools.islice(events, 3), "json", lambda resource: not resource.host)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["resource"]["name"] == "nics/web-2"


def test_a_call_rides_out_a_restart(furnished: Run, controller: Controller, client: Client) -> None:
    kind = BY_COLLECTION["subnets"]
    assert len(list(api.list_all(client, kind))) == 1
    controller.stop()
    starter = threading.Timer(0.5, controller.start)
    starter.start()
    try:
        assert len(list(api.list_all(client, kind))) == 1
    finally:
        starter.join()


def test_waiting_rides_out_a_restart(furnished: Run, controller: Controller) -> None:
    furnished("create", "nic", "a", "--subnet", "web", "--host", "h1")
    key = Kind.NIC, "a"
    controller.statuses.say(key, Phase.PENDING, "WAITING_FOR_OVN")
    controller.statuses.asked.clear()

    def restart_then_settle() -> None:
        wait_until(lambda: key in controller.statuses.asked, timeout_s=20, what="somebody waits for the NIC")
        controller.restart()
        controller.statuses.say(key, Phase.PROGRAMMED)

    settler = threading.Thread(target=restart_then_settle)
    settler.start()
    try:
        furnished("wait", "nic/a", "--timeout", "20")
    finally:
        settler.join()


def test_nobody_there_is_said_in_one_line(netctl: Run, controller: Controller) -> None:
    gone = f"{controller.address}.gone"
    ran = netctl("--server", gone, "get", "nics", expect=3)
    assert (
        ran.err.splitlines()[0] == f"error: cannot reach the controller at {gone}: no such file or directory"
    )
    assert "make demo" in ran.err
    assert (
        netctl("--server", "127.0.0.1:1", "status", expect=3)
        .err.splitlines()[0]
        .endswith("connection refused")
    )
    assert (
        json.loads(netctl("--server", gone, "get", "nics", "-o", "json", expect=3).err)["error"][
            "exit_status"
        ]
        == 3
    )


@contextmanager
def listening_to_interrupts() -> Iterator[None]:
    """Start programs that an interrupt ends, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_installed_command_completes_names_and_ends_watch_quietly(nics: Run, tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "netctl")
    environment = {
        **os.environ,
        "_NETCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": "netctl get nic w",
        "COMP_CWORD": "3",
    }
    completed = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert completed.stdout.split() == ["web-1", "web-2"], completed.stderr
    with open(tmp_path / "out", "w+") as out, listening_to_interrupts():
        watch = subprocess.Popen([program, "watch", "nics", "-o", "json"], stdout=out, stderr=subprocess.PIPE)
    try:
        wait_until(
            lambda: (tmp_path / "out").read_text().count("\n") == 2,
            timeout_s=10,
            what="both NICs are printed",
        )
        watch.send_signal(signal.SIGINT)
        _, err = watch.communicate(timeout=60)
    finally:
        watch.kill()
        watch.communicate()
    assert (watch.returncode, err) == (130, b"")


def test_get_watch_prints_only_what_is_asked_for(nics: Run, client: Client) -> None:
    events = follow(client, [BY_COLLECTION["nics"]], ["nics/web-2"])
    first = next(events)
    assert unwrap(first.resource).name == "nics/web-2"
    assert nics("get", "nics", "--watch", "--filter", "a = b", expect=2).err.startswith("error: --filter")
