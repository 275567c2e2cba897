"""What a real ovn-controller logs of real packets is read from its file, also while the file is rotated."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from netctl_host.acl_log import AclLog, AclLogs
from netctl_host.acl_log_file import AclLogFollower

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.servers import OvsdbServer, northd, ovsdb_server
from tests.unit.host.frames import MAC, ethernet, ipv6

TCP = struct.pack("!HHIIBBHHH", 4000, 443, 1, 0, 0x50, 2, 1000, 0, 0)
UDP = struct.pack("!HHHH", 4000, 53, 8, 0)


def ipv4(protocol: int, payload: bytes) -> bytes:
    """Return a frame from 192.0.2.7 to 192.0.2.8."""
    head = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(payload), 0, 64, protocol, 0)
    head += bytes((192, 0, 2, 7, 192, 0, 2, 8))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    whole = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + payload
    return ethernet(whole, ethertype=0x0800)


V4, V6 = "192.0.2.7 192.0.2.8", "2001:db8::7 ff02::1"
FRAMES = {
    ("tcp", V4, 4000, 443, 0, 0): ipv4(6, TCP),
    ("udp", V4, 4000, 53, 0, 0): ipv4(17, UDP),
    ("icmp", V4, 0, 0, 8, 0): ipv4(1, bytes((8, 0, 0, 0, 0, 1, 0, 1))),
    ("47", V4, 0, 0, 0, 0): ipv4(47, b"\0" * 8),
    ("132", V4, 4000, 5000, 0, 0): ipv4(132, struct.pack("!HHII", 4000, 5000, 0, 0) + b"\1\0\0\4"),
    ("2", V4, 0, 0, 0, 0): ipv4(2, b"\x16\0\0\0\xe0\0\0\5"),
    ("tcp", V6, 4000, 443, 0, 0): ethernet(ipv6(TCP, 6)),
    ("udp", V6, 4000, 53, 0, 0): ethernet(ipv6(UDP, 17)),
    ("icmp6", V6, 0, 0, 128, 0): ethernet(ipv6(bytes((128, 0, 0, 0, 0, 1, 0, 1)))),
    ("50", V6, 0, 0, 0, 0): ethernet(ipv6(b"\0" * 16, 50)),
}


def essence(log: AclLog) -> tuple[object, ...]:
    """Return what `FRAMES` says of a packet."""
    ends = f"{log.source_address} {log.destination_address}"
    ports = (log.source_port, log.destination_port, log.icmp_type, log.icmp_code)
    return log.protocol, ends, *ports


class Ovn:
    """A switch with p1 and p2 on one host: what comes from p1 is allowed, what goes to p2 dropped, and both log."""

    def __init__(self, host: NamespaceHost, northbound: OvsdbServer, southbound: OvsdbServer) -> None:
        self._host = host
        self._northbound = northbound
        self.log = host.directory / "ovn-controller.log"
        switch = ("--", "set", "Bridge", "brAtlas", "datapath_type=netdev", "fail_mode=secure")
        host.vsctl("add-br", "brAtlas", *switch)
        ids = {
            "system-id": "h1",
            "ovn-remote": southbound.remote,
            "ovn-encap-type": "geneve",
            "ovn-encap-ip": "127.0.0.1",
            "ovn-bridge": "brAtlas",
        }
        settings = (f"external_ids:{key}={value}" for key, value in ids.items())
        host.vsctl("set", "Open_vSwitch", ".", *settings)
        self._nbctl("ls-add", "sw")
        for port, address in (("p1", MAC.hex(":")), ("p2", "unknown")):
            host.add_link(f"tap-{port}")
            host.set_link(f"tap-{port}", "up")
            interface = ("--", "set", "Interface", f"tap-{port}", f"external_ids:iface-id={port}")
            host.vsctl("add-port", "brAtlas", f"tap-{port}", *interface)
            self._nbctl("lsp-add", "sw", port, "--", "lsp-set-addresses", port, address)
        acl = ("--log", "--severity=info", "acl-add", "sw")
        self._nbctl("--name=from-p1", *acl, "from-lport", "100", 'inport == "p1" && ip', "allow-related")
        self._nbctl("--name=to-p2", *acl, "to-lport", "100", 'outport == "p2" && ip', "drop")

    def wait(self) -> None:
        """Wait until the rules hold."""
        for port in ("p1", "p2"):
            wait_until(
                lambda port=port: self._nbctl("lsp-get-up", port).strip() == "up",  # type: ignore[misc]
                timeout_s=20,
                what=f"{port} is up",
            )
        self._nbctl("--wait=hv", "--timeout=20", "sync")

    def send(self, *frames: bytes) -> None:
        """Send as the guest of p1."""
        with self._host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("x-tap-p1", 0))
            for frame in frames:
                sender.send(frame)

    def reopen_log(self) -> None:
        """Do what logrotate(8) does behind a rotation."""
        (control,) = self._host.directory.glob("ovn-controller.*.ctl")
        program = self._host.popen("ovn-appctl", "-t", str(control), "vlog/reopen")
        assert program.wait(timeout=10) == 0

    def _nbctl(self, *arguments: str) -> str:
        return self._northbound.ctl("ovn-nbctl", *arguments)


@pytest.fixture
def ovn(host: NamespaceHost, tmp_path: Path) -> Iterator[Ovn]:
    with ExitStack() as stack:
        northbound, southbound = (stack.enter_context(ovsdb_server(tmp_path, kind)) for kind in ("nb", "sb"))
        southbound.ctl("ovn-sbctl", "init")
        stack.enter_context(northd(tmp_path, northbound, southbound))
        made = Ovn(host, northbound, southbound)
        command = ("ovn-controller", host.database.remote, f"--log-file={made.log}", "-vconsole:off")
        program = host.popen(*command)
        stack.callback(program.wait, timeout=20)
        stack.callback(program.terminate)
        made.wait()
        yield made


def test_every_packet_that_an_acl_logs_is_told(ovn: Ovn) -> None:
    found: list[AclLogs] = []
    follower = AclLogFollower(ovn.log, found.append)
    follower.start()

    def told(name: str) -> list[AclLog]:
        return [log for logs in found for log in logs.logs if log.acl_name == name]

    def is_told(times: int) -> bool:
        # ovs-vswitchd hands different flows to ovn-controller on several threads: their order is not promised.
        expected = sorted(list(FRAMES) * times, key=repr)
        return all(
            sorted((essence(log) for log in told(name)), key=repr) == expected
            for name in ("from-p1", "to-p2")
        )

    try:
        ovn.send(*FRAMES.values())
        wait_until(lambda: is_told(1), timeout_s=10, what="each packet by both rules")
        assert {(log.verdict, log.direction) for log in told("from-p1")} == {("allow", "from-lport")}
        assert {(log.verdict, log.direction) for log in told("to-p2")} == {("drop", "to-lport")}
        assert {log.source_mac_address for log in told("to-p2")} == {MAC.hex(":")}
        ovn.log.rename(ovn.log.with_suffix(".1"))
        ovn.send(*FRAMES.values())
        wait_until(lambda: is_told(2), timeout_s=10, what="what is written into the old file")
        ovn.reopen_log()
        ovn.send(*FRAMES.values())
        wait_until(lambda: is_told(3), timeout_s=10, what="what is written into the new one")
    finally:
        follower.close()
    assert sum(logs.dropped for logs in found) == 0
