"""Hostile input for the host's network: huge lists, unknown words, names that are none. Answered soon, and by field."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest

from netctl.v1 import chain_pb2 as chain
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from tests.functional.server.world import World, function, nic, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MANY = 20_000


def many_pairs() -> chain.NetworkFunction:
    found = function("f", "fw")
    found.nic_pairs.extend(
        chain.NicPair(ingress_nic=f"nics/a{n}", egress_nic=f"nics/b{n}") for n in range(MANY)
    )
    return found


def chained(*functions: str) -> chain.ServiceChain:
    return chain.ServiceChain(name="serviceChains/c", network_functions=functions)


def mirror(**fields: Any) -> chain.TrafficMirror:
    usual: dict[str, Any] = {
        "name": "trafficMirrors/m",
        "host": "hosts/h1",
        "sources": [chain.MirrorSource(nic="nics/w1")],
        "destinations": ["nics/span-1"],
    }
    return chain.TrafficMirror(**(usual | fields))


def inline(**fields: Any) -> chain.NetworkFunction:
    found = function("f", "fw2")
    found.MergeFrom(chain.NetworkFunction(**fields))
    return found


FUNCTIONS = [
    (many_pairs(), "network_function.nic_pairs", "20001 pairs"),
    (inline(mode=9), "network_function.mode", "9 is unknown"),
    (inline(failure_handling=9), "network_function.failure_handling", "9 is unknown"),
    (
        chain.NetworkFunction(name="networkFunctions/f"),
        "network_function.mode",
        "is not set; use FORWARDING_MODE_INLINE or FORWARDING_MODE_TAP",
    ),
    (
        chain.NetworkFunction(name="networkFunctions/f", mode=chain.FORWARDING_MODE_INLINE),
        "network_function.failure_handling",
        "FAIL_OPEN or FAIL_CLOSE",
    ),
    (
        inline(nic_pairs=[chain.NicPair(ingress_nic="fw")]),
        "network_function.nic_pairs[1].ingress_nic",
        "write it like nics/web-1",
    ),
    (
        inline(health_check=chain.HealthCheck(interval_ms=-1)),
        "network_function.health_check.interval_ms",
        "-1",
    ),
    (
        inline(health_check=chain.HealthCheck(interval_ms=100, timeout_ms=2**31 - 1)),
        "network_function.health_check.timeout_ms",
        "",
    ),
]


@pytest.mark.parametrize(("message", "field", "text"), FUNCTIONS)
async def test_functions(world: World, message: chain.NetworkFunction, field: str, text: str) -> None:
    await world.furnish()
    await world.furnish_chain()
    began = time.monotonic()
    async with refused(INVALID, field, text=text):
        request = chain.CreateNetworkFunctionRequest(network_function=message)
        await world.functions.CreateNetworkFunction(request)
    assert time.monotonic() - began < 3
    good = chain.CreateNetworkFunctionRequest(network_function=function("good", "fw2"))
    assert (await world.functions.CreateNetworkFunction(good)).network_function.revision


async def test_chains_and_mirrors(world: World) -> None:
    await world.furnish()
    await world.furnish_chain()
    for asked, field, text in (
        (chained(), "service_chain.network_functions", "name 1 to 8"),
        (
            chained(*(f"networkFunctions/f{n}" for n in range(MANY))),
            "service_chain.network_functions",
            "20000",
        ),
        (
            chained("firewall"),
            "service_chain.network_functions[0]",
            "write it like networkFunctions/firewall",
        ),
        (chained(*["networkFunctions/firewall"] * 2), "service_chain.network_functions[1]", "listed twice"),
    ):
        async with refused(INVALID, field, text=text):
            await world.chains.CreateServiceChain(chain.CreateServiceChainRequest(service_chain=asked))
    sources = [chain.MirrorSource(nic=f"nics/n{n}") for n in range(MANY)]
    both = chain.MirrorSource(nic="nics/w1", virtual_switch="virtualSwitches/vs0")
    for asked_mirror, field, text in (
        (mirror(sources=sources), "traffic_mirror.sources", "20000 sources"),
        (mirror(sources=[both]), "traffic_mirror.sources[0]", "one of the two"),
        (mirror(sources=[chain.MirrorSource()]), "traffic_mirror.sources[0]", "one of the two"),
        (
            mirror(sources=[chain.MirrorSource(nic="nics/w1", direction=9)]),  # type: ignore[arg-type]
            "traffic_mirror.sources[0].direction",
            "9 is unknown",
        ),
        (mirror(destinations=[f"nics/n{n}" for n in range(MANY)]), "traffic_mirror.destinations", "20000"),
        (mirror(host=""), "traffic_mirror.host", "is empty"),
    ):
        async with refused(INVALID, field, text=text):
            await world.mirrors.CreateTrafficMirror(
                chain.CreateTrafficMirrorRequest(traffic_mirror=asked_mirror)
            )
    async with refused(grpc.StatusCode.NOT_FOUND, "service_chain.network_functions[0]"):
        request = chain.CreateServiceChainRequest(service_chain=chained("networkFunctions/none"))
        await world.chains.CreateServiceChain(request)
    good = chain.CreateServiceChainRequest(service_chain=chained("networkFunctions/firewall"))
    assert (await world.chains.CreateServiceChain(good)).service_chain.revision


def switch(**fields: Any) -> infra.VirtualSwitch:
    return infra.VirtualSwitch(name="virtualSwitches/vs9", cluster="clusters/c1", **fields)


async def test_switches_hosts_and_nics(world: World) -> None:
    await world.furnish()
    asks = infra.IgmpSnooping(enabled=True, querier=True, querier_vlan_ids=range(MANY))
    for asked, field in (
        (switch(bond_mode=9), "virtual_switch.bond_mode"),
        (switch(lacp_mode=9), "virtual_switch.lacp_mode"),
        (switch(lacp_timeout=9), "virtual_switch.lacp_timeout"),
        (switch(rollout=9), "virtual_switch.rollout"),
        (switch(igmp_snooping=asks), "virtual_switch.igmp_snooping.querier_vlan_ids"),
    ):
        async with refused(INVALID, field):
            await world.switches.CreateVirtualSwitch(infra.CreateVirtualSwitchRequest(virtual_switch=asked))
    host = infra.Host(name="hosts/h9", cluster="clusters/c1", tunnel_address="192.0.2.9/24")
    host.uplinks.add(virtual_switch="virtualSwitches/vs0", interfaces=["eth1"])
    host.internal_ports.extend(
        infra.InternalPort(name=f"int{n}", virtual_switch="virtualSwitches/vs0") for n in range(MANY)
    )
    began = time.monotonic()
    async with refused(INVALID, "host.internal_ports"):
        await world.hosts.CreateHost(infra.CreateHostRequest(host=host))
    assert time.monotonic() - began < 3
    for fields, field in (
        ({"kind": 9}, "nic.kind"),
        ({"network_function_side": 9, "kind": 3, "subnet": ""}, "nic.network_function_side"),
        ({"model": 9}, "nic.model"),
        ({"queues": -1}, "nic.queues"),
        ({"queues": 2**31 - 1}, "nic.queues"),
        ({"kind": 3, "network_function_side": 1}, "nic.subnet"),
        ({"kind": 4, "subnet": "", "ipv4_address": "10.0.0.9"}, "nic.ipv4_address"),
    ):
        request = nic("x")
        for name, value in fields.items():
            setattr(request.nic, name, value)
        async with refused(INVALID, field):
            await world.nics.CreateNic(request)
    assert (await world.nics.CreateNic(nic("x"))).nic.kind == network.NIC_KIND_NORMAL
