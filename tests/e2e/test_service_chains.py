"""Service chains with real packets: which functions see what, in which order, and what goes past them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from netctl.loop import wait_until
from netctl.v1 import network_pb2, vpc_pb2
from tests.e2e import security, talk, vpcs
from tests.e2e.appliances import Appliance, add_inline, add_tap, attach, chain, settled
from tests.e2e.bonded import SWITCH, Nic
from tests.e2e.raw import BROADCAST, arp_reply, send_frame, tapped
from tests.e2e.site import Resource, Site
from tests.e2e.talk import End
from tests.lossmeter.frames import Address

DROPPED_BY_ONE, DROPPED_BY_TWO = 1001, 1002
KINDS = {"vlan": ("plain20", 20), "basic": ("basic10", 10)}
OUTSIDE = "203.0.113.80"
ROUTED = vpcs.Subnet(
    name="subnets/ext-routed",
    kind=network_pb2.SUBNET_KIND_EXTERNAL,
    virtual_switches=[SWITCH],
    vlan_id=101,
    nat=False,
    ipv4=network_pb2.IpConfig(cidr="192.0.2.0/24", gateway="192.0.2.1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """Guests of one subnet: `near` and `beside` on h1, `far` on h2; and its router, which is beyond all functions."""

    site: Site
    subnet: str
    vlan_id: int
    near: Nic
    beside: Nic
    far: Nic

    def end(self, nic: Nic) -> End:
        """Return a guest as an end of a question."""
        return vpcs.guest(self.site, nic)

    @property
    def router(self) -> End:
        """The router, in this VLAN."""
        return vpcs.upstream(self.site, f"10.{self.vlan_id}.0.1")

    def hears(self, client: End, server: End, port: int) -> bool:
        """Ask once by UDP; who answers does so in milliseconds."""
        return bool(talk.udp(client, server, server.address, port, timeout_s=0.5))

    def wait_heard(self, client: End, server: End, port: int) -> None:
        """Return when an answer comes."""
        wait_until(
            lambda: self.hears(client, server, port), timeout_s=10, what=f"{server.address}:{port} answers"
        )


def address(nic: Nic) -> Address:
    """Return what a guest is on the wire."""
    return Address(nic.mac_address, nic.ipv4_address)


def wait_chained(function: Appliance, port: int, client: End, server: End) -> None:
    """Ask until an answer comes, and through the function of h1."""

    def through() -> bool:
        return bool(talk.udp(client, server, server.address, port)) and min(function.passed("h1", port)) > 0

    wait_until(through, timeout_s=15, what=f"port {port} answers through {function.name}")


@pytest.fixture(scope="module")
def pair_of_functions(bonded: Site) -> Iterator[tuple[Appliance, Appliance]]:
    """Two inline functions on both hosts, each of which drops a port, and a chain `both`."""
    one = add_inline(bonded, "one", ["h1", "h2"], [DROPPED_BY_ONE])
    two = add_inline(bonded, "two", ["h1", "h2"], [DROPPED_BY_TWO])
    bonded.apply(chain("both", "one", "two"), chain("only-one", "one"))
    yield one, two
    bonded.remove(
        "serviceChains/both", "serviceChains/only-one", "networkFunctions/one", "networkFunctions/two"
    )
    for function in (one, two):
        for guest in function.guests.values():
            bonded.lab.remove_guest(guest.name)
        bonded.remove(*(nic.name for nic in function.nics))


@contextmanager
def present(here: Site, *resources: Resource) -> Iterator[None]:
    """Have resources during a block, and guests of NICs that the block adds."""
    before = {nic.name for nic in here.list_nics()}
    here.apply(*resources)
    try:
        yield
    finally:
        here.discard(*(nic for nic in here.list_nics() if nic.name not in before))
        here.remove(*(resource.name for resource in reversed(resources)))


def test_a_rule_by_category_sends_what_it_allows_through_a_chain_and_nothing_else(
    bonded: Site, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    one, _two = pair_of_functions
    rules = [
        security.rule(
            "chained", security.IN, security.udp((5001, 5002)), service_chain="serviceChains/only-one"
        ),
        security.rule("straight", security.IN, security.udp(5003)),
    ]
    policy = security.policy("application", "served", ["categories/served"], *rules)
    with present(bonded, security.category("served"), policy):
        client = bonded.add("rule-client", "plain20", "h2")
        nic = vpcs.nic("rule-server", "plain20", "h1")
        nic.categories.append("categories/served")
        server = bonded.create_nic(nic)
        bonded.plug(server)
        settled(bonded)
        ends = vpcs.guest(bonded, client), vpcs.guest(bonded, server)
        wait_chained(one, 5001, *ends)
        assert talk.udp(*ends, server.ipv4_address, 5003)
        assert not talk.udp(*ends, server.ipv4_address, 5004), "no rule allows it"
        one.start("h1", [DROPPED_BY_ONE, 5002, 5003])
        wait_chained(one, 5001, *ends)
        assert not talk.udp(*ends, server.ipv4_address, 5002)
        assert talk.udp(*ends, server.ipv4_address, 5003), "it bypasses the function"
        assert one.passed("h1", 5003) == (0, 0)
        one.start("h1", [DROPPED_BY_ONE])


def test_a_routing_policy_sends_what_it_permits_through_a_chain(
    bonded: Site, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    one, _two = pair_of_functions
    cidr = "10.101.7.0/24"
    connection = vpcs.connection(ROUTED, "192.0.2.2", "h1")
    vpc = vpcs.Vpc(name="vpcs/t", external_connections=[connection], externally_routable_prefixes=[cidr])
    made = ROUTED, vpc, vpcs.overlay("t", "t", cidr), vpcs.default_route("t", ROUTED), chained_policy(cidr)
    with present(bonded, *made):
        nic = bonded.add_leased(vpcs.nic("tenant", "t", "h2"))
        guest, outside = vpcs.guest(bonded, nic), vpcs.upstream(bonded, OUTSIDE)
        settled(bonded)
        wait_chained(one, 6001, guest, outside)
        assert not talk.udp(guest, outside, OUTSIDE, DROPPED_BY_ONE)
        assert talk.tcp(guest, outside, OUTSIDE, 6002), "another protocol is not what the policy is about"
        assert one.passed("h1", 6002) == (0, 0)


def chained_policy(cidr: str) -> vpc_pb2.RoutingPolicy:
    """Return a policy that sends UDP from a network through a chain."""
    return vpc_pb2.RoutingPolicy(
        name="routingPolicies/t-chained",
        vpc="vpcs/t",
        priority=100,
        source=vpc_pb2.PolicyEndpoint(cidr=cidr),
        protocol=vpc_pb2.IP_PROTOCOL_UDP,
        action=vpc_pb2.ROUTING_POLICY_ACTION_PERMIT,
        service_chain="serviceChains/only-one",
    )


@pytest.fixture(scope="module", params=KINDS)
def quarter(
    bonded: Site, pair_of_functions: tuple[Appliance, Appliance], request: pytest.FixtureRequest
) -> Iterator[Quarter]:
    """Guests on a controller VLAN and on VLAN basic, whose subnet passes both functions."""
    subnet, vlan_id = KINDS[request.param]
    names = {"near": "h1", "beside": "h1", "far": "h2"}
    nics = [bonded.add(f"{request.param}-{name}", subnet, host) for name, host in names.items()]
    found = Quarter(site=bonded, subnet=subnet, vlan_id=vlan_id, near=nics[0], beside=nics[1], far=nics[2])
    found.wait_heard(found.end(found.near), found.end(found.far), DROPPED_BY_ONE)  # nothing is chained yet
    try:
        attach(bonded, subnet, "both")
        settled(bonded)
        for function in pair_of_functions:
            wait_chained(function, 2000, found.end(found.near), found.router)
            wait_chained(function, 2001, found.end(found.near), found.end(found.far))
        yield found
    finally:
        attach(bonded, subnet, "")
        bonded.discard(*nics)


def test_both_directions_pass_the_functions_of_both_hosts(
    quarter: Quarter, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    port = 3000 + quarter.vlan_id
    assert quarter.hears(quarter.end(quarter.near), quarter.end(quarter.far), port)
    for function in pair_of_functions:
        function.wait_passed("h1", port, 1, 1)
        function.wait_passed("h2", port, 1, 1)
        assert function.count("h1", f"ingress passed vlan {quarter.vlan_id} port {port}") == 1
        assert function.count("h1", f"egress passed vlan {quarter.vlan_id} port {port}") == 1


def test_what_a_function_drops_arrives_nowhere_and_the_rest_does(quarter: Quarter) -> None:
    near, far = quarter.end(quarter.near), quarter.end(quarter.far)
    for port in (DROPPED_BY_ONE, DROPPED_BY_TWO):
        for client, server in ((near, far), (far, near), (near, quarter.router), (quarter.router, near)):
            assert not quarter.hears(client, server, port), (client.address, server.address, port)
    for client, server in ((near, far), (far, near), (near, quarter.router), (quarter.router, near)):
        assert quarter.hears(client, server, DROPPED_BY_TWO + 1)


def test_packets_from_guests_meet_the_first_function_first_and_packets_to_them_the_last(
    quarter: Quarter, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    """Between a guest and the router, which has no functions: what the first one met drops, the other never sees."""
    one, two = pair_of_functions
    near, vlan = quarter.end(quarter.near), quarter.vlan_id

    def seen(function: Appliance, side: str, port: int) -> int:
        return sum(
            function.count("h1", f"{side} {verdict} vlan {vlan} port {port}")
            for verdict in ("passed", "dropped")
        )

    before = {
        (function.name, side, port): seen(function, side, port)
        for function in (one, two)
        for side in ("ingress", "egress")
        for port in (DROPPED_BY_ONE, DROPPED_BY_TWO)
    }
    for client, server in ((near, quarter.router), (quarter.router, near)):
        for port in (DROPPED_BY_ONE, DROPPED_BY_TWO):
            assert not quarter.hears(client, server, port)

    def news(function: Appliance, side: str, port: int) -> int:
        return seen(function, side, port) - before[function.name, side, port]

    wait_until(lambda: news(one, "ingress", DROPPED_BY_TWO), timeout_s=3, what="counted")
    wait_until(lambda: news(two, "egress", DROPPED_BY_ONE), timeout_s=3, what="counted")
    assert (news(one, "ingress", DROPPED_BY_ONE), news(two, "ingress", DROPPED_BY_ONE)) == (1, 0)
    assert (news(one, "ingress", DROPPED_BY_TWO), news(two, "ingress", DROPPED_BY_TWO)) == (1, 1)
    assert (news(two, "egress", DROPPED_BY_TWO), news(one, "egress", DROPPED_BY_TWO)) == (1, 0)
    assert (news(two, "egress", DROPPED_BY_ONE), news(one, "egress", DROPPED_BY_ONE)) == (1, 1)


def test_traffic_that_never_leaves_its_host_passes_no_function(
    quarter: Quarter, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    """As in AHV, and documented: OVN before 26.03 delivers it in brAtlas, and VLAN basic in br0.local."""
    near, beside = quarter.end(quarter.near), quarter.end(quarter.beside)
    assert quarter.hears(near, beside, DROPPED_BY_ONE)
    assert not quarter.hears(near, quarter.end(quarter.far), DROPPED_BY_ONE)


def test_a_broadcast_arrives_once_everywhere(
    quarter: Quarter, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    """No loop: not back at the sender, not twice anywhere, and twice through each function at most (in and out)."""
    site, near = quarter.site, quarter.near
    own_address, everybody = address(near), Address(BROADCAST, near.ipv4_address)
    frame = arp_reply(near.mac_address, own_address, everybody)
    last = arp_reply(near.mac_address, own_address, address(quarter.far))
    with (
        tapped(site.namespace(quarter.far)) as far,
        tapped(site.namespace(quarter.beside)) as beside,
        tapped(site.namespace(near)) as own,
    ):
        send_frame(site.namespace(near), frame)
        far.wait_for(frame)
        send_frame(site.namespace(near), last)
        far.wait_for(last)
        assert (far.count(frame), beside.count(frame), own.count(frame)) == (1, 1, 0)


def test_a_tap_gets_copies_and_nothing_waits_for_it(
    quarter: Quarter, pair_of_functions: tuple[Appliance, Appliance]
) -> None:
    site = quarter.site
    tap = add_tap(site, f"ids-{quarter.subnet}", "h1")
    site.apply(chain("watched", f"ids-{quarter.subnet}", "one"))
    attach(site, quarter.subnet, "watched")
    settled(site)
    there, back = (
        arp_reply(a.mac_address, address(a), address(b))
        for a, b in ((quarter.near, quarter.far), (quarter.far, quarter.near))
    )
    with tapped(site.namespace(tap)) as copies, tapped(site.namespace(quarter.far)) as arrived:

        def copied() -> bool:
            send_frame(site.namespace(quarter.near), there)
            return bool(copies.count(there))

        wait_until(copied, timeout_s=5, what="copies come")
        arrived.wait_for(there)
        send_frame(site.namespace(quarter.far), back)
        copies.wait_for(back)
    assert not quarter.hears(quarter.end(quarter.near), quarter.end(quarter.far), DROPPED_BY_ONE)
    site.lab.remove_guest(tap.name.removeprefix("nics/"))
    quarter.wait_heard(quarter.end(quarter.near), quarter.end(quarter.far), 4000)
    attach(site, quarter.subnet, "both")
    site.remove("serviceChains/watched", f"networkFunctions/ids-{quarter.subnet}", tap.name)
