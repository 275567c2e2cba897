"""TrafficMirror: copies of packets on one host (SPAN)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model.infra import Meta
from netctl.model.keys import HostId, NicId, TrafficMirrorId, VirtualSwitchId, check_id

SOURCES_MAX, DESTINATIONS_MAX = 4, 2  # as the product's


class MirrorDirection(enum.StrEnum):
    """Which packets of a source are copied: those it gets, those it sends."""

    INGRESS = "ingress"
    EGRESS = "egress"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSource:
    """Either a NIC or the uplink of a virtual switch."""

    nic: NicId = NicId("")
    virtual_switch: VirtualSwitchId = VirtualSwitchId("")
    direction: MirrorDirection = MirrorDirection.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficMirror:
    """One to four sources on one bridge of `host`, and the NICs that get the copies."""

    id: TrafficMirrorId
    meta: Meta = Meta()
    host: HostId
    sources: tuple[MirrorSource, ...]
    destinations: tuple[NicId, ...]
    disabled: bool = False

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("host", self.host)
        if not 1 <= len(self.sources) <= SOURCES_MAX:
            raise InvalidIntent("sources", f"has {len(self.sources)} sources; name 1 to {SOURCES_MAX}")
        for i, source in enumerate(self.sources):
            if bool(source.nic) == bool(source.virtual_switch):
                raise InvalidIntent(f"sources[{i}]", "name a nic or a virtual_switch, one of the two")
            check_id(
                f"sources[{i}].nic" if source.nic else f"sources[{i}].virtual_switch",
                source.nic or source.virtual_switch,
            )
            who = (source.nic, source.virtual_switch)
            if any((other.nic, other.virtual_switch) == who for other in self.sources[:i]):
                raise InvalidIntent(
                    f"sources[{i}]", "is listed twice; list it once, with direction BOTH for both"
                )
        if not 1 <= len(self.destinations) <= DESTINATIONS_MAX:
            raise InvalidIntent(
                "destinations", f"has {len(self.destinations)} NICs; name 1 to {DESTINATIONS_MAX}"
            )
        for i, nic in enumerate(self.destinations):
            check_id(f"destinations[{i}]", nic)
            if nic in self.destinations[:i]:
                raise InvalidIntent(f"destinations[{i}]", f"nics/{nic} is listed twice; list it once")
