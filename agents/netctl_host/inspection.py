"""What ovs-vswitchd says of bonds, LACP and learned addresses: texts of its control commands -> values. Pure.

The texts are those of OVS 2.17 to 3.x (`ofproto/bond.c`, `lib/lacp.c`, `ofproto-dpif.c`); lines that say something else
are passed over.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

MAC_ENTRIES_MAX = 20_000


class Inspected(enum.Enum):
    """What is looked at."""

    BONDS = 1
    MAC_TABLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`bridge` "" is every uplink bridge."""

    id: int
    inspected: Inspected
    bridge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """A bond's member; fields as in the message."""

    interface: str
    enabled: bool = False
    carrier: bool = False
    lacp_status: str = ""
    actor_state: str = ""
    partner_state: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BondState:
    """A bond; fields as in the message."""

    bridge: str = ""
    bond: str = ""
    bond_mode: str = ""
    lacp_status: str = "off"
    active_interface: str = ""
    fallback: bool = False
    members: tuple[MemberState, ...] = ()
    partner_system_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MacEntry:
    """A learned address; `port` as OVS names it, a bond's by the bond."""

    bridge: str
    port: str
    vlan_id: int
    mac_address: str
    age_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The answer; `problem` says why there is none, or that it is not whole."""

    id: int
    problem: str = ""
    bonds: tuple[BondState, ...] = ()
    mac_entries: tuple[MacEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LacpState:
    """What lacp/show says of a port."""

    status: str = ""
    partner_system_id: str = ""
    members: tuple[MemberState, ...] = ()


_MEMBER = re.compile(r"^(?:member|slave)[: ]\s*(\S+?):?(?: (enabled|disabled))?$")
_LACP_MEMBER = re.compile(r"^(?:member|slave): (\S+): (\w+)")
_HASH = re.compile(r"^hash \d+: ([\d.]+) ([kMG]?)B load")
_SIZES = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_bond(text: str) -> BondState:
    """Return what `bond/show PORT` says; members in its order."""
    keys: dict[str, str] = {}
    members: list[MemberState] = []
    for line in (raw.strip() for raw in text.splitlines()):
        if found := _MEMBER.match(line):
            members.append(MemberState(interface=found[1], enabled=found[2] == "enabled"))
        elif members and (load := _HASH.match(line)):
            members[-1] = replace(
                members[-1], bytes=members[-1].bytes + int(float(load[1]) * _SIZES[load[2]])
            )
        elif not members and ": " in line:
            key, _, value = line.partition(": ")
            keys[key] = value
    mac_and_name = keys.get("active member mac", keys.get("active slave mac", ""))
    active = mac_and_name.partition("(")[2].rstrip(")").replace("none", "")
    may_fall_back = keys.get("lacp_fallback_ab") == "true" and keys.get("lacp_status") == "configured"
    return BondState(
        bond_mode=keys.get("bond_mode", ""),
        lacp_status=keys.get("lacp_status", "off"),
        active_interface=active,
        fallback=may_fall_back and bool(active),
        members=tuple(members),
    )


def parse_lacp(text: str) -> LacpState:
    """Return what `lacp/show PORT` says."""
    status, members = "", list[MemberState]()
    partners: list[str] = []
    for line in (raw.strip() for raw in text.splitlines()):
        key, _, value = line.partition(": ")
        if found := _LACP_MEMBER.match(line):
            members.append(MemberState(interface=found[1], lacp_status=found[2]))
        elif key == "status" and not members:
            status = value
        elif key == "actor state" and members:
            members[-1] = replace(members[-1], actor_state=value)
        elif key == "partner state" and members:
            members[-1] = replace(members[-1], partner_state=value)
        elif key == "partner sys_id" and members and members[-1].lacp_status == "current":
            partners.append(value)
    return LacpState(
        status="negotiated" if "negotiated" in status.split() else "configured" if status else "off",
        partner_system_id=partners[0] if partners else "",
        members=tuple(members),
    )


def parse_lacp_statuses(text: str) -> Mapping[str, str]:
    """Return what `lacp/show` says of every port that is to speak it: `configured` or `negotiated`."""
    _, *sections = re.split(r"^---- (\S+) ----$", text, flags=re.MULTILINE)
    return {name: parse_lacp(said).status for name, said in zip(sections[::2], sections[1::2], strict=True)}


def join_lacp(bond: BondState, lacp: LacpState) -> BondState:
    """Return the bond with what LACP says of it."""
    by_name = {member.interface: member for member in lacp.members}

    def joined(member: MemberState) -> MemberState:
        said = by_name.get(member.interface)
        if said is None:
            return member
        return replace(
            member,
            lacp_status=said.lacp_status,
            actor_state=said.actor_state,
            partner_state=said.partner_state,
        )

    return replace(
        bond,
        lacp_status=lacp.status,
        partner_system_id=lacp.partner_system_id if lacp.status == "negotiated" else "",
        members=tuple(joined(member) for member in bond.members),
    )


def parse_macs(text: str, bridge: str, ports: Mapping[str, str]) -> Iterator[MacEntry]:
    """Yield what `fdb/show BRIDGE` says; `ports`: names by OpenFlow number, "LOCAL" is the bridge's own."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[1].isdecimal():
            yield MacEntry(
                bridge=bridge,
                port=ports.get(fields[0], fields[0]),
                vlan_id=int(fields[1]),
                mac_address=fields[2],
                age_s=int(fields[3]) if fields[3].isdecimal() else 0,
            )
