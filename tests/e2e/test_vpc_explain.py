"""Explanations against packets: hits of one VPC and not its twin's, paths that are told and paths that are taken."""

from __future__ import annotations

from netctl.loop import wait_until
from netctl.v1 import vpc_pb2
from netctl.v1.explain_pb2 import (
    ExplainVpcRequest,
    GatewayEntry,
    GetRoutingPolicyHitsRequest,
    TraceRequest,
    TraceResponse,
)
from tests.e2e import vpcs
from tests.e2e.site import DEADLINE_S, Site
from tests.e2e.vpcs import INTERNET, NAT, Nic

WEB, DB = "10.7.1.0/24", "10.7.2.0/24"


def policy(name: str, vpc: str, action: int, **ends: vpc_pb2.PolicyEndpoint) -> vpc_pb2.RoutingPolicy:
    """Return the only policy of a VPC."""
    return vpc_pb2.RoutingPolicy(
        name=f"routingPolicies/{name}",
        vpc=f"vpcs/{vpc}",
        priority=100,
        action=action,  # type: ignore[arg-type]
        **ends,  # type: ignore[arg-type]
    )


def hits(here: Site, name: str) -> dict[str, int]:
    """Return how often a policy matched, by host."""
    request = GetRoutingPolicyHitsRequest(name=f"routingPolicies/{name}")
    answer = here.explain.GetRoutingPolicyHits(request, timeout=DEADLINE_S)
    return {host.host.partition("/")[2]: host.packets for host in answer.hosts if host.packets}


def trace(here: Site, nic: Nic, destination: str) -> TraceResponse:
    """Return what an echo request would meet."""
    return here.explain.Trace(TraceRequest(nic=nic.name, destination=destination), timeout=60)


def gateway_of(here: Site, vpc: str) -> GatewayEntry:
    """Return the gateway of a VPC with one connection."""
    (gateway,) = here.explain.ExplainVpc(ExplainVpcRequest(name=f"vpcs/{vpc}"), timeout=DEADLINE_S).gateways
    return gateway


def is_preferred(here: Site, vpc: str) -> bool:
    """Is the first of its hosts the gateway? For a moment after the start another may be."""
    gateway = gateway_of(here, vpc)
    return gateway.active_host == gateway.hosts[0].host


def told(path: TraceResponse, kind: str) -> list[str]:
    """Return the texts of the steps of a kind."""
    return [step.text for step in path.steps if step.kind == kind]


def test_equal_policies_of_two_vpcs_count_apart(here: Site, made: list[str]) -> None:
    """Of the two OVN makes one logical flow, so one cookie on the hosts."""
    ends = {"source": vpc_pb2.PolicyEndpoint(cidr=WEB), "destination": vpc_pb2.PolicyEndpoint(cidr=DB)}
    nics = {}
    for name in ("twin1", "twin2"):
        vpcs.make(
            here,
            made,
            vpcs.vpc(name),
            vpcs.overlay(f"{name}-web", name, WEB),
            vpcs.overlay(f"{name}-db", name, DB),
            policy(name, name, vpc_pb2.ROUTING_POLICY_ACTION_PERMIT, **ends),
        )
        for guest, host in (("web", "h1"), ("db", "h2")):
            nics[name, guest] = here.add_leased(vpcs.nic(f"{name}-{guest}", f"{name}-{guest}", host))
    here.settle()
    flows = here.lab.exec(
        "central", ["ovn-sbctl", "--bare", "--columns=_uuid", "find", "Logical_Flow", "priority=201"]
    )
    assert len(flows.stdout.split()) == 1
    here.wait_ping(nics["twin1", "web"], nics["twin1", "db"].ipv4_address)
    here.wait_ping(nics["twin2", "web"], nics["twin2", "db"].ipv4_address)
    before = {name: hits(here, name) for name in ("twin1", "twin2")}
    here.lab.exec("twin1-web", ["ping", "-n", "-q", "-c5", "-i0.05", nics["twin1", "db"].ipv4_address])
    wanted = {"h1": before["twin1"]["h1"] + 5}
    wait_until(lambda: hits(here, "twin1") == wanted, timeout_s=10, what="five hits more, all on h1")
    assert hits(here, "twin2") == before["twin2"]


def test_paths_are_those_of_packets(here: Site, made: list[str]) -> None:
    vpcs.make(
        here,
        made,
        vpcs.vpc("exp", vpcs.connection(NAT)),
        vpcs.overlay("exp-web", "exp", WEB),
        vpcs.overlay("exp-db", "exp", DB),
        vpcs.default_route("exp", NAT),
        policy(
            "exp-stay",
            "exp",
            vpc_pb2.ROUTING_POLICY_ACTION_DENY,
            source=vpc_pb2.PolicyEndpoint(cidr=DB),
            destination=vpc_pb2.PolicyEndpoint(external=True),
        ),
    )
    far = here.add_leased(vpcs.nic("far", "exp-web", "h3"))
    near = here.add_leased(vpcs.nic("near", "exp-web", "h1"))
    kept = here.add_leased(vpcs.nic("kept", "exp-db", "h2"))
    floating = vpc_pb2.FloatingIp(name="floatingIps/exp", external_subnet=NAT.name, nic=near.name)
    vpcs.make(here, made, floating)
    here.settle()
    wait_until(lambda: is_preferred(here, "exp"), timeout_s=10, what="the preferred host has the gateway")
    # first as long as no router has asked for its neighbour, then after that
    for _ in range(2):
        out, own = trace(here, far, INTERNET), trace(here, near, INTERNET)
        assert [out.verdict, own.verdict] == ["sent out", "sent out"], (out, own)
        assert told(out, "nat") == [f"source becomes {vpcs.wait_out(here, far)}"]
        assert told(own, "nat") == [f"source becomes {vpcs.wait_out(here, near)}"]
    gateway = gateway_of(here, "exp")
    assert [step.host for step in out.steps if step.kind in ("gateway", "uplink")] == [
        gateway.active_host
    ] * 2
    assert {step.host for step in own.steps} == {"hosts/h1"}
    for sender in (far, near, kept):
        for target in (INTERNET, far.ipv4_address, kept.ipv4_address, "10.7.1.1", "10.7.1.200"):
            if target == sender.ipv4_address:
                continue
            path = trace(here, sender, target)
            if path.verdict == "dropped":
                assert not here.ping_once(sender, target), f"{sender.name} -> {target}: {path}"
            else:
                here.wait_ping(sender, target)
    assert trace(here, kept, INTERNET).reason == "routingPolicies/exp-stay denies it"
