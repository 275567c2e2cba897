"""The load: NICs or VPCs created over gRPC by a process of its own, so that it takes nothing from the controller's.

`python -m bench.load` reads one `Work` as JSON from its standard input and prints one `Outcome`. Times are
time.monotonic, which all processes of a machine share. Messages are made before the clock starts; connecting too.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

import grpc

from bench import vpc_layout
from bench.figures import percentile
from bench.nics import batches, nic
from netctl.v1 import network_pb2
from netctl.v1.network_pb2_grpc import NicServiceStub
from netctl.v1.operations_pb2_grpc import BatchServiceStub

_TIMEOUT_S = 300.0
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`count` NICs, `chunk` to a call (0: unary CreateNic), from `clients` that each wait for their answer.

    With `vpcs`: so many VPCs with all that is in them, one to a call.
    """

    address: str
    count: int
    clients: int
    chunk: int = 0
    prefix: str = "n"
    vpcs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """When the first call began and the last answer came; of the calls, the median and the tail."""

    began: float
    ended: float
    p50_s: float
    p99_s: float


def run_load(work: Work) -> Outcome:
    """Run the load in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(work)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load failed: {done.stderr[-2000:]}")
    return Outcome(**json.loads(done.stdout))


async def _run(work: Work) -> Outcome:
    # A connection for each client: they are programs of their own.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(work.address, options=options) for _ in range(work.clients)]
    for channel in channels:
        await channel.channel_ready()
    lanes = [_calls(work, channel, lane) for lane, channel in enumerate(channels)]
    taken: list[float] = []
    began = time.monotonic()
    await asyncio.gather(*(_drive(calls, taken) for calls in lanes))
    ended = time.monotonic()
    for channel in channels:
        await channel.close()
    return Outcome(began=began, ended=ended, p50_s=percentile(taken, 50), p99_s=percentile(taken, 99))


def _calls(work: Work, channel: grpc.aio.Channel, lane: int) -> list[Call]:
    """Return the calls of one client: every `clients`-th of all."""
    if work.chunk or work.vpcs:
        batch = BatchServiceStub(channel).Batch
        requests = (
            vpc_layout.batches(work.count) if work.vpcs else batches(work.count, work.chunk, work.prefix)
        )[lane :: work.clients]
        return [lambda r=request: batch(r, timeout=_TIMEOUT_S) for request in requests]  # type: ignore[misc]
    create = NicServiceStub(channel).CreateNic
    messages = [
        network_pb2.CreateNicRequest(nic=nic(number, work.prefix))
        for number in range(lane, work.count, work.clients)
    ]
    return [lambda r=message: create(r, timeout=_TIMEOUT_S) for message in messages]  # type: ignore[misc]


async def _drive(calls: Sequence[Call], taken: list[float]) -> None:
    for call in calls:
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_run(Work(**json.load(sys.stdin)))))))
