"""NAT rows: how they are written, whoever needs one."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.exits import Exit
from netctl.compiler.identity import router_uuid, snat_uuid
from netctl.compiler.observed import Observed
from netctl.model.keys import Uid
from netctl.nb.rows import Fact, Member, Row, Value

_NONE: frozenset[str] = frozenset()


def nat(exit: Exit, row: str, columns: dict[str, Value], observed: Observed) -> Iterator[Fact]:
    """Yield a NAT row at an exit; `columns` say what is translated to what."""
    everything: dict[str, Value] = {"logical_port": _NONE, "external_mac": _NONE, **columns}
    if observed.nat_gateway_port:
        # With several external ports OVN must be told by which of them this holds; with one it may.
        everything["gateway_port"] = frozenset({exit.port_uuid})
    yield Row("NAT", row, everything)
    yield Member("Logical_Router", router_uuid(exit.vpc.meta.uid), "nat", row)


def snat(exit: Exit, inner: Uid, cidr: str, marks: dict[str, str], observed: Observed) -> Iterator[Fact]:
    """Yield the translation of a network's packets to the router's address at an exit, if it has one there."""
    address = exit.address(6 if ":" in cidr else 4)
    if not address:
        return
    row = snat_uuid(inner, exit.vpc.meta.uid, exit.subnet.meta.uid, cidr)
    yield from nat(
        exit,
        row,
        {"type": "snat", "external_ip": address, "logical_ip": cidr, "external_ids": marks},
        observed,
    )
