"""Lines of ovn-controller's log that ACLs wrote -> AclLog. Pure.

A line of OVN 23.03 (ovn/lib/acl-log.c; the packet as OVS' flow_format() prints it):

    2026-11-23T00:53:56.886Z|00008|acl_log(ovn_pinctrl0)|INFO|name="a", verdict=drop, severity=info,
    direction=to-lport: icmp,vlan_tci=0x0000,dl_src=...,dl_dst=...,nw_src=...,nw_dst=...,icmp_type=8,icmp_code=0
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

MARK: Final = b"|acl_log"
"""In every line that an ACL wrote."""

_LINE = re.compile(
    r'(?P<time>[^|]+)\|\d+\|acl_log[^|]*\|\w+\|name="(?P<name>.*)", verdict=(?P<verdict>\w+), severity=\w+'
    r"(?:, direction=(?P<direction>[\w-]+))?: (?P<packet>.*)"
)
_UNNAMED = "<unnamed>"
# OVS prints these by name, with a 6 behind it for those over IPv6; ip, ipv6 and the like have nw_proto.
_PROTOCOLS = {"tcp": "tcp", "udp": "udp", "sctp": "132", "icmp": "icmp"}
_PROTOCOLS |= {f"{name}6": protocol for name, protocol in _PROTOCOLS.items()} | {"icmp6": "icmp6"}
_NUMBERED = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmp6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AclLog:
    """One packet that an ACL with `log` decided; `protocol` tcp, udp, icmp, icmp6 or a number, "" where it has none."""

    time: datetime
    acl_name: str
    verdict: str
    direction: str
    source_mac_address: str = ""
    destination_mac_address: str = ""
    source_address: str = ""
    destination_address: str = ""
    protocol: str = ""
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 0
    icmp_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AclLogs:
    """Some of them in their order; `dropped` were left out."""

    logs: tuple[AclLog, ...] = ()
    dropped: int = 0


def parse_line(line: bytes) -> AclLog | None:
    """Return what a line says, None where no ACL wrote it."""
    found = _LINE.fullmatch(line.decode(errors="replace").rstrip())
    if found is None:
        return None
    try:
        time = datetime.fromisoformat(found["time"])
    except ValueError:
        return None
    kind, *pairs = found["packet"].split(",")
    fields = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    number = fields.get("nw_proto", "")
    is_icmp = "icmp_type" in fields
    return AclLog(
        # Its pattern may say otherwise, but by default it is UTC.
        time=time if time.tzinfo else time.replace(tzinfo=UTC),
        acl_name="" if found["name"] == _UNNAMED else found["name"],
        verdict=found["verdict"],
        direction=found["direction"] or "",
        source_mac_address=fields.get("dl_src", ""),
        destination_mac_address=fields.get("dl_dst", ""),
        source_address=fields.get("nw_src", fields.get("ipv6_src", "")),
        destination_address=fields.get("nw_dst", fields.get("ipv6_dst", "")),
        protocol=_PROTOCOLS.get(kind) or _NUMBERED.get(number, number),
        source_port=_number(fields.get("tp_src"), 0xFFFF) if kind in _PROTOCOLS else 0,
        destination_port=_number(fields.get("tp_dst"), 0xFFFF) if kind in _PROTOCOLS else 0,
        icmp_type=_number(fields.get("icmp_type"), 0xFF) if is_icmp else 0,
        icmp_code=_number(fields.get("icmp_code"), 0xFF) if is_icmp else 0,
    )


def _number(text: str | None, most: int) -> int:
    value = int(text) if text is not None and text.isdecimal() and len(text) < 6 else 0
    return value if value <= most else 0
