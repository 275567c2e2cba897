"""What each part of a host's network costs a packet: br0, brAtlas, ACLs, one and two functions, over plain OVS.

Two hosts of the lab, each with a real ovs-vswitchd (userspace datapath), and on both a guest for each way; plain OVS
has bridges by hand in the same ovs-vswitchd, with as many functions. Ways take turns, all in one run. `size` is the
bytes of an echo, ICMP header and data. A way's `per s` are packets, questions and answers, with a window of echoes
under way (`traffic.py`); `seconds` and `p99 s` are one echo, there and back, alone; `CPU us` is what both ovs-vswitchd
need a packet, to the precision of the kernel's clock ticks. All of it shares the machine's cores.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench import datapath_layout as layout
from bench.controllers import cpu_s
from bench.datapath_layout import FUNCTIONS, HOSTS, Way
from bench.figures import Figure, Target, WrongCount, percentile
from bench.traffic import Echoes, End, answers, measured
from netctl.lab.lab import Lab
from netctl.loop import wait_until
from tests.e2e.site import Site

ROUNDS, FLOW_S, ECHOES = 4, 0.25, 100
PLAIN, PLAIN_ONE, PLAIN_TWO = (f"plain OVS{more}" for more in ("", ", one function", ", two functions"))
BR0, ATLAS, ACLS = "br0 (VLAN basic)", "br0 + brAtlas", "br0 + brAtlas + ACLs"
ONE, TWO = f"{ACLS} + one function", f"{ACLS} + two functions"
WAYS = (
    Way(name=PLAIN, vlan_id=11, plain=True),
    Way(name=BR0, vlan_id=12, basic=True),
    Way(name=ATLAS, vlan_id=13),
    Way(name=ACLS, vlan_id=14, secured=True),
    Way(name=PLAIN_ONE, vlan_id=15, plain=True, functions=1),
    Way(name=ONE, vlan_id=16, secured=True, functions=1),
    Way(name=PLAIN_TWO, vlan_id=17, plain=True, functions=2),
    Way(name=TWO, vlan_id=18, secured=True, functions=2),
)
# What is ours is to cost next to nothing: br0 over OVS' own switching, our flows of br.nf over those by hand.
TARGETS = (
    *(Target(way=BR0, peer=PLAIN, least=0.9, by="rate_per_s"), Target(way=BR0, peer=PLAIN, most=1.1)),
    *(Target(way=ATLAS, peer=PLAIN, least=0.75, by="rate_per_s"), Target(way=ATLAS, peer=PLAIN, most=1.25)),
    *(Target(way=ACLS, peer=PLAIN, least=0.5, by="rate_per_s"), Target(way=ACLS, peer=PLAIN, most=2.0)),
    *(Target(way=ONE, peer=PLAIN_ONE, least=0.5, by="rate_per_s"), Target(way=ONE, peer=PLAIN_ONE, most=2.0)),
    *(Target(way=TWO, peer=PLAIN_TWO, least=0.5, by="rate_per_s"), Target(way=TWO, peer=PLAIN_TWO, most=2.0)),
)
_READY_S = 30.0


def run(sizes: Sequence[int] = (64, 1400), repetitions: int = 3) -> list[Figure]:
    """Measure every way with echoes of every size."""
    with ExitStack() as stack:
        lab = Lab(layout.topology(), name=f"bench-{os.getpid()}-path")
        stack.callback(lab.down)
        lab.up()
        here = Site(lab)
        stack.callback(here.channel.close)
        layout.add_functions(here)
        ends = {}
        for way in WAYS:
            found = layout.build(here, way)
            ends[way.name] = [End(namespace=found[host], address=way.address(host)) for host in HOSTS]
        daemons = [lab.process(host, "ovs-vswitchd").pid() for host in HOSTS]
        figures = []
        for size in sizes:
            with _Echoes(ends, size) as echoes:
                _check(here, echoes, ends)
                for _ in range(repetitions * ROUNDS):
                    figures += echoes.round(daemons)
        return figures


def _check(here: Site, echoes: _Echoes, ends: dict[str, list[End]]) -> None:
    """Raise WrongCount unless packets take the ways that they are counted for."""
    for way in WAYS:
        before = layout.passed(here)
        packets = echoes.flow(way.name)
        met = sum(layout.passed(here)[f"{name}-h1"] - before[f"{name}-h1"] >= packets for name in FUNCTIONS)
        if met != (0 if way.plain else way.functions):
            raise WrongCount(f"{way.name}: packets met {met} functions of netctl")
        if answers(*ends[way.name]) == way.secured:
            raise WrongCount(f"{way.name}: ACLs {'let' if way.secured else 'stopped'} what no rule allows")


class _Echoes(ExitStack):
    """Echoes of one size on every way."""

    def __init__(self, ends: dict[str, list[End]], size: int) -> None:
        super().__init__()
        self._size = size
        self._ways = {name: Echoes(near, far, size) for name, (near, far) in ends.items()}
        for name, echoes in self._ways.items():
            self.callback(echoes.close)
            wait_until(partial(_passes, echoes), timeout_s=_READY_S, what=f"echoes by {name}")

    def flow(self, way: str) -> int:
        """Return how many packets a way has carried in a while."""
        return self._ways[way].flow(0.05).packets

    def round(self, daemons: Sequence[int]) -> list[Figure]:
        """Measure all ways, one after the other."""
        figures = []
        for name, echoes in self._ways.items():
            echoes.times_s(10)  # flows are set up
            times_s = echoes.times_s(ECHOES)
            flow, each_s = measured(partial(echoes.flow, FLOW_S), lambda: sum(map(cpu_s, daemons)))
            if not flow.packets:
                raise WrongCount(f"{name}: no echo came back")
            figures.append(
                Figure(
                    bench="datapath",
                    way=name,
                    size=self._size,
                    rate_per_s=flow.packets / flow.seconds,
                    seconds=median(times_s),
                    p99_s=percentile(times_s, 99),
                    cpu_us_each=each_s * 1e6,
                )
            )
        return figures


def _passes(echoes: Echoes) -> bool:
    return echoes.flow(0.01).packets > 0
