"""Requests to admit, and a controller's admission to send them to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netctl.loop import Pace, wait_until
from netctl.model.infra import Cluster, VirtualSwitch
from netctl.model.intent import Create, Edit, Intent, Remove, Replace
from netctl.model.keys import ClusterId, Key, Kind, NicId, SubnetId, VirtualSwitchId
from netctl.model.nic import Nic
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.server.admission import Admission, Limits, Request
from netctl.store.records import Store
from tests.fakes.store import FakeStore

C1, VS0, WEB = ClusterId("c1"), VirtualSwitchId("vs0"), SubnetId("web")
ANSWER_S = 30.0  # how long a test waits for an answer before it fails


def subnet(cidr: str = "10.0.0.0/16") -> Subnet:
    """Return a VLAN subnet as a client asks for it."""
    return Subnet(
        id=WEB, kind=SubnetKind.VLAN, virtual_switches=(VS0,), vlan_id=5, ipv4=IpConfig(version=4, cidr=cidr)
    )


def nic(number: int | str, **more: bool) -> Nic:
    """Return a floating NIC as a client asks for it: admission allocates its addresses."""
    return Nic(id=NicId(f"n-{number}"), subnet=WEB, connected=more.get("connected", True))


def create(*intents: Intent, **more: object) -> Request:
    """Return the request to create these, as one change."""
    return request(*(Create(intent=intent) for intent in intents), **more)


def replace(intent: Intent, **more: object) -> Request:
    """Return the request to store this in the place of what is there."""
    return request(Replace(intent=intent), **more)


def remove(number: int | str, **more: object) -> Request:
    """Return the request to remove a NIC."""
    return request(Remove(key=(Kind.NIC, f"n-{number}")), **more)


def request(*edits: Edit, **more: object) -> Request:
    """Return a request; `id` is short for its id, with a body that follows from the edits."""
    id_ = str(more.pop("id", ""))
    body = repr(edits).encode() if id_ else b""
    return Request(edits=edits, request_id=id_, body_hash=body, **more)  # type: ignore[arg-type]


def foundation(cidr: str = "10.0.0.0/16") -> Request:
    """Return the request that creates what NICs need; it takes revision 1."""
    return create(Cluster(id=C1), VirtualSwitch(id=VS0, cluster=C1), subnet(cidr))


def hold(admission: Admission, store: FakeStore) -> None:
    """Keep the writer in a commit, so that what is submitted until the gate opens makes one group."""
    store.gate.clear()
    admission.submit(create(nic("held")))
    wait_until(lambda: not admission.waiting(), timeout_s=ANSWER_S, what="the writer took the request")


def key(number: int | str) -> Key:
    """Return the key of `nic(number)`."""
    return Kind.NIC, f"n-{number}"


@contextmanager
def running(
    store: Store, *, limits: Limits | None = None, cidr: str = "10.0.0.0/16", backoff_s: float = 0.01
) -> Iterator[Admission]:
    """Run admission over a store; an empty one gets the foundation."""
    admission = Admission(
        store, limits=limits or Limits(), pace=Pace(resync_s=0.05, first_backoff_s=backoff_s)
    )
    admission.start()
    try:
        if admission.snapshot().revision == 0:
            admission.submit(foundation(cidr)).result(ANSWER_S)
        yield admission
    finally:
        admission.close()
