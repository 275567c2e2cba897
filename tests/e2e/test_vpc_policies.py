"""Routing policies: denied, permitted before, sent through a service and back, what holds without that; and hits."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from netctl.loop import wait_until
from netctl.v1 import vpc_pb2
from netctl.v1.explain_pb2 import ClearRoutingPolicyHitsRequest, GetRoutingPolicyHitsRequest
from tests.e2e import talk, vpcs
from tests.e2e.site import DEADLINE_S, Site
from tests.e2e.vpcs import INTERNET, NAT, Nic

A, B, SERVICE = "10.6.1.0/24", "10.6.2.0/24", "10.6.3.0/24"
DENY, PERMIT, REROUTE = (
    vpc_pb2.ROUTING_POLICY_ACTION_DENY,
    vpc_pb2.ROUTING_POLICY_ACTION_PERMIT,
    vpc_pb2.ROUTING_POLICY_ACTION_REROUTE,
)
DIRECT_TTL, THROUGH_TTL = 63, 61  # one router; router, service, router


@dataclass(frozen=True, slots=True, kw_only=True)
class Trio:
    """A VPC with three subnets: `a` and `b`, on hosts of their own, and a service that forwards what it gets."""

    site: Site
    made: list[str]
    a: Nic
    b: Nic
    service: Nic

    def ask(self, port: int) -> bool:
        """Does b answer a by TCP?"""
        end = vpcs.guest(self.site, self.b)
        return bool(talk.tcp(vpcs.guest(self.site, self.a), end, end.address, port))

    def ttl(self, sender: str, receiver: Nic) -> int:
        """Return what is left of an answer's life, 0 when none comes; the way back decides it."""
        ping = ["ping", "-n", "-c1", "-W", "0.9", receiver.ipv4_address]
        said = self.site.lab.exec(sender, ping, check=False).stdout
        return int(said.partition("ttl=")[2].split()[0]) if "ttl=" in said else 0

    def put(self, *policies: vpc_pb2.RoutingPolicy) -> None:
        """Create policies; return when every host has them."""
        vpcs.make(self.site, self.made, *policies)
        self.site.settle()

    def hits(self, name: str) -> int:
        """Return how many packets a policy matched."""
        request = GetRoutingPolicyHitsRequest(name=f"routingPolicies/{name}")
        answer = self.site.explain.GetRoutingPolicyHits(request, timeout=DEADLINE_S)
        assert not answer.missing_hosts
        assert answer.packets == sum(host.packets for host in answer.hosts)
        return answer.packets


@pytest.fixture
def trio(here: Site, made: list[str]) -> Trio:
    vpcs.make(
        here,
        made,
        vpcs.vpc("pol", vpcs.connection(NAT)),
        vpcs.overlay("pol-a", "pol", A),
        vpcs.overlay("pol-b", "pol", B),
        vpcs.overlay("pol-s", "pol", SERVICE),
        vpcs.route("pol-out", "0.0.0.0/0", NAT),
    )
    wanted = vpcs.nic("service", "pol-s", "h3")
    wanted.port_security = False
    service = here.add_leased(wanted)
    here.lab.exec("service", ["sysctl", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0"])
    here.lab.exec("service", ["sysctl", "-w", "net.ipv4.conf.eth0.send_redirects=0"])
    a, b = here.add_leased(vpcs.nic("a", "pol-a", "h1")), here.add_leased(vpcs.nic("b", "pol-b", "h2"))
    here.settle()
    here.wait_ping(a, b.ipv4_address)
    here.wait_ping(service, b.ipv4_address)
    here.wait_ping(service, a.ipv4_address)
    return Trio(site=here, made=made, a=a, b=b, service=service)


def policy(name: str, priority: int, action: int, **fields: object) -> vpc_pb2.RoutingPolicy:
    """Return a policy of the VPC from a to b unless `fields` say otherwise."""
    ends = {
        "source": vpc_pb2.PolicyEndpoint(cidr=A),
        "destination": vpc_pb2.PolicyEndpoint(cidr=B),
    }
    return vpc_pb2.RoutingPolicy(
        name=f"routingPolicies/{name}",
        vpc="vpcs/pol",
        priority=priority,
        action=action,  # type: ignore[arg-type]
        **(ends | fields),  # type: ignore[arg-type]
    )


def rerouted(fallback: str = "PASSTHROUGH", *, bidirectional: bool = True) -> vpc_pb2.RoutingPolicy:
    """Return the policy that sends everything from a to b through the service."""
    return policy(
        "through",
        500,
        REROUTE,
        service_ips=["10.6.3.2"],
        bidirectional=bidirectional,
        fallback=vpc_pb2.RerouteFallback.Value(f"REROUTE_FALLBACK_{fallback}"),
    )


def test_ports_are_denied_and_what_is_permitted_before_is_not(trio: Trio) -> None:
    tcp = {"protocol": vpc_pb2.IP_PROTOCOL_TCP}
    low, high = [vpc_pb2.PortRange(first=8000, last=8100)], [vpc_pb2.PortRange(first=8080)]
    assert trio.ask(8080)
    trio.put(policy("deny", 100, DENY, destination_ports=low, **tcp))
    assert [trio.ask(port) for port in (7999, 8000, 8080, 8100, 8101)] == [True, False, False, False, True]
    trio.put(policy("permit", 200, PERMIT, destination_ports=high, **tcp))
    assert [trio.ask(port) for port in (8000, 8080, 8101)] == [False, True, True]
    assert trio.site.ping_once(trio.a, trio.b.ipv4_address), "ICMP is not denied"


def test_what_leaves_the_vpc_is_denied_and_what_stays_is_not(trio: Trio) -> None:
    vpcs.wait_out(trio.site, trio.a)
    outward = vpc_pb2.PolicyEndpoint(external=True)
    trio.put(policy("stay", 100, DENY, destination=outward))
    assert not trio.site.ping_once(trio.a, INTERNET)
    assert trio.site.ping_once(trio.b, INTERNET), "b is no source of the policy"
    assert trio.site.ping_once(trio.a, trio.b.ipv4_address)


def test_hits_are_the_packets_that_were_sent_and_can_be_cleared(trio: Trio) -> None:
    trio.put(policy("count", 100, PERMIT, protocol=vpc_pb2.IP_PROTOCOL_ICMP))
    ping = ["ping", "-n", "-q", "-c", "7", "-i", "0.05", trio.b.ipv4_address]
    trio.site.lab.exec("a", ping)
    wait_until(lambda: trio.hits("count") >= 7, timeout_s=10, what="seven hits")
    assert trio.hits("count") == 7
    request = ClearRoutingPolicyHitsRequest(name="routingPolicies/count")
    trio.site.explain.ClearRoutingPolicyHits(request, timeout=DEADLINE_S)
    assert trio.hits("count") == 0
    trio.site.lab.exec("a", ping)
    wait_until(lambda: trio.hits("count") >= 7, timeout_s=10, what="seven hits more")
    assert trio.hits("count") == 7


def test_traffic_is_sent_through_a_service_one_way_or_both(trio: Trio) -> None:
    assert trio.ttl("a", trio.b) == DIRECT_TTL
    trio.put(rerouted(bidirectional=False))
    assert trio.ttl("a", trio.b) == DIRECT_TTL, "the answer comes straight"
    assert trio.ttl("b", trio.a) == THROUGH_TTL, "an answer of a goes from a to b"
    assert trio.ask(8080)
    trio.site.apply(rerouted())
    trio.site.settle()
    assert (trio.ttl("a", trio.b), trio.ttl("b", trio.a)) == (THROUGH_TTL, THROUGH_TTL)
    assert trio.ask(8080)
    assert trio.ttl("a", trio.service) == DIRECT_TTL


@pytest.mark.parametrize(("fallback", "left"), [("DROP", 0), ("ALLOW", DIRECT_TTL), ("PASSTHROUGH", 0)])
def test_without_the_service_the_fallback_holds_until_it_is_back(
    trio: Trio, fallback: str, left: int
) -> None:
    """PASSTHROUGH goes on with the next policy, which denies here; ALLOW does not look at it.

    That next policy would deny what comes back from the service, too: it is there only while the service is not.
    """
    trio.put(rerouted(fallback))
    assert trio.ttl("b", trio.a) == trio.ttl("a", trio.b) == THROUGH_TTL
    guest = trio.site.lab.guest("service")
    trio.site.lab.remove_guest("service")
    wait_until(lambda: not is_rerouted(trio), timeout_s=10, what="the fallback is in force")
    trio.put(policy("below", 100, DENY))
    assert trio.ttl("a", trio.b) == left
    assert trio.site.ping_once(trio.b, "10.6.2.1"), "the router is there"
    trio.site.remove("routingPolicies/below")
    trio.made.remove("routingPolicies/below")
    trio.site.lab.add_guest("h3", guest.tap_name, guest.mac_address, name="service")
    trio.site.lease(trio.service)
    trio.site.lab.exec("service", ["sysctl", "-w", "net.ipv4.ip_forward=1"])
    wait_until(lambda: trio.ttl("a", trio.b) == THROUGH_TTL, timeout_s=15, what="through the service again")


def is_rerouted(trio: Trio) -> bool:
    """Does OVN still reroute?"""
    return "reroute" in trio.site.nbctl("--bare", "--columns=action", "list", "Logical_Router_Policy").split()
