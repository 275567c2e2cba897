"""Leaf switches of a topology: nodes of containerlab's kind `ovs-bridge`, which can aggregate links and speak LACP.

In: a node's section. Out: a `Switch`. A node of kind `bridge` is a Linux bridge, which does none of that.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.lab.document import Section

LAG = "netctl.lag."
# Linux' IFNAMSIZ; the aggregated port of a switch is called `lag-{name}`.
_NAME_MAX = 15 - len("lag-")


class LagMode(enum.StrEnum):
    """How the switch treats the ports of a link aggregation group."""

    OFF = "off"  # ports of their own, as on a switch that knows nothing of the bond
    LACP = "lacp"  # one port while LACP agrees, none otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """A link aggregation group of a switch: ports that belong to one bond."""

    name: str
    ports: tuple[str, ...]

    @property
    def port(self) -> str:
        """What the aggregated port is called."""
        return f"lag-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A leaf switch."""

    id: str
    lags: tuple[Lag, ...] = ()

    def lag(self, name: str) -> Lag:
        """Find a group by name."""
        for lag in self.lags:
            if lag.name == name:
                return lag
        known = ", ".join(lag.name for lag in self.lags) or "none"
        raise InvalidIntent("lag", f"no group {name} on {self.id}; there are {known}")


def parse_switch(labels: Section, key: str, ports: frozenset[str]) -> Switch:
    """Read the labels of a switch whose links end at `ports`."""
    lags: list[Lag] = []
    taken: set[str] = set()
    for label in labels.names():
        if not label.startswith(LAG):
            continue
        name = label.removeprefix(LAG)
        members = tuple(word.strip() for word in labels.text(label).split(","))
        if not name or len(name) > _NAME_MAX:
            raise InvalidIntent(labels.at(label), f"a group's name has 1 to {_NAME_MAX} characters")
        for member in members:
            if member not in ports:
                raise InvalidIntent(labels.at(label), f"{member!r} is not an endpoint of topology.links")
            if member in taken:
                raise InvalidIntent(labels.at(label), f"{member} is in two groups; put it in one")
            taken.add(member)
        if len(members) < 2:
            raise InvalidIntent(labels.at(label), f"has {len(members)} port; a group joins two or more")
        lags.append(Lag(name=name, ports=members))
    return Switch(id=key, lags=tuple(lags))
