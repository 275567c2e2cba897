"""Liveness: which service IPs, next hops and external connections do not work now, from what hosts report; and what
else is observed: rules that have expired, addresses that were learned, what this OVN can do.

Comes in: a snapshot and the host reports. Goes out: `Observed`, and a wake when it may have changed. Owns: since when
the reports contradict what it last said, so that a host that stumbles for a moment moves no traffic and one that flaps
little; and which gateway hosts failed, in order.

Why it is needed: OVN does not know whether a guest runs, and a BFD row of its stays `up` while no host can run it (ovn
issue 320). What it is not: failover between gateway hosts, which ovn-controllers do among themselves, and faster.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from netctl.compiler.observed import Observed
from netctl.compiler.route import hops_of, session_of
from netctl.loop import Clock, Wake
from netctl.model.infra import Host
from netctl.model.keys import HostId, Kind
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport
from netctl.model.vpc import ExternalConnection
from netctl.nb.features import Features, has_network_functions, may_answer_dhcpv6, may_reject
from netctl.nb.rows import Row, Rows
from netctl.reconciler.expiry import Expiry
from netctl.reconciler.falls import find_heard, note_falls, read_orders, recall_falls
from netctl.reconciler.learned import Learned
from netctl.reconciler.recall import recall_dead
from netctl.reconciler.reports import Heard
from netctl.reconciler.subjects import Subject, Subjects

_UP = frozenset({"up"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Seconds for which reports must say the same before it counts.

    `dead_s`: that something does not work. `silence_s`: that a host says nothing, though nobody says that it is dead;
    its agent may be restarting while its guests work. `alive_s`: that it works again.
    """

    dead_s: float = 2.0
    silence_s: float = 15.0
    alive_s: float = 5.0


class Evidence(enum.Enum):
    """What is known of a subject now."""

    ALIVE = enum.auto()
    DEAD = enum.auto()
    SILENT = enum.auto()
    UNKNOWN = enum.auto()


@dataclass(slots=True)
class _Opinion:
    """What was last said of a subject, and since when the evidence is against it; `guessed` before a host spoke."""

    dead: bool
    guessed: bool = False
    contradicted_since_s: float | None = None


class Liveness:
    """`look` belongs to the reconciler's thread, in which the wake waits; `note_report` to any."""

    def __init__(
        self,
        heard: Callable[[HostId], Heard],
        wake: Wake,
        *,
        delays: Delays = Delays(),
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        trust_dhcpv6: bool = False,
        trust_reject: bool = False,
        learned: Learned | None = None,
    ) -> None:
        """`trust_dhcpv6`, `trust_reject`: OVN may answer DHCPv6, its ACLs may reject, whatever its version.

        `wall` tells when rules expire. `learned` None: no address is.
        """
        self._heard = heard
        self._delays = delays
        self._clock = clock
        self._trust_dhcpv6, self._trust_reject = trust_dhcpv6, trust_reject
        self._expiry = Expiry(wall)
        self._wake = wake
        self._learned = learned
        self._opinions: dict[Subject, _Opinion] = {}
        self._up: frozenset[HostId] = frozenset()  # heard by BFD since they fell last
        self._fallen: tuple[HostId, ...] = ()
        self._recalled = False
        self._subjects = Subjects()
        self._watched: frozenset[str] = frozenset()  # iface-ids of the NICs that routes and policies lead to

    def look(self, snapshot: Snapshot, features: Features | None, actual: Rows | None = None) -> Observed:
        """Return what is observed now; ask to be called again when that may change though nothing is reported.

        `actual` are our rows as they are there, None while nobody knows: OVN writes into those of BFD whether the
        other side is heard.
        """
        now, again_s = self._clock(), math.inf
        opinions: dict[Subject, _Opinion] = {}
        witnesses = Witnesses(snapshot, self._heard)
        nics = self._subjects.nics(snapshot)
        self._watched = frozenset(nic.meta.uid for nic in nics.values())
        remembered = self._recall(snapshot, actual, nics)
        for subject, evidence in _evidence(nics, self._subjects.connections(snapshot), witnesses):
            opinion = self._opinions.get(subject)
            told = evidence in (Evidence.ALIVE, Evidence.DEAD)
            if opinion is None or (
                opinion.guessed and told
            ):  # nothing was said of it yet, so nothing can flap
                opinion = _Opinion(evidence is Evidence.DEAD, guessed=not told)
            opinion.dead |= opinion.guessed and subject in remembered
            opinions[subject] = opinion
            again_s = min(again_s, self._judge(opinion, evidence, now))
        self._opinions = opinions
        self._note_falls(witnesses)
        expired, ends_s = self._expiry.look(snapshot)
        self._wake.within(min(again_s, ends_s))
        return Observed(
            dead=frozenset(subject for subject, opinion in opinions.items() if opinion.dead),
            unheard=frozenset(find_unheard(snapshot, actual)) if actual is not None else frozenset(),
            dhcpv6=may_answer_dhcpv6(features, trusted=self._trust_dhcpv6),
            nat_gateway_port=features is None or features.has("NAT", "gateway_port"),
            fallen=self._fallen,
            expired=expired,
            reject=may_reject(features, trusted=self._trust_reject),
            acl_tiers=features is not None and features.has("ACL", "tier"),
            network_functions=has_network_functions(features),
            learned=self._learned.look(snapshot, actual) if self._learned is not None else {},
        )

    def _recall(
        self, snapshot: Snapshot, actual: Rows | None, subjects: Collection[Subject]
    ) -> frozenset[Subject]:
        """Take over, once, what the controller before this one knew; return who was dead to it."""
        if actual is None or self._recalled:
            return frozenset()
        self._recalled = True
        self._fallen = recall_falls(read_orders(snapshot, actual))
        return recall_dead(snapshot, actual, subjects) if actual else frozenset()

    def note_report(self, report: HostReport | None, before: Heard) -> None:
        """A host reported, or its agent left (None): wake the pass when that may change what is observed."""
        if report is None or self._concerns(report, before):
            self._wake()

    def _concerns(self, report: HostReport, before: Heard) -> bool:
        """Is the host new, are its tunnels others, or a watched NIC?"""
        old = before.report
        if old is None or not before.connected or old.tunnels != report.tunnels:
            return True
        return any(
            nic.iface_id in self._watched and before.nics.get(nic.iface_id) != nic for nic in report.nics
        ) or any(uid in self._watched for uid in before.nics.keys() - {nic.iface_id for nic in report.nics})

    def _note_falls(self, witnesses: Witnesses) -> None:
        hosts = witnesses.hosts
        reports = [report for id in hosts if (report := self._heard(id).report) is not None]
        up, down = find_heard(witnesses.tunnel_ips, reports)
        self._fallen = note_falls(self._fallen, self._up, down)
        self._up = (self._up | up) - down

    def _judge(self, opinion: _Opinion, evidence: Evidence, now: float) -> float:
        """Bring an opinion up to date; return after how long it will change if the evidence stays."""
        alive = evidence is Evidence.ALIVE
        if evidence is Evidence.UNKNOWN or alive is not opinion.dead:
            opinion.contradicted_since_s = None
            return math.inf
        if opinion.contradicted_since_s is None:
            opinion.contradicted_since_s = now
        due_s = opinion.contradicted_since_s + self._delay(evidence) - now
        if due_s > 0:
            return due_s
        opinion.dead, opinion.contradicted_since_s = not alive, None
        return math.inf

    def _delay(self, evidence: Evidence) -> float:
        if evidence is Evidence.ALIVE:
            return self._delays.alive_s
        return self._delays.dead_s if evidence is Evidence.DEAD else self._delays.silence_s


def find_unheard(snapshot: Snapshot, actual: Rows) -> Iterator[Subject]:
    """Yield the next hops with BFD whose session is not up: not yet, no more, or not at all while no route needs it.

    There is no delay: BFD has its own, and OVN left the route out already.
    """
    for route in snapshot.of_kind(Kind.ROUTE):
        assert isinstance(route, Route)
        vpc = snapshot.vpc(route.vpc) if route.bfd is not None else None
        for hop in hops_of(snapshot, vpc, route) if vpc is not None else ():
            row = actual.get(("BFD", session_of(vpc, hop))) if vpc is not None and hop.watched else None
            if hop.watched and not (isinstance(row, Row) and row.columns.get("status") == _UP):
                yield route.vpc, hop.address


def _evidence(
    nics: Mapping[Subject, Nic], connections: Mapping[Subject, ExternalConnection], witnesses: Witnesses
) -> Iterator[tuple[Subject, Evidence]]:
    """Yield what is known of each NIC that is led to, and of each connection with gateways."""
    for subject, nic in nics.items():
        yield subject, witnesses.of_nic(nic)
    said: dict[tuple[HostId, ...], Evidence] = {}  # many VPCs have the same gateways
    for subject, connection in connections.items():
        evidence = said.get(connection.gateways)
        if evidence is None:
            evidence = said[connection.gateways] = witnesses.of_connection(connection)
        yield subject, evidence


class Witnesses:
    """What hosts say of NICs and of each other, at one moment."""

    def __init__(self, snapshot: Snapshot, heard: Callable[[HostId], Heard]) -> None:
        self._heard = heard
        self._dead: dict[HostId, bool] = {}
        everyone = {host.id: host for host in snapshot.of_kind(Kind.HOST) if isinstance(host, Host)}
        self._everyone = everyone
        self.hosts = tuple(id for id in everyone if heard(id).connected)
        self.tunnel_ips = {host.id: host.tunnel_ip for host in everyone.values()}

    def of_nic(self, nic: Nic) -> Evidence:
        """Say whether a NIC is plugged, as far as its host tells."""
        if not nic.host:
            return Evidence.DEAD
        heard = self._heard(nic.host)
        if heard.connected and heard.report is not None:
            seen = heard.nics.get(nic.meta.uid)
            plugged = seen is not None and seen.tap_present and seen.plugged
            return Evidence.ALIVE if plugged else Evidence.DEAD
        if not self.hosts:
            return Evidence.UNKNOWN  # it is we who hear nothing
        return Evidence.DEAD if self.is_dead(nic.host) else Evidence.SILENT

    def of_connection(self, connection: ExternalConnection) -> Evidence:
        """Say whether a gateway of a connection works."""
        if not self.hosts:
            return Evidence.UNKNOWN
        dead = all(self.is_dead(host) for host in connection.gateways)
        return Evidence.DEAD if dead else Evidence.ALIVE

    def is_dead(self, id: HostId) -> bool:
        """Is the host's agent silent, and has every other host that watches it lost it, at least one?"""
        if self._heard(id).connected:
            return False
        if id not in self._dead:
            host = self._everyone.get(id)
            said = [bfd_up(self._heard(witness), host) for witness in self.hosts] if host else []
            watching = [up for up in said if up is not None]
            self._dead[id] = bool(watching) and not any(watching)
        return self._dead[id]


def bfd_up(heard: Heard, host: Host) -> bool | None:
    """Say whether BFD of one host hears another; None when it does not watch it."""
    tunnels = heard.report.tunnels if heard.report is not None else ()
    watched = [tunnel.bfd_up for tunnel in tunnels if tunnel.bfd and tunnel.remote_ip == host.tunnel_ip]
    return any(watched) if watched else None
