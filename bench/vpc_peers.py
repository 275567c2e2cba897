"""The rows of VPCs as others write them: by hand (the limit), and through ovsdbapp, a transaction for each object.

`write` and `change` return (pieces, wall seconds, CPU seconds), and (seconds of each change). Each is a process of its
own: `python -m bench.vpc_peers write WAY FILE REMOTE`, `python -m bench.vpc_peers change COUNT REMOTE`.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

from ovsdbapp.backend.ovs_idl import command, connection
from ovsdbapp.schema.ovn_northbound import impl_idl

from bench.ports import DATABASE, RawClient
from bench.recorded import Object, load, operations_of
from bench.vpc_layout import HOPS
from netctl.bulk import without_collector

RAW = "raw JSON-RPC, a VPC a transaction"
PEER = "ovsdbapp, one transaction per object"
ROUTER, DESTINATION = "foreign", "0.0.0.0/0"


def write(way: str, recorded: Path, remote: str) -> tuple[int, float, float]:
    """Write recorded rows to a new server."""
    return _tuple3(_process("write", way, str(recorded), remote))


def change(count: int, remote: str) -> list[float]:
    """Change the route of a router that is not netctl's so many times, read and modified through ovsdbapp."""
    return list(_process("change", str(count), remote))


def make_router(client: RawClient, uuid: str) -> None:
    """Insert a router that is not netctl's, with one route of this uuid."""
    route = {"ip_prefix": DESTINATION, "nexthop": HOPS[0]}
    router = {"name": ROUTER, "static_routes": ["set", [["uuid", uuid]]]}
    client.transact(
        [
            {"op": "insert", "table": "Logical_Router_Static_Route", "uuid": uuid, "row": route},
            {"op": "insert", "table": "Logical_Router", "row": router},
        ]
    )


def _process(*arguments: str) -> list[float]:
    command = [sys.executable, "-m", "bench.vpc_peers", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[float] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    return found


def _tuple3(found: Sequence[float]) -> tuple[int, float, float]:
    count, wall_s, cpu_s = found
    return int(count), wall_s, cpu_s


def _write(way: str, recorded: str, remote: str) -> list[float]:
    objects = load(Path(recorded))
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is no burden for the collector
    return [sum(len(object.rows) for object in objects), *_WAYS[way](objects, remote)]


def _raw(groups: Sequence[Sequence[Object]], remote: str) -> tuple[float, float]:
    with RawClient(remote.removeprefix("unix:")) as client, without_collector(True):  # the limit is without
        started, cpu = time.perf_counter(), time.process_time()
        for group in groups:
            client.transact(operations_of(group))
        return time.perf_counter() - started, time.process_time() - cpu


def _by_vpc(objects: Sequence[Object]) -> list[list[Object]]:
    """Return the objects of each VPC together; their ids begin with the VPC's."""
    vpc_of = {id(object): object.id.partition("-")[0] for object in objects}
    ground = [object for object in objects if object.kind == "subnets" and "-" not in object.id]
    others = sorted(
        (object for object in objects if object not in ground), key=lambda object: vpc_of[id(object)]
    )
    groups = [list(group) for _, group in groupby(others, key=lambda object: vpc_of[id(object)])]
    return [ground, *groups] if ground else groups


class _Write(command.BaseCommand):  # type: ignore[misc]
    """One object's rows, as Neutron's own commands write theirs."""

    def __init__(self, api: Any, object: Object) -> None:
        super().__init__(api)
        self._rows = [
            (table, UUID(uuid), {column: _plain(value) for column, value in columns.items()})
            for table, uuid, columns in object.rows
        ]
        self._members = [
            (table, UUID(parent), column, UUID(uuid)) for table, parent, column, uuid in object.members
        ]

    def run_idl(self, txn: Any) -> None:
        tables = self.api.tables
        for table, uuid, columns in self._rows:
            row = txn.insert(tables[table], uuid, persist_uuid=True)
            for column, value in columns.items():
                setattr(row, column, value)
        for table, parent, column, uuid in self._members:
            tables[table].rows[parent].addvalue(column, uuid)


def _ovsdbapp(objects: Sequence[Object], remote: str) -> tuple[float, float]:
    api, stop = _connect(remote)
    try:
        commands = [_Write(api, object) for object in objects]
        started, cpu = time.perf_counter(), time.process_time()
        for one in commands:
            one.execute(check_error=True)
        return time.perf_counter() - started, time.process_time() - cpu
    finally:
        stop()


def _change(count: str, remote: str) -> list[float]:
    """As Neutron updates a router: read its routes, compare, delete the old one and add the new in one transaction."""
    api, stop = _connect(remote)
    taken = []
    try:
        for number in range(int(count)):
            hop = HOPS[(number + 1) % 2]
            began = time.perf_counter()
            routes = api.lr_route_list(ROUTER).execute(check_error=True)
            with api.transaction(check_error=True) as transaction:
                for route in routes:
                    if route.ip_prefix == DESTINATION and route.nexthop != hop:
                        transaction.add(api.lr_route_del(ROUTER, DESTINATION))
                        transaction.add(api.lr_route_add(ROUTER, DESTINATION, hop))
            taken.append(time.perf_counter() - began)
    finally:
        stop()
    return taken


def _connect(remote: str) -> tuple[Any, Callable[[], object]]:
    link = connection.Connection(connection.OvsdbIdl.from_server(remote, DATABASE), timeout=180)
    return impl_idl.OvnNbApiIdlImpl(link), link.stop


def _plain(value: Any) -> Any:
    """Return a column's value as the wire has it in Python's own types."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "uuid":
        return UUID(content)
    return [_plain(one) for one in content] if kind == "set" else dict(content)


_WAYS: dict[str, Callable[[Sequence[Object], str], tuple[float, float]]] = {
    RAW: lambda objects, remote: _raw(_by_vpc(objects), remote),
    PEER: _ovsdbapp,
}
_ACTIONS: dict[str, Callable[..., list[float]]] = {"write": _write, "change": _change}


if __name__ == "__main__":
    print("\n" + json.dumps(_ACTIONS[sys.argv[1]](*sys.argv[2:])), flush=True)
    os._exit(0)  # the clients' threads need no farewell
