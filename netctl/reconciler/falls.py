"""Which gateway hosts failed, in order: pure.

In: what hosts' agents report of their tunnels' BFD. Out: the hosts that fail now, and the order of all failures so
far. A host fails when more than half of the connected hosts that watch it by BFD do not hear it: one that is cut off
itself hears nobody, and is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable

from netctl.model.keys import HostId
from netctl.model.status import HostReport


def find_down(tunnel_ips: dict[HostId, str], reports: Iterable[HostReport]) -> frozenset[HostId]:
    """Return the hosts that BFD does not hear, by the last reports of connected agents."""
    hears: dict[str, list[bool]] = {}
    for report in reports:
        for tunnel in report.tunnels:
            if tunnel.bfd:
                hears.setdefault(tunnel.remote_ip, []).append(tunnel.bfd_up)
    return frozenset(
        host
        for host, address in tunnel_ips.items()
        if (heard := hears.get(address)) and heard.count(False) * 2 > len(heard)
    )


def note_falls(
    fallen: tuple[HostId, ...], before: frozenset[HostId], down: frozenset[HostId]
) -> tuple[HostId, ...]:
    """Return the order of failures when hosts that were not down `before` are down now; the last one at the end."""
    new = sorted(down - before)
    return (*(host for host in fallen if host not in new), *new)
