"""No frame goes round in br.nf, and both ways meet the same functions: of any chains, rules and frames."""

from __future__ import annotations

import ipaddress

from hypothesis import assume, given
from hypothesis import strategies as st
from netctl_host.assignment_chains import PortSpan, SteeringRule
from netctl_host.function_flows import Site, render_flows

from tests.unit.host.openflow_model import Frame, parse, run
from tests.unit.host.test_function_flows import (
    BASIC,
    EDGES,
    FUNCTIONS,
    GUEST,
    LOCAL,
    NETWORK,
    PEER,
    TAPS,
    answer,
    segment,
    site,
    way,
)

networks = st.sampled_from([(), ("192.0.2.0/24",), ("198.51.100.0/25", "203.0.113.0/24"), ("0.0.0.0/0",)])
spans = st.sampled_from(
    [(), (PortSpan(first=80, last=90),), (PortSpan(first=0, last=100), PortSpan(first=4000, last=40000))]
)
rules = st.builds(
    SteeringRule,
    priority=st.integers(1, 9),
    chain_id=st.sampled_from(["", "c", "d", "e"]),
    local_mac_addresses=st.sampled_from([(), (GUEST,), (GUEST, PEER), (PEER,)]),
    local_networks=networks,
    peer_networks=networks,
    ip_version=st.just(4),
    protocol=st.sampled_from([6, 17]),
    local_opens=st.booleans(),
    source_ports=spans,
    destination_ports=spans,
)
orders = st.permutations(FUNCTIONS).flatmap(
    lambda all: st.integers(1, 4).map(lambda count: tuple(all[:count]))
)
frames = st.builds(
    Frame,
    vlan=st.sampled_from([0, 10, 20]),
    dl_src=st.sampled_from([GUEST, PEER]),
    dl_dst=st.sampled_from([GUEST, PEER]),
    version=st.just(4),
    source=st.sampled_from(["192.0.2.1", "198.51.100.7", "203.0.113.1"]),
    destination=st.sampled_from(["192.0.2.1", "198.51.100.7", "203.0.113.1"]),
    protocol=st.sampled_from([1, 6, 17]),
    source_port=st.sampled_from([0, 80, 4000, 40001]),
    destination_port=st.sampled_from([0, 80, 4000, 40001]),
    later=st.just(False),
)
sites = st.builds(
    lambda first, second, chains, down, open: site(
        segment(*first),
        segment(*second, vlan_id=20, basic=True),
        chains=chains,
        down=tuple(down),
        **dict.fromkeys(open, True),
    ),
    st.lists(rules, max_size=4),
    st.lists(rules, max_size=2),
    st.dictionaries(st.sampled_from(["c", "d", "e"]), orders),
    st.sets(st.sampled_from(FUNCTIONS)),
    st.sets(st.sampled_from(FUNCTIONS)),
)


@given(sites, st.lists(frames, min_size=1, max_size=8), st.sampled_from([*EDGES, *TAPS.values()]))
def test_no_frame_goes_round_whatever_functions_make_of_it(the: Site, made: list[Frame], port: int) -> None:
    """Each function passes on what it gets, rewritten into any other frame of any VLAN."""
    flows = parse(render_flows(the))
    inline, at, hops = {**TAPS, "t1-out": 0}.values(), [port], 0
    while at:
        frame = made[hops % len(made)]
        hops += 1
        assert hops <= len(FUNCTIONS) + 1, "it came to a function again"
        at = [out ^ 1 for out in run(flows, frame, at.pop()) if out in inline and out != TAPS["t1-in"]]


@given(sites, frames)
def test_both_ways_meet_the_same_functions_and_nobody_skips_a_closed_one(the: Site, frame: Frame) -> None:
    assume(frame.vlan)
    start = LOCAL if frame.vlan == 10 else BASIC
    there = way(the, frame, start)
    back = way(the, answer(frame), NETWORK)
    if there[-1:] == [NETWORK] and back[-1:] == [start]:
        assert [port // 10 for port in there[:-1] if port != 40] == [
            port // 10 for port in back[-2::-1] if port != 40
        ]
    assert (there[-1:] == [NETWORK]) == (back[-1:] == [start]), "one way alone is open"
    if there[-1:] == [NETWORK]:
        chain = meant(the, frame)
        for id in chain:
            function = next(one for one in the.chains.functions if one.function_id == id)
            met = id in {FUNCTIONS[port // 10 - 1] for port in there[:-1]}
            assert met or function.tap or function.fail_open
            assert met == (id in the.active)


def meant(the: Site, frame: Frame) -> tuple[str, ...]:
    """Return the functions that the frame from a guest is to meet: the rules, read once more."""
    rules = next(one.rules for one in the.chains.segments if one.vlan_id == frame.vlan)
    for rule in sorted(rules, key=lambda rule: -rule.priority):
        ports = (frame.source_port, frame.destination_port)
        if (
            (not rule.local_mac_addresses or frame.dl_src in rule.local_mac_addresses)
            and inside(frame.source, rule.local_networks)
            and inside(frame.destination, rule.peer_networks)
            and frame.protocol == rule.protocol
            and among(ports[not rule.local_opens], rule.source_ports)
            and among(ports[rule.local_opens], rule.destination_ports)
        ):
            chains = {chain.chain_id: chain.function_ids for chain in the.chains.chains}
            return chains[rule.chain_id] if rule.chain_id else ()
    return ()


def inside(address: str, networks: tuple[str, ...]) -> bool:
    return not networks or any(
        ipaddress.ip_address(address) in ipaddress.ip_network(each) for each in networks
    )


def among(port: int, spans: tuple[PortSpan, ...]) -> bool:
    return not spans or any(span.first <= port <= span.last for span in spans)
