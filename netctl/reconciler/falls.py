"""Which gateway hosts failed, in order: pure.

In: what hosts' agents report of their tunnels' BFD. Out: the hosts that fail now, and the order of all failures so
far. A host fails when more than half of the connected hosts that watch it by BFD do not hear it: one that is cut off
itself hears nobody, and is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable

from netctl.model.keys import HostId
from netctl.model.status import HostReport


def find_heard(
    tunnel_ips: dict[HostId, str], reports: Iterable[HostReport]
) -> tuple[frozenset[HostId], frozenset[HostId]]:
    """Return the hosts that BFD hears and those that it does not, by the last reports of connected agents."""
    hears: dict[str, list[bool]] = {}
    for report in reports:
        for tunnel in report.tunnels:
            if tunnel.bfd:
                hears.setdefault(tunnel.remote_ip, []).append(tunnel.bfd_up)
    watched = {host: hears[address] for host, address in tunnel_ips.items() if address in hears}
    down = frozenset(host for host, heard in watched.items() if heard.count(False) * 2 > len(heard))
    return frozenset(watched) - down, down


def note_falls(
    fallen: tuple[HostId, ...], up: frozenset[HostId], down: frozenset[HostId]
) -> tuple[HostId, ...]:
    """Return the order of failures when hosts that were `up` are down now; the last one at the end.

    A session that was never up is only beginning: its host did not fail.
    """
    new = sorted(down & up)
    return (*(host for host in fallen if host not in new), *new)
