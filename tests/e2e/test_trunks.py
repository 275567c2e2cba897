"""Trunk NICs: each VLAN tag of a guest is a place in that VLAN's subnet and in no other, on whichever host it is."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.v1 import network_pb2
from tests.e2e import vpcs
from tests.e2e.site import Site
from tests.e2e.vpcs import Nic, Subnet

TRUNK = network_pb2.NIC_MODE_TRUNK


def vlan(vlan_id: int) -> Subnet:
    """Return a VLAN subnet of vs0."""
    return Subnet(
        name=f"subnets/trunk-{vlan_id}",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=["virtualSwitches/vs0"],
        vlan_id=vlan_id,
        ipv4=network_pb2.IpConfig(cidr=f"10.50.{vlan_id}.0/24"),
    )


def trunk(name: str, native: str, host: str, vlan_ids: Sequence[int] = ()) -> Nic:
    """Return a trunk NIC; its VLANs' subnets are those of vs0 with these ids."""
    return Nic(
        name=f"nics/{name}",
        subnet=f"subnets/{native}",
        host=f"hosts/{host}",
        mode=TRUNK,
        trunk_vlans=[network_pb2.TrunkVlan(vlan_id=vlan_id) for vlan_id in vlan_ids],
    )


def plug(here: Site, nic: Nic, vlan_ids: Sequence[int]) -> Nic:
    """Plug the guest of a trunk NIC with all its addresses; return the NIC, PROGRAMMED."""
    guest = nic.name.rpartition("/")[2]
    here.plug(nic)
    here.lab.add_guest_vlans(guest, vlan_ids)
    for member in nic.trunk_vlans:
        address = f"{member.ipv4_address}/24"
        here.lab.exec(guest, ["ip", "addr", "add", address, "dev", f"eth0.{member.vlan_id}"])
    return here.wait_status(nic.name, "")


def test_each_tag_reaches_its_subnet_and_follows_the_nic_to_another_host(here: Site, made: list[str]) -> None:
    vpcs.make(here, made, vlan(20), vlan(21), vlan(22))
    plain = {n: here.add(f"plain-{n}", f"trunk-{n}", "h2") for n in (20, 21, 22)}
    # the guest uses tag 22 as well, which the NIC does not list
    nic = plug(here, here.create_nic(trunk("trunk", "trunk-20", "h1", [21])), (21, 22))
    here.lab.exec("trunk", ["ip", "addr", "add", "10.50.22.77/24", "dev", "eth0.22"])
    [member] = nic.trunk_vlans
    assert member.ipv4_address.startswith("10.50.21.")
    assert_reaches(here, nic, plain)

    here.lab.remove_guest("trunk")
    moved = here.update_nic(Nic(name=nic.name, host="hosts/h3"), "host")
    assert list(moved.trunk_vlans) == list(nic.trunk_vlans)
    plug(here, moved, (21, 22))
    here.lab.exec("trunk", ["ip", "addr", "add", "10.50.22.77/24", "dev", "eth0.22"])
    here.settle()
    assert_reaches(here, moved, plain)


def assert_reaches(here: Site, nic: Nic, plain: dict[int, Nic]) -> None:
    """Check that the trunk guest meets those of its native VLAN and of 21, and nobody of 22."""
    here.wait_ping(nic, plain[20].ipv4_address)
    here.wait_ping(nic, plain[21].ipv4_address)
    here.wait_ping(plain[21], nic.trunk_vlans[0].ipv4_address)
    assert not vpcs.ping(here, "trunk", plain[22].ipv4_address)
    assert not here.ping_once(plain[22], "10.50.22.77")
    assert not here.ping_once(plain[20], nic.trunk_vlans[0].ipv4_address)
    assert here.ping_once(nic, plain[21].ipv4_address)


def test_a_trunk_of_overlay_subnets_carries_networks_that_have_no_vlan(here: Site, made: list[str]) -> None:
    """Tag 5 is the VPC's subnet `far`: the guest is routed to the other by its router."""
    vpcs.make(
        here,
        made,
        vpcs.vpc("box"),
        vpcs.overlay("near", "box", "10.51.1.0/24"),
        vpcs.overlay("far", "box", "10.51.2.0/24"),
    )
    far = here.add_leased(vpcs.nic("far", "far", "h2"))
    wanted = trunk("boxed", "near", "h1")
    wanted.trunk_vlans.add(vlan_id=5, subnet="subnets/far")
    nic = plug(here, here.create_nic(wanted), (5,))
    here.wait_ping(far, nic.trunk_vlans[0].ipv4_address)
    assert here.ping_once(nic, "10.51.1.1")
    assert here.ping_once(nic, "10.51.2.1")


def test_a_trunk_without_a_list_passes_every_tag_of_an_untagged_network(here: Site, made: list[str]) -> None:
    """Two such guests on different hosts talk by a tag that nobody declared; without a trunk on the subnet none do."""
    untagged = vlan(0)
    untagged.name = "subnets/trunk-all"
    vpcs.make(here, made, untagged)
    plain = [here.add(f"plain-{host}", "trunk-all", host) for host in ("h1", "h2")]
    for number, nic in enumerate(plain):
        here.lab.add_guest_vlans(nic.name.rpartition("/")[2], (33,))
        address = f"10.60.0.{11 + number}/24"
        here.lab.exec(f"plain-h{number + 1}", ["ip", "addr", "add", address, "dev", "eth0.33"])
    here.wait_ping(plain[0], plain[1].ipv4_address)
    assert not here.ping_once(plain[0], "10.60.0.12")
    ends = []
    for host in ("h1", "h2"):
        nic = plug(here, here.create_nic(trunk(f"all-{host}", "trunk-all", host)), (33,))
        here.lab.exec(f"all-{host}", ["ip", "addr", "add", f"10.60.0.{host[1]}/24", "dev", "eth0.33"])
        ends.append(nic)
    here.settle()
    here.wait_ping(ends[0], ends[1].ipv4_address)
    here.wait_ping(ends[0], "10.60.0.2")
    here.wait_ping(ends[1], "10.60.0.1")
