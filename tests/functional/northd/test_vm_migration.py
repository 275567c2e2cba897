"""A port that is bound to two hosts, by real ovn-controllers: who may speak when, and nothing left afterwards.

Two hosts are two namespaces; both have a tap of machine a's trunk NIC, as while it is migrated.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from netctl.loop import wait_until
from netctl.model.intent import Intent
from netctl.model.keys import SubnetId
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.vm_migration import Stage
from tests.functional.host.namespace import NamespaceHost
from tests.functional.northd.conftest import Plane
from tests.intents import nic, overlay, uid_of
from tests.machines import nic_of, vm
from tests.migrations import AT_DESTINATION, migration

_numbers = itertools.count()
_ETH_P_ALL, _RARP, _EXPERIMENT = 0x0003, 0x8035, 0x88B5  # IEEE 802: local experimental ethertype 1
N1, CHILD = uid_of("n1"), f"{uid_of('n1')}-20"


class OvnHost:
    """A chassis: OVS and ovn-controller in a namespace."""

    def __init__(self, name: str, number: int, directory: Path, southbound: str) -> None:
        self.name, self.directory = name, directory
        directory.mkdir()
        self.host = NamespaceHost(f"ncm{os.getpid()}-{next(_numbers)}", directory)
        self._settings = (
            f"external_ids:system-id={name}",
            f"external_ids:ovn-remote={southbound}",
            "external_ids:ovn-encap-type=geneve",
            f"external_ids:ovn-encap-ip=192.0.2.{number}",
            "external_ids:ovn-bridge=brAtlas",
            "external_ids:ovn-bridge-datapath-type=netdev",
        )
        self._controller: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all of it."""
        self.host.start()
        self.host.vsctl("set", "Open_vSwitch", ".", *self._settings)
        log = f"--log-file={self.directory / 'ovn-controller.log'}"
        self._controller = self.host.popen(
            "ovn-controller", self.host.database.remote, log, "--no-chdir", "-vconsole:off"
        )

    def stop(self) -> None:
        """End all of it."""
        with ExitStack() as last_to_first:
            last_to_first.callback(self.host.remove)
            if self._controller is not None:
                last_to_first.callback(self._controller.wait, timeout=20)
                last_to_first.callback(self._controller.terminate)

    def plug(self, tap: str, iface_id: str) -> None:
        """Add a tap, as the host agent does."""
        self.host.add_link(tap)
        self.host.set_link(tap, "up")
        where = ("--may-exist", "add-port", "brAtlas", tap, "--", "set", "Interface", tap)
        self.host.vsctl(*where, f"external_ids:iface-id={iface_id}")

    def is_installed(self, tap: str) -> bool:
        """Has ovn-controller installed the flows of a tap?"""
        found = self.host.vsctl("--if-exists", "get", "Interface", tap, "external_ids:ovn-installed")
        return "true" in found

    @contextmanager
    def guest(self, tap: str) -> Iterator[socket.socket]:
        """Open the guest's end of a tap."""
        with self.host.inside():
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        with end:
            end.bind((f"x-{tap}", 0))
            end.settimeout(0.2)
            yield end


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def frame(source: Nic, target: str, word: bytes, *, tag: int = 0, kind: int = _EXPERIMENT) -> bytes:
    tagged = b"\x81\x00" + tag.to_bytes(2, "big") if tag else b""
    return mac(target) + mac(source.mac_address) + tagged + kind.to_bytes(2, "big") + word.ljust(64, b"\0")


def hears(end: socket.socket, words: set[bytes]) -> set[bytes]:
    """Return which of these words come within a moment."""
    heard: set[bytes] = set()
    try:
        while heard != words:
            data = end.recv(2048)
            heard |= {word for word in words if word in data}
    except TimeoutError:
        pass
    return heard


TRUNK = replace(
    nic_of("a", "n1", "o1", host="h1"),
    mode=NicMode.TRUNK,
    trunk_vlans=(TrunkVlan(vlan_id=20, subnet=SubnetId("o2")),),
    port_security=False,
    tap_name="tap-n1",
)
NEAR, TAGGED, OTHER = (
    replace(nic(name, subnet, number=number, host="h2"), port_security=False, tap_name=f"tap-{name}")
    for name, subnet, number in (("n2", "o1", 6), ("n3", "o2", 7), ("n4", "o1", 8))
)


def world(stage: Stage) -> list[Intent]:
    place = vm("a", on="h2" if stage in AT_DESTINATION else "h1")
    trunk = replace(TRUNK, host=place.host)
    return [overlay("o1"), overlay("o2", vni=5001), place, trunk, NEAR, TAGGED, OTHER, migration(stage=stage)]


def chassis_names(plane: Plane) -> dict[str, str]:
    """Return the names of all chassis by their UUIDs."""
    columns = ("--format=csv", "--no-headings", "--columns=_uuid,name", "list", "Chassis")
    lines = plane.sb.ctl("ovn-sbctl", *columns).split()
    return {line.partition(",")[0]: line.partition(",")[2] for line in lines}


@pytest.fixture
def hosts(plane: Plane, tmp_path: Path) -> Iterator[tuple[OvnHost, OvnHost]]:
    made = tuple(OvnHost(name, i, tmp_path / name, plane.sb.remote) for i, name in ((1, "h1"), (2, "h2")))
    with ExitStack() as last_to_first:
        for one in made:
            last_to_first.callback(one.stop)
            one.start()
        wait_until(lambda: len(chassis_names(plane)) == 2, timeout_s=30, what="both chassis are registered")
        yield made[0], made[1]


def bindings(plane: Plane, port: str) -> tuple[str, set[str], str]:
    """Return a port's chassis by name, its additional ones, its options."""
    names = chassis_names(plane)
    columns = [
        plane.sb.ctl(
            "ovn-sbctl", "--bare", f"--columns={column}", "find", "Port_Binding", f"logical_port={port}"
        )
        for column in ("chassis", "additional_chassis", "options")
    ]
    main, others = (" ".join(names[uuid] for uuid in column.split()) for column in columns[:2])
    return main, set(others.split()), columns[2].strip()


def until_bound(plane: Plane, chassis: str, additional: set[str]) -> None:
    for port in (N1, CHILD):
        wait_until(
            lambda port=port: bindings(plane, port)[:2] == (chassis, additional),  # type: ignore[misc]
            timeout_s=20,
            what=f"{port} is bound to {chassis} and {additional}",
        )


def test_a_guest_speaks_at_its_destination_after_its_rarp_and_leaves_nothing(
    plane: Plane, hosts: tuple[OvnHost, OvnHost]
) -> None:
    source, destination = hosts
    tap = TRUNK.tap_name
    for one in hosts:
        one.plug(tap, N1)
    for peer in (NEAR, TAGGED, OTHER):
        destination.plug(peer.tap_name, peer.meta.uid)
    plane.arrive(*world(Stage.PREPARING))
    until_bound(plane, "h1", set())
    wait_until(lambda: source.is_installed(tap), timeout_s=20, what="the source has its flows")
    assert not destination.is_installed(tap)  # a tap alone claims nothing

    plane.arrive(*world(Stage.COPYING))
    until_bound(plane, "h1", {"h2"})
    for name in (tap, NEAR.tap_name, TAGGED.tap_name, OTHER.tap_name):
        wait_until(lambda name=name: destination.is_installed(name), timeout_s=20, what=f"{name} has flows")  # type: ignore[misc]
    assert "activation-strategy=rarp" in bindings(plane, N1)[2]

    with (
        destination.guest(tap) as guest,
        destination.guest(NEAR.tap_name) as near,
        destination.guest(TAGGED.tap_name) as tagged,
        destination.guest(OTHER.tap_name) as other,
    ):
        guest.send(frame(TRUNK, NEAR.mac_address, b"too early"))
        guest.send(frame(TRUNK, TAGGED.mac_address, b"too early", tag=20))
        other.send(frame(OTHER, NEAR.mac_address, b"control"))
        assert hears(near, {b"too early", b"control"}) == {b"control"}
        assert hears(tagged, {b"too early"}) == set()

        def passes() -> bool:
            """QEMU sends a few of them when it resumes."""
            guest.send(frame(TRUNK, "ff:ff:ff:ff:ff:ff", b"", kind=_RARP))
            guest.send(frame(TRUNK, NEAR.mac_address, b"untagged"))
            guest.send(frame(TRUNK, TAGGED.mac_address, b"tagged", tag=20))
            return bool(hears(near, {b"untagged"}) and hears(tagged, {b"tagged"}))

        wait_until(passes, timeout_s=20, what="the guest's frames pass after its RARP, in every VLAN")

        plane.arrive(*world(Stage.SETTLING))
        until_bound(plane, "h2", set())
        for port in (N1, CHILD):
            assert bindings(plane, port)[2] == "requested-chassis=h2"
        guest.send(frame(TRUNK, TAGGED.mac_address, b"after", tag=20))
        assert hears(tagged, {b"after"}) == {b"after"}


def test_a_migration_that_goes_back_leaves_nothing(plane: Plane, hosts: tuple[OvnHost, OvnHost]) -> None:
    for one in hosts:
        one.plug(TRUNK.tap_name, N1)
    plane.arrive(*world(Stage.BINDING))
    until_bound(plane, "h1", {"h2"})
    plane.arrive(*world(Stage.ABORTING))
    until_bound(plane, "h1", set())
    for port in (N1, CHILD):
        assert bindings(plane, port)[2] == "requested-chassis=h1"
    wait_until(
        lambda: not hosts[1].is_installed(TRUNK.tap_name), timeout_s=20, what="the destination lets go of it"
    )
