"""Subjects: found as the snapshot says, and looked for again only where it changed."""

from dataclasses import replace

from netctl.model.keys import Kind, NicId, RouteId, SubnetId, VpcId
from netctl.model.route import NextHop, Route
from netctl.model.subnet import IpConfig
from netctl.model.vpc import ExternalConnection, Vpc
from netctl.reconciler.subjects import Subjects
from tests.intents import host, infra, meta, nic, overlay, snapshot

VPC = Vpc(
    id=VpcId("v1"),
    meta=meta("v1"),
    external_connections=(ExternalConnection(subnet=SubnetId("outside"), gateways=(host("h1").id,)),),
)
INNER = replace(
    overlay("o1", vni=5000), vpc=VPC.id, ipv4=IpConfig(version=4, cidr="10.0.10.0/24", gateway="10.0.10.1")
)
GUEST = replace(nic("n1", "o1", number=5), ipv4_address="10.0.10.5")


def route(name: str, hop: str) -> Route:
    return Route(
        id=RouteId(name),
        meta=meta(name),
        vpc=VPC.id,
        destination="192.0.2.0/24",
        next_hops=(NextHop(ip_address=hop),),
    )


def test_next_hops_and_connections_follow_the_snapshot() -> None:
    first = snapshot([*infra(), VPC, INNER, GUEST, route("r1", GUEST.ipv4_address)])
    subjects = Subjects()
    assert subjects.nics(first) == {(VPC.id, GUEST.ipv4_address): GUEST}
    assert subjects.connections(first) == {(VPC.id, "outside"): VPC.external_connections[0]}

    draft = first.draft()
    moved = replace(GUEST, host=host("h2").id)
    draft.put(moved)
    second = draft.freeze(2)
    assert subjects.nics(second) == {(VPC.id, GUEST.ipv4_address): moved}

    draft.put(route("r1", "10.99.0.9"))
    draft.put(replace(VPC, external_connections=()))
    third = draft.freeze(3)
    assert subjects.nics(third) == {}
    assert subjects.connections(third) == {}
    assert subjects.nics(second) == {(VPC.id, GUEST.ipv4_address): moved}


def test_what_nobody_changed_is_not_looked_for_again() -> None:
    first = snapshot([*infra(), VPC, INNER, GUEST])
    draft = first.draft()
    draft.put(nic("n2", "o1", number=6))
    second = draft.freeze(2)
    subjects = Subjects()
    assert subjects.connections(first) is subjects.connections(second)
    assert [kind for kind in Kind if first.table(kind) is not second.table(kind)] == [Kind.NIC]
    assert second.nic(NicId("n2")) is not None
    assert first.nic(NicId("n2")) is None
