"""VPCs with NAT, a route, a floating IP, two policies, 10 subnets of 10 NICs: made, compared, and changed in one place.

`size` is how many VPCs. The limit and the peer write the very rows that netctl wrote, read back from its server: by
hand a transaction a VPC, and through ovsdbapp one transaction for each object, as Neutron does. Counted:
that all end with as many rows; no transaction when there is nothing to do; one for one change.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import noop_pass, vpc_change, vpc_layout, vpc_peers
from bench.controllers import cpu_s, rss_mb, world
from bench.figures import Figure, Target, WrongCount
from bench.load import Work, run_load
from bench.loaded import keep
from bench.recorded import Object, count, record, save
from netctl.bulk import without_collector
from tests.servers import ovsdb_server

CLIENTS = 4
CREATE = "netctl, a VPC a call"
PEER_UPTO = 100  # what one object costs does not depend on how many follow; reading 1000 back takes minutes
_OFTEN = 100  # above, once: its time would be most of the run's
TARGETS = (
    Target(way=CREATE, peer=vpc_peers.RAW, least=0.35, by="rate_per_s"),
    Target(way=CREATE, peer=vpc_peers.PEER, least=10, by="rate_per_s"),
    Target(way=noop_pass.FULL, peer=noop_pass.DICTIONARY, most=3),
    *vpc_change.TARGETS,
)


def run(sizes: Sequence[int] = (10, 100, 1000), repetitions: int = 3) -> list[Figure]:
    """Measure everything at every size, the ways in turns."""
    figures: list[Figure] = []
    for size in sizes:
        often = repetitions if size <= _OFTEN else 1
        for _ in range(often):
            created, template = _create(size)
            figures += created
        with noop_pass.parts_of(template) as parts:
            vpc_change.check_reach(parts.admission.snapshot())
            for _ in range(often):
                figures += noop_pass.measure(parts, size, bench="vpcs")
        for _ in range(often):
            figures += vpc_change.measure(size, template, with_peer=size <= PEER_UPTO)
    return figures


def _create(size: int) -> tuple[list[Figure], Path]:
    """Measure all ways once; return the figures and an installation as netctl's way leaves it."""
    with TemporaryDirectory(prefix="netctl-bench-") as text:
        directory = Path(text)
        figure, objects = _netctl(directory, size)
        rows = sum(len(object.rows) for object in objects)
        file = directory / "recorded.json"
        save(objects, file)
        del objects
        ways = [vpc_peers.RAW, *([vpc_peers.PEER] if size <= PEER_UPTO else [])]
        figures = [figure, *(_peer(way, file, size, rows) for way in ways)]
        return figures, keep(directory, f"vpcs-{size}")


def _netctl(directory: Path, size: int) -> tuple[Figure, list[Object]]:
    with world(directory, ground=vpc_layout.ground) as here:
        before = count(str(here.nb.socket))
        pid = here.controller.pid
        cpu = cpu_s(pid)
        outcome = run_load(Work(address=here.controller.address, count=size, clients=CLIENTS, vpcs=True))
        seconds = here.wait_ports(size * vpc_layout.PORTS) - outcome.began
        cpu = cpu_s(pid) - cpu
        written = count(str(here.nb.socket)) - before
        figure = Figure(
            bench="vpcs",
            way=CREATE,
            size=size,
            rate_per_s=written / seconds,
            seconds=seconds,
            cpu_us_each=cpu / written * 1e6,
            rss_mb=rss_mb(pid),
        )
        with without_collector(True):
            return figure, record(str(here.nb.socket))


def _peer(way: str, file: Path, size: int, rows: int) -> Figure:
    with (
        TemporaryDirectory(prefix="netctl-bench-") as directory,
        ovsdb_server(Path(directory), "nb") as server,
    ):
        written, wall_s, cpu = vpc_peers.write(way, file, server.remote)
        there = count(str(server.socket))
    if there != rows:
        raise WrongCount(f"{way} left {there} rows, netctl {rows}")
    return Figure(
        bench="vpcs",
        way=way,
        size=size,
        rate_per_s=written / wall_s,
        seconds=wall_s,
        cpu_us_each=cpu / written * 1e6,
    )
