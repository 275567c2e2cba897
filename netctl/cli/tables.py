"""Columns of each kind in `netctl get`: a header and how its cell is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli.kinds import Kind
from netctl.cli.messages import flatten
from netctl.cli.tables_compute import COMPUTE_CELLS
from netctl.v1 import chain_pb2, infra_pb2, network_pb2, status_pb2


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `wide` ones are printed by `-o wide` alone."""

    header: str
    cell: Callable[[Any], str]
    wide: bool = False


def phase_of(resource: Any) -> str:
    """Return the phase without its prefix; `-` for a server that did not say."""
    phase = status_pb2.Phase.Name(resource.status.phase).removeprefix("PHASE_")
    return "" if phase == "UNSPECIFIED" else phase


def id_of(name: str) -> str:
    """Return the id in a resource name."""
    return name.partition("/")[2]


def columns_of(kind: Kind, *, wide: bool) -> list[Column]:
    """Return the columns of a kind."""
    columns = [Column("NAME", lambda it: id_of(it.name)), *_COLUMNS[kind.word], *_COMMON]
    return [column for column in columns if wide or not column.wide]


def rows_of(columns: Sequence[Column], resources: Sequence[Any]) -> list[list[str]]:
    """Return the cells of resources."""
    return [[column.cell(resource) for column in columns] for resource in resources]


def _text(path: str) -> Callable[[Any], str]:
    return lambda resource: dict(flatten(resource)).get(path, "")


def _reference(field: str) -> Callable[[Any], str]:
    return lambda resource: id_of(getattr(resource, field))


def _kind(subnet: Any) -> str:
    return network_pb2.SubnetKind.Name(subnet.kind).removeprefix("SUBNET_KIND_")


def _network(subnet: Any) -> str:
    """Return what tells the subnet apart on the wire: `vs0/10`, `vpc/blue`, or the clusters."""
    if subnet.virtual_switches:
        return f"{_ids(subnet.virtual_switches)}/{subnet.vlan_id or 'untagged'}"
    return f"vpc/{id_of(subnet.vpc)}" if subnet.vpc else _ids(subnet.clusters)


def _ids(names: Sequence[str]) -> str:
    return ",".join(map(id_of, names))


def _enum(path: str) -> Callable[[Any], str]:
    return lambda resource: _text(path)(resource).lower()


def _connections(vpc: Any) -> str:
    """Return the external subnets with the router's addresses: `internet=203.0.113.7`."""
    return " ".join(
        "=".join(
            part
            for part in (
                id_of(one.subnet),
                ",".join(address for address in (one.ipv4_address, one.ipv6_address) if address),
            )
            if part
        )
        for one in vpc.external_connections
    )


def _gateways(vpc: Any) -> str:
    return " ".join(_ids(one.gateways) for one in vpc.external_connections if one.gateways)


def _target(floating: Any) -> str:
    """Return what a floating IP leads to: `nic/web-1`, or `vpc/blue=10.0.0.5`."""
    if floating.nic:
        return f"nic/{id_of(floating.nic)}"
    return f"vpc/{id_of(floating.vpc)}={floating.private_address}" if floating.vpc else ""


def _hops(route: Any) -> str:
    return " ".join(hop.ip_address or id_of(hop.external_subnet) for hop in route.next_hops)


def _protocol(policy: Any) -> str:
    return str(policy.protocol_number) if policy.protocol_number else _enum("protocol")(policy)


def _action(policy: Any) -> str:
    """Return what a policy does: `deny`, or `reroute=10.0.9.10`."""
    return "=".join(part for part in (_enum("action")(policy), ",".join(policy.service_ips)) if part)


def _list(path: str) -> Callable[[Any], str]:
    return lambda resource: _text(path)(resource).replace(", ", ",")


def _labels(resource: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(resource.labels.items()))


def _uplinks(host: Any) -> str:
    return " ".join(f"{id_of(it.virtual_switch)}={','.join(it.interfaces)}" for it in host.uplinks)


def _link(nic: Any) -> str:
    return "down" if nic.HasField("connected") and not nic.connected else "up"


def _reason(resource: Any) -> str:
    return str(resource.status.reason)


def _terms(field: str) -> Callable[[Any], str]:
    return lambda policy: ",".join(getattr(policy, field))


def _scope(policy: Any) -> str:
    """Return where a policy holds: `all-vlan`, or the VPCs."""
    return _ids(policy.vpcs) or _enum("scope")(policy).replace("_", "-")


def _selectors(field: str) -> Callable[[Any], str]:
    """Return a cell of selectors: any of them, each all of its names."""
    return lambda group: " ".join(",".join(selector.all_of) for selector in getattr(group, field))


def _word(path: str) -> Callable[[Any], str]:
    """Return a cell of an enum, spelled as flags spell it: `balance-tcp`."""
    return lambda resource: _enum(path)(resource).replace("_", "-")


def _lacp(switch: Any) -> str:
    """Return LACP in words: `active fast, falls back`."""
    if switch.lacp_mode != infra_pb2.LACP_MODE_ACTIVE:
        return _enum("lacp_mode")(switch)
    return f"active {_enum('lacp_timeout')(switch)}{', falls back' if switch.lacp_fallback else ''}"


def _snooping(switch: Any) -> str:
    snooping = switch.igmp_snooping
    if not snooping.enabled:
        return ""
    vlans = ",".join(map(str, snooping.querier_vlan_ids))
    return f"{snooping.timeout_s}s{f', asks in {vlans}' if snooping.querier else ''}"


def _migration(subnet: Any) -> str:
    """Return where a migration is: `12/40`, `failed 12/40`."""
    if not subnet.HasField("migration"):
        return ""
    migration = subnet.migration
    failed = migration.state == network_pb2.SubnetMigration.STATE_FAILED
    return f"{'failed ' if failed else ''}{migration.moved_nics}/{migration.nics}"


def _nic_kind(nic: Any) -> str:
    """Return what a NIC is for: `direct`, `network-function ingress`."""
    return " ".join(part for part in (_word("kind")(nic), _enum("network_function_side")(nic)) if part)


def _model(nic: Any) -> str:
    return _enum("model")(nic) + (f" x{nic.queues}" if nic.queues > 1 else "")


def _pairs(function: Any) -> str:
    return " ".join(
        _ids([name for name in (pair.ingress_nic, pair.egress_nic) if name])
        + ("(disabled)" if pair.disabled else "")
        for pair in function.nic_pairs
    )


def _probes(function: Any) -> str:
    check = function.health_check
    if check.disabled or function.mode != chain_pb2.FORWARDING_MODE_INLINE:
        return ""
    ends = f"{check.failure_threshold} lost, {check.success_threshold} back"
    return f"every {check.interval_ms} ms, {check.timeout_ms} ms; {ends}"


_COMMON = (
    Column("PHASE", phase_of),
    Column("REASON", _reason),
    Column("REVISION", lambda it: str(it.revision), wide=True),
    Column("LABELS", _labels, wide=True),
    Column("UID", lambda it: str(it.uid), wide=True),
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "cluster": (
        Column("MAC-PREFIX", _text("mac_prefix")),
        Column("UNDERLAY-MTU", _text("underlay_mtu_bytes")),
    ),
    "virtualswitch": (
        Column("CLUSTER", _reference("cluster")),
        Column("BRIDGE", _text("bridge")),
        Column("MTU", _text("mtu_bytes")),
        Column("BOND", _word("bond_mode")),
        Column("WAITING-HOSTS", lambda it: _ids(it.pending_hosts)),
        Column("LACP", _lacp, wide=True),
        Column("IGMP-SNOOPING", _snooping, wide=True),
        Column("ROLLOUT", _word("rollout"), wide=True),
    ),
    "host": (
        Column("CLUSTER", _reference("cluster")),
        Column("TUNNEL", _text("tunnel_address")),
        Column("UPLINKS", _uplinks),
        Column("INTERNAL-PORTS", lambda it: _text("internal_ports")(it).replace(", ", " "), wide=True),
        Column("INTERNAL-BRIDGE", _text("internal_bridge"), wide=True),
    ),
    "subnet": (
        Column("KIND", _kind),
        Column("NETWORK", _network),
        Column("IPV4", _text("ipv4.cidr")),
        Column("IPV6", _text("ipv6.cidr")),
        Column("VNI", _text("vni"), wide=True),
        Column("MTU", _text("mtu_bytes"), wide=True),
        Column("IPV6-MODE", _enum("ipv6_mode"), wide=True),
        Column("CHAIN", _reference("service_chain"), wide=True),
        Column("MIGRATION", _migration, wide=True),
        Column("CLUSTERS", lambda it: _ids(it.clusters), wide=True),
        Column("CATEGORIES", lambda it: _ids(it.categories), wide=True),
    ),
    "nic": (
        Column("SUBNET", _reference("subnet")),
        Column("HOST", _reference("host")),
        Column("MAC", _text("mac_address")),
        Column("IPV4", _text("ipv4_address")),
        Column("IPV6", _text("ipv6_address")),
        Column("LINK", _link),
        Column("KIND", _nic_kind, wide=True),
        Column("ON", lambda it: "uplink bridge" if it.basic else "", wide=True),
        Column("MODEL", _model, wide=True),
        Column("MODE", _enum("mode"), wide=True),
        Column("TRUNK", _list("trunk_vlans"), wide=True),
        Column("TAP", _text("tap_name"), wide=True),
        Column("CATEGORIES", lambda it: _ids(it.categories), wide=True),
    ),
    "vpc": (
        Column("KIND", _enum("kind")),
        Column("EXTERNAL", _connections),
        Column("GATEWAYS", _gateways),
        Column("PREFIXES", _text("externally_routable_prefixes"), wide=True),
        Column("DNS", _text("dns_servers"), wide=True),
        Column("VNI", _text("vni"), wide=True),
        Column("CATEGORIES", lambda it: _ids(it.categories), wide=True),
    ),
    "floatingip": (
        Column("ADDRESS", _text("address")),
        Column("LEADS-TO", _target),
        Column("EXTERNAL", _reference("external_subnet")),
        Column("MAC", _text("mac_address"), wide=True),
    ),
    "route": (
        Column("VPC", _reference("vpc")),
        Column("DESTINATION", _text("destination")),
        Column("NEXT-HOPS", _hops),
        Column("PRIORITY", _text("priority")),
        Column("BFD", _text("bfd"), wide=True),
    ),
    "routingpolicy": (
        Column("VPC", _reference("vpc")),
        Column("PRIORITY", _text("priority")),
        Column("PROTOCOL", _protocol),
        Column("SOURCE", _text("source")),
        Column("DESTINATION", _text("destination")),
        Column("PORTS", _list("destination_ports")),
        Column("ACTION", _action),
        Column("SOURCE-PORTS", _list("source_ports"), wide=True),
        Column("FALLBACK", lambda it: _enum("fallback")(it) if it.service_ips else "", wide=True),
        Column("BOTH-WAYS", _text("bidirectional"), wide=True),
        Column("CHAIN", _reference("service_chain"), wide=True),
    ),
    "addressreservation": (
        Column("SUBNET", _reference("subnet")),
        Column("RESERVED", _list("reserved")),
        Column("COUNT", _text("count"), wide=True),
        Column("FOR", _text("client_context"), wide=True),
    ),
    "category": (
        Column("KEY", _text("key")),
        Column("VALUE", _text("value")),
    ),
    "addressgroup": (
        Column("ADDRESSES", _list("addresses")),
        Column("EXCEPT", _list("except_addresses")),
    ),
    "servicegroup": (Column("SERVICES", lambda it: _text("services")(it).replace(", ", " ")),),
    "entitygroup": (
        Column("INCLUDE", _selectors("include")),
        Column("EXCEPT", _selectors("except")),
    ),
    "securitypolicy": (
        Column("KIND", lambda it: _enum("kind")(it).replace("_", "-")),
        Column("MODE", _enum("mode")),
        Column("SCOPE", _scope),
        Column("PRIORITY", lambda it: str(it.priority)),
        Column("SECURED", _terms("secured")),
        Column("RULES", lambda it: str(len(it.rules))),
        Column("INTRA-GROUP", _enum("intra_group"), wide=True),
        Column("LOG", lambda it: f"{it.log_rate}/s" if it.log else "", wide=True),
        Column("ESTABLISHED", _enum("established"), wide=True),
    ),
    "networkfunction": (
        Column("MODE", _enum("mode")),
        Column("ON-FAILURE", _word("failure_handling")),
        Column("PAIRS", _pairs),
        Column("PROBES", _probes, wide=True),
    ),
    "servicechain": (Column("FUNCTIONS", lambda it: _ids(it.network_functions)),),
    "trafficmirror": (
        Column("HOST", _reference("host")),
        Column("SOURCES", lambda it: _text("sources")(it).replace(", ", " ; ")),
        Column("DESTINATIONS", lambda it: _ids(it.destinations)),
        Column("DISABLED", _text("disabled"), wide=True),
    ),
    **{word: tuple(Column(*cell) for cell in cells) for word, cells in COMPUTE_CELLS.items()},
}
