"""VPCs from the command line: flags, tables, descriptions, files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from netctl.model.keys import Kind
from netctl.model.status import Phase
from tests.controllers import Controller
from tests.functional.cli.conftest import Run


@pytest.fixture
def blue(furnished: Run) -> Run:
    """The command, after an external subnet, the VPC `blue` connected to it, its subnet and two NICs."""
    furnished(
        *("create", "subnet", "internet", "--kind", "external", "--virtual-switch", "vs0", "--vlan-id", "30"),
        *("--ipv4-cidr", "203.0.113.0/24", "--ipv4-gateway", "203.0.113.1"),
    )
    furnished("create", "vpc", "blue", "--external-connection", "internet", "--dns-server", "192.0.2.53")
    furnished(
        *("create", "subnet", "app", "--kind", "overlay", "--cluster", "c1", "--vpc", "blue"),
        *("--ipv4-cidr", "10.1.0.0/24", "--ipv6-cidr", "2001:db8:1::/64"),
    )
    furnished("create", "nic", "app-1", "--subnet", "app", "--host", "h1")
    furnished("create", "nic", "fw", "--subnet", "app", "--host", "h2", "--port-security", "false")
    return furnished


def test_a_vpc_from_flags(blue: Run) -> None:
    (vpc,) = blue("get", "vpc", "blue", "-o", "json").data
    (connection,) = vpc["external_connections"]
    assert connection["subnet"] == "subnets/internet"
    assert connection["ipv4_address"] == "203.0.113.2"
    assert sorted(connection["gateways"]) == ["hosts/h1", "hosts/h2"]
    updated = blue("update", "vpc", "blue", "--external-connection", "internet=h2").out
    assert "external_connections[0].gateways: " in updated
    assert updated.rstrip().endswith("-> hosts/h2")
    (vpc,) = blue("get", "vpc", "blue", "-o", "json").data
    assert vpc["external_connections"][0]["ipv4_address"] == "203.0.113.2", "what was allocated stays"
    header, row = blue("get", "vpcs").lines
    assert header.split() == ["NAME", "KIND", "EXTERNAL", "GATEWAYS", "PHASE", "REASON"]
    assert row.split() == ["blue", "regular", "internet=203.0.113.2", "h2", "PROGRAMMED", "-"]
    networks = {line.split()[0]: line.split()[2] for line in blue("get", "subnets").lines[1:]}
    assert networks == {"app": "vpc/blue", "internet": "vs0/30", "web": "vs0/10"}


def test_a_floating_ip_from_flags(blue: Run) -> None:
    created = blue("create", "fip", "www", "--external-subnet", "internet", "--nic", "app-1").out
    assert created.startswith("created    floatingIps/www  address=203.0.113.3  mac_address=")
    assert blue("get", "fip").lines[1].split()[:4] == ["www", "203.0.113.3", "nic/app-1", "internet"]
    moved = blue("update", "fip", "www", "--nic", "fw").out
    assert moved == "updated    floatingIps/www  nic: nics/app-1 -> nics/fw\n"
    blue("update", "fip", "www", "--nic", "", "--vpc", "blue", "--private-address", "10.1.0.77")
    assert blue("get", "fip").lines[1].split()[2] == "vpc/blue=10.1.0.77"
    blue("update", "fip", "www", "--vpc", "", "--private-address", "")
    assert blue("get", "fip").lines[1].split()[2] == "-"
    ran = blue("create", "fip", "far", "--external-subnet", "internet", "--address", "198.51.100.7", expect=1)
    assert ran.err.startswith("error: floating_ip.address: 198.51.100.7 ")
    ran = blue("create", "fip", "none", "--external-subnet", "internet", "--nic", "nope", expect=4)
    assert "nics/nope" in ran.err


def test_a_route_from_flags(blue: Run) -> None:
    blue(
        *("create", "route", "default", "--vpc", "blue", "--destination", "0.0.0.0/0"),
        *("--next-hop", "203.0.113.1", "--next-hop", "203.0.113.9", "--bfd", "on"),
    )
    cells = blue("get", "rt", "-o", "wide").lines[1].split()
    assert cells[:7] == ["default", "blue", "0.0.0.0/0", "203.0.113.1", "203.0.113.9", "100", "1000x3"]
    updated = blue(
        "update", "route", "default", "--next-hop", "internet", "--bfd", "off", "--priority", "7"
    ).out
    assert "next_hops: 203.0.113.1, 203.0.113.9 -> subnets/internet" in updated
    assert "bfd: 1000x3 -> (unset)" in updated
    assert "priority: 100 -> 7" in updated
    ran = blue(
        "create",
        "route",
        "r",
        "--vpc",
        "blue",
        "--destination",
        "10.9.0.0/16",
        "--next-hop",
        "9.9.9.9",
        expect=1,
    )
    assert "error: route.next_hops[0].ip_address: 9.9.9.9 is in no network of vpcs/blue" in ran.err


def test_a_policy_from_flags(blue: Run) -> None:
    blue(
        *("create", "rp", "inspect", "--vpc", "blue", "--priority", "300", "--action", "reroute"),
        *("--source", "external", "--destination", "10.1.0.0/28", "--protocol", "tcp"),
        *("--destination-port", "443,8000-8010", "--service-ip", "10.1.0.3", "--fallback", "drop"),
    )
    (policy,) = blue("get", "rp", "inspect", "-o", "json").data
    assert policy["source"] == {"external": True}
    assert policy["destination"] == {"cidr": "10.1.0.0/28"}
    assert policy["destination_ports"] == [{"first": 443, "last": 443}, {"first": 8000, "last": 8010}]
    assert (policy["action"], policy["fallback"]) == (
        "ROUTING_POLICY_ACTION_REROUTE",
        "REROUTE_FALLBACK_DROP",
    )
    assert blue("get", "rp").lines[1].split()[1:8] == [
        *("blue", "300", "tcp", "external", "10.1.0.0/28", "443,8000-8010"),
        "reroute=10.1.0.3",
    ]
    updated = blue("update", "rp", "inspect", "--source", "any", "--action", "permit", "--service-ip", "").out
    assert "source: external -> any" in updated
    assert "action: REROUTE -> PERMIT" in updated
    ran = blue("create", "rp", "p", "--vpc", "blue", "--priority", "300", "--action", "deny", expect=1)
    assert ran.err.startswith("error: priority 300 in vpcs/blue is that of routingPolicies/inspect")
    ran = blue("create", "rp", "p", "--vpc", "blue", "--priority", "1", "--action", "drop", expect=2)
    assert "--action: 'drop' is none of permit, deny, reroute" in ran.err


def test_a_reservation_from_flags(blue: Run) -> None:
    created = blue("create", "ar", "some", "--subnet", "app", "--count", "3").out
    assert created.startswith("created    addressReservations/some  reserved=10.1.0.")
    blue(
        "create",
        "ar",
        "these",
        "--subnet",
        "app",
        "--range",
        "10.1.0.100-10.1.0.109",
        "--range",
        "10.1.0.200",
    )
    assert blue("get", "ar").lines[2].split()[:3] == ["these", "app", "10.1.0.100-10.1.0.109,10.1.0.200"]
    described = blue("describe", "subnet", "app").out
    assert "ipv4  236 free of 254: 4 used, 14 reserved" in described
    assert "ipv6  2^63 or more free: 3 used, 0 reserved" in described
    usage = blue("describe", "subnet", "app", "-o", "json").data["usage"]
    assert usage["ipv4"] == {"total": "254", "used": "4", "reserved": "14", "free": "236"}
    assert usage["ipv6"]["reserved"] == "0", "a zero is a number too"


def test_a_trunk_from_flags(blue: Run) -> None:
    blue("create", "nic", "t", "--subnet", "app", "--mode", "trunk", "--trunk-vlan", "20=web", "--host", "h1")
    (nic,) = blue("get", "nic", "t", "-o", "json").data
    (vlan,) = nic["trunk_vlans"]
    assert (vlan["vlan_id"], vlan["subnet"]) == (20, "subnets/web")
    assert vlan["ipv4_address"].startswith("10.0.0.")
    assert "nics/t" in blue("describe", "subnet", "web").out, "a trunk's VLAN is a use of its subnet"


def test_a_vlan_id_must_be_said(furnished: Run, tmp_path: Path) -> None:
    """Left out it would be untagged, and mixed with whatever else is untagged."""
    create = ("create", "subnet", "x", "--kind", "vlan", "--virtual-switch", "vs0")
    ran = furnished(*create, expect=1)
    assert ran.err.startswith(
        "error: subnet.vlan_id: is not set; name 1 to 4094, or 0 for an untagged network"
    )
    file = tmp_path / "x.yaml"
    file.write_text("kind: Subnet\nname: x\nsubnet_kind: vlan\nvirtual_switches: [vs0]\n")
    ran = furnished("apply", "-f", str(file), expect=1)
    assert ran.err.startswith(f"error: {file}:1: subnets/x: vlan_id: is not set")
    furnished(*create, "--vlan-id", "0")
    file.write_text(furnished("get", "subnet", "x", "-o", "yaml").out)
    assert "vlan_id: 0" in file.read_text()
    assert furnished("apply", "-f", str(file)).lines == ["unchanged  subnets/x"]


def test_descriptions_name_who_uses_what(blue: Run) -> None:
    blue("create", "fip", "www", "--external-subnet", "internet", "--nic", "app-1")
    blue("create", "rt", "d", "--vpc", "blue", "--destination", "0.0.0.0/0", "--next-hop", "internet")
    assert blue("describe", "subnet", "internet", "-o", "json").data["used_by"] == [
        *("vpcs/blue", "floatingIps/www", "routes/d"),
    ]
    assert blue("describe", "vpc", "blue", "-o", "json").data["used_by"] == ["subnets/app", "routes/d"]
    assert blue("describe", "nic", "app-1", "-o", "json").data["used_by"] == ["floatingIps/www"]
    assert "vpcs/blue" in blue("describe", "host", "h1", "-o", "json").data["used_by"]
    assert set(blue("describe", "cluster", "c1", "-o", "json").data["used_by"]) >= {
        "subnets/app",
        "subnets/web",
    }
    assert blue("describe", "vs", "vs0", "-o", "json").data["used_by"] == [
        *("subnets/internet", "subnets/web", "hosts/h1", "hosts/h2"),
    ]


def test_what_is_in_use_is_not_deleted_and_says_by_whom(blue: Run) -> None:
    blue("create", "fip", "www", "--external-subnet", "internet", "--nic", "app-1")
    for target, users in (
        (("vpc", "blue"), "subnets/app"),
        (("subnet", "internet"), "vpcs/blue"),
        (("nic", "app-1"), "floatingIps/www"),
    ):
        ran = blue("delete", *target, expect=1)
        assert "is in use by" in ran.err
        assert users in ran.err
    ran = blue("update", "vpc", "blue", "--external-connection", "", expect=1)
    assert "the connection to subnets/internet is used by floatingIps/www" in ran.err


EXTERNAL = """
- kind: Subnet
  name: {0}
  subnet_kind: external
  virtual_switches: [vs0]
  vlan_id: {1}
  ipv4: {{cidr: 203.0.113.0/24, gateway: 203.0.113.1}}
"""


def test_a_vpc_moves_from_one_external_subnet_to_another_in_one_change(
    furnished: Run, tmp_path: Path
) -> None:
    file = tmp_path / "move.yaml"
    vpc = "- {{kind: Vpc, name: blue, external_connections: [{0}]}}\n"
    file.write_text(vpc.format("one") + EXTERNAL.format("one", 31))
    furnished("apply", "-f", str(file), "--set", "t")
    file.write_text(vpc.format("two") + EXTERNAL.format("two", 32))
    ran = furnished("apply", "-f", str(file), "--set", "t", "--prune")
    assert [line.split()[:2] for line in ran.lines[:-1]] == [
        ["created", "subnets/two"],
        ["updated", "vpcs/blue"],
        ["deleted", "subnets/one"],
    ]


def test_what_is_used_without_a_reference_is_pruned_after_its_user_changed(blue: Run, tmp_path: Path) -> None:
    """A policy names the address of its service, not the NIC; a route the address of its next hop, not the subnet."""
    subnet = "- {{kind: Subnet, name: fws{0}, subnet_kind: overlay, clusters: [c1], vpc: blue, "
    subnet += "ipv4: {{cidr: 10.5.{0}.0/24}}}}\n"
    firewall = (
        "- {{kind: Nic, name: fw{0}, subnet: fws{0}, ipv4_address: 10.5.{0}.5, port_security: false}}\n"
    )
    policy = "- {{kind: RoutingPolicy, name: p, vpc: blue, priority: 99, action: reroute, service_ips: [10.5.{0}.5]}}\n"
    route = "- {{kind: Route, name: r, vpc: blue, destination: 10.9.0.0/16, next_hops: [10.5.{0}.5]}}\n"
    file = tmp_path / "fw.yaml"
    for number in (1, 2):
        file.write_text("".join(part.format(number) for part in (subnet, firewall, policy, route)))
        ran = blue("apply", "-f", str(file), "--set", "fw", "--prune")
    assert ran.lines[-1] == "2 created, 2 updated, 2 deleted"
    assert blue("get", "rp", "p", "-o", "json").data[0]["service_ips"] == ["10.5.2.5"]
    file.write_text("".join(part.format(2) for part in (subnet, policy, route)))
    ran = blue("apply", "-f", str(file), "--set", "fw", "--prune", expect=1)
    assert ran.err.startswith("error: pruning nics/fw2: nics/fw2 is in use by routingPolicies/p")


def test_a_file_that_the_server_refuses_is_refused_whole_with_the_line(blue: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "- {kind: Route, name: ok, vpc: blue, destination: 10.9.0.0/16, next_hops: [10.1.0.3]}\n"
        "- {kind: RoutingPolicy, name: bad, vpc: blue, priority: 100, action: deny, source_ports: [443]}\n"
    )
    ran = blue("apply", "-f", str(file), expect=1)
    assert ran.err.startswith(
        f"error: {file}:2: routingPolicies/bad: source_ports: needs protocol TCP or UDP"
    )
    assert blue("get", "routes", "-o", "name").lines == []
    file.write_text("- kind: Route\n  name: r\n  vpc: blue\n  bfd: fast\n")
    ran = blue("apply", "-f", str(file), expect=1)
    assert ran.err == (
        f"error: {file}:4: document 1: `bfd`: 'fast' is neither `on` nor MILLISECONDSxMULTIPLIER, e.g. 300x3\n"
    )


def test_waiting_for_a_vpc_ends_with_its_reason(blue: Run, controller: Controller) -> None:
    controller.statuses.say((Kind.VPC, "blue"), Phase.FAILED, "NO_GATEWAY", "no gateway host is alive")
    ran = blue(
        "wait", "vpc/blue", "--timeout", "0.5", expect=5
    )  # as for a host that is down: it may come back
    assert "vpcs/blue FAILED NO_GATEWAY: no gateway host is alive" in ran.err
    controller.statuses.say((Kind.VPC, "blue"), Phase.FAILED, "REJECTED_BY_OVN", "no")
    assert blue("wait", "vpc/blue", expect=1).err == "error: vpcs/blue FAILED REJECTED_BY_OVN: no\n"
    assert blue("status", expect=1).out.count("vpcs/blue") == 1


COMPLETIONS = {
    "netctl describe vpc ": ["blue"],
    "netctl create fl": ["floatingip"],
    "netctl create fip www --nic f": ["fw"],
    "netctl create fip www --external-subnet ": ["app", "internet", "web"],
    "netctl create vpc red --external-connection i": ["internet"],
    "netctl create route r --next-hop int": ["internet"],
    "netctl create subnet s --kind ": ["vlan", "overlay", "external", "vlan-basic"],
    "netctl create rp p --source ": ["any", "external"],
    "netctl update rp p --bidirectional ": ["true", "false"],
    "netctl create ar a --count ": [],
}


def test_words_and_ids_are_completed(blue: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_NETCTL_COMPLETE", "complete_bash")
    for line, offered in COMPLETIONS.items():
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        assert blue().out.split() == offered, line
