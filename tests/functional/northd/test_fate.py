"""The packet's fate by OVN's own tool: our rows through a real northd, judged by ovn-trace."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netctl.model.keys import Kind
from netctl.model.status import Phase
from netctl.model.subnet import DhcpOptions, StaticRoute
from tests.functional.northd.conftest import Plane
from tests.intents import nic, overlay, uid_of, vlan

N1, N2 = nic("n1", number=5), nic("n2", number=6, host="h2")


def shortened(uid: str) -> str:
    """As ovn-trace prints UUIDs."""
    return uid[:6]


def frame(source: str, target: str, *, ip: str = "10.0.10.5", to: str = "10.0.10.6") -> str:
    return (
        f'inport=="{source}" && eth.src==50:6b:8d:00:00:05 && eth.dst=={target}'
        f" && ip4.src=={ip} && ip4.dst=={to} && ip.ttl==64 && icmp4.type==8"
    )


def test_neighbours_reach_each_other(plane: Plane) -> None:
    plane.arrive(vlan(), N1, N2)
    verdict = plane.trace("v10", frame(uid_of("n1"), "50:6b:8d:00:00:06"))
    assert f'output("{shortened(uid_of("n2"))}")' in verdict


def test_unknown_targets_leave_by_the_localnet_port(plane: Plane) -> None:
    plane.arrive(vlan(), N1, N2)
    verdict = plane.trace("v10", frame(uid_of("n1"), "02:00:00:00:00:99", to="10.0.10.99"))
    assert f"localnet-{shortened(uid_of('v10'))}" in verdict


def test_a_disconnected_nic_is_deaf_and_dumb(plane: Plane) -> None:
    plane.arrive(vlan(), N1, replace(N2, connected=False))
    assert "output" not in plane.trace("v10", frame(uid_of("n1"), "50:6b:8d:00:00:06"))
    plane.arrive(vlan(), replace(N1, connected=False), N2)
    assert "output" not in plane.trace("v10", frame(uid_of("n1"), "50:6b:8d:00:00:06"))
    plane.arrive(vlan(), N1, N2)
    assert "output" in plane.trace("v10", frame(uid_of("n1"), "50:6b:8d:00:00:06"))


def test_a_deleted_nic_is_gone_from_the_southbound(plane: Plane) -> None:
    plane.arrive(vlan(), N1, N2)
    plane.arrive(vlan(), N1)
    bindings = plane.sb.ctl("ovn-sbctl", "--bare", "--columns=logical_port", "list", "Port_Binding").split()
    assert set(bindings) == {uid_of("n1"), f"localnet-{uid_of('v10')}-vs0"}


def test_vlan_and_vni_arrive_in_the_southbound(plane: Plane) -> None:
    plane.arrive(vlan("v4094", 4094), vlan("v0", 0), overlay(vni=777))
    tags = plane.sb.ctl("ovn-sbctl", "--bare", "--columns=logical_port,tag", "list", "Port_Binding")
    assert "4094" in tags
    keys = plane.sb.ctl("ovn-sbctl", "--bare", "--columns=tunnel_key", "find", "Datapath_Binding").split()
    assert set(keys) == {"5094", "1000", "777"}


def test_the_dhcp_answer_is_what_the_subnet_says(plane: Plane) -> None:
    dhcp = DhcpOptions(
        server_address="10.0.10.254",
        server_mac_address="50:6b:8d:ff:ff:01",
        lease_s=600,
        dns_servers=("10.0.10.2",),
        domain_name="example.com",
        domain_search=("a.example.com", "b.example.com"),
        ntp_servers=("10.0.10.4",),
        tftp_server="10.0.10.9",
        bootfile_name="pxelinux.0",
        static_routes=(StaticRoute(destination="10.9.0.0/16", next_hop="10.0.10.7"),),
    )
    plane.arrive(replace(vlan(), dhcp=dhcp), N1)
    flows = plane.sb.ctl("ovn-sbctl", "lflow-list", "v10")
    offer = next(line for line in flows.splitlines() if "put_dhcp_opts" in line)
    for part in (
        "offerip = 10.0.10.5",
        "netmask = 255.255.255.0",
        "router = 10.0.10.1",
        "mtu = 1500",
        "lease_time = 600",
        "dns_server = {10.0.10.2}",
        "ntp_server = {10.0.10.4}",
        'domain_name = "example.com"',
        'domain_search_list = "a.example.com,b.example.com"',
        'tftp_server = "10.0.10.9"',
        'bootfile_name = "pxelinux.0"',
        "classless_static_route = {10.9.0.0/16,10.0.10.7, 0.0.0.0/0,10.0.10.1}",
        "server_id = 10.0.10.254",
    ):
        assert part in offer, f"{part} is missing from {offer}"


def test_no_dhcp_flows_where_dhcp_is_off(plane: Plane) -> None:
    plane.arrive(vlan(dhcp=False), N1)
    assert "put_dhcp_opts" not in plane.sb.ctl("ovn-sbctl", "lflow-list", "v10")
    plane.arrive(vlan(), N1)
    assert "put_dhcp_opts" in plane.sb.ctl("ovn-sbctl", "lflow-list", "v10")


@pytest.mark.parametrize("name", ['we"b', "a b\u00e9\U0001f680", "$x @y && 1"])
def test_display_names_never_reach_ovn(plane: Plane, name: str) -> None:
    subnet = vlan()
    plane.arrive(replace(subnet, meta=replace(subnet.meta, display_name=name)), N1)
    everything = plane.nb.ctl("ovn-nbctl", "--format=json", "list", "Logical_Switch")
    assert name not in json.dumps(json.loads(everything), ensure_ascii=False)


def test_status_follows_northd(plane: Plane) -> None:
    plane.arrive(vlan())
    status = plane.board.status((Kind.SUBNET, "v10"))
    assert status is not None
    assert status.phase is Phase.PROGRAMMED


def test_northd_is_not_set_to_work_when_nothing_changed(plane: Plane) -> None:
    plane.arrive(vlan(), N1)
    cfg = plane.northbound.nb_cfg
    plane.arrive(vlan(), N1)
    assert plane.northbound.nb_cfg == cfg
