"""Ports on switches, as every peer of the northbound benchmarks writes them, and the hand-made client: the limit."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from netctl.nb.rows import ID_KEY, KIND_KEY, OWNER_KEY, Delta, Member, Row, row_uuid

DATABASE = "OVN_Northbound"
OWNER = "bench"
SWITCHES = 100


@dataclass(frozen=True, slots=True)
class Port:
    """One port: addresses, port security and three external_ids, on one of the switches."""

    number: int

    @property
    def name(self) -> str:
        """Unique name."""
        return f"port-{self.number:07}"

    @property
    def uuid(self) -> str:
        """Row identity."""
        return row_uuid("Logical_Switch_Port", self.name)

    @property
    def switch(self) -> str:
        """Identity of its switch."""
        return switch_uuid(self.number % SWITCHES)

    @property
    def address(self) -> str:
        """MAC and IP."""
        high, low = divmod(self.number, 250)
        mac = f"0a:00:00:{self.number >> 16:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}"
        return f"{mac} 10.{high >> 8}.{high & 255}.{low + 2}"

    @property
    def external_ids(self) -> dict[str, str]:
        """Whose and what it is."""
        return {OWNER_KEY: OWNER, KIND_KEY: "nics", ID_KEY: self.name}


def switch_uuid(number: int) -> str:
    """Name a switch."""
    return row_uuid("Logical_Switch", str(number))


def delta_of(ports: Sequence[Port]) -> Delta:
    """Return ports as our delta."""
    empty: frozenset[str] = frozenset()
    rows = tuple(
        Row(
            "Logical_Switch_Port",
            port.uuid,
            {
                "name": port.name,
                "type": "",
                "addresses": frozenset({port.address}),
                "port_security": frozenset({port.address}),
                "enabled": frozenset({True}),
                "dhcpv4_options": empty,
                "external_ids": port.external_ids,
            },
        )
        for port in ports
    )
    return Delta(
        insert=rows, add=tuple(Member("Logical_Switch", port.switch, "ports", port.uuid) for port in ports)
    )


def operations_of(ports: Sequence[Port]) -> list[Any]:
    """Return ports as hand-made operations."""
    operations: list[Any] = []
    members: dict[str, list[Any]] = {}
    for port in ports:
        row = {
            "name": port.name,
            "addresses": port.address,
            "port_security": port.address,
            "enabled": True,
            "external_ids": ["map", list(port.external_ids.items())],
        }
        operations.append({"op": "insert", "table": "Logical_Switch_Port", "uuid": port.uuid, "row": row})
        members.setdefault(port.switch, []).append(["uuid", port.uuid])
    for switch, uuids in members.items():
        where = [["_uuid", "==", ["uuid", switch]]]
        change = {"mutations": [["ports", "insert", ["set", uuids]]]}
        operations.append({"op": "mutate", "table": "Logical_Switch", "where": where, **change})
    return operations


class RawClient:
    """A socket and orjson; one call at a time; nothing is checked that need not be."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._number = 0

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, method: str, params: list[Any]) -> Any:
        """Return the result."""
        self._number += 1
        self._socket.sendall(orjson.dumps({"id": self._number, "method": method, "params": params}))
        pieces, depth = [], 0
        while True:
            piece = self._socket.recv(1 << 20)
            if not piece:
                raise ConnectionError("closed by the server")
            pieces.append(piece)
            # The answer to the only call under way: whole when its braces balance (no string here holds one).
            depth += piece.count(b"{") - piece.count(b"}")
            if depth == 0:
                reply = orjson.loads(b"".join(pieces))
                if reply["error"] is not None:
                    raise RuntimeError(reply["error"])
                return reply["result"]

    def transact(self, operations: list[Any]) -> Any:
        """Run a transaction."""
        results = self.call("transact", [DATABASE, *operations])
        failed = [result for result in results if result and "error" in result]
        if failed:
            raise RuntimeError(failed[0])
        return results


def make_switches(path: str) -> None:
    """Insert the switches that ports go on."""
    marks = {OWNER_KEY: OWNER, KIND_KEY: "subnets"}
    with RawClient(path) as client:
        client.transact(
            [
                {
                    "op": "insert",
                    "table": "Logical_Switch",
                    "uuid": switch_uuid(number),
                    "row": {"name": f"s{number}", "external_ids": ["map", list(marks.items())]},
                }
                for number in range(SWITCHES)
            ]
        )


def make_ports(path: str, size: int) -> None:
    """Insert the first `size` ports."""
    with RawClient(path) as client:
        for start in range(0, size, 5000):
            client.transact(operations_of([Port(number) for number in range(start, min(size, start + 5000))]))
