"""Hypothesis strategies for the nouns of VPCs, as a client could ask for them, and for all nouns."""

from __future__ import annotations

import ipaddress

from hypothesis import strategies as st

from netctl.model.floating_ip import FloatingIp
from netctl.model.intent import Intent
from netctl.model.keys import (
    AddressReservationId,
    FloatingIpId,
    HostId,
    NicId,
    RouteId,
    RoutingPolicyId,
    ServiceChainId,
    SubnetId,
    VpcId,
)
from netctl.model.reservation import COUNT_MAX, AddressReservation
from netctl.model.route import Bfd, NextHop, Route
from netctl.model.routing_policy import (
    Endpoint,
    Fallback,
    PolicyAction,
    PortRange,
    Protocol,
    RoutingPolicy,
)
from netctl.model.subnet import AddressRange
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.unit.server import chain_nouns, compute_nouns, security_nouns
from tests.unit.server.nouns import (
    category_lists,
    clusters,
    hosts,
    ids,
    ipv4,
    ipv6,
    metas,
    nics,
    subnets,
    text,
    virtual_switches,
)

networks_v4 = st.integers(0, 255).map(lambda n: f"10.{n}.0.0/16")
networks_v6 = st.integers(1, 9999).map(lambda n: f"fd00:{n}::/64")
networks = networks_v4 | networks_v6

connections = st.builds(
    ExternalConnection,
    subnet=ids.map(SubnetId),
    ipv4_address=st.just("") | ipv4,
    ipv6_address=st.just("") | ipv6,
    gateway_hosts=st.lists(ids.map(HostId), max_size=5, unique=True).map(tuple),
    gateway_host_count=st.integers(1, 5),
)
vpcs = st.builds(
    Vpc,
    id=ids.map(VpcId),
    meta=metas,
    kind=st.sampled_from(VpcKind),
    dns_servers=st.lists(ipv4 | ipv6, max_size=3).map(tuple),
    external_connections=st.lists(connections, max_size=3, unique_by=lambda one: one.subnet).map(tuple),
    externally_routable_prefixes=st.lists(networks, max_size=3, unique=True).map(tuple),
    categories=category_lists,
)


@st.composite
def floating_ips(draw: st.DrawFn) -> FloatingIp:
    version = draw(st.sampled_from([ipv4, ipv6]))
    way = draw(st.sampled_from(["nic", "private address", "nothing"]))
    return FloatingIp(
        id=FloatingIpId(draw(ids)),
        meta=draw(metas),
        external_subnet=SubnetId(draw(ids)),
        address=draw(st.just("") | version),
        nic=NicId(draw(ids) if way == "nic" else ""),
        vpc=VpcId(draw(ids) if way == "private address" else ""),
        private_address=draw(version) if way == "private address" else "",
    )


@st.composite
def routes(draw: st.DrawFn) -> Route:
    destination = draw(networks)
    addresses = (ipv6 if ":" in destination else ipv4).map(lambda address: NextHop(ip_address=address))
    hops = addresses | ids.map(lambda id_: NextHop(external_subnet=SubnetId(id_)))
    interval = st.integers(100, 60_000)
    return Route(
        id=RouteId(draw(ids)),
        meta=draw(metas),
        vpc=VpcId(draw(ids)),
        destination=destination,
        next_hops=tuple(draw(st.lists(hops, min_size=1, max_size=8, unique=True))),
        priority=draw(st.integers(1, 1000)),
        bfd=draw(
            st.none() | st.builds(Bfd, min_rx_ms=interval, min_tx_ms=interval, multiplier=st.integers(1, 20))
        ),
    )


@st.composite
def port_ranges(draw: st.DrawFn) -> PortRange:
    first = draw(st.integers(0, 65_535))
    return PortRange(first=first, last=draw(st.integers(first, 65_535)))


@st.composite
def routing_policies(draw: st.DrawFn) -> RoutingPolicy:
    cidrs, services = draw(st.sampled_from([(networks_v4, ipv4), (networks_v6, ipv6)]))
    ends = (
        st.just(Endpoint()) | st.just(Endpoint(external=True)) | cidrs.map(lambda cidr: Endpoint(cidr=cidr))
    )
    protocol = draw(st.sampled_from(Protocol))
    has_ports = protocol in (Protocol.TCP, Protocol.UDP)
    ports = st.lists(port_ranges(), max_size=3 if has_ports else 0).map(tuple)
    action, bidirectional = draw(st.sampled_from(PolicyAction)), draw(st.booleans())
    service = st.lists(services, min_size=1, max_size=2 if bidirectional else 1)
    return RoutingPolicy(
        id=RoutingPolicyId(draw(ids)),
        meta=draw(metas),
        vpc=VpcId(draw(ids)),
        priority=draw(st.integers(10, 1000)),
        source=draw(ends),
        destination=draw(ends),
        protocol=protocol,
        protocol_number=draw(st.integers(0, 255)) if protocol is Protocol.NUMBER else 0,
        source_ports=draw(ports),
        destination_ports=draw(ports),
        action=action,
        service_ips=tuple(draw(service)) if action is PolicyAction.REROUTE else (),
        fallback=draw(st.sampled_from(Fallback)),
        bidirectional=bidirectional,
        service_chain=ServiceChainId(draw(st.just("") | ids) if action is PolicyAction.PERMIT else ""),
    )


@st.composite
def reservations(draw: st.DrawFn) -> AddressReservation:
    version = draw(st.sampled_from([4, 6]))
    starts = draw(st.lists(ipv6 if version == 6 else ipv4, min_size=1, max_size=3))
    by_count = draw(st.booleans())
    ranges = tuple(
        AddressRange(start=start, end=str(ipaddress.ip_address(start) + draw(st.integers(0, 9))))
        for start in starts
    )
    return AddressReservation(
        id=AddressReservationId(draw(ids)),
        meta=draw(metas),
        subnet=SubnetId(draw(ids)),
        ip_version=version,
        count=draw(st.integers(1, COUNT_MAX)) if by_count else 0,
        ranges=() if by_count else ranges,
        client_context=draw(text),
    )


intents: st.SearchStrategy[Intent] = st.one_of(
    clusters,
    virtual_switches,
    hosts(),
    subnets(),
    nics(),
    vpcs,
    floating_ips(),
    routes(),
    routing_policies(),
    reservations(),
    security_nouns.intents,
    chain_nouns.intents,
    compute_nouns.intents,
)
