"""Counters of flows, asked of a real ovs-vswitchd whose flows are hit by real packets."""

from __future__ import annotations

import signal
import time

import pytest
from netctl_host.flow_counts import FlowCount, FlowCounter, FlowCounts, FlowKey

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost

# An Ethernet and IPv4 frame of 34 bytes with UDP as its protocol; nothing follows that anybody looks at.
FRAME = "ffffffffffff" + "020000000001" + "0800" + "450000140000000040110000" + "0a000001" + "0a000002"
HERE, THERE = FlowKey(0xF00DCAFE, 700), FlowKey(0xF00DCAFE, 701)
EVERYWHERE = FlowKey(0xF00DCAFE, 0)


@pytest.fixture
def counted(host: NamespaceHost) -> NamespaceHost:
    """A host with flows of one cookie for two datapaths, one of them with two; port 1 and 2 lead to them."""
    host.vsctl(
        "add-br", "brAtlas", "--", "set", "Bridge", "brAtlas", "datapath_type=netdev", "fail_mode=secure"
    )
    for port, datapath in ((1, HERE.datapath), (2, THERE.datapath)):
        ofctl(
            host,
            "add-flow",
            f"table=0,in_port={port},actions=load:{datapath}->OXM_OF_METADATA[],goto_table:20",
        )
    for metadata, kind in ((HERE, "ip"), (HERE, "ipv6"), (THERE, "ip")):
        flow = f"cookie={metadata.cookie:#x},table=20,metadata={metadata.datapath},{kind},actions=drop"
        ofctl(host, "add-flow", flow)
    return host


def ofctl(host: NamespaceHost, *command: str) -> None:
    verb, *rest = command
    assert host.popen("ovs-ofctl", "-O", "OpenFlow15", verb, "brAtlas", *rest).wait(timeout=10) == 0


def send(host: NamespaceHost, port: int, count: int) -> None:
    for _ in range(count):
        ofctl(host, "packet-out", f"in_port={port},packet={FRAME},actions=resubmit(,0)")


def counter(host: NamespaceHost) -> FlowCounter:
    return FlowCounter(host.directory, "brAtlas")


def test_packets_are_counted_by_cookie_and_datapath(counted: NamespaceHost) -> None:
    assert counter(counted).count([HERE]).counts == (FlowCount(key=HERE, packets=0, bytes=0),)
    send(counted, 1, 3)
    send(counted, 2, 1)
    expected = FlowCounts(
        counts=(FlowCount(key=HERE, packets=3, bytes=102), FlowCount(key=THERE, packets=1, bytes=34))
    )
    wait_until(
        lambda: counter(counted).count([HERE, THERE]) == expected, timeout_s=5, what="the counters follow"
    )


def test_datapath_0_counts_all(counted: NamespaceHost) -> None:
    ofctl(counted, "add-flow", f"cookie={HERE.cookie:#x},table=30,actions=drop")  # of no datapath
    send(counted, 1, 3)
    send(counted, 2, 1)
    ofctl(counted, "packet-out", f"in_port=1,packet={FRAME},actions=resubmit(,30)")
    expected = FlowCounts(
        counts=(FlowCount(key=EVERYWHERE, packets=5, bytes=170), FlowCount(key=HERE, packets=3, bytes=102))
    )
    wait_until(
        lambda: counter(counted).count([EVERYWHERE, HERE]) == expected,
        timeout_s=5,
        what="the counters follow",
    )
    assert counter(counted).count([FlowKey(9, 0)]) == FlowCounts()


def test_what_has_no_flows_here_is_missing(counted: NamespaceHost) -> None:
    assert counter(counted).count([FlowKey(HERE.cookie, 9), FlowKey(9, HERE.datapath)]) == FlowCounts()


def test_a_frozen_ovs_vswitchd_is_a_problem_in_time(counted: NamespaceHost) -> None:
    counted.signal_vswitchd(signal.SIGSTOP)
    try:
        started = time.monotonic()
        counts = counter(counted).count([HERE])
        assert time.monotonic() - started < 5
    finally:
        counted.signal_vswitchd(signal.SIGCONT)
    assert counts.counts == ()
    assert "brAtlas.mgmt" in counts.problem


def test_a_dead_ovs_vswitchd_is_a_problem(counted: NamespaceHost) -> None:
    counted.stop_vswitchd(signal.SIGKILL)
    assert "brAtlas.mgmt" in counter(counted).count([HERE]).problem


def test_bfd_of_a_tunnel_is_read(host: NamespaceHost) -> None:
    host.vsctl("add-br", "brAtlas", "--", "set", "Bridge", "brAtlas", "datapath_type=netdev")
    tunnel = ("type=geneve", "options:remote_ip=192.0.2.9", "bfd:enable=true")
    host.vsctl("add-port", "brAtlas", "ovn-h2-0", "--", "set", "Interface", "ovn-h2-0", *tunnel)

    def read() -> tuple[bool, str]:
        interface = host.read_state().switch.interfaces["ovn-h2-0"]
        return interface.bfd_enabled, interface.bfd_state

    wait_until(lambda: read() == (True, "down"), timeout_s=10, what="nobody answers")
    host.vsctl("set", "Interface", "ovn-h2-0", "bfd:enable=false")
    wait_until(lambda: not read()[0], timeout_s=5, what="switched off")
