"""A host that is started anew without its controller has all of its network again, from disk."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netctl.loop import wait_until
from tests.functional.host.controller import AgentController
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import BONDED
from tests.functional.host.test_process import AgentProcess, is_as
from tests.unit.host.samples import uplink

WANTED = replace(
    BONDED,
    revision=7,
    uplink_bridges=(
        replace(BONDED.uplink_bridges[0], settings_id="s0"),
        replace(uplink(1, "eth4"), settings_id="s1", mtu_bytes=1500),
    ),
)
LINKS = ("eth1", "eth2", "eth3", "eth4")
BACK_S = 30.0


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[AgentController]:
    served = AgentController(tmp_path)
    try:
        yield served
    finally:
        served.stop()


def test_everything_comes_back_from_disk(host: NamespaceHost, controller: AgentController) -> None:
    for link in LINKS:
        host.add_link(link)
    controller.start()
    controller.assign(WANTED)
    agent = AgentProcess(host, controller.address)
    try:
        agent.start()
        wait_until(
            lambda: [bridge.settings_id for bridge in controller.last().bridges] == ["s0", "s1"],
            timeout_s=20,
            what="confirmed",
        )
        wait_until(lambda: is_as(host, WANTED), timeout_s=20, what="as assigned")
        agent.stop(signal.SIGKILL)
        controller.stop()
        lose_everything(host)
        begun = time.monotonic()
        agent.start()
        wait_until(lambda: is_as(host, WANTED), timeout_s=BACK_S, what="rebuilt from disk")
        assert time.monotonic() - begun < BACK_S
        state = host.read_state()
        assert state.links["br0"].addresses == ("192.0.2.11/24", "198.51.100.7/24", "2001:db8::7/64")
        assert state.links["stor0"].addresses == ("10.9.0.1/24",)
        assert state.links["eth3"].master == "virbr0"
        bond = state.switch.bridges["br0"].ports["br0-up"]
        assert (bond.interfaces, bond.bond_mode, bond.lacp) == (("eth1", "eth2"), "balance-tcp", "active")
        assert state.switch.bridges["br0"].mcast_snooping
        assert set(state.switch.bridges) == {"br0", "br1", "brAtlas"}
    finally:
        agent.stop(signal.SIGKILL)


def lose_everything(host: NamespaceHost) -> None:
    """Leave what a machine has that was just started: its cards, and an empty database."""
    host.stop_vswitchd()
    host.database.stop()
    host.database.database.unlink()
    for link in (*LINKS, "virbr0"):
        host.remove_link(link)
    for link in host.link_names() - {"lo"}:
        host.remove_link(link)
    for link in LINKS:
        host.add_link(link)
    host.database.start()
    host.start_vswitchd()
    host.restart_agent()
