"""Path independence: whatever a host was before, it ends as its last assignment says, and then nothing is left."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from netctl_host.assignment import Assignment, NicAssignment
from netctl_host.assignment_chains import Mirror, Segment, ServiceChains
from netctl_host.state import HostState, Interface, Link

from tests.fakes.host import FakeHost
from tests.unit.host.samples import (
    assign,
    bridge_with,
    host_with,
    nic,
    plain_port,
    switch_with,
    uplink,
)
from tests.unit.host.test_plan import converge

NICS = ("eth1", "eth2", "eth3", "eth4")
TAPS = ("tap1", "tap2", "tap3")
FOREIGN = switch_with(
    bridge_with("br-ex", plain_port("eth4"), plain_port("tap3")),
    bridge_with("brAtlas", plain_port("foreign")),
    external_ids={"ovn-bridge-mappings": "legacy:br-ex", "other": "x"},
    interfaces=(Interface(name="foreign", external_ids={"iface-id": "foreign"}),),
)


@st.composite
def assignments(draw: st.DrawFn) -> Assignment:
    """Up to three uplink bridges that share out the interfaces, and NICs on some taps."""
    bridge_of = draw(st.tuples(*(st.sampled_from((0, 1, 2, None)) for _nic in NICS)))
    members = {
        number: [name for name, bridge in zip(NICS, bridge_of, strict=True) if bridge == number]
        for number in (0, 1, 2)
    }
    uplinks = [uplink(number, *draw(st.permutations(names))) for number, names in members.items() if names]
    taps = draw(st.sets(st.sampled_from(TAPS)))
    nics = tuple(draw(nics_of(tap)) for tap in sorted(taps))
    segment = Segment(subnet_id="s", localnet="ln", uplink_bridge="br1", vlan_id=10)
    mirror = Mirror(
        mirror_id="m",
        bridge=draw(st.sampled_from(("", "br0"))),
        from_ports=("tap1",),
        to_ports=("tap1", "tap2"),
        destination_taps=("tap3",),
    )
    return replace(
        assign(*uplinks, nics=nics),
        service_chains=ServiceChains(segments=draw(st.sampled_from(((), (segment,))))),
        mirrors=draw(st.sampled_from(((), (mirror,)))),
    )


def nics_of(tap: str) -> st.SearchStrategy[NicAssignment]:
    """Return NICs of any kind behind a tap; br2 and br7 may not be there."""
    return st.builds(
        replace,
        st.integers(1, 5).map(lambda number: nic(number, tap=tap)),
        guard_ipv6=st.booleans(),
        bridge=st.sampled_from(("", "", "br0", "br2", "br7", "br0.local", "br.nf")),
        vlan_id=st.sampled_from((0, 10)),
        trunk_vlan_ids=st.sampled_from(((), (20, 30))),
        trunks_all=st.booleans(),
        disconnected=st.sampled_from((False, False, True)),
        mirror_destination=st.sampled_from((False, False, True)),
    )


def named_links(state: HostState, assignment: Assignment) -> dict[str, Link]:
    """Return the links that the assignment decides about: of taps, those that it plugs."""
    named = {nic.tap_name for nic in assignment.nics if nic.tap_name in state.switch.interfaces} | {
        name for uplink in assignment.uplink_bridges for name in uplink.interfaces
    }
    return {name: link for name, link in state.links.items() if name in named}


def fresh_host(links: set[str]) -> FakeHost:
    """Return a host with foreign things on it."""
    return host_with("foreign", *sorted(links), switch=FOREIGN)


@settings(max_examples=150, deadline=None)
@given(st.lists(assignments(), max_size=4), assignments(), st.sets(st.sampled_from(NICS + TAPS)))
def test_the_last_assignment_decides(earlier: list[Assignment], last: Assignment, links: set[str]) -> None:
    direct, by_path = fresh_host(links), fresh_host(links)
    for assignment in earlier:
        converge(by_path, assignment)
    wanted, there = converge(direct, last), converge(by_path, last)
    assert there.switch == wanted.switch
    assert named_links(there, last) == named_links(wanted, last)


@settings(max_examples=100, deadline=None)
@given(st.lists(assignments(), min_size=1, max_size=3), st.sets(st.sampled_from(NICS + TAPS)))
def test_foreign_things_are_never_touched(path: list[Assignment], links: set[str]) -> None:
    host = fresh_host(links)
    before = host.read_state()
    for assignment in path:
        after = converge(host, assignment)
        assert after.switch.bridges["br-ex"] == before.switch.bridges["br-ex"]
        for name in ("eth4", "tap3", "foreign"):
            assert after.switch.interfaces[name] == before.switch.interfaces[name]
            assert after.links.get(name) == before.links.get(name)
        assert after.switch.external_ids["other"] == "x"
        assert after.switch.external_ids["ovn-bridge-mappings"].startswith("legacy:br-ex")


@settings(max_examples=60, deadline=None)
@given(assignments(), st.sets(st.sampled_from(TAPS)), st.sets(st.sampled_from(TAPS)))
def test_taps_may_come_and_go(assignment: Assignment, before: set[str], after: set[str]) -> None:
    host, direct = fresh_host(before), fresh_host(after)
    converge(host, assignment)
    for tap in sorted(before - after):
        host.remove_link(tap)
    for tap in sorted(after - before):
        host.add_link(tap)
    assert converge(host, assignment).switch == converge(direct, assignment).switch
