"""Which edits by somebody else did a pass undo? Pure.

In: what the host had when it last equalled its assignment, what it had when the pass began, what it had after, and what
the pass did; the assignment is the same. What was right, was found otherwise and is right again was edited by somebody
else, or a daemon, behind our back. A link that went and came again is another link.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from netctl_host.actions import Action, SetChassis
from netctl_host.reported import Reversion
from netctl_host.state import OWNER_KEY, HostState

REVERSIONS_MAX: Final = 20

_BRIDGE = ("datapath_type", "fail_mode", "mcast_snooping", "mcast_timeout_s")
_PORT = (
    *("interfaces", "bond_mode", "bond_primary", "lacp", "lacp_time", "lacp_fallback"),
    *("tag", "trunks", "vlan_mode"),
)
_INTERFACE = ("type", "mtu_request", "peer")
_INTERFACE_KEYS = ("iface-id", "attached-mac", OWNER_KEY)
_MIRROR = ("from_ports", "to_ports", "output_port")
_KINDS = ("Open_vSwitch", "bridge", "port", "interface", "mirror", "link")
_REMOVED = (
    "bridge",
    "port",
    "mirror",
)  # an interface that is gone is told as its port's, a link is another one
_LINK = ("mtu_bytes", "up", "addresses", "master")
_Rows = Mapping[tuple[str, ...], Mapping[str, object]]


def find_reversions(
    before: HostState, found: HostState, after: HostState, acted: Sequence[Action]
) -> tuple[str, ...]:
    """Return one sentence for each thing that was put right again."""
    if not acted:
        return ()
    named = frozenset(name for action in acted for name in _names(action))
    rows = [dict(_rows(state, acted)) for state in (before, found, after)]
    return tuple(_compare(*rows, named=named))


def keep_newest(
    known: tuple[Reversion, ...], sentences: Sequence[str], now: datetime
) -> tuple[Reversion, ...]:
    """Return the reversions with new ones, the newest last; the oldest are dropped."""
    return (*known, *(Reversion(time=now, message=sentence) for sentence in sentences))[-REVERSIONS_MAX:]


def _compare(before: _Rows, found: _Rows, after: _Rows, *, named: frozenset[str]) -> Iterator[str]:
    gone: set[tuple[str, ...]] = set()
    for key in sorted(before.keys() | found.keys(), key=lambda key: (_KINDS.index(key[0]), key)):
        if key[-1] not in named:
            continue
        what = _spell(key)
        if key not in found:
            gone.add(key)
            # What went with its bridge or port is told with that.
            inside = any(_holds(outer, key) for outer in gone)
            if before[key] == after.get(key) and not inside and key[0] in _REMOVED:
                yield f"{what} was removed, and is there again"
        elif key not in before:
            if key not in after and key[0] == "port":
                yield f"{what} was added, and is gone again"
        else:
            for field, value in before[key].items():
                now = found[key].get(field)
                if now != value and after.get(key, {}).get(field) == value:
                    yield f"{what}: {field} was {_show(now)}, is {_show(value)} again"


def _holds(outer: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return len(outer) < len(key) and outer[1:] == key[1 : len(outer)]


def _spell(key: tuple[str, ...]) -> str:
    if key[0] == "Open_vSwitch":
        return key[0]
    if key[0] in ("bridge", "link"):
        return f"{key[0]} {key[-1]}"
    return f"{key[0]} {key[-1]} of bridge {key[1]}"


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "empty"
    return (
        "unset"
        if value is None or value == ""
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _rows(
    state: HostState, acted: Sequence[Action]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, object]]]:
    keys = {key for action in acted if isinstance(action, SetChassis) for key, _ in action.external_ids}
    there = state.switch.external_ids
    yield ("Open_vSwitch", ""), {key: there.get(key, "") for key in sorted(keys)}
    for bridge in state.switch.bridges.values():
        yield ("bridge", bridge.name), _fields(bridge, _BRIDGE)
        for port in bridge.ports.values():
            yield ("port", bridge.name, port.name), _fields(port, _PORT)
            for name in port.interfaces:
                interface = state.switch.interfaces.get(name)
                if interface is not None:
                    ids = {key: interface.external_ids.get(key, "") for key in _INTERFACE_KEYS}
                    yield (
                        ("interface", bridge.name, port.name, name),
                        {**_fields(interface, _INTERFACE), **ids},
                    )
        for mirror in bridge.mirrors.values():
            yield ("mirror", bridge.name, mirror.name), _fields(mirror, _MIRROR)
    for link in state.links.values():
        # Another index is another link, and not an edit of this one.
        interface = state.switch.interfaces.get(link.name)
        follows = interface is not None and interface.type == "internal"  # `mtu_request` is told
        yield ("link", str(link.index), link.name), _fields(link, _LINK[1:] if follows else _LINK)


def _fields(row: Any, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}


def _names(action: Action) -> Iterator[str]:
    """Yield whatever an action names, and "" for the Open_vSwitch record."""
    if isinstance(action, SetChassis):
        yield ""
        return
    for field in dataclasses.fields(action):
        value = getattr(action, field.name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, str))
