"""One NIC a call: parallel clients against netctl, durable when answered, and against an echo of the same message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.controllers import World, cpu_s, world
from bench.echo import echo_server
from bench.figures import Figure, Target
from bench.load import Work, run_load

CLIENTS = (1, 32, 64)
TARGETS = (
    Target(way="netctl, 32 clients", peer="echo, 32 clients", least=0.25, by="rate_per_s"),
    Target(way="netctl, 64 clients", peer="echo, 64 clients", least=0.25, by="rate_per_s"),
    Target(way="netctl, 64 clients", most=1200, by="cpu_us_each"),  # a hundredth of Neutron's 122 ms
)
_ONE_BY_ONE = 4  # a single client does so many times fewer


def run(sizes: Sequence[int] = (4000,), repetitions: int = 3) -> list[Figure]:
    """Measure netctl and echo in turns."""
    figures = []
    for size in sizes:
        for _ in range(repetitions):
            with TemporaryDirectory(prefix="netctl-bench-") as directory:
                figures += _measure(Path(directory), size)
    return figures


def _measure(directory: Path, size: int) -> list[Figure]:
    figures = []
    with world(directory) as here, echo_server(directory) as (echo, echo_pid):
        for clients in CLIENTS:
            count = size // _ONE_BY_ONE if clients == 1 else size
            for way, address, pid in (
                ("echo", echo, echo_pid),
                ("netctl", here.controller.address, here.controller.pid),
            ):
                work = Work(address=address, count=count, clients=clients, prefix=f"c{clients}")
                figures.append(_figure(f"{way}, {clients} client{'s' * (clients > 1)}", size, work, pid))
        _check(here, size)
    return figures


def _figure(way: str, size: int, work: Work, pid: int) -> Figure:
    cpu = cpu_s(pid)
    outcome = run_load(work)
    return Figure(
        bench="api_unary",
        way=way,
        size=size,
        rate_per_s=work.count / (outcome.ended - outcome.began),
        seconds=outcome.p50_s,
        p99_s=outcome.p99_s,
        cpu_us_each=(cpu_s(pid) - cpu) / work.count * 1e6,
    )


def _check(here: World, size: int) -> None:
    """See that what was answered is in the network."""
    here.wait_ports(size // _ONE_BY_ONE + size * (len(CLIENTS) - 1))
