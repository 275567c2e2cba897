"""What netctl wrote to a northbound server, object by object, so that others can write the very same rows.

In goes a server's socket; out come the rows of each intent, in an order in which they can be written one after
another. A row that stands in a set of another intent's row (a port of a switch, a route of a router) is added to it
by its own object, as every client must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.ports import RawClient
from netctl.nb.rows import ID_KEY, KIND_KEY

TABLES = (
    *(
        "Logical_Switch",
        "Logical_Switch_Port",
        "DHCP_Options",
        "Logical_Router",
        "Logical_Router_Port",
        "NAT",
    ),
    *("Logical_Router_Static_Route", "Logical_Router_Policy", "BFD", "HA_Chassis_Group", "HA_Chassis"),
)
# Set columns that rows of other intents are added to.
SETS: Mapping[str, tuple[str, ...]] = {
    "Logical_Switch": ("ports",),
    "Logical_Router": ("ports", "nat", "static_routes", "policies"),
}
# Whose rows others refer to comes first.
_ORDER = {"subnets": 1, "vpcs": 2, "nics": 4}
_IN_VPC, _LAST = 3, 5
_EMPTY = ("", ["set", []], ["map", []])


@dataclass(frozen=True, slots=True)
class Object:
    """One intent's rows, as the wire has them: (table, uuid, columns) and (table, parent, column, uuid)."""

    kind: str
    id: str
    rows: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    members: list[tuple[str, str, str, str]] = field(default_factory=list)


def record(path: str) -> list[Object]:
    """Read all rows of netctl's from the server at `path`."""
    with RawClient(path) as client:
        found = client.transact([{"op": "select", "table": table, "where": []} for table in TABLES])
    rows = {
        row["_uuid"][1]: (table, row)
        for table, result in zip(TABLES, found, strict=True)
        for row in result["rows"]
    }
    owners = {uuid: marks for uuid, (_, row) in rows.items() if all(marks := _marks(row))}
    objects = {key: Object(*key) for key in sorted(set(owners.values()))}
    for uuid, key in owners.items():
        table, row = rows[uuid]
        columns = {name: value for name, value in row.items() if name[0] != "_" and value not in _EMPTY}
        for column in SETS.get(table, ()):
            for member in uuids_of(columns.pop(column, None)):
                objects[owners[member]].members.append((table, uuid, column, member))
        objects[key].rows.append((table, uuid, columns))
    inside = {object.id for object in objects.values() if object.kind == "subnets" and _is_routed(object)}
    return sorted(objects.values(), key=lambda object: (_order(object, inside), object.kind, object.id))


def count(path: str) -> int:
    """Count all rows on the server at `path`, netctl's or not."""
    with RawClient(path) as client:
        return sum(
            len(
                client.transact([{"op": "select", "table": table, "where": [], "columns": ["_uuid"]}])[0][
                    "rows"
                ]
            )
            for table in TABLES
        )


def operations_of(objects: Iterable[Object]) -> list[Any]:
    """Return objects as hand-made operations: rows, then one mutation for each set."""
    operations: list[Any] = []
    sets: dict[tuple[str, str, str], list[Any]] = {}
    for object in objects:
        for table, uuid, columns in object.rows:
            operations.append({"op": "insert", "table": table, "uuid": uuid, "row": columns})
        for table, parent, column, member in object.members:
            sets.setdefault((table, parent, column), []).append(["uuid", member])
    for (table, parent, column), members in sets.items():
        where = [["_uuid", "==", ["uuid", parent]]]
        mutations = [[column, "insert", ["set", members]]]
        operations.append({"op": "mutate", "table": table, "where": where, "mutations": mutations})
    return operations


def save(objects: Sequence[Object], path: Path) -> None:
    """Write objects to a file."""
    path.write_bytes(orjson.dumps(objects))


def load(path: Path) -> list[Object]:
    """Read them back."""
    return [
        Object(
            fields["kind"],
            fields["id"],
            [(table, uuid, columns) for table, uuid, columns in fields["rows"]],
            [(table, parent, column, member) for table, parent, column, member in fields["members"]],
        )
        for fields in orjson.loads(path.read_bytes())
    ]


def uuids_of(value: Any) -> list[str]:
    """Return the references in a column's value as the wire has it."""
    if value is None:
        return []
    kind, content = value
    return [content] if kind == "uuid" else [uuid for _, uuid in content]


def _marks(row: Mapping[str, Any]) -> tuple[str, str]:
    marks = dict(row["external_ids"][1])
    return marks.get(KIND_KEY, ""), marks.get(ID_KEY, "")


def _is_routed(subnet: Object) -> bool:
    """Does any of the subnet's rows stand in a router, i.e. is the subnet inside a VPC?"""
    return any(table == "Logical_Router" for table, *_ in subnet.members)


def _order(object: Object, inside: set[str]) -> int:
    if object.kind == "subnets" and object.id in inside:
        return _IN_VPC
    return _ORDER.get(object.kind, _LAST)
