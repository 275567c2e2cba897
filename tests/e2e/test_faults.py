"""Parts die and come back while guests talk: nothing lost, nothing leaked, and ten seconds later all is as before.

Every fault strikes under a loss meter on the VLAN and one on the overlay, across the hosts: an allowed and a forged
stream, both ways. What may be lost is what was measured on bare OVN (facts 1 and 2 of the design's fault notes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest

from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e.figures import note
from tests.e2e.site import Site, seconds, site
from tests.lossmeter.meter import LossMeter

Nic = network_pb2.Nic
CONVERGE_S = 10.0
PPS = 100
WHILE_DEAD = 100  # packets that each side sends while the part is dead: a second


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The lab of this module and the pairs that talk."""

    site: Site
    pairs: tuple[tuple[Nic, Nic], ...]

    @contextmanager
    def unharmed(self, name: str) -> Iterator[list[LossMeter]]:
        """Hold a block to 0 lost and 0 leaked on both subnets."""
        with self.site.measure(*self.pairs, pps=PPS) as meters:
            yield meters
        reports = [meter.report for meter in meters]
        for kind, report in zip(("vlan", "overlay"), reports, strict=True):
            note(f"{name} / {kind}", str(report))
        assert [(report.lost, report.leaked) for report in reports] == [(0, 0)] * 2, [*map(str, reports)]
        assert all(report.denied_sent >= 2 * WHILE_DEAD for report in reports), "no positive control"

    def converges(self, name: str) -> None:
        """One NIC more becomes PROGRAMMED and pings across hosts within the promised time."""
        _near, far = self.pairs[1]
        made: list[Nic] = []

        def one_more() -> None:
            made.append(self.site.add("after", "overlay", "h1"))
            assert self.site.ping_once(made[0], far.ipv4_address)

        took = seconds(one_more)
        self.site.discard(*made)
        note(f"{name} / convergence", f"{took:.1f} s")
        assert took <= CONVERGE_S


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with site("faults") as running:
        pairs = tuple(
            (running.add(f"{kind}-a", kind, "h1"), running.add(f"{kind}-b", kind, "h2"))
            for kind in ("vlan", "overlay")
        )
        yield World(site=running, pairs=pairs)


@pytest.fixture(autouse=True)
def whole(world: World) -> Iterator[None]:
    """Leave no part dead behind, whatever a test did."""
    yield
    for process in world.site.lab.processes():
        process.start()


def test_no_fault_no_loss(world: World) -> None:
    """The control run: what the meter counts when nothing is wrong."""
    with world.unharmed("no fault") as meters:
        meters[0].wait_for_more(2 * WHILE_DEAD)
    world.converges("no fault")


KILLED = {
    "controller": [("central", "controller")],
    "northbound": [("central", "nb")],
    "northd": [("central", "ovn-northd")],
    "southbound": [("central", "sb")],
    "agent": [("h1", "agent")],
    "both agents": [("h1", "agent"), ("h2", "agent")],
    "ovn-controller": [("h1", "ovn-controller")],
    "control plane": [("central", name) for name in ("controller", "ovn-northd", "nb", "sb")],
}


@pytest.mark.parametrize("name", KILLED)
def test_killed_and_started_again(world: World, name: str) -> None:
    processes = [world.site.lab.process(node, daemon) for node, daemon in KILLED[name]]
    with world.unharmed(f"kill -9 {name}") as meters:
        for process in processes:
            process.kill()
        meters[0].wait_for_more(WHILE_DEAD)
        for process in reversed(processes):
            process.start()
        world.converges(f"kill -9 {name}")


def test_ovn_controller_restarted_while_the_southbound_is_dead(world: World) -> None:
    southbound, chassis = (
        world.site.lab.process(*key) for key in (("central", "sb"), ("h1", "ovn-controller"))
    )
    with world.unharmed("ovn-controller without southbound") as meters:
        southbound.kill()
        chassis.kill()
        meters[0].wait_for_more(WHILE_DEAD)
        chassis.start()
        meters[0].wait_for_more(WHILE_DEAD)
        southbound.start()
        world.converges("ovn-controller without southbound")


def test_vswitchd_killed_forwards_again_and_leaks_nothing(world: World) -> None:
    """The userspace datapath dies with its process: packets are lost, but none may leak, and all is back at once."""
    vswitchd = world.site.lab.process("h1", "ovs-vswitchd")
    with world.site.measure(*world.pairs, pps=PPS) as meters:
        vswitchd.kill()
        vswitchd.start()

        def forwards() -> None:
            for meter in meters:
                meter.wait_for_arrivals(20, timeout_s=CONVERGE_S)

        note("kill -9 ovs-vswitchd / forwards again", f"{seconds(forwards):.1f} s after its start")
        world.converges("kill -9 ovs-vswitchd")
    for kind, meter in zip(("vlan", "overlay"), meters, strict=True):
        note(f"kill -9 ovs-vswitchd / {kind}", str(meter.report))
        assert meter.report.leaked == 0, str(meter.report)
        assert meter.report.denied_sent > WHILE_DEAD


POINTS = ("store.before_commit", "store.after_commit", "admission.after_publish")
PASS_POINTS = ("northbound.before_apply", "northbound.after_apply")


@pytest.mark.parametrize("point", [*POINTS, *PASS_POINTS])
def test_the_controller_dies_at(world: World, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here, controller = world.site, world.site.lab.process("central", "controller")
    with world.unharmed(f"crash at {point}") as meters:
        controller.kill()
        monkeypatch.setenv("NETCTL_CRASHPOINT", point)
        controller.start()
        monkeypatch.delenv("NETCTL_CRASHPOINT")
        answer: Nic | None = None
        with suppress_unavailable():
            answer = here.create_nic(Nic(name="nics/crash", subnet="subnets/overlay", host="hosts/h1"))
        wait_until(lambda: not controller.pid(), timeout_s=10, what=f"controller dies at {point}")
        meters[0].wait_for_more(WHILE_DEAD)
        controller.start()
        stored = {nic.name for nic in here.list_nics()}
        assert (answer is not None) <= ("nics/crash" in stored), "an acknowledged NIC is lost"
        assert ("nics/crash" in stored) == (point != "store.before_commit")
        if point == "store.before_commit":
            here.create_nic(Nic(name="nics/crash", subnet="subnets/overlay", host="hosts/h1"))
        nic = here.get_nic("nics/crash")
        here.plug(nic)
        here.wait_status(nic.name, "", timeout_s=CONVERGE_S)
        assert here.ping_once(nic, world.pairs[1][1].ipv4_address)
        assert (
            here.nbctl("--bare", "--columns=name", "list", "Logical_Switch_Port").split().count(nic.uid) == 1
        )
        here.discard(nic)


@contextmanager
def suppress_unavailable() -> Iterator[None]:
    """Let the controller die during a call."""
    try:
        yield
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise


Edit = Callable[[Site, Nic], None]


def change_addresses(here: Site, nic: Nic) -> None:
    here.nbctl("lsp-set-addresses", nic.uid, "02:00:00:00:00:99 10.20.0.250")


def open_port_security(here: Site, nic: Nic) -> None:
    here.nbctl("lsp-set-port-security", nic.uid)


def disable_port(here: Site, nic: Nic) -> None:
    here.nbctl("lsp-set-enabled", nic.uid, "disabled")


def delete_port(here: Site, nic: Nic) -> None:
    here.nbctl("lsp-del", nic.uid)


def take_our_marks(here: Site, nic: Nic) -> None:
    here.nbctl("clear", "Logical_Switch_Port", nic.uid, "external_ids")


@pytest.mark.parametrize(
    "edit",
    [change_addresses, open_port_security, disable_port, delete_port, take_our_marks],
    ids=lambda e: e.__name__,
)
def test_an_edit_by_hand_is_repaired(world: World, edit: Edit) -> None:
    here, nic = world.site, here_port(world)
    before = port_row(here, nic)
    assert before

    def repaired() -> None:
        wait_until(lambda: port_row(here, nic) == before, timeout_s=CONVERGE_S, what="repaired")

    edit(here, nic)
    took = seconds(repaired)
    note(f"by hand: {edit.__name__} / repaired", f"{took:.2f} s")
    here.wait_ping(nic, world.pairs[1][1].ipv4_address, timeout_s=CONVERGE_S)


def test_what_is_not_ours_is_left_alone(world: World) -> None:
    here, nic = world.site, here_port(world)
    switch = here.nbctl("--bare", "--columns=name", "find", "Logical_Switch", "name=overlay").strip()
    here.nbctl("ls-add", "foreign", "--", "lsp-add", "foreign", "foreign-port")
    here.nbctl("lsp-add", switch, "foreign-on-ours")
    here.nbctl("set", "Logical_Switch", switch, "external_ids:mine=yes", "other_config:mcast_snoop=true")
    here.nbctl(
        "set", "Logical_Switch_Port", nic.uid, "external_ids:mine=yes", "options:vif-plug-mtu-request=1400"
    )
    delete_port(
        here, world.pairs[0][0]
    )  # something of ours to repair: the pass that repairs sees the foreign rows
    world.converges("foreign rows")
    controller = here.lab.process("central", "controller")
    controller.kill()
    controller.start()  # with an empty memory
    world.converges("foreign rows, controller restarted")
    assert "foreign-port" in here.nbctl("lsp-list", "foreign")
    assert "foreign-on-ours" in here.nbctl("lsp-list", switch)
    assert here.nbctl("get", "Logical_Switch", switch, "external_ids:mine").strip() == "yes"
    assert "true" in here.nbctl("get", "Logical_Switch", switch, "other_config:mcast_snoop")
    assert here.nbctl("get", "Logical_Switch_Port", nic.uid, "external_ids:mine").strip() == "yes"
    assert "1400" in here.nbctl("get", "Logical_Switch_Port", nic.uid, "options:vif-plug-mtu-request")
    here.nbctl("ls-del", "foreign", "--", "lsp-del", "foreign-on-ours")
    here.wait_ping(world.pairs[0][0], world.pairs[0][1].ipv4_address)


def here_port(world: World) -> Nic:
    """The NIC whose port is edited by hand."""
    return world.pairs[1][0]


def port_row(here: Site, nic: Nic) -> str:
    """Return what our columns of a port say; empty when there is no such port."""
    columns = "_uuid,name,type,addresses,port_security,enabled,dhcpv4_options,options,external_ids"
    row = here.nbctl(
        "--format=csv",
        "--no-headings",
        f"--columns={columns}",
        "find",
        "Logical_Switch_Port",
        f"name={nic.uid}",
    )
    switch = here.nbctl("lsp-get-ls", nic.uid) if row else ""
    return row + switch
