"""Facts as the compiler would yield them, in small."""

from __future__ import annotations

from netctl.nb.rows import ID_KEY, KIND_KEY, OWNER_KEY, Delta, Member, Row, Value, row_uuid
from tests.functional.ovsdb.subjects import OWNER


def marks(name: str, kind: str = "subnets") -> dict[str, str]:
    """Return the external_ids of a row of ours."""
    return {OWNER_KEY: OWNER, KIND_KEY: kind, ID_KEY: name}


def switch_uuid(name: str) -> str:
    """Name a switch."""
    return row_uuid("Logical_Switch", name)


def port_uuid(name: str) -> str:
    """Name a port."""
    return row_uuid("Logical_Switch_Port", name)


def switch(name: str) -> Row:
    """Return a switch."""
    return Row("Logical_Switch", switch_uuid(name), {"name": name, "external_ids": marks(name)})


def port(id_: str, **columns: Value) -> Row:
    """Return a port; `columns` add to or replace the usual ones."""
    given: dict[str, Value] = {
        "name": id_,
        "addresses": frozenset({f"0a:00:00:00:00:01 {id_}"}),
        "enabled": frozenset({True}),
        "external_ids": marks(id_, "nics"),
    }
    return Row("Logical_Switch_Port", port_uuid(id_), {**given, **columns})


def member(switch_name: str, port_name: str) -> Member:
    """Return a port's place in its switch."""
    return Member("Logical_Switch", switch_uuid(switch_name), "ports", port_uuid(port_name))


def network(switch_name: str, *ports: str) -> Delta:
    """Return a new switch with new ports."""
    rows = (switch(switch_name), *(port(name) for name in ports))
    return Delta(insert=rows, add=tuple(member(switch_name, name) for name in ports))
