"""Rollouts: never two hosts of a virtual switch at once, always on, stopped by the first that does not work."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.assignment_uplinks import wanted_settings
from netctl.model.infra import BondMode, Host, Rollout, VirtualSwitch
from netctl.model.keys import HostId, VirtualSwitchId
from netctl.model.snapshot import Snapshot
from netctl.model.status import BridgeReport, HostReport
from netctl.reconciler.reports import Heard, HostReports
from netctl.reconciler.rollout import Given, Place, turns_of
from netctl.reconciler.rollouts import Rollouts
from tests.intents import cluster, host, snapshot, switch

VS = VirtualSwitchId("vs0")
QUICK = replace(switch(), rollout=Rollout.QUICK)
NAMES = ("h1", "h2", "h3")


def bridge(has: str = "old", *, up: bool = True, undone: str = "") -> BridgeReport:
    return BridgeReport(
        bridge="br0", physnet="physnet-vs0", up=up, settings_id=has, rolled_back_settings_id=undone
    )


def at(name: str, has: str = "old", *, wanted: str = "new", connected: bool = True, **more: object) -> Place:
    found = Place(host=HostId(name), wanted=wanted, bridge=bridge(has), connected=connected)
    return replace(found, **more)  # type: ignore[arg-type]


def test_one_after_the_other_in_the_order_of_their_ids() -> None:
    turns = turns_of(switch(), [at("h1"), at("h2"), at("h3")])
    assert (turns.turn, turns.held, turns.pending) == ("h1", frozenset({"h2", "h3"}), ("h1", "h2", "h3"))
    assert turns.given == Given(HostId("h1"), "new")
    after = turns_of(switch(), [at("h1", "new"), at("h2"), at("h3")], turns.given)
    assert (after.turn, after.held, after.pending) == ("h2", frozenset({"h3"}), ("h2", "h3"))
    over = turns_of(switch(), [at(name, "new") for name in NAMES], after.given)
    assert (over.turn, over.held, over.pending, over.given) == (None, frozenset(), (), None)


def test_quick_holds_nobody() -> None:
    turns = turns_of(QUICK, [at("h1"), at("h2", bridge=bridge(undone="new"))])
    assert (turns.turn, turns.held, turns.rolled_back) == (None, frozenset(), ("h2",))
    assert turns_of(switch(), [at("h1"), at("h2")]).held


@pytest.mark.parametrize(
    "ill",
    [at("h1", "new", problems=True), at("h1", bridge=bridge("new", up=False))],
    ids=["a problem", "no carrier"],
)
def test_the_next_one_waits_until_the_one_before_works(ill: Place) -> None:
    turns = turns_of(switch(), [ill, at("h2")], Given(HostId("h1"), "new"))
    assert (turns.turn, turns.blocked, turns.held) == (None, ("h1",), frozenset({"h2"}))
    forgotten = turns_of(switch(), [ill, at("h2")])
    assert (forgotten.turn, forgotten.blocked) == (None, ("h1",))
    assert turns_of(switch(), [at("h1", "new"), at("h2")], Given(HostId("h1"), "new")).turn == "h2"


def test_a_rolled_back_host_stops_all_until_it_is_to_have_something_else() -> None:
    undone = at("h1", bridge=bridge(undone="new"))
    turns = turns_of(switch(), [undone, at("h2")], Given(HostId("h1"), "new"))
    assert (turns.turn, turns.rolled_back, turns.held) == (None, ("h1",), frozenset({"h1", "h2"}))
    edited = [replace(undone, wanted="newer"), at("h2", wanted="newer")]
    assert turns_of(switch(), edited, turns.given).turn == "h1"


def test_a_host_without_a_bridge_waits_for_nobody() -> None:
    first = at("h3", bridge=None)
    turns = turns_of(switch(), [at("h1"), at("h2"), first])
    assert (turns.turn, turns.held) == ("h1", frozenset({"h2"}))
    assert "h3" in turns_of(switch(), [at("h1"), replace(first, connected=False)]).held


def test_a_host_that_is_away_is_passed_over_and_has_its_turn_when_it_is_back() -> None:
    away = at("h1", connected=False)
    turns = turns_of(switch(), [away, at("h2"), at("h3")])
    assert (turns.turn, turns.held, turns.away) == ("h2", frozenset({"h1", "h3"}), ("h1",))
    assert turns.pending == ("h2", "h3", "h1")
    back = turns_of(switch(), [at("h1"), at("h2"), at("h3")], turns.given)
    assert back.turn == "h2", "a turn is not taken from the one that has it"
    last = turns_of(switch(), [at("h1"), at("h2", "new"), at("h3", "new")], turns.given)
    assert last.turn == "h1"


def test_who_went_away_in_its_turn_is_waited_for() -> None:
    places = [at("h1", connected=False), at("h2")]
    turns = turns_of(switch(), places, Given(HostId("h1"), "new"))
    assert (turns.turn, turns.blocked) == (None, ("h1",))
    edited = [replace(place, wanted="newer") for place in places]
    assert turns_of(switch(), edited, turns.given, settled=False).turn is None
    assert turns_of(switch(), edited, turns.given).turn == "h2"


def test_an_edit_in_the_middle_of_a_turn_does_not_give_it_to_another() -> None:
    places = [at("h1", "new", wanted="newer"), at("h2", wanted="newer")]
    assert turns_of(switch(), places, Given(HostId("h2"), "new")).turn == "h2"


def test_nobody_has_a_turn_while_somebody_may_be_in_a_trial() -> None:
    turns = turns_of(switch(), [at("h1"), at("h2")], settled=False)
    assert (turns.turn, turns.held) == (None, frozenset({"h1", "h2"}))


@dataclass
class Machine:
    """A host as its agent plays it: it changes what is not held, and tells."""

    host: Host
    has: str = "as built"
    undone: str = ""
    connected: bool = True
    changing: str = ""
    revision: int = 1

    def report(self) -> HostReport:
        bridges = (bridge(self.has, undone=self.undone),)
        return HostReport(host=self.host.id, bridges=bridges, assignment_revision=self.revision)


class Cluster:
    """Three hosts, a virtual switch that is edited, a controller that starts anew, and a clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.revision = 1
        self.switch: VirtualSwitch = switch()
        self.machines = {name: Machine(host(name, number=i + 1)) for i, name in enumerate(NAMES)}
        for machine in self.machines.values():
            machine.has = self.wanted(machine)
        self.restart()
        self.assign()

    def restart(self) -> None:
        """A controller that knows nothing; who is connected tells it."""
        self.reports = HostReports()
        self.rollouts = Rollouts(self.reports.get, clock=lambda: self.now_s)
        for machine in self.machines.values():
            self.tell(machine)

    def wanted(self, machine: Machine) -> str:
        return wanted_settings(machine.host, machine.host.uplinks[0], self.switch)

    @property
    def snapshot(self) -> Snapshot:
        machines = (machine.host for machine in self.machines.values())
        return snapshot([cluster(), self.switch, *machines], self.revision)

    def tell(self, machine: Machine) -> None:
        if machine.connected:
            before = self.reports.put(machine.report())
            self.rollouts.note_report(machine.report(), before)

    def connect(self, name: str, connected: bool) -> None:
        machine = self.machines[name]
        if machine.connected is not connected:
            machine.connected = connected
            if connected:
                self.tell(machine)
            else:
                before = self.reports.get(machine.host.id)
                self.reports.disconnect(machine.host.id)
                self.rollouts.note_report(None, before)

    def edit(self, mode: BondMode, rollout: Rollout = Rollout.ROLLING) -> None:
        self.switch = replace(self.switch, bond_mode=mode, rollout=rollout)
        self.revision += 1

    def pass_time(self, seconds: float) -> None:
        """Trials end by themselves, after 20 s."""
        self.now_s += seconds
        for machine in self.machines.values():
            if machine.changing and seconds >= 20.0:
                machine.undone, machine.changing = machine.changing, ""
                self.tell(machine)
        self.rollouts.look()

    def held(self, machine: Machine) -> bool:
        return bool(self.rollouts.held(self.snapshot, machine.host.id))

    def assign(self) -> None:
        """Every connected host looks at its assignment, and begins what it may."""
        for machine in self.machines.values():
            wanted = self.wanted(machine)
            idle = machine.has == wanted or machine.undone == wanted
            if machine.connected and not self.held(machine) and not idle:
                machine.changing = wanted

    def obey(self, name: str) -> None:
        """A host that tries what it is not to have any more turns back, and says so."""
        machine = self.machines[name]
        if machine.connected:
            if machine.changing and machine.has == self.wanted(machine):
                machine.changing = ""
            if not machine.changing:
                machine.revision = self.revision
            self.tell(machine)

    def confirm(self, name: str) -> None:
        machine = self.machines[name]
        if machine.connected and machine.changing:
            machine.has, machine.changing = machine.changing, ""
            self.tell(machine)

    @property
    def changing(self) -> list[str]:
        return [name for name, machine in self.machines.items() if machine.changing]


STEPS = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from(list(BondMode))),
    st.tuples(st.just("away"), st.sampled_from(NAMES)),
    st.tuples(st.just("back"), st.sampled_from(NAMES)),
    st.tuples(st.just("confirm"), st.sampled_from(NAMES)),
    st.tuples(st.just("obey"), st.sampled_from(NAMES)),
    st.tuples(st.just("time"), st.sampled_from((1.0, 20.0, 31.0))),
    st.tuples(st.just("restart"), st.just("")),
)


def take(world: Cluster, step: tuple[str, str | float]) -> None:
    match step:
        case ("edit", mode):
            world.edit(BondMode(str(mode)))
        case ("away", str(name)):
            world.connect(name, False)
        case ("back", str(name)):
            world.connect(name, True)
        case ("confirm", str(name)):
            world.confirm(name)
        case ("obey", str(name)):
            world.obey(name)
        case ("time", float(seconds)):
            world.pass_time(seconds)
        case ("restart", _):
            world.restart()
    world.assign()


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_never_two_at_once_and_always_on(steps: list[tuple[str, str | float]]) -> None:
    world = Cluster()
    for step in steps:
        take(world, step)
        assert len(world.changing) <= 1, step
    # In the end all are back and confirm what they try: everybody gets there, but for what was undone.
    for name in NAMES:
        take(world, ("back", name))
    take(world, ("time", 31.0))
    undone = [m for m in world.machines.values() if m.undone == world.wanted(m) and m.has != m.undone]
    for _ in NAMES:
        for name in NAMES:
            take(world, ("confirm", name))
            take(world, ("obey", name))
    turns = world.rollouts.turns(world.snapshot, VS)
    if undone:
        assert set(turns.rolled_back) == {machine.host.id for machine in undone}
        assert turns.turn is None
    else:
        assert turns.pending == ()


def test_a_report_that_confirms_wakes_the_assignments_and_one_that_says_nothing_new_does_not() -> None:
    world = Cluster()
    woken: list[int] = []
    world.edit(BondMode.BALANCE_SLB)
    world.rollouts.on_turn(lambda: woken.append(1))
    world.assign()
    assert world.changing == ["h1"]
    world.tell(world.machines["h1"])
    assert not woken
    world.confirm("h1")
    assert len(woken) == 1
    world.assign()
    assert world.changing == ["h2"]
    assert world.rollouts.pending_hosts(world.snapshot, VS) == ("h2", "h3")


def test_after_a_restart_a_host_that_is_away_is_waited_for_as_long_as_a_trial_takes() -> None:
    world = Cluster()
    world.connect("h3", False)
    world.edit(BondMode.BALANCE_SLB)
    world.restart()
    woken: list[int] = []
    world.rollouts.on_turn(lambda: woken.append(1))
    world.assign()
    assert world.changing == []
    assert 0 < world.rollouts.look() <= 30.0
    world.pass_time(31.0)
    assert woken
    world.assign()
    assert world.changing == ["h1"]


def test_a_host_that_nobody_heard_of_is_held() -> None:
    rollouts = Rollouts(lambda id: Heard(None, False))
    assert rollouts.held(snapshot([cluster(), switch(), host()]), HostId("h1")) == {"br0"}
    assert rollouts.held(snapshot([cluster(), QUICK, host()]), HostId("h1")) == frozenset()
    assert rollouts.pending_hosts(snapshot([cluster()]), VS) == ()
