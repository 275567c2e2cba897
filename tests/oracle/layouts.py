"""Random small layouts of VPCs, made of intents that the real admission lets in; what it refuses is left out.

Two or three tenants with the same networks to choose from, a transit VPC between some of them, external subnets with
NAT and without, floating IPs, routes, policies, and service IPs and next hops that do not work.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from netctl.errors import NetctlError
from netctl.model.admit import Context, admit
from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Cluster, Host, Uplink, VirtualSwitch
from netctl.model.intent import Create, Intent
from netctl.model.keys import (
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
from netctl.model.route import NextHop, Route
from netctl.model.routing_policy import (
    Endpoint,
    Fallback,
    PolicyAction,
    PortRange,
    Protocol,
    RoutingPolicy,
)
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.oracle.words import Layout, addresses_of, gateway_of, networks_of

HUB, CORE = "hub", "core"
CLUSTER = ClusterId("lab")
NETWORKS = tuple((f"10.0.{number}.0/24", f"fd00:0:0:{number}::/64") for number in range(4))
# External subnets as containerlab/three-hosts.clab.yml has them, so that any layout can be built there.
WAYS_OUT = {
    "wan": ("198.51.100.0/24", "2001:db8:100::/64"),
    "lan": ("192.0.2.0/24", "2001:db8:101::/64"),
    "isp": ("198.18.102.0/24", "2001:db8:102::/64"),
    CORE: ("100.64.0.0/24", "fd00:64::/64"),
}
PLACES = {"wan": ("vs1", 100, True), "lan": ("vs1", 101, False), "isp": ("vs0", 102, True)}
HOSTS = {"h1": ("vs0", "vs1"), "h2": ("vs0", "vs1"), "h3": ("vs0",)}
PORTS = (PortRange(first=80, last=80), PortRange(first=443, last=445), PortRange(first=1000, last=1999))


@dataclass(frozen=True, slots=True)
class Made:
    """A layout as it was made."""

    snapshot: Snapshot
    dead: frozenset[tuple[str, str]]
    refused: tuple[NetctlError, ...]

    @property
    def layout(self) -> Layout:
        """The oracle's view of it."""
        intents = [intent for kind in Kind for intent in self.snapshot.of_kind(kind)]
        return Layout.of(intents, self.dead)


class Builder:
    """Admits intents one by one; uids differ in the part of them that ovn-trace prints."""

    def __init__(self) -> None:
        self.draft = Snapshot.empty().draft()
        self.refused: list[NetctlError] = []
        self.live = False
        self.nics = 0
        self._revision = 0
        self._uids = 0

    def add(self, intent: Intent) -> Any:
        """Admit an intent; return it as stored, None when it is refused."""
        self._revision += 1
        context = Context(revision=self._revision, time_s=1.0, new_uid=self._new_uid)
        try:
            return admit(Create(intent=intent), self.draft, context)[0].after
        except NetctlError as error:
            self.refused.append(error)
            return None

    def layout(self) -> Layout:
        """Show what there is so far."""
        return self.made().layout

    def made(self, dead: frozenset[tuple[str, str]] = frozenset()) -> Made:
        """Freeze it."""
        return Made(self.draft.freeze(self._revision), dead, tuple(self.refused))

    def _new_uid(self) -> Uid:
        self._uids += 1
        return Uid(f"{self._uids:06x}00-0000-4000-8000-{self._uids:012x}")


def infra() -> tuple[Intent, ...]:
    """Return a cluster with two virtual switches and three hosts, of which h3 has no uplink of the second."""
    hosts = (
        Host(
            id=HostId(name),
            cluster=CLUSTER,
            tunnel_address=f"192.168.77.{number}/24",
            uplinks=tuple(
                Uplink(virtual_switch=VirtualSwitchId(switch), interfaces=(f"eth{i}",))
                for i, switch in enumerate(switches, 1)
            ),
        )
        for number, (name, switches) in enumerate(HOSTS.items(), 11)
    )
    names = (VirtualSwitchId("vs0"), VirtualSwitchId("vs1"))
    switches = (VirtualSwitch(id=name, cluster=CLUSTER, mtu_bytes=9000) for name in names)
    return (Cluster(id=CLUSTER, underlay_mtu_bytes=9000), *switches, *hosts)


@st.composite
def layouts(draw: st.DrawFn, *, live: bool = False) -> Made:
    """A whole layout; `live`: every NIC is connected and on a host, and everything works."""
    builder = Builder()
    builder.live = live
    for intent in infra():
        assert builder.add(intent) is not None, builder.refused
    dual = draw(st.booleans())
    for name, (switch, vlan_id, nat) in PLACES.items():
        if name == "wan" or draw(st.booleans()):
            place = {"virtual_switches": (VirtualSwitchId(switch),), "vlan_id": vlan_id}
            builder.add(external(name, nat=nat, dual=dual, **place))
    if draw(st.booleans()):
        _hub(draw, builder, dual)
    for name in ("red", "green", "blue")[: draw(st.integers(2, 3))]:
        _tenant(draw, builder, name, dual)
    for number in range(draw(st.integers(0, 4))):
        _floating_ip(draw, builder, number)
    for number in range(draw(st.integers(0, 6))):
        _route(draw, builder, number)
    for number in range(draw(st.integers(0, 6))):
        _policy(draw, builder, number)
    return builder.made(frozenset() if live else _dead(draw, builder.layout()))


def external(name: str, *, nat: bool, dual: bool, **place: Any) -> Subnet:
    """Return an external subnet of WAYS_OUT."""
    v4, v6 = WAYS_OUT[name]
    return Subnet(
        id=SubnetId(name),
        kind=SubnetKind.EXTERNAL,
        nat=nat,
        ipv4=IpConfig(version=4, cidr=v4, gateway=v4.replace(".0/24", ".1")),
        ipv6=IpConfig(version=6, cidr=v6, gateway=v6.replace("::/64", "::1")) if dual else None,
        **place,
    )


def _hub(draw: st.DrawFn, builder: Builder, dual: bool) -> None:
    outer = _connections(draw, builder, ("wan", "isp", "lan"))
    builder.add(Vpc(id=VpcId(HUB), kind=VpcKind.TRANSIT, external_connections=outer))
    # OVN 23.03 has no return path through a gateway port on a switch without localnet port (docs/design/vpc.md).
    nat = not builder.live and draw(st.booleans())
    builder.add(external(CORE, nat=nat, dual=dual, vpc=VpcId(HUB), clusters=(CLUSTER,)))
    if outer:
        hop = NextHop(external_subnet=draw(st.sampled_from(outer)).subnet)
        for version, destination in ((4, "0.0.0.0/0"), (6, "::/0")):
            route = RouteId(f"hub-default-{version}")
            builder.add(Route(id=route, vpc=VpcId(HUB), destination=destination, next_hops=(hop,)))


def _connections(draw: st.DrawFn, builder: Builder, names: tuple[str, ...]) -> tuple[ExternalConnection, ...]:
    there = [name for name in names if builder.draft.subnet(SubnetId(name)) is not None]
    chosen: set[str] = draw(st.sets(st.sampled_from(there))) if there else set()
    return tuple(ExternalConnection(subnet=SubnetId(name)) for name in sorted(chosen))


def _tenant(draw: st.DrawFn, builder: Builder, name: str, dual: bool) -> None:
    numbers = sorted(draw(st.sets(st.sampled_from(range(len(NETWORKS))), min_size=2, max_size=3)))
    outer = _connections(draw, builder, ("wan", "isp", "lan", CORE))
    routed: set[int] = draw(st.sets(st.sampled_from(numbers))) if outer else set()
    prefixes = [
        NETWORKS[number][version] for number in sorted(routed) for version in ((0, 1) if dual else (0,))
    ]
    vpc = VpcId(name)
    made = builder.add(Vpc(id=vpc, external_connections=outer, externally_routable_prefixes=tuple(prefixes)))
    if made is None:  # somebody else has one of its prefixes
        builder.add(Vpc(id=vpc, external_connections=outer))
    for number in numbers:
        v4, v6 = NETWORKS[number]
        six = dual and draw(st.booleans())
        subnet = Subnet(
            id=SubnetId(f"{name}-{number}"),
            kind=SubnetKind.OVERLAY,
            vpc=vpc,
            clusters=(CLUSTER,),
            ipv4=IpConfig(version=4, cidr=v4),
            ipv6=IpConfig(version=6, cidr=v6) if six else None,
        )
        builder.add(subnet)
        for guest in range(draw(st.integers(1, 2))):
            _nic(draw, builder, subnet.id, guest)
    if draw(st.integers(0, 3)) and outer:
        hop = NextHop(external_subnet=draw(st.sampled_from(outer)).subnet)
        for version, destination in ((4, "0.0.0.0/0"), (6, "::/0")):
            route = RouteId(f"{name}-default-{version}")
            builder.add(Route(id=route, vpc=vpc, destination=destination, next_hops=(hop,)))


def _nic(draw: st.DrawFn, builder: Builder, subnet: str, number: int) -> None:
    hosts = ("h1", "h2", "h3") if builder.live else ("h1", "h2", "h3", "")
    builder.nics += 1
    builder.add(
        Nic(
            id=NicId(f"{subnet}-n{number}"),
            subnet=SubnetId(subnet),
            host=HostId(draw(st.sampled_from(hosts))),
            mac_address=f"52:54:00:00:00:{builder.nics:02x}",  # not of the lab's own pool
            connected=builder.live or draw(st.integers(0, 9)) > 0,
            port_security=draw(st.integers(0, 2)) > 0,
        )
    )


def _floating_ip(draw: st.DrawFn, builder: Builder, number: int) -> None:
    layout = builder.layout()
    wanted = [
        (layout.subnet(connection.subnet), nic)
        for vpc in layout.vpcs
        for connection in vpc.external_connections
        if layout.subnet(connection.subnet).nat
        for nic in layout.nics_of(vpc)
    ]
    if not wanted:
        return
    subnet, nic = draw(st.sampled_from(wanted))
    association: dict[str, Any] = {}
    match draw(st.sampled_from(("nic", "nic", "private", "nobody"))):
        case "nic":
            association = {"nic": nic.id}
        case "private":
            vpc = layout.subnet(nic.subnet).vpc
            association = {"vpc": vpc, "private_address": draw(st.sampled_from(addresses_of(nic)))}
    version = 6 if ":" in association.get("private_address", "") else 4
    if "nic" in association and nic.ipv6_address:
        version = draw(st.sampled_from((4, 6)))
    v4, v6 = WAYS_OUT[subnet.id]
    address = (
        v6.replace("::/64", f"::{100 + number}")
        if version == 6
        else v4.rpartition(".")[0] + f".{100 + number}"
    )
    id = FloatingIpId(f"f{number}")
    builder.add(FloatingIp(id=id, external_subnet=subnet.id, address=address, **association))


def _route(draw: st.DrawFn, builder: Builder, number: int) -> None:
    layout = builder.layout()
    vpc = draw(st.sampled_from(layout.vpcs))
    version = draw(st.sampled_from((4, 4, 6)))
    own = {cidr for subnet in layout.subnets if subnet.vpc == vpc.id for cidr in networks_of(subnet)}
    some = [networks[version == 6] for networks in NETWORKS if networks[version == 6] not in own]
    wide = ["0.0.0.0/0", "10.0.0.0/8", "203.0.113.0/24"] if version == 4 else ["::/0", "2001:db8:ffff::/48"]
    hops = [NextHop(external_subnet=connection.subnet) for connection in vpc.external_connections]
    hops += [NextHop(ip_address=address) for address in _reachable(layout, vpc, version)]
    if not hops:
        return
    chosen = draw(st.lists(st.sampled_from(hops), min_size=1, max_size=3, unique=True))
    builder.add(
        Route(
            id=RouteId(f"r{number}"),
            vpc=vpc.id,
            destination=draw(st.sampled_from([*some, *wide])),
            next_hops=tuple(chosen),
            priority=draw(st.sampled_from((50, 100, 200))),
        )
    )


def _reachable(layout: Layout, vpc: Vpc, version: int) -> list[str]:
    """List addresses that a route of a VPC may go by: its guests, machines outside, other VPCs' routers."""
    found = [address for nic in layout.nics_of(vpc) for address in addresses_of(nic)]
    for mine in vpc.external_connections:
        subnet = layout.subnet(mine.subnet)
        gateway = gateway_of(subnet, version)
        found.append(gateway if subnet.vpc or not gateway else _machine(gateway))
        for other in layout.vpcs:
            if other.id != vpc.id and (peer := other.connection(mine.subnet)) is not None:
                found += [peer.ipv4_address, peer.ipv6_address]
    return [one for one in found if one and (":" in one) == (version == 6)]


def _machine(gateway: str) -> str:
    head, separator, last = gateway.rpartition(":" if ":" in gateway else ".")
    return f"{head}{separator}{int(last, 16 if ':' in gateway else 10) + 1}"


def _policy(draw: st.DrawFn, builder: Builder, number: int) -> None:
    layout = builder.layout()
    vpc = draw(st.sampled_from([vpc for vpc in layout.vpcs if layout.nics_of(vpc)] or layout.vpcs))
    version = draw(st.sampled_from((4, 4, 4, 6)))
    protocol = draw(st.sampled_from((Protocol.ANY, Protocol.ANY, *Protocol)))
    both = draw(st.booleans())
    able = [nic for nic in layout.nics_of(vpc) if not nic.port_security]
    possible = [a for nic in able for a in addresses_of(nic) if (":" in a) == (version == 6)]
    actions = [*PolicyAction, PolicyAction.REROUTE] if possible else [PolicyAction.PERMIT, PolicyAction.DENY]
    action = draw(st.sampled_from(actions))
    services: list[str] = []
    if action is PolicyAction.REROUTE:
        services = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=1 + both, unique=True))
    ports = protocol in (Protocol.TCP, Protocol.UDP)
    ranges = st.lists(st.sampled_from(PORTS), max_size=2, unique=True).map(tuple)
    builder.add(
        RoutingPolicy(
            id=RoutingPolicyId(f"p{number}"),
            vpc=vpc.id,
            priority=draw(st.integers(10, 1000)),
            source=_endpoint(draw, layout, vpc, version),
            destination=_endpoint(draw, layout, vpc, version),
            protocol=protocol,
            protocol_number=draw(st.sampled_from((6, 17))) if protocol is Protocol.NUMBER else 0,
            source_ports=draw(ranges) if ports and draw(st.booleans()) else (),
            destination_ports=draw(ranges) if ports else (),
            action=action,
            service_ips=tuple(services),
            fallback=draw(st.sampled_from(Fallback)),
            bidirectional=both,
        )
    )


def _endpoint(draw: st.DrawFn, layout: Layout, vpc: Vpc, version: int) -> Endpoint:
    kind = draw(st.sampled_from(("any", "external", "subnet", "nic", "network")))
    own = [a for nic in layout.nics_of(vpc) for a in addresses_of(nic) if (":" in a) == (version == 6)]
    if kind == "external":
        return Endpoint(external=True)
    if kind in ("nic", "subnet") and own:
        length = {"nic": ("/32", "/128"), "subnet": ("/24", "/64")}[kind][version == 6]
        network = ipaddress.ip_network(draw(st.sampled_from(own)) + length, strict=False)
        return Endpoint(cidr=str(network))
    return Endpoint(cidr=draw(st.sampled_from(NETWORKS))[version == 6]) if kind == "network" else Endpoint()


def _dead(draw: st.DrawFn, layout: Layout) -> frozenset[tuple[str, str]]:
    """Choose service IPs and next hops that do not work."""
    possible = {(str(p.vpc), service) for p in layout.policies for service in p.service_ips}
    possible |= {(str(r.vpc), hop.ip_address) for r in layout.routes for hop in r.next_hops if hop.ip_address}
    possible |= {(str(vpc.id), str(c.subnet)) for vpc in layout.vpcs for c in vpc.external_connections}
    return draw(st.frozensets(st.sampled_from(sorted(possible)), max_size=2)) if possible else frozenset()
