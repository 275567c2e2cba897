"""`netctl describe`: everything about one resource: fields, status, what it refers to, who uses it, recent changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from netctl.cli import api
from netctl.cli.address_usage import describe_usage
from netctl.cli.client import Client
from netctl.cli.compute_report import describe_machines
from netctl.cli.describe_chain import (
    Told,
    describe_chain,
    describe_function,
    describe_mirror,
    describe_plug,
)
from netctl.cli.describe_compute import (
    describe_affinity,
    describe_migration,
    describe_template,
    describe_vm,
)
from netctl.cli.describe_nic import explain_nic
from netctl.cli.explain import describe_router, explain_vpc
from netctl.cli.failures import Failure
from netctl.cli.history import render_change
from netctl.cli.host_report import describe_report, read_report
from netctl.cli.kinds import BY_COLLECTION, Kind, kind_of_name
from netctl.cli.messages import flatten, references_of, render_json
from netctl.cli.output import paint, print_data
from netctl.cli.policy_describe import describe_members, describe_policy
from netctl.cli.show import quote
from netctl.cli.tables import phase_of
from netctl.cli.uplinks import describe_switch

SHOWN = 20
CHANGES = 5
_GROUPS = (("entityGroups", "include.all_of:"), ("entityGroups", "except.all_of:"))
_POLICIES = (("securityPolicies", "secured:"), ("securityPolicies", "rules.peers:"))
# Who can refer to a kind: collection and filter, before the name.
_USERS = {
    "cluster": (
        *(("virtualSwitches", "cluster ="), ("hosts", "cluster ="), ("subnets", "clusters:")),
        ("vms", "cluster ="),
    ),
    "virtualswitch": (
        *(("subnets", "virtual_switches:"), ("hosts", "uplinks.virtual_switch:")),
        *(("hosts", "internal_ports.virtual_switch:"), ("trafficMirrors", "sources.virtual_switch:")),
    ),
    "host": (
        *(("nics", "host ="), ("vpcs", "external_connections.gateways:"), ("trafficMirrors", "host =")),
        *(("vms", "host ="), ("vms", "affinity_hosts:"), ("affinityPolicies", "hosts:")),
    ),
    "vm": (
        *(("nics", "vm ="), ("affinityPolicies", "vms:"), ("vmMigrations", "vm =")),
        *(("images", "source_vm ="), ("vms", "disks.source_vm:")),
    ),
    "image": (("vms", "disks.image:"),),
    "vmtemplate": (("vms", "template ="),),
    "vpc": (
        *(("subnets", "vpc ="), ("routes", "vpc ="), ("routingPolicies", "vpc =")),
        *(("floatingIps", "vpc ="), ("securityPolicies", "vpcs:"), *_GROUPS),
    ),
    "subnet": (
        *(("nics", "subnet ="), ("nics", "trunk_vlans.subnet:"), ("addressReservations", "subnet =")),
        *(("vpcs", "external_connections.subnet:"), ("floatingIps", "external_subnet =")),
        *(("routes", "next_hops.external_subnet:"), *_GROUPS),
    ),
    "nic": (
        *(("floatingIps", "nic ="), *_GROUPS),
        *(("networkFunctions", "nic_pairs.ingress_nic:"), ("networkFunctions", "nic_pairs.egress_nic:")),
        *(("trafficMirrors", "sources.nic:"), ("trafficMirrors", "destinations:")),
    ),
    "category": (
        *(("nics", "categories:"), ("subnets", "categories:"), ("vpcs", "categories:")),
        *(("vms", "categories:"), ("affinityPolicies", "vm_categories:")),
        ("affinityPolicies", "host_categories:"),
        *(*_GROUPS, *_POLICIES),
    ),
    "addressgroup": (("securityPolicies", "rules.peers:"),),
    "servicegroup": (("securityPolicies", "rules.service_groups:"),),
    "entitygroup": (*_GROUPS, *_POLICIES),
    "networkfunction": (("serviceChains", "network_functions:"),),
    "servicechain": (
        *(("subnets", "service_chain ="), ("routingPolicies", "service_chain =")),
        ("securityPolicies", "rules.service_chain:"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What is told of one kind alone: a section of lines, or a key of the data."""

    title: str
    lines: list[tuple[str, str]]
    key: str
    data: dict[str, Any]


def print_description(client: Client, name: str, output: str) -> None:
    """Read and print one resource with its neighbourhood."""
    resource = api.get(client, name)
    users = list({user.name: user for user in _read_users(client, resource)}.values())
    changes = api.list_changes(client, name, CHANGES)
    extras = _read_extras(client, resource)
    if output in ("json", "yaml"):
        data: dict[str, Any] = {"resource": render_json(resource), "used_by": [user.name for user in users]}
        data["changes"] = [render_json(change) for change in changes]
        data |= {extra.key: extra.data for extra in extras}
        print_data(data, output)
        return
    if output == "name":
        print(resource.name)
        return
    _print_section(kind_of_name(name).message + " " + name.partition("/")[2], _identity(resource))
    _print_section("Status", _status(resource))
    _print_section("Fields", [(path, text) for path, text in flatten(resource) if not _is_told(path)])
    for extra in extras:
        _print_section(extra.title, extra.lines)
    _print_section("Refers to", [("", reference) for reference in _references(resource)])
    more = [("", f"and {len(users) - SHOWN} more")] if len(users) > SHOWN else []
    _print_section(f"Used by ({len(users)})", [*(("", user.name) for user in users[:SHOWN]), *more])
    _print_section("Recent changes", [("", render_change(change)) for change in changes])


def _is_told(path: str) -> bool:
    """Is a field told elsewhere in the description: the name in its title, rules, versions and steps in theirs?"""
    return path == "name" or path.partition(".")[0] in ("rules", "versions", "steps", "evidence")


def _read_extras(client: Client, resource: Any) -> list[Extra]:
    found = [_read_own(client, resource), _read_live(client, resource)]
    return [extra for extra in found if extra is not None]


def _read_live(client: Client, resource: Any) -> Extra | None:
    """Read how something is doing on its hosts."""
    kind = kind_of_name(resource.name).word
    read = _LIVE.get(kind)
    if read is None:
        return None
    lines, data = read(client, resource)
    title = _LIVE_TITLES.get(kind, "On hosts")
    return Extra(title=title, lines=lines, key="live", data=data)


_LIVE_TITLES = {
    "nic": "On its host",
    "host": "Virtual machines",
    "vm": "The machine",
    "vmtemplate": "Versions",
    "affinitypolicy": "Compliance",
    "vmmigration": "Stages",
}
_LIVE: dict[str, Callable[[Client, Any], Told]] = {
    "host": describe_machines,
    "nic": describe_plug,
    "networkfunction": describe_function,
    "servicechain": describe_chain,
    "trafficmirror": describe_mirror,
    "virtualswitch": describe_switch,
    "vm": describe_vm,
    "vmtemplate": describe_template,
    "affinitypolicy": describe_affinity,
    "vmmigration": describe_migration,
}


def _read_own(client: Client, resource: Any) -> Extra | None:
    name = resource.name
    match kind_of_name(name).word:
        case "host":
            heard = read_report(client, name)
            lines = describe_report(heard)
            return Extra(title="Heard from the host", lines=lines, key="heard", data=render_json(heard))
        case "vpc":
            router = explain_vpc(client, name)
            data = render_json(router, zeros=True)
            return Extra(title="Router", lines=describe_router(router), key="router", data=data)
        case "subnet":
            usage = api.subnet_usage(client, name)
            data = render_json(usage, zeros=True)
            return Extra(title="Addresses", lines=describe_usage(usage), key="usage", data=data)
        case "nic":
            lines, data = explain_nic(client, name)
            if resource.basic:  # its categories are kept for the day on which it moves to OVN
                lines = [("policies", "none apply: it is beside OVN (VLAN basic, or direct)")]
            return Extra(title="Security", lines=lines, key="security", data=data)
        case "securitypolicy":
            lines, data = describe_policy(client, resource)
            return Extra(title="Who may talk to whom", lines=lines, key="members", data=data)
        case "category" | "entitygroup":
            lines, data = describe_members(client, name)
            return Extra(title=f"Members ({data['count']})", lines=lines, key="members", data=data)
    return None


def _identity(resource: Any) -> list[tuple[str, str]]:
    return [
        ("uid", resource.uid),
        ("revision", str(resource.revision)),
        ("created", _time(resource, "create_time")),
        ("updated", _time(resource, "update_time")),
    ]


def _status(resource: Any) -> list[tuple[str, str]]:
    status = resource.status
    lines = [
        ("phase", paint(phase_of(resource)) or "unknown"),
        ("reason", status.reason),
        ("message", status.message),
    ]
    if status.revision != resource.revision:
        lines.append(("speaks of", f"revision {status.revision}"))
    return [line for line in lines if line[1]]


def _references(resource: Any) -> list[str]:
    return list(dict.fromkeys(references_of(resource)))


def _read_users(client: Client, resource: Any) -> Iterator[Any]:
    kind = kind_of_name(resource.name)
    for collection, field in _USERS.get(kind.word, ()):
        yield from _list_or_nothing(client, BY_COLLECTION[collection], f"{field} {quote(resource.name)}")


def _list_or_nothing(client: Client, kind: Kind, filter_: str) -> Iterator[Any]:
    """List users; a server that cannot filter by this field does not spoil the description."""
    try:
        yield from api.list_all(client, kind, filter_)
    except Failure as failure:
        if failure.code != "INVALID_ARGUMENT":
            raise


def _print_section(title: str, lines: list[tuple[str, str]]) -> None:
    if not lines:
        return
    print(title)
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        print((f"  {label:<{width}}  {text}" if width else f"  {text}").rstrip())


def _time(resource: Any, field: str) -> str:
    if not resource.HasField(field):
        return "-"
    return str(getattr(resource, field).ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC"))
