"""Host agents for tests of the command: the real agent's stream, with reports and answers as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netctl_host.controller_client import ControllerClient
from netctl_host.inspection import BondState, Inspected, Inspection, MacEntry, MemberState, Question
from netctl_host.reported import HostReport

from netctl.cli.client import Client
from netctl.cli.host_report import read_report
from netctl.loop import Wake, wait_until

BOND = BondState(
    bridge="br0",
    bond="br0-up",
    bond_mode="balance-tcp",
    lacp_status="negotiated",
    active_interface="eth1",
    members=(
        MemberState(interface="eth1", enabled=True, carrier=True, lacp_status="current", bytes=7),
        MemberState(interface="eth2", lacp_status="expired"),
    ),
    partner_system_id="02:00:00:00:00:99",
)
MAC = MacEntry(bridge="br0", port="br0-up", vlan_id=7, mac_address="50:6b:8d:00:00:01", age_s=3)


def look(question: Question) -> Inspection:
    """Answer as a host with one bond and one learned address."""
    if question.inspected is Inspected.BONDS:
        return Inspection(id=question.id, bonds=(BOND,))
    return Inspection(id=question.id, mac_entries=(MAC,), problem="br1 is missing")


@contextmanager
def host_agent(client: Client, report: HostReport) -> Iterator[ControllerClient]:
    """Run an agent's stream that says `report`, once the controller has heard it."""
    agent = ControllerClient(client.address, report.host_id, None, Wake(), inspect=look)
    agent.start()
    try:
        agent.offer(report)
        name = f"hosts/{report.host_id}"
        wait_until(
            lambda: (
                read_report(client, name).report.problems == list(report.problems)
                and read_report(client, name).connected
                and agent.heard()  # it logs that its stream is up: not among what a command prints
            ),
            timeout_s=5,
            what=f"the report of {name}",
        )
        yield agent
    finally:
        agent.close()
    wait_until(
        lambda: not read_report(client, f"hosts/{report.host_id}").connected,
        timeout_s=5,
        what=f"hosts/{report.host_id} is gone",
    )
