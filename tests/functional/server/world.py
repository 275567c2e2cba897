"""The parts of a controller behind one socket, and how tests fill it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from netctl.server.admission import Admission
from netctl.server.ports import Ports
from netctl.server.serve import Server
from netctl.store.sqlite import SqliteStore
from netctl.v1 import (
    agent_compute_pb2_grpc,
    chain_pb2_grpc,
    compute_pb2_grpc,
    infra_pb2_grpc,
    network_pb2_grpc,
    operations_pb2_grpc,
    security_pb2_grpc,
    vpc_pb2_grpc,
)
from netctl.v1 import chain_pb2 as chain
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import security_pb2 as security
from netctl.v1 import vpc_pb2 as vpc
from tests.fakes.controller import FakeController, FakeDerived, FakeReports, FakeStatuses


@dataclass
class World:
    """A running server with its neighbours, and stubs of all services."""

    address: str
    server: Server
    admission: Admission
    store: SqliteStore
    statuses: FakeStatuses
    reports: FakeReports
    controller: FakeController
    derived: FakeDerived
    ports: Ports
    channel: grpc.aio.Channel

    def __post_init__(self) -> None:
        self.restub(self.channel)

    def restub(self, channel: grpc.aio.Channel) -> None:
        self.clusters = infra_pb2_grpc.ClusterServiceStub(channel)
        self.hosts = infra_pb2_grpc.HostServiceStub(channel)
        self.switches = infra_pb2_grpc.VirtualSwitchServiceStub(channel)
        self.subnets = network_pb2_grpc.SubnetServiceStub(channel)
        self.nics = network_pb2_grpc.NicServiceStub(channel)
        self.vpcs = vpc_pb2_grpc.VpcServiceStub(channel)
        self.floating_ips = vpc_pb2_grpc.FloatingIpServiceStub(channel)
        self.routes = vpc_pb2_grpc.RouteServiceStub(channel)
        self.policies = vpc_pb2_grpc.RoutingPolicyServiceStub(channel)
        self.reservations = vpc_pb2_grpc.AddressReservationServiceStub(channel)
        self.categories = security_pb2_grpc.CategoryServiceStub(channel)
        self.address_groups = security_pb2_grpc.AddressGroupServiceStub(channel)
        self.service_groups = security_pb2_grpc.ServiceGroupServiceStub(channel)
        self.entity_groups = security_pb2_grpc.EntityGroupServiceStub(channel)
        self.security_policies = security_pb2_grpc.SecurityPolicyServiceStub(channel)
        self.functions = chain_pb2_grpc.NetworkFunctionServiceStub(channel)
        self.chains = chain_pb2_grpc.ServiceChainServiceStub(channel)
        self.mirrors = chain_pb2_grpc.TrafficMirrorServiceStub(channel)
        self.vms = compute_pb2_grpc.VmServiceStub(channel)
        self.images = compute_pb2_grpc.ImageServiceStub(channel)
        self.templates = compute_pb2_grpc.VmTemplateServiceStub(channel)
        self.affinities = compute_pb2_grpc.AffinityPolicyServiceStub(channel)
        self.migrations = compute_pb2_grpc.VmMigrationServiceStub(channel)
        self.compute_agents = agent_compute_pb2_grpc.ComputeAgentServiceStub(channel)
        self.batches = operations_pb2_grpc.BatchServiceStub(channel)
        self.changes = operations_pb2_grpc.ChangeServiceStub(channel)
        self.watches = operations_pb2_grpc.WatchServiceStub(channel)
        self.info = operations_pb2_grpc.ControllerServiceStub(channel)

    async def furnish(self, cidr: str = "10.0.0.0/24") -> None:
        """Make a cluster, a virtual switch, two hosts and the subnet `web`."""
        await self.clusters.CreateCluster(
            infra.CreateClusterRequest(cluster=infra.Cluster(name="clusters/c1"))
        )
        await self.switches.CreateVirtualSwitch(
            infra.CreateVirtualSwitchRequest(
                virtual_switch=infra.VirtualSwitch(name="virtualSwitches/vs0", cluster="clusters/c1")
            )
        )
        for number in (1, 2):
            await self.hosts.CreateHost(infra.CreateHostRequest(host=host(number)))
        await self.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=vlan_subnet("web", 100, cidr)))

    async def furnish_vpc(self) -> None:
        """Make all that, the external subnet `internet`, the VPC `blue`, its subnet `blue-web` and NIC `blue-1`."""
        await self.furnish()
        await self.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=external_subnet("internet", 30)))
        connections = [vpc.ExternalConnection(subnet="subnets/internet")]
        blue = vpc.Vpc(name="vpcs/blue", external_connections=connections)
        await self.vpcs.CreateVpc(vpc.CreateVpcRequest(vpc=blue))
        await self.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=vpc_subnet("blue-web")))
        await self.nics.CreateNic(nic("blue-1", subnet="subnets/blue-web", host="hosts/h1"))

    async def furnish_security(self) -> None:
        """Make the categories `web`, `db` and `clients`, and the NIC `w1` of `web`; needs `furnish`."""
        for value in ("web", "db", "clients"):
            category = security.Category(name=f"categories/{value}", key="tier", value=value)
            await self.categories.CreateCategory(security.CreateCategoryRequest(category=category))
        request = nic("w1", host="hosts/h1")
        request.nic.categories.append("categories/web")
        await self.nics.CreateNic(request)

    async def furnish_service_chain(self) -> None:
        """Make all of `furnish_chain`, and the service chain `inspect` of the function `firewall`."""
        await self.furnish_chain()
        inspect = chain.ServiceChain(
            name="serviceChains/inspect", network_functions=["networkFunctions/firewall"]
        )
        await self.chains.CreateServiceChain(chain.CreateServiceChainRequest(service_chain=inspect))

    async def furnish_chain(self) -> None:
        """Make the NICs `fw-in`, `fw-out`, `fw2-in`, `fw2-out`, `span-1`, `w1`, and the function `firewall`."""
        sides = network.NetworkFunctionSide
        for name in ("fw", "fw2"):
            for end, side in (("in", "INGRESS"), ("out", "EGRESS")):
                await self.nics.CreateNic(
                    network.CreateNicRequest(
                        nic=network.Nic(
                            name=f"nics/{name}-{end}",
                            host="hosts/h1",
                            kind=network.NIC_KIND_NETWORK_FUNCTION,
                            network_function_side=sides.Value(f"NETWORK_FUNCTION_SIDE_{side}"),
                        )
                    )
                )
        span = network.Nic(name="nics/span-1", host="hosts/h1", kind=network.NIC_KIND_SPAN_DESTINATION)
        await self.nics.CreateNic(network.CreateNicRequest(nic=span))
        await self.nics.CreateNic(nic("w1", host="hosts/h1"))
        request = chain.CreateNetworkFunctionRequest(network_function=function("firewall", "fw"))
        await self.functions.CreateNetworkFunction(request)


def function(id_: str, *machines: str) -> chain.NetworkFunction:
    return chain.NetworkFunction(
        name=f"networkFunctions/{id_}",
        mode=chain.FORWARDING_MODE_INLINE,
        failure_handling=chain.FAILURE_HANDLING_FAIL_CLOSE,
        nic_pairs=[
            chain.NicPair(ingress_nic=f"nics/{name}-in", egress_nic=f"nics/{name}-out") for name in machines
        ],
    )


def host(number: int) -> infra.Host:
    return infra.Host(
        name=f"hosts/h{number}",
        cluster="clusters/c1",
        tunnel_address=f"192.0.2.{number}/24",
        uplinks=[infra.Uplink(virtual_switch="virtualSwitches/vs0", interfaces=["eth1", "eth2"])],
    )


def vlan_subnet(id_: str, vlan_id: int, cidr: str = "") -> network.Subnet:
    subnet = network.Subnet(
        name=f"subnets/{id_}",
        kind=network.SUBNET_KIND_VLAN,
        virtual_switches=("virtualSwitches/vs0",),
        vlan_id=vlan_id,
    )
    if cidr:
        subnet.ipv4.cidr = cidr
    return subnet


def external_subnet(id_: str, vlan_id: int) -> network.Subnet:
    subnet = vlan_subnet(id_, vlan_id)
    subnet.kind = network.SUBNET_KIND_EXTERNAL
    subnet.ipv4.cidr, subnet.ipv4.gateway = "203.0.113.0/24", "203.0.113.1"
    return subnet


def vpc_subnet(id_: str, cidr: str = "10.1.0.0/24", vpc: str = "vpcs/blue") -> network.Subnet:
    return network.Subnet(
        name=f"subnets/{id_}",
        kind=network.SUBNET_KIND_OVERLAY,
        clusters=["clusters/c1"],
        vpc=vpc,
        ipv4=network.IpConfig(cidr=cidr),
    )


def nic(
    id_: str, subnet: str = "subnets/web", host: str = "", ipv4_address: str = ""
) -> network.CreateNicRequest:
    resource = network.Nic(name=f"nics/{id_}", subnet=subnet, host=host, ipv4_address=ipv4_address)
    return network.CreateNicRequest(nic=resource)


@asynccontextmanager
async def refused(
    code: grpc.StatusCode, field: str = "", *, text: str = "", dependents: Sequence[str] = ()
) -> AsyncIterator[None]:
    """Expect a call to be refused, with details that name the field and who stands in the way."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    error = cast("grpc.Call", caught.value)  # every error of a call is one
    assert error.code() is code, error.details()
    assert text in str(error.details())
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "netctl"
    assert info.metadata["field"] == field
    if field:
        request = error_details_pb2.BadRequest()
        assert status.details[1].Unpack(request)
        assert request.field_violations[0].field == field
    if dependents:
        failure = error_details_pb2.PreconditionFailure()
        assert status.details[-1].Unpack(failure)
        assert sorted(violation.subject for violation in failure.violations) == list(dependents)
        assert info.metadata["dependents"] == str(len(dependents))


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop run until a condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (what it waits for happens in threads that know no asyncio)
            await asyncio.sleep(0.005)
