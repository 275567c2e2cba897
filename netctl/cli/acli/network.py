"""acli's `net.*` about networks: they are our subnets, and those that it makes are VLAN_BASIC."""

from __future__ import annotations

import ipaddress
from typing import Any

from netctl.cli import api
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Create, Delete, Update, send, send_again
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import (
    ANNOTATION_LABEL,
    NETWORKS,
    NICS,
    SWITCHES,
    display_of,
    find,
    find_many,
    not_found,
    to_id,
    vm_of,
)
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.messages import new_message
from netctl.cli.tables import id_of, phase_of
from netctl.v1 import network_pb2 as network

_DEFAULT_SWITCH = "vs0"


def create(client: Client, call: Call) -> Answer:
    """Make a VLAN_BASIC subnet."""
    name = call.get("name")
    id_ = to_id(name, prefix="net")
    subnet = new_message(NETWORKS, f"{NETWORKS.collection}/{id_}")
    subnet.display_name = name if name != id_ else ""
    subnet.kind = network.SUBNET_KIND_VLAN_BASIC
    subnet.virtual_switches.append(_find_switch(client, call.get("vswitch_name")).name)
    subnet.vlan_id = small("vlan", call.get("vlan"))
    subnet.mtu_bytes = small("mtu", call.get("mtu", "0"))
    if call.get("ip_config"):
        cidr, gateway = parse_ip_config(call.get("ip_config"))
        subnet.ipv4.cidr, subnet.ipv4.gateway = cidr, gateway
    if "dhcp_address" in call:
        subnet.dhcp.server_address = call.get("dhcp_address")
    if call.get("annotation"):
        subnet.labels[ANNOTATION_LABEL] = call.get("annotation")
    return answer.made(send(client, [Create(resource=subnet)], call))


def parse_ip_config(text: str) -> tuple[str, str]:
    """Return the network and the gateway of `10.1.1.1/24`; a network's own address has no gateway in it."""
    try:
        interface = ipaddress.IPv4Interface(text)
    except ValueError:
        interface = None
    if interface is None or "/" not in text:
        raise Failure.usage(f"ip_config: {text!r} is not GATEWAY/PREFIX", hint="e.g. ip_config=10.1.1.1/24")
    gateway = "" if interface.ip == interface.network.network_address else str(interface.ip)
    return str(interface.network), gateway


def list_(client: Client, call: Call) -> Answer:
    """List subnets of every kind."""
    headers = {
        "name": "NETWORK",
        "uuid": "UUID",
        "id": "VLAN",
        "ip_config": "IP-CONFIG",
        "stack": "STACK",
        "vswitch_name": "VSWITCH",
        "phase": "PHASE",
    }
    found = sorted(api.list_all(client, NETWORKS), key=display_of)
    return answer.table(headers, [_row(subnet) for subnet in found])


def get(client: Client, call: Call) -> Answer:
    """Show subnets."""
    return answer.sheet({display_of(it): it for it in find_many(client, NETWORKS, call.get("name"))})


def delete(client: Client, call: Call) -> Answer:
    """Delete subnets, all or none."""
    found = find_many(client, NETWORKS, call.get("name"))
    return answer.made(send(client, [Delete(resource=it) for it in found], call))


def list_vms(client: Client, call: Call) -> Answer:
    """List the NICs of a subnet, also those that have it as one VLAN of a trunk."""
    name = find(client, NETWORKS, call.get("name")).name
    own = {nic.name: nic for nic in api.list_all(client, NICS, f"subnet = {name}")}
    trunks = {nic.name: nic for nic in api.list_all(client, NICS, f"trunk_vlans.subnet:{name}")}
    rows = []
    for nic in {**own, **trunks}.values():
        if nic.name in own:
            rows.append(_member(nic, nic.ipv4_address, nic.ipv6_address))
        rows += [
            _member(nic, v.ipv4_address, v.ipv6_address, v.vlan_id)
            for v in nic.trunk_vlans
            if v.subnet == name
        ]
    headers = {"vm_name": "VM", "mac_addr": "MAC", "ip": "IP", "vlan": "TAG", "nic": "NIC"}
    return answer.table(headers, sorted(rows, key=lambda row: (row["vm_name"], row["nic"], row["vlan"] or 0)))


def add_dhcp_pool(client: Client, call: Call) -> Answer:
    """Add a range to those that addresses are allocated from."""

    def plan() -> list[Update]:
        before, subnet = _two(client, call)
        subnet.ipv4.pools.add(start=call.get("start"), end=call.get("end"))
        return [Update(before=before, resource=subnet, paths=["ipv4.pools"])]

    return answer.made(send_again(client, plan, call))


def delete_dhcp_pool(client: Client, call: Call) -> Answer:
    """Remove the range that begins with `start`."""

    def plan() -> list[Update]:
        before, subnet = _two(client, call)
        left = [pool for pool in before.ipv4.pools if pool.start != call.get("start")]
        if len(left) == len(before.ipv4.pools):
            has = ", ".join(f"{pool.start}-{pool.end}" for pool in before.ipv4.pools)
            message = f"{display_of(before)} has no pool that starts at {call.get('start')}"
            raise not_found(message, f"it has {has}" if has else "it has none: the whole network is one")
        del subnet.ipv4.pools[:]
        subnet.ipv4.pools.extend(left)
        return [Update(before=before, resource=subnet, paths=["ipv4.pools"])]

    return answer.made(send_again(client, plan, call))


def update_dhcp_dns(client: Client, call: Call) -> Answer:
    """Set name servers and search domains; what is not said stays."""
    fields = {"servers": "dns_servers", "domains": "domain_search"}
    said = [key for key in fields if key in call]
    if not said:
        raise Failure.usage("net.update_dhcp_dns: nothing to change", hint=f"usage: {call.command.usage}")

    def plan() -> list[Update]:
        before, subnet = _two(client, call)
        for key in said:
            values = getattr(subnet.dhcp, fields[key])
            del values[:]
            values.extend(call.list(key))
        return [Update(before=before, resource=subnet, paths=[f"dhcp.{fields[key]}" for key in said])]

    return answer.made(send_again(client, plan, call))


def _find_switch(client: Client, name: str) -> Any:
    """Return the virtual switch of a new network: the named one, the only one, or vs0."""
    if name:
        return find(client, SWITCHES, name)
    known = list(api.list_all(client, SWITCHES))
    chosen = known if len(known) == 1 else [it for it in known if id_of(it.name) == _DEFAULT_SWITCH]
    if not chosen:
        ids = ", ".join(id_of(it.name) for it in known)
        hint = (
            f"say vswitch_name=, one of {ids}" if known else "make one: `netctl create virtualswitch --help`"
        )
        raise Failure.usage(
            "which virtual switch is the network of?" if known else "there is no virtual switch", hint=hint
        )
    return chosen[0]


def _two(client: Client, call: Call) -> tuple[Any, Any]:
    """Return a subnet as it is, and a copy to change."""
    before = find(client, NETWORKS, call.get("name"))
    if not (before.HasField("ipv4") or before.HasField("ipv6")):
        raise Failure(
            f"{display_of(before)} has no addresses of its own: no pools, no DHCP",
            code="FAILED_PRECONDITION",
            hint="a network has them when it is made with ip_config=GATEWAY/PREFIX",
        )
    copy = type(before)()
    copy.CopyFrom(before)
    return before, copy


def _row(subnet: Any) -> dict[str, Any]:
    stack = network.SubnetKind.Name(subnet.kind).removeprefix("SUBNET_KIND_")
    wired = subnet.HasField("vlan_id")
    prefix = subnet.ipv4.cidr.partition("/")[2]
    config = f"{subnet.ipv4.gateway}/{prefix}" if subnet.ipv4.gateway else subnet.ipv4.cidr
    return {
        "name": display_of(subnet),
        "uuid": subnet.uid,
        "id": subnet.vlan_id if wired else None,
        "ip_config": config,
        "stack": stack,
        "vswitch_name": [id_of(name) for name in subnet.virtual_switches],
        "phase": phase_of(subnet),
        "annotation": subnet.labels.get(ANNOTATION_LABEL, ""),
        "resource": subnet.name,
    }


def _member(nic: Any, ipv4: str, ipv6: str, vlan_id: int | None = None) -> dict[str, Any]:
    return {
        "vm_name": vm_of(nic),
        "mac_addr": nic.mac_address,
        "ip": [address for address in (ipv4, ipv6) if address],
        "vlan": vlan_id,
        "nic": id_of(nic.name),
    }


def small(key: str, text: str) -> int:
    """Return a number that a field of 32 bits holds; whether it makes sense is the server's to say."""
    value = int(text)
    if value >= 1 << 31:
        raise Failure.usage(f"{key}: {text} is too large a number")
    return value
