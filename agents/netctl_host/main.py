"""netctl-host-agent: the composition root, the only module that makes everything.

    netctl-host-agent --host-id h1 --controller 192.0.2.1:6650

Runs in the host's network namespace until SIGTERM. Netlink, OVSDB and a new assignment only wake the loop; it also
runs every 10 s by itself. Ending it, in whatever way, changes nothing on the host.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path

import structlog

from netctl.loop import Loop, Pace, Wake
from netctl_host.acl_log_file import AclLogFollower
from netctl_host.agent import Agent, Controller, Memory
from netctl_host.controller_client import ControllerClient
from netctl_host.flow_counts import FlowCounter
from netctl_host.host import Places, RealHost
from netctl_host.inspector import Inspector
from netctl_host.link_monitor import LinkMonitor
from netctl_host.saved_assignment import SavedAssignment
from netctl_host.saved_uplinks import SavedUplinks
from netctl_host.settings import Settings
from netctl_host.uplinks import Clock, Probing, Uplinks, read_boot_id

log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the agent."""
    options = _parse(arguments)
    settings = Settings(
        datapath_type=options.datapath_type, wait_before_clear_ms=options.wait_before_clear_ms
    )
    wake = Wake()
    file = SavedAssignment(options.state_dir)
    saved = file.load()
    if saved is not None and saved.host_id != options.host_id:
        log.error("saved assignment is another host's, ignored", host=saved.host_id)
        saved = None
    counter = FlowCounter(options.ovs_rundir, settings.integration_bridge)
    inspector = Inspector(options.ovs_rundir)
    client = ControllerClient(
        options.controller,
        options.host_id,
        saved,
        wake,
        count=counter.count,
        inspect=inspector.answer,
    )
    places = Places(
        ovsdb=options.ovsdb,
        ovn_rundir=options.ovn_rundir,
        ovs_rundir=options.ovs_rundir,
        state_dir=options.state_dir,
        controller=options.controller,
    )
    host = RealHost(places, wake, wake.within)
    controller = Controller(latest=client.latest, offer=client.offer, tell=inspector.tell)
    memory = Memory(assignment=file, uplinks=_make_uplinks(options.state_dir, client, wake))
    agent = Agent(options.host_id, host, controller, memory, settings)
    try:
        if options.once:
            agent.step()
        else:
            follower = AclLogFollower(options.ovn_controller_log, client.offer_logs)
            _run(agent, client, follower, wake)
    finally:
        host.close()


def _make_uplinks(state_dir: Path, client: ControllerClient, wake: Wake) -> Uplinks:
    probing = Probing(probe=client.probe, echoed=client.echoed, heard=client.heard)
    return Uplinks(SavedUplinks(state_dir), probing, wake.within, Clock(boot_id=read_boot_id()))


def _run(agent: Agent, client: ControllerClient, follower: AclLogFollower, wake: Wake) -> None:
    loop = Loop("host", agent.step, wake, pace=Pace(resync_s=10.0))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: loop.stop())
    monitor = LinkMonitor(wake)
    monitor.start()
    client.start()
    follower.start()
    log.info("host agent runs")
    try:
        loop.run()
    finally:
        follower.close()
        client.close()
        monitor.close()
    log.info("host agent ended")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="netctl-host-agent", description="Make this host equal to what the controller assigned to it."
    )
    add = parser.add_argument
    add("--host-id", required=True, help="the ID in hosts/ID; also the chassis name")
    add("--controller", required=True, help="gRPC address: HOST:PORT or unix:/path")
    add("--ovsdb", default="unix:/var/run/openvswitch/db.sock", help="local Open_vSwitch database")
    add("--ovs-rundir", type=Path, default=Path("/var/run/openvswitch"), help="where brAtlas' socket is")
    add("--ovn-rundir", type=Path, default=Path("/var/run/ovn"), help="where ovn-controller's socket is")
    add(
        "--ovn-controller-log",
        type=Path,
        default=Path("/var/log/ovn/ovn-controller.log"),
        help="where ovn-controller writes what ACLs log (default: %(default)s)",
    )
    add(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/netctl-host-agent"),
        help="keeps the last assignment, the confirmed uplinks and the learned addresses",
    )
    add("--datapath-type", choices=("auto", "system", "netdev"), default="auto", help="of our bridges")
    add(
        "--wait-before-clear-ms",
        type=int,
        default=Settings().wait_before_clear_ms,
        help="how long a starting ovn-controller keeps the old flows (default: %(default)s)",
    )
    add("--once", action="store_true", help="make one pass with the saved assignment, then end")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
