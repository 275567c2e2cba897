"""Flows of patch ports, asked of a real ovs-vswitchd."""

from __future__ import annotations

import signal

import pytest
from netctl_host.patch_flows import FIRST_LOOK_S, LONGEST_LOOK_S

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost

PATCHES = ("patch-brAtlas-to-a", "patch-brAtlas-to-b")


@pytest.fixture
def patched(host: NamespaceHost) -> NamespaceHost:
    """A host with two patch ports in brAtlas and in it one flow, the drop that ovn-controller puts below the others."""
    host.vsctl("set", "Open_vSwitch", ".", "external_ids:ovn-bridge=brAtlas")
    for bridge in ("brAtlas", "br0"):
        kind = ("--", "set", "Bridge", bridge, "datapath_type=netdev", "fail_mode=secure")
        host.vsctl("add-br", bridge, *kind)
    for here in PATCHES:
        there = here.replace("brAtlas", "br0")
        for bridge, port, peer in (("brAtlas", here, there), ("br0", there, here)):
            options = ("type=patch", f"options:peer={peer}")
            host.vsctl("add-port", bridge, port, "--", "set", "Interface", port, *options)
    ofctl(host, "add-flow", "priority=0,actions=drop")
    wait_until(lambda: ofport(host, PATCHES[1]), timeout_s=5, what="the patch ports have numbers")
    return host


def ofctl(host: NamespaceHost, command: str, flow: str) -> None:
    program = host.popen("ovs-ofctl", "-O", "OpenFlow15", command, "brAtlas", flow)
    assert program.wait(timeout=10) == 0


def ofport(host: NamespaceHost, name: str) -> int:
    return host.read_state().switch.interfaces[name].ofport


def add_flow(host: NamespaceHost, name: str) -> None:
    ofctl(host, "add-flow", f"table=0,priority=150,in_port={ofport(host, name)},dl_vlan=10,actions=pop_vlan")


def test_a_patch_port_flows_when_its_own_flow_is_there(patched: NamespaceHost) -> None:
    assert patched.read_state().flowing_patches == frozenset()
    add_flow(patched, PATCHES[0])
    assert patched.read_state().flowing_patches == {PATCHES[0]}
    add_flow(patched, PATCHES[1])
    state = patched.read_state()
    assert (state.flowing_patches, state.flows_problem) == (frozenset(PATCHES), "")


def test_it_is_looked_at_again_soon_then_less_and_not_when_all_is_there(patched: NamespaceHost) -> None:
    patched.read_state()
    patched.looks_again.clear()
    add_flow(patched, PATCHES[0])  # reads the state once: something else is missing than before
    patched.looks_again.clear()
    for _ in range(8):
        patched.read_state()
    assert patched.looks_again[0] == FIRST_LOOK_S
    assert patched.looks_again == sorted(patched.looks_again)
    assert patched.looks_again[-1] == LONGEST_LOOK_S
    add_flow(patched, PATCHES[1])
    patched.looks_again.clear()
    patched.read_state()
    assert patched.looks_again == []


def test_what_was_seen_is_not_asked_for_again(patched: NamespaceHost) -> None:
    for name in PATCHES:
        add_flow(patched, name)
    assert patched.read_state().flowing_patches == set(PATCHES)
    ofctl(patched, "del-flows", "table=0")
    assert patched.read_state().flowing_patches == set(PATCHES)
    patched.vsctl("del-port", PATCHES[0])
    wait_until(
        lambda: patched.read_state().flowing_patches == {PATCHES[1]}, timeout_s=5, what="forgets what is gone"
    )


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_new_ovs_vswitchd_is_asked_anew(patched: NamespaceHost, signum: int) -> None:
    for name in PATCHES:
        add_flow(patched, name)
    assert patched.read_state().flowing_patches == set(PATCHES)
    patched.stop_vswitchd(signum)
    patched.start_vswitchd()
    wait_until(lambda: not patched.read_state().flowing_patches, timeout_s=5, what="a new one has no flows")
    wait_until(lambda: not patched.read_state().flows_problem, timeout_s=5, what="it answers")
    add_flow(patched, PATCHES[0])
    assert patched.read_state().flowing_patches == {PATCHES[0]}


def test_an_ovs_vswitchd_that_is_away_is_a_problem_and_no_flow_is_claimed(patched: NamespaceHost) -> None:
    add_flow(patched, PATCHES[0])
    patched.stop_vswitchd()
    patched.looks_again.clear()
    state = patched.read_state()
    assert state.flowing_patches == frozenset()
    assert "brAtlas.mgmt" in state.flows_problem
    assert patched.looks_again == [LONGEST_LOOK_S]
