"""Live migration over every kind of network: what moves with a guest, and who never gets to it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from netctl.lab.processes import Process
from netctl.loop import wait_until
from netctl.v1 import compute_pb2
from tests.e2e import security, vm_networks, vpcs
from tests.e2e.figures import note
from tests.e2e.migrations import FORGOTTEN_MS, back_and_forth, summary
from tests.e2e.probes import Probes, Station
from tests.e2e.test_vm_migration import SETTLED_S, placed_once
from tests.e2e.vm_networks import Strangers, learned_ports
from tests.e2e.vms import DONE, FAILED, OUTSIDE, RUNNING, Vm, Vms, gone_afterwards

UPLINK = "eth1"
PERIOD_MS = 40  # a dozen and a half stations ask one guest without hardware's help
ECHO, CLOSED = 7, 9  # UDP: the guest answers on the one, and counts what comes to the other
GUARDED, FRIEND = "categories/guarded-vm", "categories/friend-of-vm"


@pytest.fixture(autouse=True)
def _emptied(vms: Vms) -> Iterator[None]:
    with gone_afterwards(vms):
        yield


def test_every_kind_of_network_moves_with_its_guest(vms: Vms) -> None:
    with vm_networks.crossing(vms) as made:
        before = made.addresses()
        moves = []
        with Probes(made.stations(), period_ms=PERIOD_MS) as probes:
            for back, there in (("h1", "h2"), ("h2", "h1")):
                moves += back_and_forth(vms, made.vm.name, probes, (back, there), 1)
                print(moves[-1])
                wait_until(made.answers_floating, timeout_s=10, what="its floating IP answers")
                for kind, (vlan_id, mac) in made.places().items():
                    assert learned_ports(vms.site, back, vlan_id, mac) == [UPLINK], (kind, there)
                    assert UPLINK not in learned_ports(vms.site, there, vlan_id, mac), (kind, there)
        note("live migration on every network", summary(moves))
        assert made.addresses() == before
        for move in moves:
            assert not move.seen.broken, move
            assert move.gap_ms <= FORGOTTEN_MS, str(move)
        for kind in ("vlan", "basic", "vpc", "chained"):  # leases are answered where it is now
            mac = made.nics[kind].mac_address
            script = f"udhcpc -i $(nics | awk '/{mac}/ {{print $1}}') -n -q -t 5 -T 1 -s /bin/true 2>&1"
            assert f"lease of {before[kind]} obtained" in vms.ask(made.vm.name, script, timeout_s=10), kind


def test_who_may_not_reach_it_never_does_while_it_moves(vms: Vms) -> None:
    with guarded(vms) as (vm, friend, strangers_at, lift):
        with Probes({"friend": friend}) as probes, Strangers(strangers_at, (ECHO, CLOSED)) as strangers:
            moves = back_and_forth(vms, vm.name, probes, ("h1", "h2"), 4)
        assert reached(vms, vm.name) == 0, "what no rule allows came to the guest"
        assert strangers.answered == {}
        assert all(move.seen.stations["friend"].answered for move in moves)
        assert not any(move.seen.broken for move in moves)
        note("policy over 4 migrations", f"0 of {strangers.sent} packets of strangers leaked")
        lift()
        with Strangers(strangers_at, (ECHO, CLOSED)) as strangers:
            wait_until(
                lambda: reached(vms, vm.name) > 0, timeout_s=10, what="without it, strangers get there"
            )
            wait_until(
                lambda: len(strangers.answered) == len(strangers_at), timeout_s=10, what="all are answered"
            )


@contextmanager
def guarded(vms: Vms) -> Iterator[tuple[Vm, Station, dict[str, Station], Callable[[], None]]]:
    """Have a machine that answers its friend alone, and web requests; `lift` ends the policy."""
    site = vms.site
    rules = [
        security.rule("friends", security.IN, security.udp(ECHO), security.tcp(ECHO), peers=[FRIEND]),
        security.rule("asked", security.IN, security.tcp(80)),
    ]
    policy = security.policy("application", "guarded-vm", [GUARDED], *rules)
    site.apply(*(security.category(name.rpartition("/")[2]) for name in (GUARDED, FRIEND)), policy)
    with ExitStack() as undo:
        undo.callback(site.remove, GUARDED, FRIEND)
        undo.callback(vms.remove, "vms/guarded")
        lifted = undo.enter_context(ExitStack())
        lifted.callback(site.remove, policy.name)
        nic = vpcs.nic("friend", "vlan", "h3")
        nic.categories.append(FRIEND)
        friend = site.create_nic(nic)
        undo.callback(site.discard, friend)
        site.plug(friend)
        foes = {host: site.add(f"foe-{host}", "vlan", host) for host in vm_networks.HOSTS}
        undo.callback(site.discard, *foes.values())
        vm = vms.create("guarded", host="h1", vm=Vm(categories=[GUARDED]))
        vms.wait_booted(vm.name)
        site.settle_datapaths()
        places = {host: vms.station(nic, vm.name) for host, nic in foes.items()}
        places[OUTSIDE] = vms.outside(vm.name)

        def lift() -> None:
            lifted.close()
            site.settle_datapaths()

        yield vm, vms.station(friend, vm.name), places, lift


def reached(vms: Vms, name: str) -> int:
    """Return how many datagrams came to a port of the guest on which nobody listens."""
    script = (
        "awk '/^Udp:/ {last = $3} END {print last}' /proc/net/snmp; awk '/^Udp:/ {print $3}' /proc/net/snmp"
    )
    return int(vms.ask(name, script).split()[-1])


def test_controller_killed_as_a_migration_enters_a_stage(vms: Vms) -> None:
    vm = vms.create("crossed", host="h1")
    vms.wait_booted(vm.name)
    boot = vms.boot_id(vm.name)
    for number, stage in enumerate(("preparing", "binding", "settling", "cleaning")):
        there = ("h2", "h1")[number % 2]
        name = died_at(vms, vm.name, there, f"migration.{stage}")
        began_s = time.monotonic()
        migration = vms.wait_migration(name, DONE, FAILED, timeout_s=SETTLED_S)
        note(f"controller killed in {stage}", f"settled {time.monotonic() - began_s:.1f} s after it is back")
        assert migration.stage == DONE, migration
        assert placed_once(vms, vm, migration) == there
    assert vms.boot_id(vm.name) == boot


def died_at(vms: Vms, vm: str, there: str, point: str) -> str:
    """Migrate a machine with a controller that dies at a crash point and comes back; return the migration's name."""
    controller = vms.site.lab.process("central", "controller")
    controller.stop()
    environment = {**controller.daemon.environment, "NETCTL_CRASHPOINT": point}
    dying = Process(replace(controller.daemon, environment=environment))
    dying.start()
    try:
        name = vms.migrate(vm, there)
        wait_until(lambda: not dying.pid(), timeout_s=30, what=f"the controller died at {point}")
    finally:
        dying.stop()
        controller.start()
    return name


def test_what_a_migration_would_miss_is_said_before_it_starts(vms: Vms) -> None:
    vm = vms.create("picky", host="h1", vm=Vm(affinity_hosts=["hosts/h1", "hosts/h2"]))
    vms.wait_state(vm.name, RUNNING)
    wait_until(lambda: refused(vms, vm.name, "h2") == {}, timeout_s=20, what="h2 is well")
    assert "AFFINITY" in refused(vms, vm.name, "h3")
    vms.maintenance("h2", on=True)
    try:
        assert "maintenance" in refused(vms, vm.name, "h2")["HOST"]
        failed = vms.wait_migration(vms.migrate(vm.name, "h2"), DONE, FAILED)
        assert failed.failure == "PREFLIGHT"
        assert "HOST" in failed.failure_message
        assert [step.stage for step in failed.steps][-1] == FAILED
    finally:
        vms.maintenance("h2", on=False)
    vms.site.lab.link("h2:eth1", "down")
    try:
        wait_until(
            lambda: "carrier" in refused(vms, vm.name, "h2").get("VLANS", ""), timeout_s=20, what="no uplink"
        )
    finally:
        vms.site.lab.link("h2:eth1", "up")
    with compute_agent_with(vms, "h2", "--reserved-memory-mib", "100000000"):
        wait_until(lambda: "MEMORY" in refused(vms, vm.name, "h2"), timeout_s=20, what="no memory")
    wait_until(lambda: refused(vms, vm.name, "h2") == {}, timeout_s=20, what="h2 is well again")
    assert vms.moved(vm.name, "h2").stage == DONE


def refused(vms: Vms, vm: str, host: str) -> dict[str, str]:
    """Rehearse a migration; return what would stop it."""
    request = compute_pb2.RehearseMigrationRequest(vm=vm, destination=f"hosts/{host}")
    found = vms.vms.RehearseMigration(request, timeout=10)
    stops = {one.check: one.message for one in found.checks if not one.ok and not one.warning}
    assert found.ok == (not stops)
    return stops


@contextmanager
def compute_agent_with(vms: Vms, host: str, *options: str) -> Iterator[None]:
    """Have the compute agent of a host run with more options."""
    agent = vms.site.lab.process(host, "compute-agent")
    agent.stop()
    Process(replace(agent.daemon, argv=(*agent.daemon.argv, *options))).start()
    try:
        yield
    finally:
        agent.stop()
        agent.start()
