"""A draft with the edits of a test: what is refused must be refused in exactly one way and leave no trace."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import InUse, NetctlError
from netctl.model.admit import Admitted, Context, admit
from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Cluster, Host, Uplink, VirtualSwitch
from netctl.model.intent import Create, Edit, Intent, Remove, Replace
from netctl.model.keys import (
    AddressReservationId,
    ClusterId,
    FloatingIpId,
    HostId,
    Kind,
    NicId,
    RouteId,
    RoutingPolicyId,
    SubnetId,
    Uid,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic
from netctl.model.reservation import AddressReservation
from netctl.model.route import NextHop, Route
from netctl.model.routing_policy import PolicyAction, RoutingPolicy
from netctl.model.snapshot import Draft, Snapshot
from netctl.model.subnet import AddressRange, IpConfig, Subnet, SubnetKind
from netctl.model.vm import Sealed
from netctl.model.vpc import ExternalConnection, Vpc


class World:
    """Intents that are admitted one edit after the other, each at a revision of its own."""

    def __init__(self, *intents: Intent) -> None:
        self.draft = Snapshot.empty().draft()
        self.revision = 0
        self.uids: list[Uid] = []  # the next ones; random-looking ones after them
        self.network_functions = False  # as OVN before 26.03
        self.largest_memory_mib = 0  # no host has said it
        self._asked = itertools.count()
        for intent in intents:
            self.create(intent)

    def context(self) -> Context:
        return Context(
            revision=self.revision,
            time_s=float(self.revision),
            new_uid=self._new_uid,
            network_functions=self.network_functions,
            seal=lambda text: Sealed(f"sealed {text}"),
            new_secret=lambda: f"secret {next(self._asked)}",
            largest_memory_mib=self.largest_memory_mib,
        )

    def admit(self, edit: Edit) -> tuple[Admitted, ...]:
        self.revision += 1
        return admit(edit, self.draft, self.context())

    def create(self, intent: Intent) -> Any:
        return self.admit(Create(intent=intent))[0].after

    def replace(self, intent: Intent, **changes: Any) -> Any:
        return self.admit(Replace(intent=replace(intent, **changes)))[0].after

    def stored(self, kind: Kind, id: str) -> Any:
        found = self.draft.get((kind, id))
        assert found is not None
        return found

    def remove(self, kind: Kind, id: str) -> None:
        self.admit(Remove(key=(kind, id)))

    def refuse(self, edit: Edit, error: type[NetctlError], field: str, *texts: str) -> NetctlError:
        """Expect an error of exactly this type and field, with all texts in its message, that changes nothing."""
        before = contents(self.draft)
        with pytest.raises(NetctlError) as caught:
            self.admit(edit)
        assert type(caught.value) is error, caught.value
        assert caught.value.field == field, caught.value
        for text in texts:
            assert text in caught.value.message
        assert contents(self.draft) == before
        return caught.value

    def refuse_in_use(self, edit: Edit, field: str, *dependents: str) -> None:
        error = self.refuse(edit, InUse, field, dependents[0])
        assert isinstance(error, InUse)
        assert error.dependents == dependents
        assert error.total == len(dependents)

    def _new_uid(self) -> Uid:
        if self.uids:
            return self.uids.pop(0)
        place = f"{self.revision}-{self.draft.mark()}-{next(self._asked)}"
        return Uid(str(uuid.uuid5(uuid.NAMESPACE_DNS, place)))


def contents(draft: Draft, *, cursors: bool = True) -> dict[str, Any]:
    """Return all that a draft holds, indexes included, as plain values."""
    frozen = draft.freeze(0)
    found = {
        "intents": {kind: dict(frozen.table(kind)) for kind in Kind},
        "ids": {kind: list(frozen.ids(kind)) for kind in Kind},
        "members": {key: set(ids) for key, ids in frozen._members.items()},
        "claims": {scope: dict(owners) for scope, owners in frozen._claims.items()},
        "blocks": dict(frozen._blocks),
        "clauses": dict(frozen._clauses),
        "spans": {key: list(spans) for key, spans in frozen._spans.items()},
    }
    return found | {"cursors": dict(frozen._cursors)} if cursors else found


def cluster(id: str = "c1", **fields: Any) -> Cluster:
    return Cluster(id=ClusterId(id), **fields)


def switch(id: str = "vs0", cluster: str = "c1", **fields: Any) -> VirtualSwitch:
    return VirtualSwitch(id=VirtualSwitchId(id), cluster=ClusterId(cluster), **fields)


def host(
    id: str = "h1", address: str = "192.0.2.1/24", cluster: str = "c1", *uplinks: str, **fields: Any
) -> Host:
    ups = tuple(
        Uplink(virtual_switch=VirtualSwitchId(up), interfaces=(f"eth{i}",)) for i, up in enumerate(uplinks)
    )
    return Host(id=HostId(id), cluster=ClusterId(cluster), tunnel_address=address, uplinks=ups, **fields)


def vlan(id: str = "web", vlan_id: int = 10, virtual_switch: str = "vs0", **fields: Any) -> Subnet:
    return Subnet(
        id=SubnetId(id),
        kind=SubnetKind.VLAN,
        virtual_switches=(VirtualSwitchId(virtual_switch),),
        vlan_id=vlan_id,
        **fields,
    )


def overlay(id: str = "app", cluster: str = "c1", **fields: Any) -> Subnet:
    return Subnet(id=SubnetId(id), kind=SubnetKind.OVERLAY, clusters=(ClusterId(cluster),), **fields)


def over(*clusters: str, **fields: Any) -> Subnet:
    """Make an overlay subnet that spans clusters."""
    return replace(overlay(**fields), clusters=tuple(ClusterId(id) for id in clusters))


def on(*switches: str, vlan_id: int = 10, **fields: Any) -> Subnet:
    """Make a VLAN subnet of virtual switches."""
    return replace(
        vlan("web", vlan_id, **fields), virtual_switches=tuple(VirtualSwitchId(id) for id in switches)
    )


def nic(id: str = "n1", subnet: str = "app", **fields: Any) -> Nic:
    return Nic(id=NicId(id), subnet=SubnetId(subnet), **fields)


def ipv4(cidr: str = "10.0.0.0/24", gateway: str = "", **ranges: str) -> IpConfig:
    return IpConfig(version=4, cidr=cidr, gateway=gateway, **_ranges(ranges))


def ipv6(cidr: str = "fd00::/64", gateway: str = "", **ranges: str) -> IpConfig:
    return IpConfig(version=6, cidr=cidr, gateway=gateway, **_ranges(ranges))


def vpc(id: str = "v1", *externals: str, **fields: Any) -> Vpc:
    connections = tuple(ExternalConnection(subnet=SubnetId(external)) for external in externals)
    return Vpc(id=VpcId(id), **({"external_connections": connections} | fields))


def external(id: str = "ext", vlan_id: int = 100, *switches: str, **fields: Any) -> Subnet:
    """Make a network on virtual switches; with `vpc` one inside it, in c1."""
    where: dict[str, Any] = {
        "virtual_switches": tuple(VirtualSwitchId(switch) for switch in switches or ("vs0",)),
        "vlan_id": vlan_id,
    }
    if "vpc" in fields:
        where = {"clusters": (ClusterId("c1"),), "nat": False}
    if "ipv6" not in fields:
        fields.setdefault("ipv4", ipv4("203.0.113.0/24", "203.0.113.1"))
    return Subnet(id=SubnetId(id), kind=SubnetKind.EXTERNAL, **({"nat": True} | where | fields))


def floating(id: str = "f1", external: str = "ext", **fields: Any) -> FloatingIp:
    return FloatingIp(id=FloatingIpId(id), external_subnet=SubnetId(external), **fields)


def route(
    id: str = "r1", vpc: str = "v1", destination: str = "0.0.0.0/0", *hops: str, **fields: Any
) -> Route:
    """Make a route; a next hop that is no address names an external subnet."""
    next_hops = tuple(
        NextHop(ip_address=hop) if hop[0].isdigit() or ":" in hop else NextHop(external_subnet=SubnetId(hop))
        for hop in hops or ("ext",)
    )
    return Route(id=RouteId(id), vpc=VpcId(vpc), destination=destination, next_hops=next_hops, **fields)


def policy(
    id: str = "p1", vpc: str = "v1", priority: int = 100, *services: str, **fields: Any
) -> RoutingPolicy:
    action = PolicyAction.REROUTE if services else PolicyAction.PERMIT
    defaults: dict[str, Any] = {
        "action": action,
        "service_ips": services,
        "bidirectional": len(services) == 2,
    }
    return RoutingPolicy(id=RoutingPolicyId(id), vpc=VpcId(vpc), priority=priority, **(defaults | fields))


def reservation(id: str = "k1", subnet: str = "app", **fields: Any) -> AddressReservation:
    return AddressReservation(
        id=AddressReservationId(id), subnet=SubnetId(subnet), **(fields | _ranges(_texts(fields)))
    )


def _texts(fields: dict[str, Any]) -> dict[str, str]:
    return {"ranges": fields["ranges"]} if "ranges" in fields else {}


def _ranges(texts: dict[str, str]) -> dict[str, tuple[AddressRange, ...]]:
    """Parse `pools="a-b c-d"`."""
    return {
        name: tuple(AddressRange(start=a, end=b) for a, b in (part.split("-") for part in text.split()))
        for name, text in texts.items()
    }
