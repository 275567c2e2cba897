"""netctl-compute-agent: the composition root, the only module that makes everything.

    netctl-compute-agent --host-id h1 --controller 192.0.2.1:6650 --migration-address tcp://192.0.2.11

Runs in the host's network namespace until SIGTERM. libvirt's events, work that is done and a new assignment only wake
the loop; it also runs every 10 s by itself. Ending it, in whatever way, changes nothing for guests.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from netctl.errors import HostUnavailable
from netctl.loop import Loop, Pace, Wake
from netctl_compute.agent import Agent, Controller, Memory
from netctl_compute.assignment import ComputeAssignment
from netctl_compute.capacity import CapacitySettings, HypervisorFacts, read_capacity
from netctl_compute.controller_client import ControllerClient
from netctl_compute.gpus import Devices
from netctl_compute.host import Host, Parts
from netctl_compute.libvirt_connection import LibvirtConnection
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.libvirt_migration import LibvirtMigration
from netctl_compute.migration_jobs import MigrationJobs
from netctl_compute.reported import HostCapacity
from netctl_compute.round_trips import RoundTrips
from netctl_compute.saved_assignment import SavedAssignment
from netctl_compute.saved_orders import SavedOrders
from netctl_compute.saved_records import SavedRecords
from netctl_compute.saved_store import open_store
from netctl_compute.serial_logs import SerialLogs
from netctl_compute.settings import Settings
from netctl_compute.storage import Places, Storage
from netctl_compute.store import Store
from netctl_compute.taps import Taps, has_kernel_datapath
from netctl_compute.tpm import TpmStates

log = structlog.get_logger()

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What libvirt knows of this host, asked when it is needed: libvirtd may come after the agent."""

    driver: LibvirtDriver
    store: Store
    options: argparse.Namespace
    tap_offloads: bool

    def settings(self) -> Settings:
        """Return what all domains have in common."""
        domain_type = self.options.domain_type
        if domain_type == "auto":
            domain_type, _ = self.driver.read_facts(domain_type)
        return Settings(
            domain_type=domain_type,
            arch=os.uname().machine,
            console_listen=self.options.console_listen,
            tap_offloads=self.tap_offloads,
        )

    def capacity(self) -> HostCapacity:
        """Return what the host can carry; nothing of what libvirt cannot tell now."""
        facts: HypervisorFacts | None = None
        domain_type = ""
        with suppress(HostUnavailable):  # not told yet: nothing is placed here until it is
            domain_type, facts = self.driver.read_facts(self.options.domain_type)
        settings = CapacitySettings(
            migration_address=self.options.migration_address,
            domain_type=domain_type,
            reserved_memory_mib=self.options.reserved_memory_mib,
            firmware=self.options.firmware_dir,
        )
        return read_capacity(self.store, facts, settings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the agent."""
    options = _parse(arguments)
    wake = Wake()
    file = SavedAssignment(options.state_dir)
    client = ControllerClient(options.controller, options.host_id, _load(file, options.host_id), wake)
    driver = LibvirtDriver(options.libvirt, wake)
    # Not the driver's: a copy is a call for minutes, beside which no other is to be lost with the connection.
    copying = LibvirtConnection(options.libvirt)
    jobs = MigrationJobs(LibvirtMigration(copying), SavedOrders(options.state_dir), wake)
    store = open_store(options.store, options.host_id, options.state_dir)
    storage = Storage(
        Places(store=store, seeds=options.run_dir / "seeds", firmware=options.firmware_dir), client, wake
    )
    taps = Taps()
    offloads = has_kernel_datapath() if options.tap_offloads == "auto" else options.tap_offloads == "on"
    facts = _Facts(driver, store, options, offloads)
    parts = Parts(
        hypervisor=driver,
        taps=taps,
        storage=storage,
        tpm_states=TpmStates(options.tpm_dir),
        migrations=jobs,
        serial_logs=SerialLogs(options.state_dir, Settings().serial_log_bytes),
        devices=Devices(Path("/sys")),
        capacity=facts.capacity,
        measure=RoundTrips(wake).measure,
    )
    memory = Memory(
        assignment=file, records=SavedRecords(options.state_dir), boot_id=_BOOT_ID.read_text().strip()
    )
    controller = Controller(latest=client.latest, offer=client.offer)
    agent = Agent(options.host_id, Host(parts, facts.settings), controller, memory, within=wake.within)
    try:
        _run(agent, client, wake)
    finally:
        jobs.close()
        storage.stop()
        taps.close()
        driver.close()
        copying.close()


def _load(file: SavedAssignment, host_id: str) -> ComputeAssignment | None:
    saved = file.load()
    if saved is not None and saved.host != host_id:
        log.error("saved assignment is another host's, ignored", host=saved.host)
        return None
    return saved


def _run(agent: Agent, client: ControllerClient, wake: Wake) -> None:
    loop = Loop("compute", agent.step, wake, pace=Pace(resync_s=10.0))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: loop.stop())
    client.start()
    log.info("compute agent runs")
    try:
        loop.run()
    finally:
        client.close()
    log.info("compute agent ended")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="netctl-compute-agent",
        description="Make this host's libvirt equal to what the controller assigned.",
    )
    add = parser.add_argument
    add("--host-id", required=True, help="the ID in hosts/ID")
    add("--controller", required=True, help="gRPC address: HOST:PORT or unix:/path")
    add("--libvirt", default="qemu:///system", help="connection URI (default: %(default)s)")
    _add_places(parser)
    add("--migration-address", default="", help="where other hosts migrate to: tcp://ADDRESS or tls://NAME")
    add(
        "--reserved-memory-mib",
        type=int,
        help="kept for the host itself (default: 3.5 GiB and 2.2 %% of its memory)",
    )
    add("--domain-type", choices=("auto", "kvm", "qemu"), default="auto", help="qemu is emulation (TCG)")
    add("--console-listen", default="127.0.0.1", metavar="IP", help="where consoles (VNC) listen")
    add(
        "--tap-offloads",
        choices=("auto", "on", "off"),
        default="auto",
        help="guests leave checksums to the host: off where Open vSwitch forwards in userspace",
    )
    return parser.parse_args(arguments)


def _add_places(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--store",
        type=Path,
        default=Path("/var/lib/netctl-store"),
        help="disks and images; may be shared by hosts",
    )
    add(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/netctl-compute-agent"),
        help="keeps the last assignment without secrets, what ran, and serial logs",
    )
    add(
        "--run-dir",
        type=Path,
        default=Path("/run/netctl-compute-agent"),
        help="seeds; in memory, gone with the host",
    )
    add("--tpm-dir", type=Path, default=Path("/var/lib/libvirt/swtpm"), help="where libvirt keeps vTPMs")
    add("--firmware-dir", type=Path, default=Path("/usr/share/OVMF"), help="where UEFI firmware is")


if __name__ == "__main__":
    main()
