"""The whole control path as a state machine: random verbs and faults, then the promises.

Admission on a store, passes on a northbound database: the fake at speed, and a real ovsdb-server. The model is a
dictionary that knows only what was acknowledged. After any run: the store holds exactly that, no address is used twice,
the database holds exactly what the intents compile to, foreign things are untouched, and a second pass writes nothing.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from netctl.compiler.compile import compile_rows
from netctl.errors import InUse, NetctlError, NorthboundUnavailable
from netctl.loop import wait_until
from netctl.model.infra import Cluster, Host, Uplink, VirtualSwitch
from netctl.model.intent import Create, Edit, Intent, Remove, Replace, key_of
from netctl.model.keys import ClusterId, HostId, Key, Kind, NicId, SubnetId, VirtualSwitchId
from netctl.model.nic import Nic
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.nb.diff import diff
from netctl.nb.rows import Row
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.liveness import Liveness
from netctl.reconciler.reconcile import Reconciler, Settings
from netctl.server.admission import Admission
from netctl.server.requests import Request
from tests.fakes.northbound import FakeNorthbound
from tests.fakes.store import FakeStore
from tests.functional.ovsdb.subjects import OWNER, Subject, fake_subject, real_subject

HOSTS = st.sampled_from(["h1", "h2", ""])
NUMBERS = st.integers(1, 4)  # few, so that edits meet


def uplink() -> tuple[Uplink, ...]:
    return (Uplink(virtual_switch=VirtualSwitchId("vs0"), interfaces=("eth1",)),)


class Machine(RuleBasedStateMachine):
    """Owns one installation; `subject` says on which northbound."""

    subject: Callable[[Path], AbstractContextManager[Subject]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="netctl-machine-")))
        self.world = self.stack.enter_context(type(self).subject(folder))
        self.store = FakeStore()
        self.epoch = 0
        self.now = 0.0
        self.model: dict[Key, Intent] = {}
        self.foreign = 0
        self.start_controller()

    def teardown(self) -> None:
        """Hold the promises, whatever came last."""
        try:
            self.settle()
        finally:
            self.admission.close()
            self.stack.close()

    def start_controller(self) -> None:
        """Start with an empty memory: store, epoch, desired rows."""
        self.epoch += 1
        self.admission = Admission(self.store)
        self.admission.start()
        board = StatusBoard(self.admission.snapshot)
        self.reconciler = Reconciler(
            self.admission,
            self.world.northbound,
            board,
            Settings(owner=OWNER, epoch=self.epoch, northd_wait_s=0),
            liveness=self.make_liveness(board),
            clock=lambda: self.now,
        )

    def make_liveness(self, _board: StatusBoard) -> Liveness | None:
        """Return what observes; None observes that all is well."""
        return None

    def ask(self, *edits: Edit) -> None:
        """Submit edits; the model learns what was acknowledged."""
        answer = self.admission.submit(Request(edits=edits)).result(timeout=10)
        for done in answer.results:
            if done.after is None:
                del self.model[done.key]
            else:
                self.model[done.key] = done.after

    @initialize()
    def build(self) -> None:
        """Two hosts of one cluster."""
        cluster = ClusterId("c1")
        hosts = [
            Host(id=HostId(f"h{n}"), cluster=cluster, tunnel_address=f"192.0.2.{n}/24", uplinks=uplink())
            for n in (1, 2)
        ]
        switch = VirtualSwitch(id=VirtualSwitchId("vs0"), cluster=cluster)
        intents: list[Intent] = [Cluster(id=cluster), switch, *hosts]
        self.ask(*(Create(intent=intent) for intent in intents))
        for number in (1, 2):
            self.create_subnet(number, vlan=number == 1)

    @rule(number=NUMBERS, vlan=st.booleans())
    def create_subnet(self, number: int, vlan: bool) -> None:
        where: dict[str, Any] = {"kind": SubnetKind.OVERLAY, "clusters": (ClusterId("c1"),)}
        if vlan:
            where = {
                "kind": SubnetKind.VLAN,
                "virtual_switches": (VirtualSwitchId("vs0"),),
                "vlan_id": number,
            }
        cidr = IpConfig(version=4, cidr=f"10.0.{number}.0/29")
        self.try_to(Create(intent=Subnet(id=SubnetId(f"s{number}"), ipv4=cidr, **where)))

    @rule(number=NUMBERS, subnet=NUMBERS, host=HOSTS, static=st.sampled_from(["", "3", "9"]))
    def create_nic(self, number: int, subnet: int, host: str, static: str) -> None:
        address = f"10.0.{subnet}.{static}" if static else ""
        nic = Nic(
            id=NicId(f"n{number}"), subnet=SubnetId(f"s{subnet}"), host=HostId(host), ipv4_address=address
        )
        self.try_to(Create(intent=nic))

    @rule(number=NUMBERS, host=HOSTS, connected=st.booleans(), security=st.booleans())
    def change_nic(self, number: int, host: str, connected: bool, security: bool) -> None:
        nic = self.model.get((Kind.NIC, f"n{number}"))
        if isinstance(nic, Nic):
            changed = replace(nic, host=HostId(host), connected=connected, port_security=security)
            self.try_to(Replace(intent=changed))

    @rule(number=NUMBERS, kind=st.sampled_from([Kind.NIC, Kind.SUBNET]))
    def remove(self, number: int, kind: Kind) -> None:
        key = kind, f"{'n' if kind is Kind.NIC else 's'}{number}"
        used = self.users(key)
        named: set[str] = set()
        try:
            self.ask(Remove(key=key))
        except InUse as error:
            named = set(error.dependents)
        except NetctlError:
            used = set()
            assert key not in self.model
        assert named == used

    def users(self, key: Key) -> set[str]:
        """Return the names of what needs an intent."""
        nics = (i for i in self.model.values() if isinstance(i, Nic) and (Kind.SUBNET, i.subnet) == key)
        return {f"nics/{nic.id}" for nic in nics}

    @rule(number=NUMBERS, subnet=NUMBERS)
    def half_a_batch(self, number: int, subnet: int) -> None:
        """A batch whose last edit is refused leaves nothing."""
        good = Nic(id=NicId(f"n{number}"), subnet=SubnetId(f"s{subnet}"))
        bad = Nic(id=NicId("bad"), subnet=SubnetId("nowhere"))
        with contextlib.suppress(NetctlError):
            self.ask(Create(intent=good), Create(intent=bad))
            raise AssertionError("a NIC on no subnet was admitted")

    @rule()
    def a_pass(self) -> None:
        with contextlib.suppress(NorthboundUnavailable):
            self.reconciler.step()

    @rule()
    def kill_the_controller(self) -> None:
        self.admission.close()
        self.start_controller()

    @rule(after=st.booleans())
    @precondition(lambda self: isinstance(self.world.northbound, FakeNorthbound))
    def a_transaction_breaks(self, after: bool) -> None:
        self.world.northbound.fail_next_apply(after_commit=after)  # type: ignore[union-attr]

    @rule(pick=st.randoms(use_true_random=False))
    def a_hand_edits_our_rows(self, pick: Any) -> None:
        self.world.northbound.take_changed()
        rows = sorted(
            fact.uuid
            for fact in self.world.northbound.owned_rows().values()
            if isinstance(fact, Row) and fact.table == "Logical_Switch_Port"
        )
        if rows:
            values = {"addresses": frozenset({"unknown"}), "port_security": frozenset[str]()}
            self.world.hands.hand_update("Logical_Switch_Port", pick.choice(rows), values)

    @rule()
    def a_foreign_switch_comes(self) -> None:
        self.foreign += 1
        uuid = f"00000000-0000-4000-8000-{self.foreign:012d}"
        self.world.hands.hand_insert("Logical_Switch", uuid, {"name": "theirs"})

    def try_to(self, edit: Edit) -> None:
        """Ask for what may be refused; the model says nothing of why."""
        with contextlib.suppress(NetctlError):
            self.ask(edit)

    def settle(self) -> None:
        """Let the controller come to rest, then hold every promise."""
        northbound = self.world.northbound

        def equal() -> bool:
            self.now += 60  # a full comparison
            self.a_pass()
            northbound.take_changed()
            want = compile_rows(self.admission.snapshot(), OWNER, self.reconciler.observed)
            return not diff(want, northbound.owned_rows())

        wait_until(equal, timeout_s=10, what="the database equals the intents", poll_s=0.005)
        cfg = northbound.nb_cfg
        self.now += 60
        self.reconciler.step()
        assert northbound.nb_cfg == cfg, "a second pass wrote"
        self.check_store()
        for number in range(1, self.foreign + 1):
            row = self.world.hands.read_row("Logical_Switch", f"00000000-0000-4000-8000-{number:012d}")
            assert row is not None
            assert row["name"] == "theirs"

    def check_store(self) -> None:
        """The store holds what was acknowledged, and nothing is used twice."""
        stored = {key_of(intent): intent for intent in self.store.load().intents}
        assert stored == self.model
        snapshot = self.admission.snapshot()
        assert {key: snapshot.get(key) for key in snapshot.keys()} == stored  # noqa: SIM118
        nics = [intent for intent in stored.values() if isinstance(intent, Nic)]
        for values in (
            [(nic.subnet, nic.ipv4_address) for nic in nics if nic.has_subnet],
            [nic.mac_address for nic in nics],
            [nic.tap_name for nic in nics],
            [intent.vni for intent in stored.values() if isinstance(intent, Subnet)],
        ):
            assert len(values) == len(set(values))


class OnFake(Machine):
    """At speed."""

    subject = staticmethod(fake_subject)


class OnServer(Machine):
    """On a real ovsdb-server."""

    subject = staticmethod(real_subject)


HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much]
TestOnFake = OnFake.TestCase
TestOnFake.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=HEALTH
)
TestOnServer = OnServer.TestCase
TestOnServer.settings = settings(
    max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=HEALTH
)
