"""Which taps get the guard and which lose it, and what the report says; the instructions as RFC 9669 spells them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netctl_host.actions import AttachGuard, DetachGuard
from netctl_host.bpf_assembler import R0, R1, R6, Assembler, Imm
from netctl_host.plan import plan
from netctl_host.report import make_report
from netctl_host.settings import Settings
from netctl_host.state import HostState, Xdp

from tests.fakes.host import FakeHost
from tests.unit.host.samples import (
    assign,
    bridge_with,
    host_with,
    nic,
    plain_port,
    switch_with,
    uplink,
)
from tests.unit.host.test_plan import converge

GUARDED, BARE = replace(nic(1), guard_ipv6=True), nic(2)
ASSIGNMENT = assign(uplink(0, "eth1"), nics=(GUARDED, BARE))
REFUSED = "the kernel does not take it"


def xdp(host: FakeHost) -> dict[str, Xdp]:
    return {name: link.xdp for name, link in host.read_state().links.items() if link.xdp is not Xdp.NONE}


def test_the_taps_of_guarded_nics_alone_are_guarded() -> None:
    host = host_with("eth1", "tap1", "tap2")
    converge(host, ASSIGNMENT)
    assert xdp(host) == {"tap1": Xdp.GUARD}


@pytest.mark.parametrize(
    ("there", "actions"),
    [
        (Xdp.NONE, (AttachGuard(link="tap1", replace=False),)),
        (Xdp.OLD_GUARD, (AttachGuard(link="tap1", replace=True),)),
        (Xdp.GUARD, ()),
        (Xdp.FOREIGN, ()),
    ],
)
def test_what_is_there_decides(there: Xdp, actions: tuple[object, ...]) -> None:
    host = host_with("eth1", "tap1", "tap2")
    converge(host, ASSIGNMENT)
    host.set_xdp("tap1", there)
    assert plan(ASSIGNMENT, host.read_state(), Settings()) == actions


@pytest.mark.parametrize("there", Xdp)
@pytest.mark.parametrize("link", ["tap2", "tap3", "eth1"])
def test_our_guard_leaves_every_other_link_and_foreign_ones_stay(link: str, there: Xdp) -> None:
    host = host_with("eth1", "tap1", "tap2", "tap3")
    converge(host, ASSIGNMENT)
    host.set_xdp(link, there)
    ours = there in (Xdp.GUARD, Xdp.OLD_GUARD)
    assert plan(ASSIGNMENT, host.read_state(), Settings()) == ((DetachGuard(link=link),) if ours else ())


def test_a_tap_in_a_foreign_bridge_is_not_guarded() -> None:
    host = host_with("eth1", "tap1", switch=switch_with(bridge_with("br-ex", plain_port("tap1"))))
    converge(host, ASSIGNMENT)
    assert xdp(host) == {}


def guarded(host: FakeHost) -> tuple[list[bool], tuple[str, ...]]:
    report = make_report("h1", ASSIGNMENT, host.read_state(), Settings())
    return [nic.guarded for nic in report.nics], report.problems


def test_the_report_says_what_stands() -> None:
    host = host_with("eth1", "tap1", "tap2")
    assert guarded(host) == ([False, False], ())
    converge(host, ASSIGNMENT)
    assert guarded(host) == ([True, False], ())
    host.set_xdp("tap1", Xdp.OLD_GUARD)
    assert guarded(host) == ([False, False], ())
    host.set_xdp("tap1", Xdp.FOREIGN)
    problem = "tap tap1 of nics/n1 has an XDP program that is not ours, and so no IPv6 guard"
    assert guarded(host) == ([False, False], (problem,))
    host.remove_link("tap1")
    assert guarded(host) == ([False, False], ())


def test_a_kernel_that_refuses_is_reported_once_and_the_nics_are_served() -> None:
    host = FakeHost(HostState(guard_problem=REFUSED))
    for link in ("eth1", "tap1", "tap2", "tap3"):
        host.add_link(link)
    assignment = assign(uplink(0, "eth1"), nics=(GUARDED, BARE, replace(nic(3), guard_ipv6=True)))
    state = converge(host, assignment)
    report = make_report("h1", assignment, state, Settings())
    assert [(nic.plugged, nic.guarded) for nic in report.nics] == [(True, False)] * 3
    assert report.problems == (REFUSED,)
    nobody = make_report("h1", assign(uplink(0, "eth1"), nics=(BARE,)), state, Settings())
    assert nobody.problems == ()


def test_instructions_are_spelled_as_the_standard_says() -> None:
    program = Assembler()
    program.load(R6, R1, 4, 4)
    program.load_big_endian(R0, R6, -2)
    program.jump_if(R0, "==", Imm(0x86DD), "end")
    program.jump_if(R0, ">", R6, "end")
    program.calculate("and", R0, Imm(-1))
    program.jump("end")
    program.label("end")
    program.leave(2)
    assert program.assemble().hex(" ", 8) == (
        "6116040000000000 6960feff00000000 dc00000010000000 15000300dd860000"
        " 2d60020000000000 57000000ffffffff 0500000000000000 b700000002000000 9500000000000000"
    )


def test_a_program_with_a_jump_back_or_two_of_a_label_is_refused() -> None:
    program = Assembler()
    program.label("start")
    program.leave(2)
    program.jump("start")
    with pytest.raises(ValueError, match="back"):
        program.assemble()
    with pytest.raises(ValueError, match="twice"):
        program.label("start")
