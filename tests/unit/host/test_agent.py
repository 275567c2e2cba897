"""One pass of the agent over a host in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from netctl_host.actions import Action, SetMtu
from netctl_host.agent import Agent, Controller, Memory
from netctl_host.announce import Announcement
from netctl_host.assignment import Assignment
from netctl_host.learned import Tap
from netctl_host.reported import HostReport
from netctl_host.settings import Settings
from netctl_host.state import HostState
from netctl_host.uplinks import Clock, Probing, Uplinks

from netctl.errors import HostUnavailable
from tests.fakes.host import FakeHost
from tests.fakes.uplinks_file import FakeUplinksFile
from tests.unit.host.samples import assign, host_with, nic, uplink

ASSIGNMENT = assign(uplink(0, "eth1", address="192.0.2.11/24"), nics=(nic(1),), revision=5)


@dataclass
class World:
    """Everything around the agent; lists what reached it."""

    host: FakeHost | BrokenHost
    assignment: Assignment | None = ASSIGNMENT
    disk_is_full: bool = False
    saved: list[Assignment] = field(default_factory=list)
    reports: list[HostReport] = field(default_factory=list)
    records: FakeUplinksFile = field(default_factory=FakeUplinksFile)
    looks_again: list[float] = field(default_factory=list)
    probed: int = 0
    echoes: bool = True

    @property
    def probing(self) -> Probing:
        """A controller that answers at once, or not at all."""

        def probe(number: int) -> None:
            self.probed = number

        return Probing(probe=probe, echoed=lambda: self.probed if self.echoes else 0, heard=lambda: True)

    def agent(self, on_disk: Assignment | None = None) -> Agent:
        """Return an agent that has just started with this on its disk."""
        now, self.assignment = self.assignment, on_disk
        controller = Controller(latest=lambda: self.assignment, offer=self.reports.append)
        uplinks = Uplinks(self.records, self.probing, self.looks_again.append, Clock(boot_id="b1"))
        agent = Agent("h1", self.host, controller, Memory(assignment=self, uplinks=uplinks), Settings())
        self.assignment = now
        return agent

    def save(self, assignment: Assignment) -> None:
        """The agent's file."""
        if self.disk_is_full:
            raise HostUnavailable("no space left on device")
        self.saved.append(assignment)


@dataclass
class BrokenHost:
    """A host on which no MTU can be set, and which may not answer."""

    host: FakeHost
    answers: bool = True
    silent: bool = False

    def read_state(self) -> HostState:
        """Read the host, if it answers."""
        if not self.answers:
            raise HostUnavailable("ovsdb-server does not answer")
        return self.host.read_state()

    def listen(self, taps: frozenset[Tap]) -> tuple[str, ...]:
        """Hear nothing."""
        return tuple(f"tap {tap.name} cannot be listened to" for tap in taps)

    def serve(self, assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
        """Serve nobody."""
        return ()

    def take_reversions(self) -> tuple[str, ...]:
        """Nobody changes flows here."""
        return ()

    def announce(self, due: frozenset[Announcement]) -> None:
        """Refuse when there is anything."""
        if due:
            raise HostUnavailable("network is down")

    def apply(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """Do all but the MTUs; `silent`: without a word."""
        self.host.apply([action for action in actions if not isinstance(action, SetMtu)])
        refused = tuple(f"{action}: refused" for action in actions if isinstance(action, SetMtu))
        return () if self.silent else refused


def test_one_step_makes_the_host_saves_and_reports() -> None:
    world = World(host_with("eth1", "tap1"))
    agent = world.agent()
    agent.step()
    state = world.host.read_state()
    assert state.links["br0"].addresses == ("192.0.2.11/24",)
    assert world.saved == [ASSIGNMENT]
    assert world.reports[-1].assignment_revision == 5
    assert world.reports[-1].nics[0].plugged
    agent.step()
    assert world.saved == [ASSIGNMENT]
    assert world.reports[0] == world.reports[1]


def test_what_was_on_disk_is_not_saved_again() -> None:
    world = World(host_with("eth1", "tap1"))
    world.agent(on_disk=ASSIGNMENT).step()
    assert world.saved == []
    assert "br0" in world.host.read_state().switch.bridges


def test_without_assignment_nothing_is_done() -> None:
    world = World(host_with("eth1"), assignment=None)
    world.agent().step()
    assert world.host.read_state().switch.bridges == {}
    assert world.reports == [HostReport(host_id="h1")]


def test_a_full_disk_stops_nothing_and_is_reported() -> None:
    world = World(host_with("eth1", "tap1"), disk_is_full=True)
    agent = world.agent()
    with pytest.raises(HostUnavailable, match="no space"):
        agent.step()
    assert world.reports[-1].problems == ("no space left on device",)
    assert world.reports[-1].assignment_revision == 5
    world.disk_is_full = False
    agent.step()
    assert world.saved == [ASSIGNMENT]
    assert not [problem for report in world.reports[1:] for problem in report.problems]


def test_an_action_that_fails_is_reported_and_does_not_stop_the_others() -> None:
    world = World(BrokenHost(host_with("eth1", "tap1")))
    with pytest.raises(HostUnavailable, match="refused"):
        world.agent().step()
    assert world.host.read_state().links["tap1"].up
    assert world.reports[-1].assignment_revision == 0
    assert any("refused" in problem for problem in world.reports[-1].problems)


def test_an_action_without_effect_ends_the_pass() -> None:
    world = World(BrokenHost(host_with("eth1", "tap1"), silent=True))
    with pytest.raises(HostUnavailable, match="has no effect: SetMtu"):
        world.agent().step()
    assert world.reports[-1].assignment_revision == 0


def test_a_host_that_does_not_answer_is_reported() -> None:
    host = BrokenHost(host_with("eth1", "tap1"))
    world = World(host, assignment=None)
    agent = world.agent()
    agent.step()
    host.answers = False
    with pytest.raises(HostUnavailable, match="does not answer"):
        agent.step()
    assert world.reports[-1].problems == ("ovsdb-server does not answer",)


def test_a_tunnel_address_is_announced_once_and_again_when_peers_may_have_lost_it() -> None:
    host = host_with("eth1", "tap1")
    host.change_link("eth1", carrier=True)
    agent = World(host).agent()
    agent.step()
    agent.step()
    first = Announcement(link="br0", mac_address="", ip="192.0.2.11")
    assert host.announced == [first]
    host.change_link("br0", mac_address="02:00:00:00:00:05")
    agent.step()
    agent.step()
    second = replace(first, mac_address="02:00:00:00:00:05")
    assert host.announced == [first, second]
    for carrier in (False, True):
        host.change_link("eth1", carrier=carrier)
        agent.step()
    assert host.announced == [first, second, second]


def test_an_announcement_that_fails_is_reported_and_tried_again() -> None:
    fake = host_with("eth1", "tap1")
    fake.change_link("eth1", carrier=True)
    World(fake).agent().step()  # nothing is left to do but to announce
    world = World(BrokenHost(fake))
    agent = world.agent()
    for _ in range(2):
        with pytest.raises(HostUnavailable, match="network is down"):
            agent.step()
    assert world.reports[-1].problems == ("network is down",)


def test_a_tap_that_cannot_be_listened_to_is_reported_and_the_rest_is_done() -> None:
    learning = assign(uplink(0, "eth1"), nics=(replace(nic(1), learn_addresses=True),), revision=6)
    world = World(BrokenHost(host_with("eth1", "tap1")), assignment=learning)
    with pytest.raises(HostUnavailable, match="cannot be listened to"):
        world.agent().step()
    assert "tap tap1 cannot be listened to" in world.reports[-1].problems
    assert world.host.read_state().links["tap1"].up
    host = host_with("eth1", "tap1")
    World(host, assignment=learning).agent().step()
    assert [tap.name for tap in host.heard] == ["tap1"]
