"""One NIC changed while many are there: from the gRPC call to the answer (durable), and to the northbound database.

Limits in the same run: the same change as one hand-made JSON-RPC transaction. Counted: one transaction a change.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from google.protobuf.field_mask_pb2 import FieldMask

from bench.controllers import CALL_S, World, cpu_s, rss_mb, world
from bench.figures import Figure, Target, WrongCount, percentile
from bench.loaded import loaded
from bench.nics import nic
from bench.ports import RawClient, switch_uuid
from netctl.nb.rows import row_uuid
from netctl.v1 import network_pb2
from netctl.v1.network_pb2_grpc import NicServiceStub

CHANGES = 30
TO_ANSWER, TO_ROWS, RAW = "call to answer", "call to northbound", "raw JSON-RPC, one update"
TARGETS = (
    Target(way=TO_ROWS, peer=TO_ROWS, peer_size=1000, most=1.2, sizes=(10_000,)),
    Target(way=TO_ROWS, peer=TO_ROWS, peer_size=1000, most=2.0, sizes=(100_000,)),
    Target(way=TO_ROWS, most=0.020),
)
_PORT = row_uuid("Logical_Switch_Port", "bench", "foreign")


def run(sizes: Sequence[int] = (1000, 10_000, 100_000), repetitions: int = 3) -> list[Figure]:
    """Measure at every size in turns."""
    figures = []
    for _ in range(repetitions):
        for size in sizes:
            with (
                TemporaryDirectory(prefix="netctl-bench-") as directory,
                world(Path(directory), template=loaded(size)) as here,
            ):
                figures += _measure(here, size)
    return figures


def _measure(here: World, size: int) -> list[Figure]:
    pid = here.controller.pid
    answered: list[float] = []
    written: list[float] = []
    raw: list[float] = []
    cpu = 0.0
    with _foreign_port(str(here.nb.socket)) as peer:
        for number in range(CHANGES):
            raw.append(_change_raw(peer, number % 2 == 0))
            before = cpu_s(pid)
            to_answer, to_rows = _change(here, number * size // CHANGES)
            cpu += cpu_s(pid) - before
            answered.append(to_answer)
            written.append(to_rows)
    return [
        _figure(RAW, size, raw),
        _figure(TO_ANSWER, size, answered),
        _figure(TO_ROWS, size, written, cpu_us_each=cpu / CHANGES * 1e6, rss_mb=rss_mb(pid)),
    ]


def _change(here: World, number: int) -> tuple[float, float]:
    """Disconnect a NIC; return the seconds to the answer and to the transaction."""
    before = here.follower.latest
    request = network_pb2.UpdateNicRequest(
        nic=network_pb2.Nic(name=nic(number).name, connected=False),
        update_mask=FieldMask(paths=["connected"]),
    )
    began = time.monotonic()
    NicServiceStub(here.channel).UpdateNic(request, timeout=CALL_S)
    answered = time.monotonic()
    _, there = here.follower.after(before)
    here.wait_ready()
    if here.follower.latest != before + 1:
        raise WrongCount(f"one change took {here.follower.latest - before} northbound transactions")
    return answered - began, there - began


@contextmanager
def _foreign_port(path: str) -> Iterator[RawClient]:
    """Put a port that is not netctl's on one switch that is not either."""
    row = {"op": "insert", "table": "Logical_Switch_Port", "uuid": _PORT, "row": {"name": "foreign"}}
    switch = {"name": "foreign", "ports": ["set", [["uuid", _PORT]]]}
    with RawClient(path) as client:
        client.transact(
            [row, {"op": "insert", "table": "Logical_Switch", "uuid": switch_uuid(0), "row": switch}]
        )
        yield client


def _change_raw(client: RawClient, enabled: bool) -> float:
    where = [["_uuid", "==", ["uuid", _PORT]]]
    began = time.monotonic()
    client.transact(
        [{"op": "update", "table": "Logical_Switch_Port", "where": where, "row": {"enabled": enabled}}]
    )
    return time.monotonic() - began


def _figure(
    way: str, size: int, taken: Sequence[float], *, cpu_us_each: float = 0.0, rss_mb: float = 0.0
) -> Figure:
    return Figure(
        bench="one_change",
        way=way,
        size=size,
        seconds=median(taken),
        p99_s=percentile(taken, 99),
        cpu_us_each=cpu_us_each,
        rss_mb=rss_mb,
    )
