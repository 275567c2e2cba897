"""A change that cuts a host off undoes itself: the controller is reached through br0, as on most hosts.

Both hosts are cut at once, and the agent of one of them is killed in the middle.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from netctl.lab.lab import Lab
from netctl.loop import wait_until
from netctl.v1 import infra_pb2
from tests.e2e.bonded import (
    HOSTS,
    bond_of,
    bridge_of,
    change_switch,
    get_host,
    get_report,
    get_switch,
    uplinks,
    vlan,
    wait_report,
)
from tests.e2e.figures import note
from tests.e2e.site import PROGRAMMED, Site, site

ROLLED_BACK_S = 30.0
CENTRAL = "192.168.67.2"


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("confirm", "bonded-hosts", [vlan("v10", 10)]) as running:
        for host in HOSTS:
            wait_report(running, host, lambda report: bridge_of(report).settings_id, "br0 is there")
        through_br0(running.lab)
        for host in HOSTS:
            connected(running, host)
        yield running


def through_br0(lab: Lab) -> None:
    """Take the management cables away: central's other cable leads to the leaf switch."""
    lab.exec("central", ["ip", "addr", "replace", f"{CENTRAL}/24", "dev", "eth1"])
    management = lab.topology.central.management_ip
    for host in HOSTS:
        lab.link(f"{host}:eth0", "down")
        lab.exec(host, ["ip", "link", "set", "eth0", "down"])
        lab.exec(host, ["ip", "route", "replace", management, "via", CENTRAL, "dev", "br0"])
        lab.process(host, "agent").kill()  # its connection would wait for the old way
        lab.process(host, "agent").start()


def connected(here: Site, host: str) -> None:
    """Return when a host's agent has a connection with its address on br0."""
    own = here.lab.place(host).node.tunnel_address.partition("/")[0]

    def there() -> bool:
        lines = here.lab.exec(host, ["ss", "-tnH", "state", "established"]).stdout.splitlines()
        return any(own in line and ":50051" in line for line in lines)

    wait_until(there, timeout_s=20, what=f"{host} reaches the controller through br0")


def test_uplinks_that_lead_nowhere_are_given_up_also_when_the_agent_dies(here: Site) -> None:
    before = {host: get_host(here, host) for host in HOSTS}
    ids = {host: bridge_of(get_report(here, host).report).settings_id for host in HOSTS}
    change_switch(here, infra_pb2.VirtualSwitch(rollout=infra_pb2.ROLLOUT_QUICK), "rollout")
    for host in HOSTS:
        here.lab.link(f"{host}:eth2", "silent")
    began = time.monotonic()
    here.apply(*(uplinks(host, "eth2") for host in before.values()))
    wait_until(lambda: members(here, "h2") == ["eth2"], timeout_s=10, what="h2 tries")
    agent = here.lab.process("h2", "agent")
    agent.kill()
    wait_until(lambda: members(here, "h1") == ["eth2"], timeout_s=10, what="h1 tries")
    assert here.lab.exec("h1", ["ping", "-c1", "-W1", CENTRAL], check=False).returncode, "the way is not cut"
    agent.start()
    for host in HOSTS:
        left_s = ROLLED_BACK_S - (time.monotonic() - began)
        report = wait_report(
            here,
            host,
            lambda found: bridge_of(found).rolled_back_settings_id,
            "rolled back",
            timeout_s=left_s,
        )
        note(f"cut off / {host} back, and heard", f"{time.monotonic() - began:.1f} s")
        assert bridge_of(report).settings_id == ids[host]
        assert sorted(bond_of(report).up_interfaces) == ["eth1", "eth2"]
    wait_until(
        lambda: get_switch(here).status.reason == "ROLLED_BACK", timeout_s=10, what="the switch says so"
    )
    said = get_switch(here).status.message
    assert "h1" in said or "h2" in said, said
    here.apply(*(uplinks(host, "eth1", "eth2") for host in before.values()))
    wait_until(lambda: get_switch(here).status.phase == PROGRAMMED, timeout_s=20, what="PROGRAMMED again")


def members(here: Site, host: str) -> list[str]:
    """Name the interfaces of the bond as Open vSwitch has them."""
    found = here.vsctl(host, "list-ifaces", "br0").split()
    return sorted(name for name in found if name.startswith("eth"))
