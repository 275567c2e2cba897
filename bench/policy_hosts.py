"""Security policies on hosts: OpenFlow flows, and from the call to enforced on the last host, in the lab.

`size` is how many NICs there are, in 50 groups with 250 rules; 20 of them are plugged on one of two hosts, each with a
real ovs-vswitchd (userspace datapath) and ovn-controller. Flows are of that host's brAtlas: without policies, with
netctl's, with the same rules by hand on the same ports. Changes by hand are of one port beside netctl's, on the same
host, in turns: one northd recomputes the same network for all ways. They end when every host has the flows (`hv_cfg`,
what `ovn-nbctl --wait=hv` waits for), or when Watch says so.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median

from google.protobuf.field_mask_pb2 import FieldMask

from bench import policy_layout as layout
from bench.figures import Figure, Target, WrongCount, percentile
from bench.follower import Follower
from bench.ports import Port, RawClient
from netctl.compiler.identity import port_uuid
from netctl.loop import wait_until
from netctl.model.keys import Uid
from netctl.v1 import network_pb2, operations_pb2, security_pb2
from netctl.v1.operations_pb2_grpc import WatchServiceStub
from tests.e2e.site import DEADLINE_S, PROGRAMMED, Site, site

SAMPLES, PLUGGED = 10, 20
NONE, BY_HAND, NETCTL = "no policies, OpenFlow", "by hand, a group, OpenFlow", "netctl, OpenFlow"
REGROUP, REGROUP_WATCHED = "netctl, NIC's group, to hosts", "netctl, NIC's group, to PROGRAMMED"
REGROUP_CLI, REGROUP_RAW = "nbctl --wait=hv, port's group", "raw JSON-RPC, port's group, to hosts"
FLIP, FLIP_WATCHED = "netctl, rule, to hosts", "netctl, rule, to PROGRAMMED"
FLIP_CLI, FLIP_RAW = "nbctl --wait=hv, ACL", "raw JSON-RPC, ACL, to hosts"
TARGETS = (
    Target(way=f"{NETCTL} over none", peer=f"{BY_HAND} over none", most=1.05, by="count"),
    Target(way=REGROUP, peer=REGROUP_CLI, most=1.2),
    Target(way=REGROUP, peer=REGROUP_RAW, most=1.2),
    Target(way=REGROUP_WATCHED, peer=REGROUP_CLI, most=1.2),
    Target(way=FLIP, peer=FLIP_CLI, most=1.2),
    Target(way=FLIP, peer=FLIP_RAW, most=1.2),
    Target(way=FLIP_WATCHED, peer=FLIP_CLI, most=1.2),
)
_HOST, _SUBNET, _TAP, _TIMEOUT_S = "h1", "bench", "byhand0", 60.0
_CFG = {"op": "select", "table": "NB_Global", "where": [], "columns": ["nb_cfg", "hv_cfg"]}
_BUMP = {"op": "mutate", "table": "NB_Global", "where": [], "mutations": [["nb_cfg", "+=", 1]]}


def run(sizes: Sequence[int] = (1000,), repetitions: int = 3) -> list[Figure]:
    """Measure with so many NICs, each time in a lab of its own."""
    figures = []
    for size in sizes:
        with site("policies", subnets=()) as here, _Lab(here) as lab:
            lab.fill(size)
            figures += lab.flows(size)
            lab.plug_by_hand()
            for _ in range(repetitions):
                figures += lab.changes(size)
    return figures


class _Lab(ExitStack):
    """A site with its northbound database at hand; gone with the block."""

    def __init__(self, here: Site) -> None:
        super().__init__()
        self._here = here
        self._socket = f"{here.lab.place('central').directory}/nb.sock"
        self._raw = self.enter_context(RawClient(self._socket))
        self._follower = self.enter_context(Follower(self._socket, acknowledge=False))
        self._ports: list[str] = []  # by number of the NIC

    def fill(self, size: int) -> None:
        """Add NICs in their groups, those with a host first, and plug these."""
        here = self._here
        here.apply(
            network_pb2.Subnet(
                name=f"subnets/{_SUBNET}",
                kind=network_pb2.SUBNET_KIND_OVERLAY,
                clusters=(f"clusters/{here.lab.topology.cluster}",),
                ipv4=network_pb2.IpConfig(cidr="10.30.0.0/16"),
                dhcp=network_pb2.DhcpOptions(disabled=True),
            ),
            *map(layout.category, range(layout.GROUPS_COUNT)),
        )
        nics = [made.nic for made in here.apply(*map(_nic, range(size)))]
        self._ports = [port_uuid(Uid(nic.uid)) for nic in nics]
        for nic in nics[:PLUGGED]:
            here.plug(nic, address=False)
        here.wait_programmed(*(nic.name for nic in nics[:PLUGGED]), timeout_s=_TIMEOUT_S)

    def flows(self, size: int) -> list[Figure]:
        """Count flows without policies, with netctl's, with those by hand; leave netctl's."""
        none = self._count()
        policies = [layout.policy(group) for group in range(layout.GROUPS_COUNT)]
        self._here.apply(*policies)
        self._here.wait_written()
        counts = {NONE: none, NETCTL: self._count()}
        self._here.remove(*(policy.name for policy in policies))
        self._here.wait_written()
        counts[BY_HAND] = self._count_by_hand()
        for way in (BY_HAND, NETCTL):
            if counts[way] == none:
                raise WrongCount(f"{way}: {none} flows, as without policies")
            counts[f"{way} over none"] = counts[way] - none
        self._here.apply(*policies)
        return [
            Figure(bench="policy_hosts", way=way, size=size, count=count) for way, count in counts.items()
        ]

    def _count_by_hand(self) -> int:
        """Put the rules by hand on netctl's ports, without netctl, which takes its ports out of others' groups."""
        controller = self._here.lab.process("central", "controller")
        controller.stop()
        for operations in layout.by_group(self._ports):
            self._raw.transact(operations)
        count = self._count()
        self._raw.transact([layout.gone(group) for group in range(layout.GROUPS_COUNT)])
        controller.start()
        self._here.wait_written()
        return count

    def plug_by_hand(self) -> None:
        """Put one port by hand beside netctl's, with a switch, groups and rules of its own, on the same host."""
        port = Port(0)
        self._raw.transact(layout.beside((port.number,)))
        self._here.lab.add_guest(_HOST, _TAP, port.address.split()[0])
        marks = ["--", "set", "Interface", _TAP, f"external_ids:iface-id={port.name}"]
        self._here.vsctl(_HOST, "add-port", "brAtlas", _TAP, *marks)
        self._here.vsctl(_HOST, "wait-until", "Interface", _TAP, "external_ids:ovn-installed=true")

    def changes(self, size: int) -> list[Figure]:
        """Change one NIC's group and one rule in every way, in turns, and back the next time."""
        ways: dict[str, Callable[[int], float]] = {
            REGROUP_RAW: lambda odd: self._to_hosts(self._regroup_raw, odd),
            REGROUP: lambda odd: self._to_hosts(self._regroup, odd),
            REGROUP_CLI: lambda odd: _seconds(self._regroup_cli, odd),
            REGROUP_WATCHED: lambda odd: self._to_programmed(_nic(0).name, self._regroup, odd),
            FLIP_RAW: lambda odd: self._to_hosts(self._flip_raw, odd),
            FLIP: lambda odd: self._to_hosts(self._flip, odd),
            FLIP_CLI: lambda odd: _seconds(self._flip_cli, odd),
            FLIP_WATCHED: lambda odd: self._to_programmed(layout.policy(0).name, self._flip, odd),
        }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(SAMPLES):
            for way, change in ways.items():
                # The second way of each pair of ways undoes what the first one did: netctl's, and those by hand.
                undoes = way in (REGROUP_CLI, REGROUP_WATCHED, FLIP_CLI, FLIP_WATCHED)
                taken[way].append(change(int(not undoes)))
                self._here.settle()
        return [
            Figure(
                bench="policy_hosts", way=way, size=size, seconds=median(all_s), p99_s=percentile(all_s, 99)
            )
            for way, all_s in taken.items()
        ]

    def _regroup(self, group: int) -> int:
        """Return the revision."""
        nic = network_pb2.Nic(name=_nic(0).name, categories=[f"categories/g{group}"])
        return self._here.update_nic(nic, "categories").revision

    def _regroup_raw(self, group: int) -> None:
        self._raw.transact([*layout.regroup(Port(0).uuid, 1 - group, group), _BUMP])

    def _regroup_cli(self, group: int) -> None:
        port, old, new = Port(0).uuid, layout.port_group(1 - group), layout.port_group(group)
        self._nbctl("remove", "Port_Group", old, "ports", port, "--", "add", "Port_Group", new, "ports", port)

    def _flip(self, flipped: int) -> int:
        request = security_pb2.UpdateSecurityPolicyRequest(
            security_policy=layout.policy(0, flipped=bool(flipped)), update_mask=FieldMask(paths=["rules"])
        )
        update = self._here.security_policies.UpdateSecurityPolicy
        return update(request, timeout=DEADLINE_S).security_policy.revision

    def _flip_raw(self, flipped: int) -> None:
        self._raw.transact([layout.flip(bool(flipped)), _BUMP])

    def _flip_cli(self, flipped: int) -> None:
        self._nbctl("set", "ACL", layout.first_acl(0), f"action={'drop' if flipped else 'allow-related'}")

    def _nbctl(self, *arguments: str) -> None:
        command = ["ovn-nbctl", f"--db=unix:{self._socket}", "--timeout=60", "--wait=hv", *arguments]
        subprocess.run(command, check=True)

    def _to_hosts(self, change: Callable[[int], object], odd: int) -> float:
        """Return the seconds until every host has the flows of the transaction that a change makes."""
        before = self._follower.latest
        began = time.monotonic()
        change(odd)
        nb_cfg, _ = self._follower.after(before)
        wait_until(
            lambda: self._raw.transact([_CFG])[0]["rows"][0]["hv_cfg"] >= nb_cfg,
            timeout_s=_TIMEOUT_S,
            what=f"all hosts reach nb_cfg {nb_cfg}",
            poll_s=0.001,
        )
        return time.monotonic() - began

    def _to_programmed(self, name: str, change: Callable[[int], int], odd: int) -> float:
        """Return the seconds until the stream says that a change is in the network."""
        request = operations_pb2.WatchRequest(names=[name])
        stream = WatchServiceStub(self._here.channel).Watch(request, timeout=DEADLINE_S)
        for event in stream:
            if event.kind == operations_pb2.EVENT_KIND_SYNCED:
                break
        began = time.monotonic()
        revision = change(odd)
        for event in stream:
            found = getattr(event.resource, str(event.resource.WhichOneof("resource")))
            if found.status.phase == PROGRAMMED and found.status.revision >= revision:
                break
        seconds = time.monotonic() - began
        stream.cancel()
        return seconds

    def _count(self) -> int:
        """Return how many flows the host has when all are there."""
        self._here.nbctl("--wait=hv", "sync")
        said = self._here.lab.exec(_HOST, ["ovs-ofctl", "dump-aggregate", "brAtlas"]).stdout
        return int(said.rpartition("flow_count=")[2].split()[0])


def _nic(number: int) -> network_pb2.Nic:
    group = f"categories/g{layout.group_of(number)}"
    host = f"hosts/{_HOST}" if number < PLUGGED else ""
    return network_pb2.Nic(
        name=f"nics/n-{number}", subnet=f"subnets/{_SUBNET}", host=host, categories=[group]
    )


def _seconds(change: Callable[[int], object], odd: int) -> float:
    began = time.monotonic()
    change(odd)
    return time.monotonic() - began
