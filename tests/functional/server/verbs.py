"""How each noun is called, and one of it: what `test_verbs.py` does to every noun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from netctl.v1 import chain_pb2 as chain
from netctl.v1 import compute_pb2 as compute
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import security_pb2 as security
from netctl.v1 import vpc_pb2 as vpc
from tests.functional.server.world import World, function, host


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """How one noun is called."""

    noun: str
    stub: str
    pb: Any
    another: Any
    plural: str
    in_vpc: bool = False
    in_security: bool = False
    in_chain: bool = False

    async def furnish(self, world: World) -> None:
        """Make what the resource needs."""
        await (world.furnish_vpc() if self.in_vpc else world.furnish())
        if self.in_security:
            await world.furnish_security()
        if self.in_chain:
            await world.furnish_chain()

    def request(self, verb: str, **fields: Any) -> Any:
        title = "".join(part.title() for part in self.noun.split("_"))
        if verb == "List":
            title = "".join(part.title() for part in self.plural.split("_"))
        return getattr(self.pb, f"{verb}{title}Request")(**fields)

    async def call(self, world: World, verb: str, **fields: Any) -> Any:
        request = self.request(verb, **fields)
        method = type(request).__name__.removesuffix("Request")
        return await getattr(getattr(world, self.stub), method)(request)

    def caller(self, world: World, verb: str, **fields: Any) -> Callable[..., Any]:
        """Return what makes a call that is to be made several times, with more fields."""
        return lambda **more: self.call(world, verb, **fields, **more)


def _entity_group() -> security.EntityGroup:
    group = security.EntityGroup(
        name="entityGroups/front",
        include=[
            security.EntitySelector(all_of=["categories/web", "subnets/web"]),
            security.EntitySelector(all_of=["categories/db"]),
        ],
    )
    getattr(group, "except").add(all_of=["nics/w1"])  # a word of Python's own
    return group


NOUNS = (
    Verbs(
        noun="cluster",
        stub="clusters",
        pb=infra,
        plural="clusters",
        another=infra.Cluster(name="clusters/c2", mac_prefix="52:00:00", underlay_mtu_bytes=9000),
    ),
    Verbs(noun="host", stub="hosts", pb=infra, plural="hosts", another=host(3)),
    Verbs(
        noun="virtual_switch",
        stub="switches",
        pb=infra,
        plural="virtual_switches",
        another=infra.VirtualSwitch(name="virtualSwitches/vs1", cluster="clusters/c1", bridge="br7"),
    ),
    Verbs(
        noun="subnet",
        stub="subnets",
        pb=network,
        plural="subnets",
        another=network.Subnet(
            name="subnets/db",
            kind=network.SUBNET_KIND_OVERLAY,
            clusters=("clusters/c1",),
            ipv4=network.IpConfig(cidr="10.5.0.0/24", gateway="10.5.0.1"),
            dhcp=network.DhcpOptions(dns_servers=["192.0.2.53"]),
        ),
    ),
    Verbs(
        noun="nic",
        stub="nics",
        pb=network,
        plural="nics",
        another=network.Nic(name="nics/a", subnet="subnets/web", host="hosts/h1"),
    ),
    Verbs(
        noun="vpc",
        stub="vpcs",
        pb=vpc,
        plural="vpcs",
        in_vpc=True,
        another=vpc.Vpc(
            name="vpcs/red",
            dns_servers=["192.0.2.53", "2001:db8::53"],
            external_connections=[
                vpc.ExternalConnection(subnet="subnets/internet", gateway_hosts=["hosts/h2"])
            ],
            externally_routable_prefixes=["198.51.100.0/24"],
        ),
    ),
    Verbs(
        noun="floating_ip",
        stub="floating_ips",
        pb=vpc,
        plural="floating_ips",
        in_vpc=True,
        another=vpc.FloatingIp(
            name="floatingIps/a",
            external_subnet="subnets/internet",
            nic="nics/blue-1",
            address="203.0.113.77",
        ),
    ),
    Verbs(
        noun="route",
        stub="routes",
        pb=vpc,
        plural="routes",
        in_vpc=True,
        another=vpc.Route(
            name="routes/default",
            vpc="vpcs/blue",
            destination="0.0.0.0/0",
            next_hops=[
                vpc.NextHop(external_subnet="subnets/internet"),
                vpc.NextHop(ip_address="203.0.113.9"),
            ],
            bfd=vpc.Bfd(min_rx_ms=300, min_tx_ms=300),
        ),
    ),
    Verbs(
        noun="routing_policy",
        stub="policies",
        pb=vpc,
        plural="routing_policies",
        in_vpc=True,
        another=vpc.RoutingPolicy(
            name="routingPolicies/no-db",
            vpc="vpcs/blue",
            priority=200,
            source=vpc.PolicyEndpoint(external=True),
            destination=vpc.PolicyEndpoint(cidr="10.1.0.0/24"),
            protocol=vpc.IP_PROTOCOL_TCP,
            destination_ports=[vpc.PortRange(first=5432)],
            action=vpc.ROUTING_POLICY_ACTION_DENY,
        ),
    ),
    Verbs(
        noun="address_reservation",
        stub="reservations",
        pb=vpc,
        plural="address_reservations",
        in_vpc=True,
        another=vpc.AddressReservation(name="addressReservations/a", subnet="subnets/web", count=3),
    ),
    Verbs(
        noun="category",
        stub="categories",
        pb=security,
        plural="categories",
        another=security.Category(name="categories/dmz", key="Zone 😀", value="DMZ; drop"),
    ),
    Verbs(
        noun="address_group",
        stub="address_groups",
        pb=security,
        plural="address_groups",
        another=security.AddressGroup(
            name="addressGroups/offices",
            addresses=["10.0.0.0/8", "192.0.2.1-192.0.2.9", "2001:db8::/32"],
            except_addresses=["10.1.0.0/16"],
        ),
    ),
    Verbs(
        noun="service_group",
        stub="service_groups",
        pb=security,
        plural="service_groups",
        another=security.ServiceGroup(
            name="serviceGroups/all-sorts",
            services=[
                security.Service(
                    protocol=security.SERVICE_PROTOCOL_TCP, ports=[vpc.PortRange(first=443, last=443)]
                ),
                security.Service(protocol=security.SERVICE_PROTOCOL_ICMP, icmp_type=0, icmp_code=0),
                security.Service(protocol=security.SERVICE_PROTOCOL_NUMBER, protocol_number=47),
            ],
        ),
    ),
    Verbs(
        noun="entity_group",
        stub="entity_groups",
        pb=security,
        plural="entity_groups",
        in_security=True,
        another=_entity_group(),
    ),
    Verbs(
        noun="security_policy",
        stub="security_policies",
        pb=security,
        plural="security_policies",
        in_security=True,
        another=security.SecurityPolicy(
            name="securityPolicies/shop",
            kind=security.SECURITY_POLICY_KIND_APPLICATION,
            mode=security.SECURITY_POLICY_MODE_MONITOR,
            scope=security.SECURITY_SCOPE_ALL_VLAN,
            priority=7,
            secured=["categories/web", "categories/db"],
            intra_group=security.INTRA_GROUP_DENY,
            rules=[
                security.SecurityRule(
                    name="sql",
                    direction=security.SECURITY_DIRECTION_IN,
                    action=security.SECURITY_ACTION_ALLOW,
                    priority=3,
                    applied_to=["categories/db"],
                    peers=["categories/web"],
                    services=[
                        security.Service(
                            protocol=security.SERVICE_PROTOCOL_TCP,
                            ports=[vpc.PortRange(first=5432, last=5433)],
                        )
                    ],
                    owner="Ω",
                    ticket="CHG-1",
                    expire_time=Timestamp(seconds=4_000_000_000, nanos=500_000_000),
                ),
            ],
            log_rate=5,
        ),
    ),
    Verbs(
        noun="network_function",
        stub="functions",
        pb=chain,
        plural="network_functions",
        in_chain=True,
        another=function("ids", "fw2"),
    ),
    Verbs(
        noun="service_chain",
        stub="chains",
        pb=chain,
        plural="service_chains",
        in_chain=True,
        another=chain.ServiceChain(
            name="serviceChains/inspect", network_functions=["networkFunctions/firewall"]
        ),
    ),
    Verbs(
        noun="traffic_mirror",
        stub="mirrors",
        pb=chain,
        plural="traffic_mirrors",
        in_chain=True,
        another=chain.TrafficMirror(
            name="trafficMirrors/web",
            host="hosts/h1",
            sources=[chain.MirrorSource(nic="nics/w1", direction=chain.MIRROR_DIRECTION_EGRESS)],
            destinations=["nics/span-1"],
        ),
    ),
    Verbs(
        noun="vm",
        stub="vms",
        pb=compute,
        plural="vms",
        another=compute.Vm(
            name="vms/shop",
            cluster="clusters/c1",
            description="the shop, <b>&amp;</b>",
            num_vcpus=2,
            num_cores_per_vcpu=2,
            memory_mib=1024,
            disks=[
                compute.Disk(size_bytes=1 << 30),
                compute.Disk(kind=compute.DISK_KIND_CDROM),
                compute.Disk(bus=compute.DISK_BUS_PCI, index=3, size_bytes=1 << 40),
            ],
            boot_order=[compute.BOOT_DEVICE_NETWORK, compute.BOOT_DEVICE_DISK],
            firmware=compute.FIRMWARE_UEFI,
            secure_boot=True,
            vtpm=True,
            restart_policy=compute.RESTART_POLICY_ALWAYS,
            affinity_hosts=["hosts/h2"],
            gpu_profiles=["nvidia-35"],
            customization=compute.GuestCustomization(user_data="#cloud-config"),
        ),
    ),
    Verbs(
        noun="image",
        stub="images",
        pb=compute,
        plural="images",
        another=compute.Image(name="images/debian", format=compute.IMAGE_FORMAT_QCOW2, sha256="5e" * 32),
    ),
    Verbs(
        noun="vm_template",
        stub="templates",
        pb=compute,
        plural="vm_templates",
        another=compute.VmTemplate(name="vmTemplates/shop", description="the shop"),
    ),
    Verbs(
        noun="affinity_policy",
        stub="affinities",
        pb=compute,
        plural="affinity_policies",
        in_security=True,
        another=compute.AffinityPolicy(
            name="affinityPolicies/licence",
            kind=compute.AFFINITY_KIND_VM_HOST,
            vm_categories=["categories/db"],
            hosts=["hosts/h1"],
            host_categories=["categories/web"],
        ),
    ),
)
