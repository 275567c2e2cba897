"""Subnets that span two clusters: one VLAN on a virtual switch of each, and one overlay through the tunnels."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from netctl.v1 import network_pb2
from tests.e2e import vpcs
from tests.e2e.site import Site, site
from tests.e2e.vpcs import Subnet

VLAN = Subnet(
    name="subnets/both",
    kind=network_pb2.SUBNET_KIND_VLAN,
    virtual_switches=["virtualSwitches/va0", "virtualSwitches/vb0"],
    vlan_id=40,
    ipv4=network_pb2.IpConfig(cidr="10.40.0.0/24"),
)
OVERLAY = Subnet(
    name="subnets/over",
    kind=network_pb2.SUBNET_KIND_OVERLAY,
    clusters=["clusters/a", "clusters/b"],
    ipv4=network_pb2.IpConfig(cidr="10.41.0.0/24"),
)
ONLY_A = Subnet(
    name="subnets/only-a",
    kind=network_pb2.SUBNET_KIND_OVERLAY,
    clusters=["clusters/a"],
    ipv4=network_pb2.IpConfig(cidr="10.42.0.0/24"),
)


@pytest.fixture(scope="module")
def wide() -> Iterator[Site]:
    with site("wide", "two-clusters", (VLAN, OVERLAY, ONLY_A)) as running:
        yield running


@pytest.mark.parametrize("name", ["both", "over"])
def test_guests_of_two_clusters_are_neighbours(wide: Site, name: str) -> None:
    subnet = wide.get_subnet(f"subnets/{name}")
    assert set(subnet.clusters) == {"clusters/a", "clusters/b"}
    one, two = (wide.add_leased(vpcs.nic(f"{name}-{host}", name, host)) for host in ("a1", "b1"))
    wide.wait_ping(one, two.ipv4_address)
    assert wide.ping_once(two, one.ipv4_address)
    said = wide.lab.exec(f"{name}-a1", ["ping", "-n", "-c1", two.ipv4_address]).stdout
    assert "ttl=64" in said, "no router between"
    size = str(subnet.mtu_bytes - 28)
    assert vpcs.ping(wide, f"{name}-a1", two.ipv4_address, "-M", "do", "-s", size), (
        "the narrower cluster's MTU"
    )
    assert wide.lease(one).mtu_bytes == subnet.mtu_bytes <= 1600
    wide.discard(one, two)


def test_a_subnet_of_one_cluster_is_not_for_hosts_of_the_other(wide: Site) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        wide.create_nic(vpcs.nic("stray", "only-a", "b1"))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "host" in (refused.value.details() or "")
    inside = wide.add("inside", "only-a", "a1")
    wide.discard(inside)


def test_a_cluster_is_taken_from_a_subnet_only_when_no_nic_needs_it(wide: Site) -> None:
    nic = wide.add("needs", "over", "b1")
    smaller = Subnet()
    smaller.CopyFrom(OVERLAY)
    del smaller.clusters[1]
    with pytest.raises(grpc.RpcError) as refused:
        wide.apply(smaller)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "nics/needs" in (refused.value.details() or "")
    wide.discard(nic)
    wide.apply(smaller)
    assert list(wide.get_subnet("subnets/over").clusters) == ["clusters/a"]
    wide.apply(OVERLAY)
