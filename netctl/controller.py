"""The controller: the only module that constructs everything and wires it together.

Start: lock and load the store, take the next epoch, start the writer, the northbound replica, the reconciler's loop and
the gRPC server. Stop (SIGTERM, SIGINT): the server drains, then the loop, then the replica and the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.metadata import version

import structlog
from prometheus_client import start_http_server

from netctl.compiler.assignment import AssignmentSettings
from netctl.compute_loops import ComputeHalf, Shared
from netctl.config import ControllerConfig, parse_arguments
from netctl.errors import NetctlError
from netctl.loop import Loop, Pace, Wake
from netctl.model.intent import Restack
from netctl.nb.features import Features, has_network_functions, may_answer_dhcpv6
from netctl.ovsdb.northbound import OvsdbNorthbound
from netctl.ovsdb.southbound import OvsdbSouthbound
from netctl.reconciler.assignments import AssignmentBook, Surroundings
from netctl.reconciler.board import START_GRACE_S, StatusBoard
from netctl.reconciler.learned import Learned
from netctl.reconciler.liveness import Liveness
from netctl.reconciler.metrics import Metrics
from netctl.reconciler.migration import Migration
from netctl.reconciler.reconcile import Reconciler, Settings
from netctl.reconciler.rollouts import Rollouts
from netctl.server.admission import Admission
from netctl.server.group import Sealing
from netctl.server.guest_secrets import check_opens
from netctl.server.image_keeper import ImageKeeper
from netctl.server.image_store import ImageStore
from netctl.server.ports import ControllerInfo, Ports
from netctl.server.requests import Answer, Request
from netctl.server.sealing import VTPM_SECRET, load_seal, new_secret
from netctl.server.serve import serve
from netctl.store.sqlite import SqliteStore

log = structlog.get_logger()
NORTHD_STUCK_S = 10.0
FEATURES_KEPT_S = 5.0
_MIGRATION = "migration"  # the actor of moves, in the change log


class Controller:
    """Owns: every long-lived part, from construction to `close`."""

    def __init__(self, config: ControllerConfig) -> None:
        self._config = config
        config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = SqliteStore(config.state_dir / "netctl.db")
        epoch = self.store.next_epoch()
        self.wake = Wake()
        self.northbound = OvsdbNorthbound(
            config.northbound, owner=self.store.owner, wake=self.wake, options=config.ovn_options
        )
        self.northbound.start()  # a large database takes the server seconds to send; the store is read meanwhile
        self.southbound = OvsdbSouthbound(config.southbound)  # connects when it is first asked
        self._features: Features | None = None
        self._features_until = 0.0
        self.seal = load_seal(config.state_dir / "secrets.key")
        self.admission = self._make_admission()
        self.metrics = Metrics()
        self.board = StatusBoard(self.admission.snapshot)
        self.rollouts = Rollouts(self.board.reports.get)
        self.reconciler = self._make_reconciler(
            Settings(owner=self.store.owner, epoch=epoch, resync_s=config.resync_s)
        )
        self.assignments = self._make_assignments(epoch)
        self.hosts_wake, pace = Wake(), Pace(resync_s=config.resync_s)
        self.migration = Migration(
            self.admission, self._restack, self.board.status, self.hosts_wake, metrics=self.metrics
        )
        self.hosts_loop = Loop("hosts", self._follow_hosts, self.hosts_wake, pace=pace)
        self.compute = self._make_compute(epoch, pace)
        self.loop = Loop("reconciler", self.reconciler.step, self.wake, pace=pace)
        self._set_gauges()
        self.images, self.keeper = self._keep_images()
        self._loops = (self.loop, self.hosts_loop, self.compute.loop)
        self._threads = [_thread_of(loop) for loop in self._loops]
        self._grace = threading.Timer(START_GRACE_S, self.board.note_grace_over)
        self._grace.daemon = True
        self._northd_behind_since: float | None = None
        self._join_hosts()
        log.info(
            "controller", epoch=epoch, owner=self.store.owner, revision=self.admission.snapshot().revision
        )

    def _make_admission(self) -> Admission:
        admission = Admission(
            self.store,
            dhcpv6=self._may_answer_dhcpv6,
            network_functions=self._has_network_functions,
            sealing=Sealing(seal=lambda secret: self.seal.seal(VTPM_SECRET, secret), new_secret=new_secret),
            largest_memory_mib=lambda: self.compute.largest_memory_mib(),
        )
        check_opens(admission.snapshot(), self.seal)
        return admission

    def _keep_images(self) -> tuple[ImageStore, ImageKeeper]:
        images = ImageStore(self._config.state_dir / "images")
        changed = self.board.note_changed
        keeper = ImageKeeper(self.admission, images, changed, import_dir=self._config.import_dir)
        self.board.image_problem = keeper.problem
        return images, keeper

    def _make_assignments(self, epoch: int) -> AssignmentBook:
        return AssignmentBook(
            self.admission,
            AssignmentSettings(ovn_remote=self._config.ovn_remote, epoch=epoch),
            Surroundings(
                observed=lambda: self.reconciler.observed,
                held=self.rollouts.held,
                is_written=self.board.is_written,
            ),
        )

    def _set_gauges(self) -> None:
        self.metrics.queue.set_function(self.admission.waiting)
        self.metrics.store_revision.set_function(lambda: self.admission.snapshot().revision)
        self.metrics.agents.set_function(self.board.reports.connected)

    def _make_compute(self, epoch: int, pace: Pace) -> ComputeHalf:
        shared = Shared(
            admission=self.admission,
            board=self.board,
            reconciler=self.reconciler,
            wake_reconciler=self.wake,
            nb_cfg=lambda: self.northbound.nb_cfg,
            epoch=epoch,
        )
        return ComputeHalf(shared, pace)

    def _join_hosts(self) -> None:
        """Tell passes, assignments, turns and migrations of each other, of intents and of what hosts say."""
        for changed in (self.wake, self.assignments.changed, self.hosts_wake):
            self.admission.on_change(changed)
        self.board.told, self.board.turns = self.assignments.told, self.rollouts.turns
        self.board.on_report(self.rollouts.note_report)
        self.board.on_pass(self.assignments.note_pass)
        self.board.on_status_change(self.hosts_wake)
        self.rollouts.on_turn(self.assignments.changed)
        self.rollouts.on_turn(self.hosts_wake)

    def _restack(self, edit: Restack) -> Future[Answer]:
        return self.admission.submit(
            Request(edits=(edit,), actor=_MIGRATION, reason="its subnet is of that kind")
        )

    def _follow_hosts(self) -> None:
        """Move NICs, and give turns to those who waited for hosts that are away."""
        self.migration.step()
        self.hosts_wake.within(self.rollouts.look())

    def _make_reconciler(self, settings: Settings) -> Reconciler:
        learned = Learned(self.board.reports.get, self.wake)
        liveness = Liveness(
            self.board.reports.get,
            self.wake,
            trust_dhcpv6=self._config.trust_dhcpv6,
            trust_reject=self._config.trust_reject,
            learned=learned,
        )
        self.board.on_report(liveness.note_report)
        self.board.on_report(learned.note_report)
        self.metrics.learned.set_function(lambda: learned.count)
        return Reconciler(
            self.admission, self.northbound, self.board, settings, liveness=liveness, metrics=self.metrics
        )

    def start(self) -> None:
        """Start the writer and the loop."""
        if self._config.trust_dhcpv6:
            log.warning("OVN is trusted with DHCPv6 whatever its version", option="--trust-dhcpv6")
        if self._config.trust_reject:
            log.warning("OVN is trusted with rejecting whatever its version", option="--trust-reject")
        if self._config.metrics_listen:
            host, _, port = self._config.metrics_listen.rpartition(":")
            start_http_server(int(port), addr=host.strip("[]") or "127.0.0.1", registry=self.metrics.registry)
        self.admission.start()
        for thread in self._threads:
            thread.start()
        self._grace.start()
        self.keeper.start()

    def close(self) -> None:
        """Stop everything that `start` and construction began."""
        self._grace.cancel()
        self.keeper.close()
        for loop in self._loops:
            loop.stop()
        self.northbound.close()
        self.southbound.close()
        for thread in self._threads:
            if thread.ident is not None:  # started
                thread.join(timeout=10)
        self.admission.close()
        self.store.close()

    def info(self) -> ControllerInfo:
        """Return the controller's state for operators."""
        problems = [
            text for text in (self.admission.problem(), *(loop.last_error for loop in self._loops)) if text
        ]
        schema = northd = ""
        rows = 0
        try:
            features = self.northbound.features()
            schema, northd = features.schema_version, features.northd_version
            rows = len(self.northbound.owned_rows())
        except NetctlError as error:
            problems.append(error.message)
        ready = self.board.passes.revision >= 0 and not problems
        if self._is_northd_stuck():
            problems.append(f"ovn-northd has worked off nothing for {NORTHD_STUCK_S:g} s; is it running?")
        return ControllerInfo(
            version=version("netctl"),
            northbound_revision=max(0, self.board.passes.revision),
            ready=ready,
            problems=tuple(dict.fromkeys(problems)),
            northbound_schema=schema,
            northd_version=northd,
            passes=self.reconciler.passes,
            rows_owned=rows,
        )

    def _may_answer_dhcpv6(self) -> bool:
        """May this OVN be asked to answer DHCPv6? While it has said nothing, as the operator says."""
        return may_answer_dhcpv6(self._features_now(), trusted=self._config.trust_dhcpv6)

    def _has_network_functions(self) -> bool:
        """Has this OVN network functions? While it has said nothing, it has none."""
        return has_network_functions(self._features_now())

    def _features_now(self) -> Features | None:
        """Return what OVN said last that it can, None before it said anything."""
        now = time.monotonic()
        if (
            now >= self._features_until
        ):  # asked for each group of requests, and OVN changes with its upgrades only
            with contextlib.suppress(NetctlError):
                self._features = self.northbound.features()
                self._features_until = now + FEATURES_KEPT_S
        return self._features

    def _is_northd_stuck(self) -> bool:
        """Is northd behind, and has been for long? A busy one is behind for a moment after every change."""
        if not self.northbound.connected or self.northbound.sb_cfg >= self.northbound.nb_cfg:
            self._northd_behind_since = None
            return False
        now = time.monotonic()
        if self._northd_behind_since is None:
            self._northd_behind_since = now
        return now - self._northd_behind_since >= NORTHD_STUCK_S

    def allow_mass_delete(self, actor: str, reason: str) -> None:
        """Let the next pass delete as much as it wants, and say so in the log."""
        log.warning("mass delete allowed", actor=actor, reason=reason)
        self.reconciler.allow_mass_delete()
        self.wake()

    @property
    def ports(self) -> Ports:
        """What the gRPC surface is wired to."""
        return Ports(
            intents=self.admission,
            changes=self.store,
            statuses=self.board,
            reports=self.board,
            assignments=self.assignments,
            controller=self,
            pending_hosts=self.rollouts.pending_hosts,
            migration=self.migration.state_of,
            owner=self.store.owner,
            southbound=self.southbound,
            observed=lambda: self.reconciler.observed,
            hits_file=self._config.state_dir / "hits.json",
            metrics=self.metrics,
            syslog=self._config.syslog,
            compute_reports=self.compute.book,
            compute_assignments=self.compute.assignments,
            view=self.compute.view,
            queue_position=self.compute.migrations.queue_position,
            seal=self.seal,
            images=self.images,
        )


def _thread_of(loop: Loop) -> threading.Thread:
    return threading.Thread(target=loop.run, name=loop.name, daemon=True)


async def _serve(controller: Controller, listen: Sequence[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await serve(controller.ports, listen)
    controller.start()
    log.info("serving", listen=list(listen))
    await stop.wait()
    await server.stop(grace=2)


def _configure_logging(log_format: str) -> None:
    last = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if log_format == "json" else []),
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _collect_garbage_rarely() -> None:
    """Snapshots and rows are millions of objects that live long and form no cycles.

    With Python's defaults the collector walks them all again and again: loading 100,000 NICs took three times as long.
    """
    gc.set_threshold(200_000, 50, 1000)


def _complain(text: str) -> None:
    """Say why it ends, in one write: parts that still run say something, too, and not in the middle of a line."""
    sys.stderr.write(f"netctl-controller: {text}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a controller until it is told to stop; status 1 and one line when it cannot start."""
    config = parse_arguments(argv)
    _configure_logging(config.log_format)
    _collect_garbage_rarely()
    try:
        controller = Controller(config)
    except NetctlError as error:
        _complain(error.message)
        return 1
    failure = ""
    try:
        asyncio.run(_serve(controller, config.listen))
    except NetctlError as error:
        failure = error.message
    finally:
        controller.close()
    if failure:  # last, below what the parts say as they end
        _complain(failure)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
