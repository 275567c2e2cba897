"""Guests: a namespace with `eth0` for each, whose other end is the tap in a host's namespace.

What a guest was made from stands in the run directory, so that a rebooted host gets its taps back. Addresses come by
DHCP with a real client (busybox' udhcpc), or are set by hand.
"""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from netctl.errors import InvalidIntent, NotFound, Unavailable
from netctl.lab import links, namespaces
from netctl.lab.processes import enter

INTERFACE = "eth0"
_TAP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\Z")
_SENT = re.compile(r"(\d+) packets transmitted, (\d+) received")
_RTT = re.compile(r"= [\d.]+/([\d.]+)/")
# udhcpc calls a script with the lease in its environment; ours only hands it on.
_SCRIPT = '#!/bin/sh\nif [ "$1" = bound ]; then exec env; fi\n'
# RFC 2132, 3397, 3442: 26 MTU, 42 NTP, 119 search list, 121 routes, beyond what udhcpc asks for anyway.
_OPTIONS = (
    "mtu",
    "ntpsrv",
    "search",
    "staticroutes",
    "tftp",
    "bootfile",
    "serverid",
    "lease",
    "domain",
    "dns",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """What uses a NIC: `name` is what people call it, the tap's name when nobody said otherwise.

    A network function has a second one, `egress_tap` with `egress_mac_address`, which is eth1 in its namespace.
    """

    name: str
    host: str
    tap_name: str
    mac_address: str
    mtu_bytes: int
    egress_tap: str = ""
    egress_mac_address: str = ""

    def __post_init__(self) -> None:
        for tap, mac in self.ends:
            if not _TAP.match(tap):
                raise InvalidIntent("tap_name", f"{tap[:40]!r} is not the name of a Linux interface")
            if not _MAC.match(mac):
                raise InvalidIntent("mac_address", f"{mac[:40]!r} is not a MAC address")

    @property
    def ends(self) -> tuple[tuple[str, str], ...]:
        """Tap and MAC address of each of its interfaces: eth0, and eth1 of a network function."""
        second = ((self.egress_tap, self.egress_mac_address),) if self.egress_tap else ()
        return ((self.tap_name, self.mac_address), *second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a DHCP server told a guest; `options` has every option by udhcpc's name for it."""

    address: str
    router: str
    mtu_bytes: int
    lease_s: int
    dns_servers: tuple[str, ...]
    options: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """What came back."""

    sent: int
    received: int
    rtt_ms: float | None

    @property
    def ok(self) -> bool:
        """At least one answer came."""
        return self.received > 0


class Guests:
    """The guests of one lab, as its run directory and the machine's namespaces say."""

    def __init__(self, lab: str, directory: Path) -> None:
        self._lab = lab
        self._directory = directory

    def all(self) -> list[Guest]:
        """List the guests by tap name."""
        found = [Guest(**json.loads(path.read_text())) for path in self._directory.glob("*.json")]
        return sorted(found, key=lambda guest: guest.tap_name)

    def get(self, name: str) -> Guest:
        """Find a guest by its name or its tap's."""
        for guest in self.all():
            if name in (guest.name, guest.tap_name):
                return guest
        raise NotFound(f"no guest {name} in lab {self._lab}; netctl lab status lists them")

    def add(self, guest: Guest) -> None:
        """Make the guest, or what is missing of it."""
        record = self._directory / f"{guest.tap_name}.json"
        self._directory.mkdir(exist_ok=True)
        if record.exists() and (old := Guest(**json.loads(record.read_text()))) != guest:
            self.remove(old)
        record.write_text(json.dumps(asdict(guest)))
        namespace = self.namespace(guest)
        namespaces.ensure(namespace)
        host = namespaces.node_namespace(self._lab, guest.host)
        links.connect(
            links.Cable(
                ends=(
                    links.Port(namespace=host, interface=tap),
                    links.Port(namespace=namespace, interface=f"eth{number}", mac_address=mac),
                ),
                mtu_bytes=guest.mtu_bytes,
            )
            for number, (tap, mac) in enumerate(guest.ends)
        )

    def remove(self, guest: Guest) -> None:
        """Remove taps, namespace and record."""
        for tap, _mac in guest.ends:
            links.remove(namespaces.node_namespace(self._lab, guest.host), tap)
        namespaces.remove(self.namespace(guest))
        (self._directory / f"{guest.tap_name}.json").unlink(missing_ok=True)

    def namespace(self, guest: Guest) -> str:
        """Name the guest's namespace."""
        return namespaces.guest_namespace(self._lab, guest.tap_name)

    def lease(self, guest: Guest, *, timeout_s: int = 10) -> Lease:
        """Ask for an address by DHCP and set what was answered: address, MTU, default route."""
        script = self._directory / "lease.sh"
        if not script.exists():
            script.write_text(_SCRIPT)
            script.chmod(0o755)
        wanted = [part for option in _OPTIONS for part in ("-O", option)]
        client = [
            "udhcpc",
            "-i",
            INTERFACE,
            "-f",
            "-q",
            "-n",
            "-T",
            "1",
            "-t",
            str(timeout_s),
            "-s",
            str(script),
        ]
        done = subprocess.run(
            [*enter(self.namespace(guest)), *client, *wanted],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[-200:]
            raise Unavailable(f"no DHCP lease for {guest.name} within {timeout_s} s: {words}")
        lease = parse_lease(done.stdout)
        links.set_address(
            self.namespace(guest), INTERFACE, lease.address, gateway=lease.router, mtu_bytes=lease.mtu_bytes
        )
        return lease

    def ping(self, guest: Guest, destination: str, *, count: int = 1, timeout_s: int = 2) -> Ping:
        """Ping until `count` answers came or the time is over."""
        try:
            address = ipaddress.ip_address(destination)
        except ValueError as error:
            raise InvalidIntent("destination", str(error)) from None
        options = ["-n", "-q", "-c", str(count), "-i", "0.2", "-w", str(timeout_s), str(address)]
        done = subprocess.run(
            [*enter(self.namespace(guest)), "ping", *options], capture_output=True, text=True, check=False
        )
        result = parse_ping(done.stdout)
        # Silence must be the network's, not ours: only a guest without a route may send nothing.
        if not result.sent and "unreachable" not in done.stderr:
            raise Unavailable(f"ping {destination} from {guest.name}: {done.stderr.strip()[-200:]}")
        return result


def parse_lease(environment: str) -> Lease:
    """Parse what udhcpc gives its script: busybox' networking/udhcp/dhcpc.c, fill_envp."""
    options = dict(line.split("=", 1) for line in environment.splitlines() if "=" in line)
    options = {key: value for key, value in options.items() if key.islower()}
    if "ip" not in options:
        raise Unavailable(f"the DHCP client said nothing of an address: {environment[:200]!r}")
    return Lease(
        address=f"{options['ip']}/{options.get('mask', '32')}",
        router=options.get("router", "").split(" ")[0],
        mtu_bytes=int(options.get("mtu", "0")),
        lease_s=int(options.get("lease", "0")),
        dns_servers=tuple(options.get("dns", "").split()),
        options=options,
    )


def parse_ping(output: str) -> Ping:
    """Parse the summary of iputils' ping; no summary (no route, no address) is nothing sent."""
    counts, rtt = _SENT.search(output), _RTT.search(output)
    return Ping(
        sent=int(counts[1]) if counts else 0,
        received=int(counts[2]) if counts else 0,
        rtt_ms=float(rtt[1]) if rtt else None,
    )
