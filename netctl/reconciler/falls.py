"""Which gateway hosts failed, in order: pure.

In: what hosts' agents report of their tunnels' BFD. Out: the hosts that fail now, and the order of all failures so
far. A host fails when more than half of the connected hosts that watch it by BFD do not hear it: one that is cut off
itself hears nobody, and is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netctl.compiler.exits import exits_of
from netctl.compiler.identity import gateway_uuid
from netctl.model.keys import HostId, Kind
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport
from netctl.model.vpc import Vpc
from netctl.nb.rows import Row, Rows


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


def recall_falls(orders: Iterable[tuple[Sequence[HostId], Sequence[HostId]]]) -> tuple[HostId, ...]:
    """Return the failures that explain why gateways are not in the order asked for: (asked for, there) of each group.

    A controller that starts anew reads from its own rows what the one before knew.
    """
    fallen: dict[HostId, None] = {}
    for asked, there in orders:
        kept: list[HostId] = []
        for host in there:
            if kept and asked.index(host) < asked.index(kept[-1]):
                fallen[host] = None
            else:
                kept.append(host)
    return tuple(fallen)


def read_orders(snapshot: Snapshot, actual: Rows) -> Iterator[tuple[tuple[HostId, ...], list[HostId]]]:
    """Yield for each connection the gateways as asked for and as our own rows have them, the most preferred first."""
    for vpc in snapshot.of_kind(Kind.VPC):
        assert isinstance(vpc, Vpc)
        for exit in exits_of(snapshot, vpc):
            found: list[tuple[int, HostId]] = []
            for host in exit.connection.gateways:
                row = actual.get(("HA_Chassis", gateway_uuid(vpc.meta.uid, exit.subnet.meta.uid, host)))
                priority = row.columns.get("priority") if isinstance(row, Row) else None
                if isinstance(priority, int):
                    found.append((-priority, host))
            yield exit.connection.gateways, [host for _priority, host in sorted(found)]


def note_falls(
    fallen: tuple[HostId, ...], up: frozenset[HostId], down: frozenset[HostId]
) -> tuple[HostId, ...]:
    """Return the order of failures when hosts that were `up` are down now; the last one at the end.

    A session that was never up is only beginning: its host did not fail.
    """
    new = sorted(down & up)
    return (*(host for host in fallen if host not in new), *new)
