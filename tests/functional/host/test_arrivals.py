"""A guest that comes from another host: both hosts' br0, the one it left included, know it before it says a word.

Two hosts with a switch between them. brAtlas is a learning bridge here, with OVN's gate written by hand.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host.arrivals import render_rarp
from netctl_host.assignment import Assignment, NicAssignment
from netctl_host.state import HostState
from pyroute2 import IPRoute

from netctl.lab import links, namespaces
from netctl.lab.links import Cable, Port
from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import SETTINGS
from tests.unit.host.samples import assign, nic, uplink

_numbers = itertools.count()
MAC = nic(1).mac_address
COMING = replace(nic(1), incoming=True, announce_bridge="br0", announce_vlan_ids=(10,))
BY_OVN = replace(COMING, announce_localnets=("ln10",))
ON_TAP = replace(COMING, bridge="br0", vlan_id=10)
PATCH = "patch-ln10-to-brAtlas"


class Host:
    """br0 with a bond, brAtlas, a patch between them, and tap1 with the guest at `x-tap1`."""

    def __init__(self, real: NamespaceHost) -> None:
        self.real = real

    def build(self, bond_mode: str) -> None:
        for bridge in ("br0", "brAtlas"):
            self.real.vsctl("add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev")
        self.real.vsctl("set", "Open_vSwitch", ".", "other_config:max-revalidator=100")
        self.real.vsctl("add-bond", "br0", "br0-up", "eth1", "eth2", f"bond_mode={bond_mode}")
        self.patch("ln10")

    def patch(self, localnet: str) -> None:
        here, there = f"patch-{localnet}-to-brAtlas", f"patch-brAtlas-to-{localnet}"
        for bridge, name, peer in (("br0", here, there), ("brAtlas", there, here)):
            options = ("type=patch", f"options:peer={peer}")
            self.real.vsctl("add-port", bridge, name, "--", "set", "Interface", name, *options)

    def plug(self, one: NicAssignment) -> None:
        """The guest's tap appears and is plugged."""
        self.real.add_link("tap1")
        self.real.set_link("tap1", "up")
        tag = (f"tag={one.vlan_id}",) if one.bridge else ()
        self.real.vsctl("add-port", one.bridge or "brAtlas", "tap1", *tag)
        wait_until(lambda: self.ofport("tap1"), timeout_s=5, what="tap1 has a number")
        wait_until(self.carries, timeout_s=5, what="the kernel lets the guest send")

    def carries(self) -> bool:
        """Are both ends activated? Until then, up to a second after carrier, the kernel drops what is sent."""
        with self.real.inside(), IPRoute() as ip:
            ends = [ip.get_links(ip.link_lookup(ifname=name)[0])[0] for name in ("tap1", "x-tap1")]
        return all(end.get("operstate") == "UP" for end in ends)

    def unplug(self) -> None:
        """The guest's tap goes."""
        self.real.vsctl("del-port", "tap1")
        self.real.remove_link("tap1")

    def ofport(self, name: str) -> int:
        found = self.state().switch.interfaces.get(name)
        return found.ofport if found is not None else 0

    def state(self) -> HostState:
        return self.real.read_state()

    def serve(self, assignment: Assignment) -> None:
        assert self.real.serve(assignment, self.state(), SETTINGS) == ()

    def say(self, frame: bytes) -> None:
        """The guest sends a frame."""
        with self.real.inside():
            send("x-tap1", frame)

    def learned_at(self, vlan_id: int = 10) -> str:
        """Return the port of br0 behind which the guest is, "" when it is not known."""
        control = str(self.real.directory / "ovs-vswitchd.ctl")
        shown = subprocess.run(
            ("ovs-appctl", "-t", control, "fdb/show", "br0"), capture_output=True, text=True, check=True
        )
        for line in shown.stdout.splitlines():
            port, vlan, mac, _age = line.split()
            if (vlan, mac) == (str(vlan_id), MAC):
                switch = self.state().switch
                return next(
                    name
                    for name, holder in switch.bridges["br0"].ports.items()
                    for interface in holder.interfaces
                    if str(switch.interfaces[interface].ofport) == port
                )
        return ""

    def ofctl(self, *arguments: str) -> None:
        program = self.real.popen("ovs-ofctl", "-O", "OpenFlow15", *arguments)
        assert program.wait(timeout=10) == 0


def send(link: str, frame: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((link, 0))
        sender.send(frame)


@pytest.fixture(params=["active-backup", "balance-slb"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts with bonds of this mode, to one switch."""
    name = f"nca{os.getpid()}-{next(_numbers)}"
    with ExitStack() as last_to_first:
        last_to_first.callback(namespaces.remove, f"{name}-sw")
        namespaces.ensure(f"{name}-sw")
        links.set_sysctls(f"{name}-sw", links.FABRIC_SYSCTLS)
        links.ensure_bridges(f"{name}-sw", ["sw"], 9000)
        hosts = []
        for at in ("a", "b"):
            (tmp_path / at).mkdir()
            real = NamespaceHost(f"{name}-{at}", tmp_path / at)
            last_to_first.callback(real.remove)
            real.start()
            links.set_sysctls(
                real.name, links.FABRIC_SYSCTLS
            )  # a guest here says what it is told to, no more
            links.connect(
                Cable(
                    ends=(
                        Port(namespace=real.name, interface=card),
                        Port(namespace=f"{name}-sw", interface=f"{at}-{card}", bridge="sw"),
                    ),
                    mtu_bytes=9000,
                )
                for card in ("eth1", "eth2")
            )
            hosts.append(Host(real))
            hosts[-1].build(request.param)
        yield hosts[0], hosts[1]


def coming(*nics: NicAssignment) -> Assignment:
    return assign(uplink(0, "eth1", "eth2"), nics=nics)


def knows(host: Host, port: str, vlan_id: int = 10) -> None:
    """Wait until its br0 knows the guest behind this port."""
    what = f"{host.real.name} knows it at {port} in VLAN {vlan_id}"
    wait_until(lambda: host.learned_at(vlan_id) == port, timeout_s=5, what=what)


def arrives(host: Host) -> Mapping[str, int]:
    """Wait until it arrived; return when its frames passed."""
    return wait_until(lambda: host.state().arrived, timeout_s=5, what="it arrived")


def frame(vlan_id: int = 0) -> bytes:
    return render_rarp(MAC, vlan_id)


@pytest.mark.parametrize("one", [BY_OVN, ON_TAP], ids=["ovn", "basic"])
def test_it_goes_there_and_comes_back_and_both_bridges_know(
    pair: tuple[Host, Host], one: NicAssignment
) -> None:
    there, back = pair
    here, at_guest = (there, back), "tap1" if one.bridge else PATCH
    source, destination = here
    source.plug(one)
    source.say(frame(0 if one.bridge else 10))
    knows(source, at_guest)
    for _ in range(3):  # at once: what keeps the first from being as good as the third
        destination.plug(one)
        destination.serve(coming(one))
        destination.say(frame())
        arrived = arrives(destination)
        assert list(arrived) == [one.iface_id]
        assert arrived[one.iface_id] < 500
        knows(source, "br0-up")
        knows(destination, at_guest)
        source.unplug()
        source.serve(coming(replace(one, incoming=False)))
        source, destination = destination, source


def test_a_trunk_is_told_in_each_vlan_by_its_own_port(pair: tuple[Host, Host]) -> None:
    source, destination = pair
    destination.patch("ln20")
    trunk = replace(COMING, announce_vlan_ids=(10, 20), announce_localnets=("ln10", "ln20"))
    destination.plug(trunk)
    destination.serve(coming(trunk))
    destination.say(frame())
    for vlan_id, localnet in ((10, "ln10"), (20, "ln20")):
        knows(source, "br0-up", vlan_id)
        knows(destination, f"patch-{localnet}-to-brAtlas", vlan_id)


@pytest.mark.parametrize("pair", ["active-backup"], indirect=True)
def test_it_has_not_arrived_while_ovn_keeps_its_frames(pair: tuple[Host, Host]) -> None:
    _source, destination = pair
    destination.plug(BY_OVN)
    gate = f"table=0,priority=1000,in_port={destination.ofport('tap1')}"
    destination.ofctl("add-flow", "brAtlas", f"{gate},actions=drop")
    destination.serve(coming(BY_OVN))
    destination.say(frame())
    knows(destination, PATCH)
    assert not destination.state().arrived
    destination.ofctl("del-flows", "--strict", "brAtlas", gate)
    (after_ms,) = arrives(destination).values()
    assert after_ms < 2000
    assert destination.real.wakes


@pytest.mark.parametrize("pair", ["active-backup"], indirect=True)
def test_what_is_sent_to_the_guest_is_no_sign_of_it(pair: tuple[Host, Host]) -> None:
    source, destination = pair
    destination.plug(ON_TAP)
    destination.serve(coming(ON_TAP))
    source.plug(ON_TAP)
    with destination.real.inside(), IPRoute() as ip:
        index = ip.link_lookup(ifname="tap1")[0]
        before = ip.get_links(index)[0].get("stats64")["tx_packets"]

    def was_sent_to_it() -> bool:
        source.say(frame())  # a broadcast, which floods to the tap over there
        with destination.real.inside(), IPRoute() as ip:
            return bool(ip.get_links(index)[0].get("stats64")["tx_packets"] > before)

    wait_until(was_sent_to_it, timeout_s=5, what="the tap gets frames")
    assert not destination.state().arrived
    destination.say(frame())
    arrives(destination)
