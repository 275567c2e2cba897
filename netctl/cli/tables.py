"""Columns of each kind in `netctl get`: a header and how its cell is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netctl.cli.kinds import Kind
from netctl.cli.messages import flatten
from netctl.v1 import network_pb2, status_pb2


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
    """Return what tells the subnet apart on the wire: `vs0/10` or the cluster."""
    if subnet.kind == network_pb2.SUBNET_KIND_VLAN:
        return f"{id_of(subnet.virtual_switches[0])}/{subnet.vlan_id or 'untagged'}"
    return id_of(subnet.clusters[0])


def _labels(resource: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(resource.labels.items()))


def _uplinks(host: Any) -> str:
    return " ".join(f"{id_of(it.virtual_switch)}={','.join(it.interfaces)}" for it in host.uplinks)


def _link(nic: Any) -> str:
    return "down" if nic.HasField("connected") and not nic.connected else "up"


def _reason(resource: Any) -> str:
    return str(resource.status.reason)


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
        Column("BOND", _text("bond_mode"), wide=True),
    ),
    "host": (
        Column("CLUSTER", _reference("cluster")),
        Column("TUNNEL", _text("tunnel_address")),
        Column("UPLINKS", _uplinks),
    ),
    "subnet": (
        Column("KIND", _kind),
        Column("NETWORK", _network),
        Column("IPV4", _text("ipv4.cidr")),
        Column("IPV6", _text("ipv6.cidr")),
        Column("VNI", _text("vni"), wide=True),
        Column("MTU", _text("mtu_bytes"), wide=True),
    ),
    "nic": (
        Column("SUBNET", _reference("subnet")),
        Column("HOST", _reference("host")),
        Column("MAC", _text("mac_address")),
        Column("IPV4", _text("ipv4_address")),
        Column("IPV6", _text("ipv6_address")),
        Column("LINK", _link),
        Column("TAP", _text("tap_name"), wide=True),
    ),
}
