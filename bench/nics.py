"""The intents that the benchmarks ask for: 100 hosts, 100 overlay subnets over all of them, NICs spread over both."""

from __future__ import annotations

from netctl.v1 import infra_pb2, network_pb2, operations_pb2

SPREAD = 100
_IN_CLUSTER = 32  # as many hosts as one can have
CLUSTERS = tuple(f"clusters/c{number}" for number in range(-(-SPREAD // _IN_CLUSTER)))
SWITCHES = tuple(f"virtualSwitches/vs{number}" for number in range(len(CLUSTERS)))


def machines() -> list[operations_pb2.Resource]:
    """Return the hosts, with the clusters and virtual switches that they are in."""
    resources = []
    for cluster, switch in zip(CLUSTERS, SWITCHES, strict=True):
        resources += [
            operations_pb2.Resource(cluster=infra_pb2.Cluster(name=cluster)),
            operations_pb2.Resource(virtual_switch=infra_pb2.VirtualSwitch(name=switch, cluster=cluster)),
        ]
    for number in range(SPREAD):
        switch = SWITCHES[number // _IN_CLUSTER]
        host = infra_pb2.Host(
            name=f"hosts/h{number}",
            cluster=CLUSTERS[number // _IN_CLUSTER],
            tunnel_address=f"192.0.2.{number + 1}/24",
            tunnel_virtual_switch=switch,
            uplinks=[infra_pb2.Uplink(virtual_switch=switch, interfaces=["eth1", "eth2"])],
        )
        resources.append(operations_pb2.Resource(host=host))
    return resources


def infrastructure() -> operations_pb2.BatchRequest:
    """Return everything that NICs stand on, as one change."""
    resources = machines()
    for number in range(SPREAD):
        subnet = network_pb2.Subnet(
            name=f"subnets/s{number}",
            kind=network_pb2.SUBNET_KIND_OVERLAY,
            clusters=CLUSTERS,
            ipv4=network_pb2.IpConfig(cidr=f"10.{number}.0.0/16", gateway=f"10.{number}.0.1"),
            dhcp=network_pb2.DhcpOptions(dns_servers=[f"10.{number}.0.2"]),
        )
        resources.append(operations_pb2.Resource(subnet=subnet))
    edits = [operations_pb2.Edit(create=resource) for resource in resources]
    return operations_pb2.BatchRequest(edits=edits)


def nic(number: int, prefix: str = "n") -> network_pb2.Nic:
    """Return one NIC to create; addresses and MAC are left to the server."""
    where = number % SPREAD
    return network_pb2.Nic(
        name=f"nics/{prefix}-{number:07}", subnet=f"subnets/s{where}", host=f"hosts/h{where}"
    )


def batches(count: int, chunk: int, prefix: str = "n") -> list[operations_pb2.BatchRequest]:
    """Return `count` NICs to create, `chunk` to a call; the answers are not asked for."""
    return [
        operations_pb2.BatchRequest(
            edits=[
                operations_pb2.Edit(create=operations_pb2.Resource(nic=nic(number, prefix)))
                for number in range(start, min(count, start + chunk))
            ],
            omit_resources=True,
        )
        for start in range(0, count, chunk)
    ]
