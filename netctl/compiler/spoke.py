"""What a VPC connected to a transit VPC needs on that one's router: routes back, and a way further out."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.exits import Exit, nat_exits_of
from netctl.compiler.identity import gateway_port_name, router_uuid, spoke_route_uuid
from netctl.compiler.nat import snat
from netctl.compiler.observed import Observed
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import Fact, Member, Row


def compile_spoke(
    snapshot: Snapshot, exit: Exit, marks: dict[str, str], observed: Observed
) -> Iterator[Fact]:
    """Yield the rows that the connection `exit` needs on the other side; none where that is no VPC.

    The rows are the spoke's: they go with it, whatever the transit VPC says.
    """
    transit = snapshot.vpc(exit.subnet.vpc) if exit.subnet.vpc else None
    if transit is None:
        return
    spoke, external = exit.vpc.meta.uid, exit.subnet.meta.uid
    router = router_uuid(transit.meta.uid)
    for prefix in exit.vpc.externally_routable_prefixes:
        next_hop = exit.address(6 if ":" in prefix else 4)
        if not next_hop:
            continue
        row = spoke_route_uuid(spoke, external, prefix)
        yield Row(
            "Logical_Router_Static_Route",
            row,
            {
                "ip_prefix": prefix,
                "nexthop": next_hop,
                "output_port": frozenset({gateway_port_name(external)}),
                "bfd": frozenset(),
                "external_ids": marks,
            },
        )
        yield Member("Logical_Router", router, "static_routes", row)
        for further in nat_exits_of(snapshot, transit):
            yield from snat(further, spoke, prefix, marks, observed)
