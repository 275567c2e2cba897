"""VPCs through the API: batches, watches, history, masks, races, usage; errors name the field inside lists too."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import vpc_pb2 as vpc
from tests.functional.server.world import World, external_subnet, nic, refused, vpc_subnet

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


def connected(id_: str, **fields: Any) -> vpc.Vpc:
    return vpc.Vpc(
        name=f"vpcs/{id_}", external_connections=[vpc.ExternalConnection(subnet="subnets/internet", **fields)]
    )


def floating(id_: str, **fields: Any) -> vpc.CreateFloatingIpRequest:
    resource = vpc.FloatingIp(name=f"floatingIps/{id_}", external_subnet="subnets/internet", **fields)
    return vpc.CreateFloatingIpRequest(floating_ip=resource)


def policy(id_: str, **fields: Any) -> vpc.RoutingPolicy:
    usual: dict[str, Any] = {"vpc": "vpcs/blue", "priority": 100, "action": vpc.ROUTING_POLICY_ACTION_PERMIT}
    return vpc.RoutingPolicy(name=f"routingPolicies/{id_}", **(usual | fields))


def tenant() -> list[pb.Resource]:
    """A tenant's whole network, in the order of reference."""
    hop = vpc.NextHop(external_subnet="subnets/internet")
    default = vpc.Route(name="routes/default", vpc="vpcs/blue", destination="0.0.0.0/0", next_hops=[hop])
    return [
        pb.Resource(subnet=external_subnet("internet", 30)),
        pb.Resource(vpc=connected("blue")),
        pb.Resource(subnet=vpc_subnet("blue-web")),
        pb.Resource(
            address_reservation=vpc.AddressReservation(
                name="addressReservations/some", subnet="subnets/blue-web", count=2
            )
        ),
        pb.Resource(nic=nic("blue-1", subnet="subnets/blue-web", host="hosts/h1").nic),
        pb.Resource(floating_ip=floating("www", nic="nics/blue-1").floating_ip),
        pb.Resource(route=default),
        pb.Resource(routing_policy=policy("p")),
    ]


def name_of(resource: pb.Resource) -> str:
    return str(getattr(resource, str(resource.WhichOneof("resource"))).name)


async def test_a_tenant_comes_and_goes_in_one_change_each(world: World) -> None:
    await world.furnish()
    before = world.admission.snapshot().revision
    watch: Any = world.watches.Watch(pb.WatchRequest(start_revision=before))
    assert (await watch.read()).kind == pb.EVENT_KIND_SYNCED
    resources = tenant()
    request = pb.BatchRequest(edits=[pb.Edit(apply=one) for one in resources])
    made = await world.batches.Batch(request)
    assert (made.revision, made.changed) == (before + 1, len(resources))
    kinds = [
        "subnet",
        "vpc",
        "subnet",
        "address_reservation",
        "nic",
        "floating_ip",
        "route",
        "routing_policy",
    ]
    assert [one.WhichOneof("resource") for one in made.resources] == kinds
    assert made.resources[5].floating_ip.address.startswith("203.0.113.")
    assert (await world.batches.Batch(request)).changed == 0

    seen = [await asyncio.wait_for(watch.read(), 5) for _ in resources]
    assert {event.name for event in seen} == {name_of(one) for one in resources}
    assert {event.name: event.resource for event in seen} == {name_of(one): one for one in made.resources}
    watch.cancel()

    names = [name_of(one) for one in reversed(resources)]
    edits = [pb.Edit(delete=pb.DeleteEdit(name=name)) for name in names]
    gone = await world.batches.Batch(pb.BatchRequest(edits=edits, change_reason="bye"))
    assert gone.changed == len(resources)
    for place, name in enumerate(names):
        (change, *_) = (await world.changes.ListChanges(pb.ListChangesRequest(resource_name=name))).changes
        assert (change.revision, change.index, change.reason) == (gone.revision, place, "bye")
        assert name_of(change.before) == name
        assert not change.HasField("after")


async def test_what_is_in_use_is_not_deleted(world: World) -> None:
    await world.furnish()
    await world.batches.Batch(pb.BatchRequest(edits=[pb.Edit(create=one) for one in tenant()]))
    in_use = grpc.StatusCode.FAILED_PRECONDITION
    async with refused(in_use, "name", dependents=["floatingIps/www", "routes/default", "vpcs/blue"]):
        await world.subnets.DeleteSubnet(network.DeleteSubnetRequest(name="subnets/internet"))
    async with refused(
        in_use, "name", dependents=["routes/default", "routingPolicies/p", "subnets/blue-web"]
    ):
        await world.vpcs.DeleteVpc(vpc.DeleteVpcRequest(name="vpcs/blue"))
    async with refused(in_use, "name", dependents=["addressReservations/some", "nics/blue-1"]):
        await world.subnets.DeleteSubnet(network.DeleteSubnetRequest(name="subnets/blue-web"))
    async with refused(in_use, "name", dependents=["floatingIps/www"]):
        await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/blue-1"))


async def test_a_masked_update_reaches_into_ends_of_policies(world: World) -> None:
    await world.furnish_vpc()
    asked = policy("p", source=vpc.PolicyEndpoint(external=True), protocol=vpc.IP_PROTOCOL_TCP)
    await world.policies.CreateRoutingPolicy(vpc.CreateRoutingPolicyRequest(routing_policy=asked))

    async def update(change: vpc.RoutingPolicy, *paths: str) -> vpc.RoutingPolicy:
        change.name = asked.name
        request = vpc.UpdateRoutingPolicyRequest(routing_policy=change, update_mask=FieldMask(paths=paths))
        return (await world.policies.UpdateRoutingPolicy(request)).routing_policy

    changed = await update(
        vpc.RoutingPolicy(destination=vpc.PolicyEndpoint(cidr="10.1.0.0/25")), "destination.cidr"
    )
    assert changed.destination.cidr == "10.1.0.0/25"
    assert changed.source.external
    changed = await update(vpc.RoutingPolicy(source=vpc.PolicyEndpoint(cidr="10.9.0.0/16")), "source.cidr")
    assert (changed.source.WhichOneof("endpoint"), changed.source.external) == ("cidr", False)
    changed = await update(vpc.RoutingPolicy(), "source", "protocol")
    assert changed.source.any
    assert changed.protocol == vpc.IP_PROTOCOL_ANY
    async with refused(INVALID, "routing_policy.action", text="is not set"):
        await update(vpc.RoutingPolicy(), "action")


async def test_a_list_of_connections_is_replaced_and_keeps_what_was_allocated(world: World) -> None:
    await world.furnish_vpc()
    second = external_subnet("second", 31)
    second.ipv4.cidr, second.ipv4.gateway = "198.51.100.0/24", "198.51.100.1"
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=second))
    before = (await world.vpcs.GetVpc(vpc.GetVpcRequest(name="vpcs/blue"))).vpc.external_connections[0]
    change = connected("blue", gateway_host_count=1)
    change.external_connections.insert(0, vpc.ExternalConnection(subnet="subnets/second"))
    request = vpc.UpdateVpcRequest(vpc=change, update_mask=FieldMask(paths=["external_connections"]))
    after = (await world.vpcs.UpdateVpc(request)).vpc
    first, kept = after.external_connections
    assert (kept.ipv4_address, kept.mac_address) == (before.ipv4_address, before.mac_address)
    assert list(kept.gateways) == list(before.gateways)[:1]
    assert first.ipv4_address == "198.51.100.2"
    assert len(first.gateways) == 2
    async with refused(INVALID, "update_mask", text="not a field"):
        request.update_mask.paths[:] = ["external_connections.subnet"]
        await world.vpcs.UpdateVpc(request)
    async with refused(INVALID, "update_mask", text="set by the server"):
        request.update_mask.paths[:] = ["vni"]
        await world.vpcs.UpdateVpc(request)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"subnet": ""}, INVALID, "subnet"),
        ({"subnet": "internet"}, INVALID, "subnet"),
        ({"subnet": "subnets/none"}, NOT_FOUND, "subnet"),
        ({"gateway_hosts": ["hosts/h9"]}, NOT_FOUND, "gateway_hosts[0]"),
        ({"gateway_hosts": ["hosts/h1", "h2"]}, INVALID, "gateway_hosts[1]"),
        ({"gateway_host_count": 6}, INVALID, "gateway_host_count"),
        ({"ipv4_address": "10.0.0.1"}, INVALID, "ipv4_address"),
        ({"ipv6_address": "x"}, INVALID, "ipv6_address"),
    ],
    ids=str,
)
async def test_errors_name_the_field_of_a_connection(
    world: World, fields: dict[str, Any], code: grpc.StatusCode, field: str
) -> None:
    await world.furnish_vpc()
    connection = vpc.ExternalConnection(**({"subnet": "subnets/internet"} | fields))
    red = vpc.Vpc(name="vpcs/red", external_connections=[connection])
    async with refused(code, f"vpc.external_connections[0].{field}"):
        await world.vpcs.CreateVpc(vpc.CreateVpcRequest(vpc=red))
    edit = pb.Edit(create=pb.Resource(vpc=red))
    async with refused(code, f"edits[0].create.vpc.external_connections[0].{field}"):
        await world.batches.Batch(pb.BatchRequest(edits=[edit]))


async def test_lists_are_filtered_by_what_is_in_them(world: World) -> None:
    await world.furnish_vpc()
    await world.vpcs.CreateVpc(
        vpc.CreateVpcRequest(vpc=vpc.Vpc(name="vpcs/alone", dns_servers=["192.0.2.53"]))
    )

    async def found(filter_: str) -> list[str]:
        listed = await world.vpcs.ListVpcs(vpc.ListVpcsRequest(filter=filter_))
        return [one.name for one in listed.vpcs]

    assert await found("external_connections.subnet:subnets/internet") == ["vpcs/blue"]
    assert await found("external_connections.gateways:hosts/h2 AND kind = REGULAR") == ["vpcs/blue"]
    assert await found("dns_servers:192.0.2.53") == ["vpcs/alone"]
    assert await found("kind = TRANSIT") == []
    async with refused(INVALID, "filter", text="is a list"):
        await found("dns_servers = 192.0.2.53")


async def test_no_two_hold_an_address_under_a_race(world: World) -> None:
    """A pool of 20, the router has one of them: 19 of 60 get one, each another."""
    await world.furnish()
    subnet = external_subnet("internet", 30)
    subnet.ipv4.pools.add(start="203.0.113.10", end="203.0.113.29")
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=subnet))
    await world.vpcs.CreateVpc(vpc.CreateVpcRequest(vpc=connected("blue")))
    answers = await asyncio.gather(
        *(world.floating_ips.CreateFloatingIp(floating(f"f{number}")) for number in range(60)),
        return_exceptions=True,
    )
    held = [one.floating_ip.address for one in answers if isinstance(one, vpc.CreateFloatingIpResponse)]
    refusals = [one.code().name for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert len(held) == len(set(held)) == 19
    assert refusals == ["RESOURCE_EXHAUSTED"] * 41
    usage = await world.subnets.GetSubnetUsage(network.GetSubnetUsageRequest(name="subnets/internet"))
    assert (usage.ipv4.total, usage.ipv4.used, usage.ipv4.free) == (20, 20, 0)


async def test_one_floating_ip_for_a_nic_under_a_race(world: World) -> None:
    await world.furnish_vpc()
    answers = await asyncio.gather(
        *(world.floating_ips.CreateFloatingIp(floating(f"f{n}", nic="nics/blue-1")) for n in range(20)),
        return_exceptions=True,
    )
    won = [one for one in answers if isinstance(one, vpc.CreateFloatingIpResponse)]
    assert len(won) == 1
    codes = {one.code() for one in answers if isinstance(one, grpc.aio.AioRpcError)}
    assert codes == {grpc.StatusCode.ALREADY_EXISTS}


async def test_usage_counts_both_families(world: World) -> None:
    await world.furnish_vpc()
    subnet = vpc_subnet("six", "10.2.0.0/28")
    subnet.ipv6.cidr = "2001:db8::/120"
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=subnet))
    some = vpc.AddressReservation(name="addressReservations/a", subnet="subnets/six", ip_version=6, count=10)
    await world.reservations.CreateAddressReservation(
        vpc.CreateAddressReservationRequest(address_reservation=some)
    )
    usage = await world.subnets.GetSubnetUsage(network.GetSubnetUsageRequest(name="subnets/six"))
    assert usage.ipv4.total == 14
    assert usage.ipv6.reserved == 10
    for one in (usage.ipv4, usage.ipv6):
        assert one.used >= 1, "the gateway"
        assert one.total == one.used + one.reserved + one.free
    async with refused(NOT_FOUND, "name", text="subnets/none does not exist"):
        await world.subnets.GetSubnetUsage(network.GetSubnetUsageRequest(name="subnets/none"))
    async with refused(INVALID, "name"):
        await world.subnets.GetSubnetUsage(network.GetSubnetUsageRequest(name="six"))
    plain = network.Subnet(name="subnets/plain", kind=network.SUBNET_KIND_OVERLAY, clusters=["clusters/c1"])
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=plain))
    usage = await world.subnets.GetSubnetUsage(network.GetSubnetUsageRequest(name="subnets/plain"))
    assert not usage.HasField("ipv4")
    assert not usage.HasField("ipv6")


async def test_random_bytes_never_hurt(world: World) -> None:
    await world.furnish()
    source = random.Random(11)
    whole = pb.BatchRequest(edits=[pb.Edit(create=one) for one in tenant()]).SerializeToString()
    channel: Any = world.channel
    outcomes = set()
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(source.randrange(1, 6)):
            raw[source.randrange(len(raw))] = source.randrange(256)
        try:
            await channel.unary_unary("/netctl.v1.BatchService/Batch")(bytes(raw))
        except grpc.aio.AioRpcError as error:
            outcomes.add(error.code().name)
    assert "INVALID_ARGUMENT" in outcomes
    assert outcomes <= {
        *("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"),
    }
    assert (await world.info.GetController(pb.GetControllerRequest())).version


async def test_values_of_the_future_are_refused(world: World) -> None:
    await world.furnish_vpc()
    for field in ("action", "protocol", "fallback"):
        future: Any = policy("p", **{field: 77})
        async with refused(INVALID, f"routing_policy.{field}", text="77 is unknown"):
            await world.policies.CreateRoutingPolicy(vpc.CreateRoutingPolicyRequest(routing_policy=future))
    unknown: Any = vpc.Vpc(name="vpcs/a", kind=77)  # type: ignore[arg-type]
    async with refused(INVALID, "vpc.kind", text="77 is unknown"):
        await world.vpcs.CreateVpc(vpc.CreateVpcRequest(vpc=unknown))
    subnet: Any = vpc_subnet("x", "10.7.0.0/24")
    subnet.ipv6.cidr, subnet.ipv6_mode = "2001:db8:7::/64", 77
    async with refused(INVALID, "subnet.ipv6_mode", text="77 is unknown"):
        await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=subnet))
