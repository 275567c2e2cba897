"""StatusBoard: who is told that a status may have changed, and who is not."""

from __future__ import annotations

from netctl.model.keys import HostId, Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, NicReport, Phase
from netctl.reconciler.board import START_GRACE_S, StatusBoard
from tests.intents import infra, nic, snapshot, uid_of, vlan

N1: Key = (Kind.NIC, "n1")
HOST: Key = (Kind.HOST, "h1")


class Desk:
    """A board whose clock the test moves, with one NIC on h1 and one that floats."""

    def __init__(self) -> None:
        self.now = 0.0
        self.world: Snapshot = snapshot([*infra(), vlan(), nic(), nic("n2", number=6, host="")])
        self.board = StatusBoard(lambda: self.world, clock=lambda: self.now)
        self.news = 0
        self.board.on_status_change(self.hear)
        self.board.note_pass(1, 1, {})
        self.board.note_northd(1)
        self.board.take_changed()

    def hear(self) -> None:
        self.news += 1

    def report(self, *, installed: bool, nb_cfg: int = 1) -> None:
        seen = NicReport(iface_id=uid_of("n1"), tap_present=True, plugged=True, ovn_installed=installed)
        self.board.note_report(
            HostReport(host=HostId("h1"), assignment_revision=1, nb_cfg=nb_cfg, nics=(seen,))
        )

    def phase(self, key: Key = N1) -> tuple[Phase, str]:
        status = self.board.status(key)
        assert status is not None
        return status.phase, status.reason


def test_a_report_names_the_nics_that_moved() -> None:
    desk = Desk()
    desk.report(installed=False)
    assert {N1, HOST} <= desk.board.take_changed()
    desk.report(installed=True)
    assert N1 in desk.board.take_changed()
    assert desk.phase() == (Phase.PROGRAMMED, "")


def test_the_same_report_again_is_no_news() -> None:
    desk = Desk()
    desk.report(installed=True)
    desk.board.take_changed()
    before = desk.news
    desk.report(installed=True)
    assert desk.board.take_changed() == set()
    assert desk.news == before


def test_an_unsettled_status_is_looked_at_again_and_a_floating_nic_is_not() -> None:
    desk = Desk()
    assert desk.phase()[0] is Phase.PENDING
    assert desk.phase((Kind.NIC, "n2")) == (Phase.PENDING, "NOT_ATTACHED")
    desk.board.note_pass(2, 2, {})
    assert desk.board.take_changed() == {N1}


def test_silence_is_host_down_once_the_grace_is_over() -> None:
    desk = Desk()
    assert desk.phase() == (Phase.PENDING, "WAITING_FOR_HOST")
    desk.now = START_GRACE_S + 1
    desk.board.note_grace_over()
    assert N1 in desk.board.take_changed()
    assert desk.phase() == (Phase.FAILED, "HOST_DOWN")


def test_a_lost_agent_puts_its_host_and_nics_in_doubt() -> None:
    desk = Desk()
    desk.report(installed=True)
    desk.now = START_GRACE_S + 1
    desk.board.take_changed()
    desk.board.note_disconnect(HostId("h1"))
    assert {N1, HOST, (Kind.VIRTUAL_SWITCH, "vs0")} <= desk.board.take_changed()
    assert desk.phase() == (Phase.FAILED, "HOST_DOWN")
    desk.report(installed=True)
    assert N1 in desk.board.take_changed()
    assert desk.phase() == (Phase.PROGRAMMED, "")
