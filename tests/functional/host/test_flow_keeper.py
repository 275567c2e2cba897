"""Flows of a real bridge are kept: written, changed, put right after an edit and a restart; others' flows stay."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from netctl_host import ofctl
from netctl_host.flow_keeper import BridgeFlows, FlowKeeper

from netctl.errors import HostUnavailable
from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost

ALL = BridgeFlows(flows=("table=0,priority=5,ip,actions=drop", "table=0,priority=4,arp,actions=goto_table:1"))
OTHER = BridgeFlows(flows=("table=0,priority=5,ip,actions=output:1", "table=1,priority=4,arp,actions=drop"))
OWN = BridgeFlows(flows=("priority=9,udp,tp_src=68,actions=drop",), cookie=0x77)


@pytest.fixture
def kept(host: NamespaceHost) -> Iterator[tuple[NamespaceHost, FlowKeeper]]:
    """A host with a bridge of ours alone and a bridge that learns."""
    for bridge, mode in (("br.nf", "secure"), ("br0", "standalone")):
        host.vsctl(
            "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", f"fail_mode={mode}"
        )
    keeper = FlowKeeper(host.directory, bool, check_s=0.1)
    try:
        yield host, keeper
    finally:
        keeper.close()


def flows(host: NamespaceHost, bridge: str) -> str:
    """Return the bridge's flows, "" while nobody serves it."""
    try:
        return "\n".join(ofctl.read(host.directory / f"{bridge}.mgmt"))
    except HostUnavailable:
        return ""


def edit(host: NamespaceHost, *command: str) -> None:
    assert host.popen("ovs-ofctl", *command).wait(timeout=10) == 0


def test_flows_are_written_changed_and_put_right(kept: tuple[NamespaceHost, FlowKeeper]) -> None:
    host, keeper = kept
    keeper.keep({"br.nf": ALL, "br0": OWN})
    wait_until(lambda: "goto_table:1" in flows(host, "br.nf"), timeout_s=5, what="written")
    wait_until(lambda: "tp_src=68" in flows(host, "br0"), timeout_s=5, what="written beside the others")
    assert "NORMAL" in flows(host, "br0")
    whole = flows(host, "br.nf")
    keeper.keep({"br.nf": OTHER, "br0": OWN})
    wait_until(lambda: "output:1" in flows(host, "br.nf"), timeout_s=5, what="changed")
    assert len(flows(host, "br.nf").splitlines()) == 2
    assert "goto_table" not in flows(host, "br.nf")
    keeper.keep({"br.nf": ALL, "br0": OWN})
    wait_until(lambda: flows(host, "br.nf") == whole, timeout_s=5, what="changed back")
    assert keeper.take_reversions() == ()
    edit(host, "del-flows", "br.nf", "arp")
    edit(host, "add-flow", "br.nf", "priority=60000,actions=NORMAL")
    edit(host, "del-flows", "br0", "udp")
    wait_until(lambda: flows(host, "br.nf") == whole, timeout_s=5, what="as it was")
    wait_until(lambda: "tp_src=68" in flows(host, "br0"), timeout_s=5, what="as it was")
    told: list[str] = []

    def is_told() -> bool:
        told.extend(keeper.take_reversions())
        return {"br.nf", "br0"} <= set(" ".join(told).split())

    wait_until(is_told, timeout_s=5, what="it is told")
    keeper.keep({"br0": BridgeFlows(flows=(), cookie=OWN.cookie)})
    wait_until(lambda: "tp_src=68" not in flows(host, "br0"), timeout_s=5, what="ours are gone")
    assert "NORMAL" in flows(host, "br0")


def test_a_new_ovs_vswitchd_is_written_to_without_anybody_asking(
    kept: tuple[NamespaceHost, FlowKeeper],
) -> None:
    host, keeper = kept
    keeper.keep({"br.nf": ALL, "br0": OWN})
    wait_until(lambda: "goto_table:1" in flows(host, "br.nf"), timeout_s=5, what="written")
    host.stop_vswitchd()
    wait_until(keeper.problems, timeout_s=5, what="its loss is told")
    host.start_vswitchd()
    wait_until(lambda: "goto_table:1" in flows(host, "br.nf"), timeout_s=5, what="written again")
    wait_until(lambda: "tp_src=68" in flows(host, "br0"), timeout_s=5, what="written again")
    wait_until(lambda: not keeper.problems(), timeout_s=5, what="all is well")


def test_one_that_was_killed_and_is_back_at_once_is_written_to(host: NamespaceHost) -> None:
    host.vsctl("add-br", "br.nf", "--", "set", "bridge", "br.nf", "datapath_type=netdev", "fail_mode=secure")
    keeper = FlowKeeper(host.directory, bool, check_s=600)
    try:
        keeper.keep({"br.nf": ALL})
        wait_until(lambda: "goto_table:1" in flows(host, "br.nf"), timeout_s=5, what="written")
        host.stop_vswitchd(signal.SIGKILL)  # its sockets stay
        host.start_vswitchd()
        wait_until(lambda: "goto_table:1" in flows(host, "br.nf"), timeout_s=5, what="written again")
    finally:
        keeper.close()


def test_what_ovs_refuses_is_told_and_the_rest_is_done(kept: tuple[NamespaceHost, FlowKeeper]) -> None:
    host, keeper = kept
    keeper.keep({"br.nf": BridgeFlows(flows=("priority=1,nonsense,actions=drop",)), "br0": OWN})
    wait_until(lambda: "tp_src=68" in flows(host, "br0"), timeout_s=5, what="written")
    problem = wait_until(keeper.problems, timeout_s=5, what="it is told")
    assert "br.nf" in problem[0]
    assert "nonsense" in problem[0]
    keeper.keep({"br.nf": ALL, "br0": OWN})
    wait_until(lambda: "goto_table:1" in flows(host, "br.nf"), timeout_s=5, what="written")
    wait_until(lambda: not keeper.problems(), timeout_s=5, what="all is well")
    keeper.close()
    assert "flows" not in [one.name for one in threading.enumerate()]
