"""Uplinks on trial on a real host, whose controller is reached over the very uplinks that change."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host.actions import DisableChecksumOffload
from netctl_host.assignment import UplinkBridge
from netctl_host.links import Links
from pyroute2 import IPRoute, netns

from netctl.lab import namespaces
from netctl.loop import wait_until
from netctl.v1 import agent_pb2
from tests.functional.host.controller import AgentController
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.silent_proxy import SilentProxy
from tests.functional.host.test_process import AgentProcess
from tests.unit.host.samples import assign, uplink

HERE, THERE = "192.0.2.11/24", "192.0.2.1"
# the controller's clock and the tests' beside the 20 s of a trial: product.md wants 30
RESTORED_S = 30.0
FIRST = replace(uplink(0, "eth1"), settings_id="first", mtu_bytes=1500, host_addresses=(HERE,))
DEAD = replace(FIRST, settings_id="dead", interfaces=("eth2",), bond_mode="balance-slb")


class Site:
    """A host with eth1 cabled to where its controller is, and eth2 to nowhere."""

    def __init__(self, host: NamespaceHost, controller: AgentController, directory: Path) -> None:
        self.host = host
        self.controller = controller
        self._there = f"{host.name}c"
        self._directory = directory

    def start(self) -> None:
        """Cable it, and have the controller served at `THERE`."""
        namespaces.ensure(self._there)
        self.host.add_link("eth1")
        self.host.add_link("eth2")
        with self.host.inside(), IPRoute() as ip:
            ip.link("set", index=ip.link_lookup(ifname="x-eth1")[0], net_ns_fd=self._there)
            card = ip.link_lookup(ifname="eth1")[0]
            ip.link("set", index=card, state="up")
            ip.addr("add", index=card, address="192.0.2.11", prefixlen=24)
            ip.route("add", dst="default", gateway=THERE)
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            netns.setns(self._there, flags=0)
            with IPRoute() as ip:
                other = ip.link_lookup(ifname="x-eth1")[0]
                ip.link("set", index=other, state="up")
                ip.addr("add", index=other, address=THERE, prefixlen=24)
            links = Links()
            links.apply(DisableChecksumOffload(link="x-eth1"))  # a cable has none
            links.close()
            self.proxy = SilentProxy(self.controller.address.removeprefix("unix:"), THERE)
        finally:
            netns.setns(outside, flags=0)
            os.close(outside)
        self.controller.start()
        self.proxy.__enter__()
        self.agent = AgentProcess(self.host, self.proxy.address)

    def remove(self) -> None:
        """End what `start` began."""
        self.agent.stop(signal.SIGKILL)
        self.proxy.__exit__()
        self.controller.stop()
        namespaces.remove(self._there)

    def bridge(self) -> agent_pb2.BridgeReport:
        """What was reported of br0 last."""
        return next(iter(self.controller.last().bridges), agent_pb2.BridgeReport())

    def confirm(self, settings: UplinkBridge) -> None:
        """Assign settings that work."""
        self.controller.assign(assign(settings))
        wait_until(
            lambda: self.bridge().settings_id == settings.settings_id,
            timeout_s=15,
            what=f"{settings.settings_id} is confirmed",
        )

    def members(self) -> tuple[str, ...]:
        """Return the interfaces of br0's uplink port."""
        bridge = self.host.read_state().switch.bridges.get("br0")
        return bridge.ports["br0-up"].interfaces if bridge is not None and "br0-up" in bridge.ports else ()


@pytest.fixture
def site(host: NamespaceHost, tmp_path: Path) -> Iterator[Site]:
    made = Site(host, AgentController(tmp_path), tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.remove()


def test_the_address_moves_to_the_bridge_and_a_cut_is_undone(site: Site) -> None:
    site.agent.start()
    site.confirm(FIRST)
    links = site.host.read_state().links
    assert (links["br0"].addresses, links["eth1"].addresses) == ((HERE,), ())
    with site.host.inside(), IPRoute() as ip:
        (default,) = ip.get_default_routes(family=2)
        assert default.get("oif") == links["br0"].index
    assert not site.controller.last().problems

    site.controller.reports.clear()
    streams = site.proxy.connections
    site.controller.assign(assign(DEAD))
    wait_until(lambda: site.members() == ("eth2",), timeout_s=10, what="the change is tried")
    begun = time.monotonic()
    wait_until(lambda: site.members() == ("eth1",), timeout_s=RESTORED_S, what="it is undone", poll_s=0.1)
    # what is told is told over the uplink that works again
    wait_until(
        lambda: site.bridge().rolled_back_settings_id == "dead", timeout_s=15, what="it is told", poll_s=0.1
    )
    assert time.monotonic() - begun <= RESTORED_S
    assert site.bridge().settings_id == "first"
    assert site.proxy.connections >= streams
    state = site.host.read_state()
    assert state.links["br0"].addresses == (HERE,)
    assert state.switch.bridges["br0"].ports["br0-up"].bond_mode == ""


def test_killed_in_the_middle_of_a_first_adoption_that_cuts_it(site: Site) -> None:
    site.controller.assign(assign(replace(DEAD, interfaces=("eth2",), settings_id="cut")))
    site.agent.start()
    wait_until(lambda: "br0" in site.host.read_state().links, timeout_s=10, what="the change is tried")
    begun = time.monotonic()
    with site.host.inside(), IPRoute() as ip:
        # the way to the controller dies with the change
        ip.link("set", index=ip.link_lookup(ifname="eth1")[0], state="down")
    site.agent.stop(signal.SIGKILL)
    site.agent.start()
    wait_until(
        lambda: "br0" not in site.host.read_state().switch.bridges, timeout_s=RESTORED_S, what="undone"
    )
    assert time.monotonic() - begun <= RESTORED_S
    with site.host.inside(), IPRoute() as ip:
        ip.link("set", index=ip.link_lookup(ifname="eth1")[0], state="up")
    assert site.host.read_state().links["eth1"].addresses == (HERE,)
    wait_until(lambda: site.bridge().rolled_back_settings_id == "cut", timeout_s=20, what="it is told")


def test_the_way_to_the_controller_is_not_taken_unasked(site: Site) -> None:
    site.agent.start()
    site.controller.assign(
        assign(replace(FIRST, settings_id="careless", interfaces=("eth1", "eth2"), host_addresses=()))
    )
    wait_until(lambda: site.members() == ("eth2",), timeout_s=15, what="the other one is taken")
    wait_until(lambda: site.controller.last().problems, timeout_s=10, what="it is told")
    assert list(site.controller.last().problems) == [
        "interface eth1 of br0-up has the address 192.0.2.11, which leads to the controller, and is left alone; "
        "list the address among the host's uplink addresses, and it moves along"
    ]
    assert site.host.read_state().links["eth1"].addresses == (HERE,)
