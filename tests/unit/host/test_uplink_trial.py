"""Trial and confirmation: whatever is interrupted, a host ends with what was confirmed, or with what it had."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netctl_host.actions import Action, LinkAction
from netctl_host.assignment import UplinkBridge
from netctl_host.plan import plan
from netctl_host.settings import Settings
from netctl_host.state import HostState, Link, Port, Route
from netctl_host.uplink_trial import TRIAL_S
from netctl_host.uplinks import LACP_SETTLE_S, SETTLE_S, Clock, Probing, Uplinks

from tests.fakes.host import FakeHost
from tests.fakes.uplinks_file import FakeUplinksFile
from tests.unit.host.samples import assign, bridge_with, switch_with, uplink

SETTINGS = Settings(datapath_type="netdev")
ONE = replace(uplink(0, "eth1"), settings_id="one", mtu_bytes=1500)
TWO = replace(uplink(0, "eth1", "eth2"), settings_id="two", mtu_bytes=9000)
SLB = replace(uplink(0, "eth2", "eth1"), settings_id="slb", bond_mode="balance-slb", mtu_bytes=1500)
MOVING = replace(uplink(0, "eth1"), settings_id="moving", mtu_bytes=1500, host_addresses=("192.0.2.7/24",))
ETH1 = Link(
    name="eth1",
    index=2,
    up=True,
    mtu_bytes=1500,
    addresses=("192.0.2.7/24",),
    routes=(Route(destination="0.0.0.0/0", gateway="192.0.2.1"),),
)


class Killed(Exception):
    """The agent is no more."""


@dataclass
class World:
    """A host, its disk, a controller that hears it or not, and an agent that may be killed anywhere."""

    host: FakeHost
    file: FakeUplinksFile = field(default_factory=FakeUplinksFile)
    assigned: UplinkBridge | None = None
    now_s: float = 1000.0
    boot_id: str = "b1"
    heard: bool = True
    reachable: bool = True
    probed: int = 0
    echoed: int = 0
    steps_left: int = 10**6
    uplinks: Uplinks = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, *, heard: bool = True) -> None:
        """A new agent begins; its controller numbers anew."""
        self.heard, self.probed, self.echoed = heard, 0, 0
        probing = Probing(probe=self._probe, echoed=lambda: self.echoed, heard=lambda: self.heard)
        clock = Clock(now_s=lambda: self.now_s, boot_id=self.boot_id)
        self.uplinks = Uplinks(self, probing, lambda _: None, clock)

    def load(self):  # type: ignore[no-untyped-def]  # as FakeUplinksFile
        """The file."""
        return self.file.load()

    def save(self, boot_id, records):  # type: ignore[no-untyped-def]
        """The file, and a place to be killed at."""
        self._step()
        self.file.save(boot_id, records)
        self._step()

    def turn(self, seconds: float = 0.5) -> HostState:
        """One pass of the agent, and time goes on."""
        assigned = assign(self.assigned) if self.assigned is not None else assign()
        state = self.host.read_state()
        assignment, _ = self.uplinks.resolve(assigned, state)
        acted: list[Action] = []
        for _ in range(6):
            actions = (*self.uplinks.plan_undo(state), *plan(assignment, state, SETTINGS))
            if not actions:
                break
            # what concerns OVS is one transaction
            on_links = [action for action in actions if isinstance(action, LinkAction)]
            on_switch = [action for action in actions if not isinstance(action, LinkAction)]
            batches: list[list[Action]] = [[*on_switch]]
            batches += [[action] for action in on_links]
            for batch in batches:
                self._step()
                self.host.apply(batch)
            acted.extend(actions)
            state = self.host.read_state()
        else:
            raise AssertionError(f"still to do: {actions}")
        self.uplinks.settle(assignment, state, acted)
        if self.reachable:
            self.echoed = self.probed
        self.now_s += seconds
        return state

    def run(self, seconds: float) -> HostState:
        """Passes for so long."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            state = self.turn()
        return state

    @property
    def confirmed_id(self) -> str:
        record = self.file.records.get("br0")
        return record.confirmed.settings_id if record is not None and record.confirmed is not None else ""

    def _probe(self, number: int) -> None:
        self.probed = number

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            self.steps_left = 10**6
            raise Killed


def host_before() -> FakeHost:
    """A host with cards, of which one has an address and the way out."""
    return FakeHost(
        HostState(links={"eth1": ETH1, "eth2": Link(name="eth2", index=3), "lo": Link(name="lo")})
    )


def foreign_before() -> FakeHost:
    """A host whose br0 somebody else made, with a bond of his own."""
    theirs = Port(name="bond0", interfaces=("eth1", "eth2"), bond_mode="balance-slb")
    there = switch_with(bridge_with("br0", theirs))
    links = {"eth1": replace(ETH1, addresses=(), routes=()), "eth2": Link(name="eth2", index=3)}
    return FakeHost(HostState(switch=there, links=links))


def what_counts(state: HostState) -> object:
    """What a rollback must bring back."""
    links = {
        name: (state.links[name].mtu_bytes, state.links[name].addresses, state.links[name].routes)
        for name in ("eth1", "eth2")
    }
    bridge = state.switch.bridges.get("br0")
    # A bond that was adopted under its own name and made anew in between has ours.
    ports = {replace(port, name="") for port in bridge.ports.values()} if bridge is not None else set()
    return links, ports


def confirmed(world: World, uplink: UplinkBridge) -> HostState:
    """Have these settings confirmed."""
    world.assigned = uplink
    state = world.run(4)
    assert world.confirmed_id == uplink.settings_id
    return state


def test_what_reaches_the_controller_is_confirmed_and_stays() -> None:
    world = World(host_before())
    confirmed(world, ONE)
    confirmed(world, TWO)
    world.reachable = False
    state = world.run(60)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1", "eth2")
    assert world.confirmed_id == "two"


def test_nothing_is_confirmed_before_it_has_settled() -> None:
    world = World(host_before())
    world.assigned = ONE
    world.turn(seconds=SETTLE_S / 2)
    world.turn(seconds=0.01)
    assert (world.probed, world.confirmed_id) == (0, "")
    world.run(SETTLE_S + 0.5)
    assert world.confirmed_id == "one"


def test_a_bond_with_lacp_settles_when_open_vswitch_has_heard_that_nobody_answers() -> None:
    world = World(host_before())
    world.assigned = replace(TWO, bond_mode="balance-tcp", lacp="active")
    world.turn()
    world.run(LACP_SETTLE_S - 0.5)
    assert (world.probed, world.confirmed_id) == (0, "")
    world.run(2)
    assert world.confirmed_id == "two"


@pytest.mark.parametrize("before", [host_before, foreign_before])
@pytest.mark.parametrize("tried", [ONE, TWO, MOVING])
def test_a_first_adoption_that_cuts_the_way_leaves_nothing(before, tried: UplinkBridge) -> None:  # type: ignore[no-untyped-def]
    world = World(before())
    found = what_counts(world.host.read_state())
    world.assigned, world.reachable = tried, False
    begun_s = world.now_s
    state = world.turn()
    assert what_counts(state) != found
    ports = world.host.read_state().switch.bridges
    assert ports["br0"].ports.keys() >= {"bond0" if before is foreign_before and tried is TWO else "br0-up"}
    while what_counts(state) != found:
        state = world.turn()
        assert world.now_s - begun_s < TRIAL_S + 2, what_counts(state)
    assert world.run(60) == state  # it is not tried again
    record = world.uplinks.records()["br0"]
    assert (record.confirmed, record.rolled_back_id) == (None, tried.settings_id)


def test_another_id_is_tried_again() -> None:
    world = World(host_before())
    confirmed(world, ONE)
    world.assigned, world.reachable = TWO, False
    world.run(30)
    assert world.uplinks.records()["br0"].rolled_back_id == "two"
    world.reachable = True
    world.run(5)
    assert world.confirmed_id == "one"
    confirmed(world, replace(TWO, settings_id="three"))
    assert world.uplinks.records()["br0"].rolled_back_id == ""


def test_held_keeps_what_is_confirmed_and_a_host_without_takes_it() -> None:
    world = World(host_before())
    confirmed(world, replace(ONE, held=True))
    world.assigned = replace(TWO, held=True)
    state = world.run(30)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)
    confirmed(world, TWO)


def test_an_address_moves_with_its_routes_and_comes_back() -> None:
    world = World(host_before())
    world.assigned, world.reachable = MOVING, False
    state = world.turn()
    assert state.links["br0"].addresses == ("192.0.2.7/24",)
    assert state.links["br0"].routes == ETH1.routes
    assert state.links["eth1"].addresses == ()
    state = world.run(TRIAL_S + 2)
    assert "br0" not in state.links
    assert (state.links["eth1"].addresses, state.links["eth1"].routes) == (ETH1.addresses, ETH1.routes)


def test_a_restarted_agent_goes_on_with_the_same_deadline() -> None:
    world = World(host_before())
    confirmed(world, ONE)
    world.assigned, world.reachable = TWO, False
    world.run(TRIAL_S - 2)
    world.restart(heard=False)
    assert world.turn().switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1", "eth2")
    state = world.run(4)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)


def test_after_a_reboot_in_the_middle_the_confirmed_ones_are_built() -> None:
    world = World(host_before())
    confirmed(world, ONE)
    world.assigned, world.reachable = TWO, False
    world.run(5)
    world.host, world.boot_id, world.now_s = host_before(), "b2", 3.0
    world.restart(heard=False)
    state = world.turn()
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)
    world.restart()
    state = world.run(5)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)


def test_a_host_from_disk_waits_for_nobody() -> None:
    world = World(host_before())
    confirmed(world, TWO)
    world.host, world.boot_id, world.now_s, world.reachable = host_before(), "b2", 3.0, False
    world.restart(heard=False)
    world.turn()
    state = world.run(60)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1", "eth2")


def test_without_its_file_a_host_builds_what_is_assigned() -> None:
    world = World(host_before())
    confirmed(world, TWO)
    world.file, world.reachable = FakeUplinksFile(), False
    world.restart(heard=False)
    state = world.run(60)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1", "eth2")
    # and when its controller is there and then not: what it had stays
    world.heard = True
    assert what_counts(world.run(60)) == what_counts(state)


def test_a_full_disk_begins_nothing() -> None:
    world = World(host_before())
    state = confirmed(world, ONE)
    world.file.is_full, world.assigned = True, TWO
    assert what_counts(world.run(5)) == what_counts(state)
    _, problems = world.uplinks.resolve(assign(TWO), state)
    assert problems == ("settings of br0 cannot be kept: uplinks.json: No space left on device",)
    world.file.is_full = False
    confirmed(world, TWO)


def test_a_full_disk_at_the_end_changes_nothing() -> None:
    world = World(host_before())
    confirmed(world, ONE)
    world.assigned = TWO
    world.turn()
    world.file.is_full = True
    world.run(40)
    assert world.uplinks.records()["br0"].confirmed == TWO
    assert world.confirmed_id == "one"  # on disk
    world.file.is_full = False
    world.turn()
    assert world.confirmed_id == "two"


def test_a_controller_of_before_confirms_nothing() -> None:
    world = World(host_before())
    world.assigned, world.reachable = replace(ONE, settings_id=""), False
    state = world.run(60)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)


def test_a_bridge_of_an_older_agent_is_what_a_failed_trial_goes_back_to() -> None:
    world = World(host_before())
    world.assigned = replace(SLB, settings_id="")
    before = world.turn()
    world.file = FakeUplinksFile()
    world.restart()
    world.assigned, world.reachable = ONE, False
    assert what_counts(world.turn()) != what_counts(before)
    assert what_counts(world.run(TRIAL_S + 3)) == what_counts(before)


SOME = st.sampled_from((ONE, TWO, SLB, MOVING))


@settings(max_examples=300, deadline=None)
@given(
    first=st.none() | SOME,
    tried=SOME,
    foreign=st.booleans(),
    reachable=st.booleans(),
    kills=st.lists(st.integers(0, 14), max_size=3),
    reboots=st.booleans(),
)
def test_killed_anywhere_it_ends_the_same(  # type: ignore[no-untyped-def]
    first, tried, foreign, reachable, kills, reboots
) -> None:
    foreign = foreign and first is None  # else it is ours by then
    world = World(foreign_before() if foreign else host_before())
    before = world.host.read_state()
    if first is not None:
        before = confirmed(world, first)
    world.assigned, world.reachable = tried, reachable
    if first is not None and first.settings_id == tried.settings_id:
        reachable = True
    was_tried = False
    for kill in kills:
        world.steps_left = kill
        with suppress(Killed):
            world.run(3)
        was_tried |= any(record.trial is not None for record in world.file.records.values())
        if reboots and was_tried and world.confirmed_id != tried.settings_id:
            world.boot_id += "+"
        world.restart()
    world.steps_left = 10**6
    state = world.run(TRIAL_S + 10)
    if world.confirmed_id == tried.settings_id:
        assert reachable
        direct = World(foreign_before() if foreign else host_before())
        if first is not None:
            confirmed(direct, first)
        assert state.switch.bridges["br0"] == confirmed(direct, tried).switch.bridges["br0"]
    else:
        assert not reachable or reboots
        assert what_counts(state) == what_counts(before)
        assert world.confirmed_id == (first.settings_id if first is not None else "")
    assert not any(record.undoing or record.trial for record in world.uplinks.records().values())
