"""What a switch does with a frame, by its flows' text alone: a second reading of ovs-ofctl(8) and ovs-fields(7).

It knows what `function_flows.py` writes and nothing of why. A frame goes in at a port; out come the ports it leaves by.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_KINDS = {"ip": 4, "ipv6": 6}
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """`version` 0 is not IP. `source_port` and `destination_port` are type and code of ICMP; `later`: a fragment."""

    vlan: int
    dl_src: str
    dl_dst: str
    version: int = 0
    source: str = ""
    destination: str = ""
    protocol: int = 0
    source_port: int = 0
    destination_port: int = 0
    later: bool = False


@dataclass(frozen=True)
class Flow:
    table: int
    priority: int
    match: Mapping[str, str]
    actions: tuple[str, ...]


def parse(lines: Iterable[str]) -> list[Flow]:
    """Return the flows, the highest priority first."""
    flows = []
    for line in lines:
        head, _, actions = line.partition(",actions=")
        fields = dict(part.partition("=")[::2] for part in head.split(","))
        table, priority = int(fields.pop("table")), int(fields.pop("priority"))
        flows.append(Flow(table, priority, fields, tuple(_split(actions))))
    return sorted(flows, key=lambda flow: -flow.priority)


def run(flows: list[Flow], frame: Frame, in_port: int) -> list[int]:
    """Return the ports that the frame leaves by, in order; never the one it came by (OpenFlow 1.5, 5.8)."""
    registers, out = {"reg0": 0, "reg1": 0, "reg2": 0}, []
    waiting = [0]
    while waiting:
        table = waiting.pop()
        found = _find([flow for flow in flows if flow.table == table], frame, in_port, registers)
        for action in found.actions if found is not None else ():
            verb, _, value = action.partition(":")
            if verb == "output":
                out.append(int(value))
            elif verb == "set_field":
                number, _, register = value.partition("->")
                registers[register] = int(number)
            elif verb == "goto_table":
                assert int(value) > table
                waiting.append(int(value))
            else:
                assert action == "drop", action
    return [port for port in out if port != in_port]


def _split(actions: str) -> Iterator[str]:
    if actions.startswith("conjunction"):
        yield actions
    else:
        yield from actions.split(",")


def _find(flows: list[Flow], frame: Frame, in_port: int, registers: Mapping[str, int]) -> Flow | None:
    matching = [flow for flow in flows if _fits(flow.match, frame, in_port, registers)]
    for priority in dict.fromkeys(flow.priority for flow in matching):
        here = [flow for flow in matching if flow.priority == priority]
        parts: dict[str, set[str]] = {}
        sizes: dict[str, int] = {}
        for flow in here:
            if flow.actions[0].startswith("conjunction("):
                id, _, part = flow.actions[0][len("conjunction(") : -1].partition(",")
                at, _, size = part.partition("/")
                parts.setdefault(id, set()).add(at)
                sizes[id] = int(size)
        whole = {id for id, seen in parts.items() if len(seen) == sizes[id]}
        for flow in here:
            conjunction = flow.match.get("conj_id")
            if flow.actions[0].startswith("conjunction("):
                continue
            if conjunction is None or conjunction in whole:
                return flow
    return None


def _fits(match: Mapping[str, str], frame: Frame, in_port: int, registers: Mapping[str, int]) -> bool:
    return all(_holds(name, value, frame, in_port, registers) for name, value in match.items())


def _holds(name: str, value: str, frame: Frame, in_port: int, registers: Mapping[str, int]) -> bool:
    if name.startswith("reg"):
        return registers[name] == int(value)
    if name in _KINDS:
        return frame.version == _KINDS[name]
    if name.partition("_")[0] in _PROTOCOLS:
        return _holds_part(name, value, frame)
    match name:
        case "conj_id":
            return True
        case "in_port":
            return in_port == int(value)
        case "dl_vlan":
            return frame.vlan == int(value)
        case "vlan_tci":
            return value == "0x0000/0x1000" and frame.vlan == 0
        case "dl_src" | "dl_dst":
            return _masked(getattr(frame, name), value)
        case "nw_proto":
            return frame.protocol == int(value)
        case "nw_frag":
            return frame.later
        case "nw_src" | "ipv6_src":
            return ipaddress.ip_address(frame.source) in ipaddress.ip_network(value)
        case "nw_dst" | "ipv6_dst":
            return ipaddress.ip_address(frame.destination) in ipaddress.ip_network(value)
    raise AssertionError(name)


def _holds_part(name: str, value: str, frame: Frame) -> bool:
    protocol, _, part = name.partition("_")
    assert frame.protocol == _PROTOCOLS[protocol], "a prerequisite is missing"
    seen = frame.source_port if part in ("src", "type") else frame.destination_port
    wanted, _, mask = value.partition("/")
    bits = int(mask, 16) if mask else 0xFFFF
    return (0 if frame.later else seen) & bits == int(wanted, 0)


def _masked(mac: str, value: str) -> bool:
    wanted, _, mask = (part.replace(":", "") for part in value.partition("/"))
    bits = int(mask, 16) if mask else (1 << 48) - 1
    return int(mac.replace(":", ""), 16) & bits == int(wanted, 16)
