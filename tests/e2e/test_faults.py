"""Parts die and come back while guests talk: nothing lost, nothing leaked, and ten seconds later all is as before.

Every fault strikes under a loss meter on the VLAN and one on the overlay, across the hosts: an allowed and a forged
stream, both ways. What may be lost is what was measured on bare OVN (facts 1 and 2 of the design's fault notes).

No tap is plugged or removed while the meters run: OVS' userspace datapath reads the host's routes anew whenever a link
comes or goes, and its tunnels drop a few packets meanwhile (bare `ovs-vsctl add-port`, OVS 3.1: 0 to 6 of them; the
kernel's datapath routes by itself). That a NIC more works is shown right after, against the clock since the repair.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest

from netctl.errors import Unavailable
from netctl.lab import links, namespaces
from netctl.lab.processes import Process
from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e.figures import note
from tests.e2e.site import DEADLINE_S, Site, site
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

    def converges(self, name: str, repaired_s: float) -> None:
        """One NIC more becomes PROGRAMMED and pings across hosts within the promised time since the repair."""
        more = self.site.add("after", "overlay", "h1")
        self.reaches(more, name, repaired_s)
        self.site.discard(more)

    def reaches(self, nic: Nic, name: str, repaired_s: float) -> None:
        """A NIC is answered across hosts, and in time."""
        self.answered(nic)
        took = time.monotonic() - repaired_s
        note(f"{name} / one NIC more after", f"{took:.1f} s")
        assert took <= CONVERGE_S

    def answered(self, *nics: Nic) -> None:
        """One echo request of each overlay NIC is answered by the other host, once that has the flows as well."""
        self.site.nbctl("--wait=hv", "sync")  # PROGRAMMED speaks of the NIC's own host only
        for nic in nics:
            assert self.site.ping_once(nic, self.pairs[1][1].ipv4_address), nic.name


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with site("faults") as running:
        pairs = tuple(
            (running.add(f"{kind}-a", kind, "h1"), running.add(f"{kind}-b", kind, "h2"))
            for kind in ("vlan", "overlay")
        )
        # The first packet of a userspace tunnel waits for nobody: it is dropped while ARP asks.
        for a, b in pairs:
            running.wait_ping(a, b.ipv4_address)
        yield World(site=running, pairs=pairs)


@pytest.fixture(autouse=True)
def whole(world: World) -> Iterator[None]:
    """Leave no part dead and nothing of its own behind, whatever a test did: the next one stands for itself."""
    yield
    for process in world.site.lab.processes():
        process.start()
    world.site.discard_all_but(*(nic for pair in world.pairs for nic in pair))


def test_no_fault_no_loss(world: World) -> None:
    """The control run: what the meter counts when nothing is wrong."""
    with world.unharmed("no fault") as meters:
        meters[0].wait_for_more(2 * WHILE_DEAD)
    world.converges("no fault", time.monotonic())


KILLED = {
    "controller": [("central", "controller")],
    "northbound": [("central", "nb")],
    "northd": [("central", "ovn-northd")],
    "southbound": [("central", "sb")],
    "agent": [("h1", "agent")],
    "both agents": [("h1", "agent"), ("h2", "agent")],
    "ovn-controller": [("h1", "ovn-controller")],
    "both ovn-controllers": [("h1", "ovn-controller"), ("h2", "ovn-controller")],
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
        repaired_s = time.monotonic()
        settle(world.site, meters)
    world.converges(f"kill -9 {name}", repaired_s)


def settle(here: Site, meters: list[LossMeter]) -> None:
    """Measure on until every host has installed what the northbound says: ovn-controller waits before it clears."""
    here.nbctl("--wait=hv", "sync")
    meters[0].wait_for_more(WHILE_DEAD // 2)


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
        repaired_s = time.monotonic()
        settle(world.site, meters)
    world.converges("ovn-controller without southbound", repaired_s)


def test_vswitchd_killed_forwards_again_and_leaks_nothing(world: World) -> None:
    """The userspace datapath dies with its process: packets are lost, but none may leak, and all is back at once."""
    vswitchd = world.site.lab.process("h1", "ovs-vswitchd")
    with world.site.measure(*world.pairs, pps=PPS) as meters:
        vswitchd.kill()
        vswitchd.start()
        repaired_s = time.monotonic()
        for meter in meters:
            meter.wait_for_arrivals(20, timeout_s=CONVERGE_S)
        took = time.monotonic() - repaired_s
        note("kill -9 ovs-vswitchd / forwards again", f"{took:.1f} s after its start")
    world.converges("kill -9 ovs-vswitchd", repaired_s)
    for kind, meter in zip(("vlan", "overlay"), meters, strict=True):
        note(f"kill -9 ovs-vswitchd / {kind}", str(meter.report))
        assert meter.report.leaked == 0, str(meter.report)
        assert meter.report.denied_sent > WHILE_DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a crash leaves of the first NIC that was asked for.

    `stored`, `in_ovn`: durable; told to OVN. `alone`: no client can have been answered, so no NIC came after it. Where
    the reconciler dies, the writer may have answered, and taken the next NIC or not: that one is there or is not.
    """

    stored: bool
    in_ovn: bool
    alone: bool


# What passes a point before the first NIC does: the store commits its epoch, and once that old answers are forgotten
# (in the writer's first step, thus before it takes what comes after the dry run); the dry run is published.
LEFT = {
    "store.before_commit:3": Left(stored=False, in_ovn=False, alone=True),
    "store.after_commit:3": Left(stored=True, in_ovn=False, alone=True),
    "admission.after_publish:2": Left(stored=True, in_ovn=False, alone=True),
    "northbound.before_apply": Left(stored=True, in_ovn=False, alone=False),
    "northbound.after_apply": Left(stored=True, in_ovn=True, alone=False),
}


@pytest.mark.parametrize("point", LEFT)
def test_the_controller_dies_at(world: World, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here, controller, left = world.site, world.site.lab.process("central", "controller"), LEFT[point]
    prefix = f"nics/crash-{point.partition(':')[0].replace('.', '-').replace('_', '-')}"
    here.wait_written()  # or the start itself would have something to write, and die of it
    before = set(here.ports())
    with world.unharmed(f"crash at {point}") as meters:
        with armed(controller, point, monkeypatch):
            acknowledged, unanswered = create_until_it_dies(here, prefix)
            wait_until(lambda: not controller.pid(), timeout_s=10, what=f"controller dies at {point}")
        written = set(here.ports()) - before
        meters[0].wait_for_more(WHILE_DEAD)
        controller.start()
        repaired_s = time.monotonic()
        stored = {nic.name: nic for nic in here.list_nics() if nic.name.startswith(prefix)}
    first = f"{prefix}-0"
    assert acknowledged <= set(stored) <= acknowledged | unanswered
    assert (first in stored) == left.stored
    assert not left.alone or (acknowledged, unanswered) == (set(), {first})
    assert written <= {nic.uid for nic in stored.values()}, "OVN was told of what is not durable"
    assert (first in stored and stored[first].uid in written) == left.in_ovn
    assert bool(written) == left.in_ovn

    last = here.add(f"{prefix.removeprefix('nics/')}-last", "overlay", "h1")
    world.reaches(last, f"crash at {point}", repaired_s)
    for nic in stored.values():
        here.plug(nic)
    for nic in stored.values():
        here.wait_status(nic.name, "")
    world.answered(*stored.values())
    assert Counter(here.ports()) == Counter(before | {nic.uid for nic in (*stored.values(), last)})


@contextmanager
def armed(controller: Process, point: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a controller that will die at a point; none that still could is left behind."""
    controller.kill()
    try:
        with monkeypatch.context() as environment:
            environment.setenv("NETCTL_CRASHPOINT", point)
            controller.start()
        yield
    finally:
        controller.kill()


def create_until_it_dies(here: Site, prefix: str) -> tuple[set[str], set[str]]:
    """Create NICs until the controller is dead; return the acknowledged ones, and the one it died with, if any."""
    nics = [Nic(name=f"{prefix}-{n}", subnet="subnets/overlay", host="hosts/h1") for n in range(5)]
    dry_run = network_pb2.CreateNicRequest(nic=nics[0], validate_only=True)
    here.nics.CreateNic(dry_run, timeout=DEADLINE_S, wait_for_ready=True)
    here.wait_written()  # the first pass is over: the next one is that of the NICs
    acknowledged: set[str] = set()
    for nic in nics:
        try:
            here.nics.CreateNic(network_pb2.CreateNicRequest(nic=nic), timeout=DEADLINE_S)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return acknowledged, {nic.name}
        acknowledged.add(nic.name)
    return acknowledged, set()


@pytest.mark.parametrize("point", ["store.before_commit", "store.after_commit"])
def test_the_controller_dies_while_it_takes_its_epoch(
    world: World, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = world.site.lab.process("central", "controller")
    with pytest.raises(Unavailable, match="ended at once"), armed(controller, point, monkeypatch):
        pass
    controller.start()
    world.converges(f"crash at {point} at the start", time.monotonic())


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

    edit(here, nic)
    edited_s = time.monotonic()
    wait_until(lambda: port_row(here, nic) == before, timeout_s=CONVERGE_S, what="repaired")
    note(f"by hand: {edit.__name__} / repaired", f"{time.monotonic() - edited_s:.2f} s")
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
    world.converges("foreign rows", time.monotonic())
    controller = here.lab.process("central", "controller")
    controller.kill()
    controller.start()  # with an empty memory
    world.converges("foreign rows, controller restarted", time.monotonic())
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


def test_nics_that_come_and_go_disturb_nobody_on_a_vlan(world: World) -> None:
    """Ten NICs plugged and removed: nothing lost on the VLAN, nothing leaked anywhere (of tunnels, see above)."""
    here = world.site
    with here.measure(*world.pairs, pps=PPS) as meters:
        made = [here.add(f"churn-{n}", ("vlan", "overlay")[n % 2], "h1") for n in range(10)]
        here.discard(*made)
        settle(here, meters)
    vlan, overlay = (meter.report for meter in meters)
    note("ten NICs come and go / vlan", str(vlan))
    note("ten NICs come and go / overlay", str(overlay))
    assert (vlan.lost, vlan.leaked, overlay.leaked) == (0, 0, 0), f"{vlan}; {overlay}"


def test_a_bond_fails_over_and_a_host_without_uplink_says_so(world: World) -> None:
    """One of two cables pulled: traffic goes on over the other. Both: UPLINK_DOWN. Back: all as before."""
    here, (near, far) = world.site, world.pairs[0]
    fabric = namespaces.fabric_namespace(here.lab.name)
    with here.measure(*world.pairs, pps=PPS) as meters:
        with pulled(fabric, "h1-eth1"):
            for meter in meters:
                meter.wait_for_arrivals(WHILE_DEAD, timeout_s=CONVERGE_S)
        meters[0].wait_for_more(WHILE_DEAD)
    for kind, meter in zip(("vlan", "overlay"), meters, strict=True):
        note(f"one cable of two pulled and put back / {kind}", str(meter.report))
        assert meter.report.leaked == 0
    with pulled(fabric, "h1-eth1", "h1-eth2"):
        here.wait_host("hosts/h1", "UPLINK_DOWN")
        assert not here.ping_once(near, far.ipv4_address)
    here.wait_host("hosts/h1", "")
    for a, b in world.pairs:
        here.wait_ping(a, b.ipv4_address, timeout_s=CONVERGE_S)


@contextmanager
def pulled(fabric: str, *cables: str) -> Iterator[None]:
    """Have cables pulled for a block."""
    try:
        for cable in cables:
            links.set_state(fabric, cable, up=False)
        yield
    finally:
        for cable in cables:
            links.set_state(fabric, cable, up=True)
