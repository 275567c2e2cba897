"""reconcile: one pass makes the northbound database equal to the intents, in one transaction.

    desired = compile(snapshot); delta = diff(desired, actual); apply(delta)

Level-triggered: `step` reads the world anew each time it is woken, and compares everything every `resync_s`. What it
keeps between passes are the desired facts (a property test holds them equal to a full compilation) and what is not
written yet; a restart finds both again.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass

import structlog

from netctl.compiler.dependents import depth, hanging_on
from netctl.compiler.observed import Observed
from netctl.crashpoints import crashpoint
from netctl.errors import NetctlError, Rejected
from netctl.loop import Clock, Wake
from netctl.model.keys import Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.nb.features import Features, check_supported
from netctl.nb.rows import Delta, FactKey, Rows
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.desired import DesiredFacts
from netctl.reconciler.guard import refusal, unexplained_deletes
from netctl.reconciler.liveness import Liveness
from netctl.reconciler.metrics import Metrics
from netctl.reconciler.poison import Poison, group_by_intent, isolate
from netctl.reconciler.ports import IntentSource, Northbound

log = structlog.get_logger()
# Kinds of intents whose status may change with that of others: of them the board is told.
_CONCERNED = frozenset({Kind.VPC, Kind.FLOATING_IP, Kind.ROUTE, Kind.ROUTING_POLICY, Kind.SECURITY_POLICY})


class Held(NetctlError):
    """A guard holds the pass until an operator acts; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`owner`: whose rows are ours. `epoch`: of this controller's start.

    Seconds: between full comparisons; to wait for northd before a pass, for the replica before the first one.
    """

    owner: str
    epoch: int
    resync_s: float = 30.0
    northd_wait_s: float = 1.0
    first_sync_s: float = 5.0


class Reconciler:
    """Owns: the desired facts, which of them are not yet written, which intents are poison."""

    def __init__(
        self,
        source: IntentSource,
        northbound: Northbound,
        board: StatusBoard,
        settings: Settings,
        *,
        liveness: Liveness | None = None,
        metrics: Metrics | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._source = source
        self._northbound = northbound
        self._board = board
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._clock = clock
        self._liveness = liveness or Liveness(board.reports.get, Wake(), clock=clock)
        self._features: Features | None = None
        self._desired = DesiredFacts(settings.owner)
        self._pending: set[FactKey] | None = None  # not known to be equal; None: all
        self._explained: set[Key] = (
            set()
        )  # intents that changed, by the log, or read what did, until it is written
        self._poison: dict[Key, Poison] = {}
        self._poison_facts: set[FactKey] = set()
        self._last_full_s = float("-inf")
        self._last_cfg = 0
        self._compiled = False
        self._mass_delete_allowed = threading.Event()
        self._asks = itertools.count(1)
        self._asked, self._raised = (
            0,
            (0, 0),
        )  # the last ask for an nb_cfg; the last that was done, and which it got
        self.passes = 0

    @property
    def observed(self) -> Observed:
        """What the desired facts were compiled with last."""
        return self._desired.observed

    def allow_mass_delete(self) -> None:
        """Let the next pass delete as much as it wants; any thread."""
        self._mass_delete_allowed.set()

    def raise_cfg(self) -> int:
        """Ask for a pass that raises nb_cfg, also with nothing to write; return what `raised_cfg` takes. Any thread.

        What hosts bound before they install by then: an older nb_cfg says nothing of it.
        """
        self._asked = next(self._asks)
        return self._asked

    def raised_cfg(self, asked: int) -> int | None:
        """Return the nb_cfg that was raised after that was asked, None as long as none was."""
        done, nb_cfg = self._raised
        return nb_cfg if done >= asked else None

    def step(self) -> None:
        """Run one pass; raises what keeps it from being done."""
        started = self._clock()
        self.passes += 1
        try:
            self._pass(started)
        except NetctlError as error:
            self._metrics.passes.labels("held" if isinstance(error, Held) else "failed").inc()
            self._metrics.held.set(isinstance(error, Held))
            self._board.note_held(error.message)
            raise
        self._metrics.passes.labels("ok").inc()
        self._metrics.held.set(0)
        self._metrics.pass_seconds.observe(self._clock() - started)

    def _pass(self, now: float) -> None:
        if not self._compiled:
            self._compile(full=True)  # everything is pending; meanwhile the replica is still being read
            self._northbound.wait_in_sync(
                self._settings.first_sync_s
            )  # sooner than the back-off would look again
        self._features = self._northbound.features()
        check_supported(self._features)
        self._await_northd()
        full = now - self._last_full_s >= self._settings.resync_s
        actual_changed = self._northbound.take_changed()
        snapshot, touched = self._compile(full)
        if full or actual_changed is None or self._pending is None:
            self._pending = None
        else:
            self._pending |= touched | actual_changed
        asked = self._asked
        nb_cfg = self._write(snapshot, raise_cfg=asked > self._raised[0])
        self._raised = (asked, nb_cfg) if asked > self._raised[0] else self._raised
        self._pending = set()
        self._explained.clear()
        if full:
            self._last_full_s = now
        self._note(snapshot, nb_cfg)

    def _await_northd(self) -> None:
        """Let northd work off the last pass first: on OVN 23.03 it is the bottleneck, and coalescing is the cure."""
        if self._last_cfg and self._northbound.sb_cfg < self._last_cfg:
            started = self._clock()
            self._northbound.wait_northd(self._last_cfg, self._settings.northd_wait_s)
            self._metrics.northd_seconds.observe(self._clock() - started)
        self._board.note_northd(self._northbound.sb_cfg)

    def _compile(self, full: bool) -> tuple[Snapshot, set[FactKey]]:
        snapshot = self._source.snapshot()
        changed = self._source.changed_since(self._desired.revision) if self._compiled else None
        actual = self._northbound.owned_rows() if self._features is not None else None
        observed = self._liveness.look(snapshot, self._features, actual)
        touched = self._desired.update(snapshot, changed, observed)
        if not self._desired.everything:
            self._explained |= self._desired.recompiled
        self._compiled = True
        self._lift_poison(snapshot, full)
        return snapshot, touched

    def _lift_poison(self, snapshot: Snapshot, full: bool) -> None:
        """Try an intent again when it changed, and every resync."""
        for key, poison in list(self._poison.items()):
            intent = snapshot.get(key)
            if full or intent is None or intent.meta.revision != poison.revision:
                del self._poison[key]
                if self._pending is not None:
                    self._pending |= self._frozen_facts(snapshot, key)
        self._poison_facts = set()
        for key in self._poison:
            self._poison_facts |= self._frozen_facts(snapshot, key)

    def _frozen_facts(self, snapshot: Snapshot, key: Key) -> set[FactKey]:
        return {fact for other in hanging_on(snapshot, key) for fact in self._desired.facts_of(other)}

    def _write(self, snapshot: Snapshot, *, raise_cfg: bool) -> int:
        """Apply the delta; return the nb_cfg at which the northbound database equals the snapshot."""
        actual = self._northbound.owned_rows()
        delta = self._diff(actual)
        self._metrics.rows_owned.set(len(actual))
        if not delta and raise_cfg:
            nb_cfg = self._last_cfg = self._northbound.bump(self._settings.epoch)
            return nb_cfg
        if not delta:
            if self._pending is not None:
                return self._northbound.nb_cfg
            # Everything was compared. What is not a row of ours, the settings of OVN itself, is compared here.
            return self._northbound.apply(delta, epoch=self._settings.epoch)
        self._guard(delta, actual)
        try:
            nb_cfg = self._apply(delta)
        except Rejected as error:
            log.warning("transaction refused; looking for the intent", error=error.message)
            nb_cfg = self._apply_apart(snapshot, delta)
        self._last_cfg = nb_cfg
        return nb_cfg

    def _diff(self, actual: Rows) -> Delta:
        facts = self._desired.facts
        keys = self._pending
        if self._poison_facts:
            everything = {*facts, *actual} if keys is None else keys
            keys = everything - self._poison_facts
        return diff(facts, actual, keys)

    def _guard(self, delta: Delta, actual: Rows) -> None:
        if self._mass_delete_allowed.is_set():
            self._mass_delete_allowed.clear()
            return
        reason = refusal(unexplained_deletes(delta, actual, self._explained), len(actual))
        if reason:
            raise Held(reason)

    def _apply(self, delta: Delta) -> int:
        crashpoint("northbound.before_apply")
        started = self._clock()
        nb_cfg = self._northbound.apply(delta, epoch=self._settings.epoch)
        crashpoint("northbound.after_apply")
        self._metrics.apply_seconds.observe(self._clock() - started)
        self._metrics.facts_changed.inc(len(delta))
        return nb_cfg

    def _apply_apart(self, snapshot: Snapshot, delta: Delta) -> int:
        parts = group_by_intent(delta, self._desired.intent_of)
        nb_cfg, refused = isolate(parts, self._apply, lambda key: _order(snapshot, key))
        for key, message in refused.items():
            intent = snapshot.get(key) if key is not None else None
            if key is None or intent is None:  # nothing to hang a status on: the whole pass fails loudly
                raise Rejected(message)
            self._poison[key] = Poison(revision=intent.meta.revision, message=message)
            for dependent in list(hanging_on(snapshot, key))[1:]:
                self._poison.setdefault(dependent, self._behind(snapshot, dependent, key))
        return nb_cfg or self._northbound.nb_cfg

    @staticmethod
    def _behind(snapshot: Snapshot, key: Key, cause: Key) -> Poison:
        intent = snapshot.get(key)
        revision = intent.meta.revision if intent is not None else 0
        return Poison(revision=revision, message=f"OVN refuses {cause[0].value}/{cause[1]}, which it is on")

    def _note(self, snapshot: Snapshot, nb_cfg: int) -> None:
        concerned = [key for key in self._desired.recompiled if key[0] in _CONCERNED]
        self._board.note_pass(
            snapshot.revision, nb_cfg, self._poison, observed=self.observed, concerned=concerned
        )
        self._metrics.northbound_revision.set(snapshot.revision)
        self._metrics.poisoned.set(len(self._poison))


def _order(snapshot: Snapshot, key: Key | None) -> int:
    """What goes first frees names; then what others' rows stand in."""
    return 0 if key is None else depth(snapshot, key)
