"""What br.nf does with frames: the flows are run in a model that knows OpenFlow and nothing of chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from netctl_host.assignment_chains import (
    Chain,
    Function,
    Pair,
    PortSpan,
    Segment,
    ServiceChains,
    SteeringRule,
)
from netctl_host.function_flows import PROBE_MAC, Site, render_flows, steering_problems
from netctl_host.steering_match import span_masks

from tests.unit.host.openflow_model import Flow, Frame, parse, run

GUEST, PEER = "50:6b:8d:00:00:01", "50:6b:8d:00:00:02"
NETWORK, LOCAL, BASIC = 1, 2, 3
PORTS = {
    "patch-br.nf-to-br0": NETWORK,
    "patch-ln-a-to-brAtlas": LOCAL,
    "patch-br.nf-to-br0.local": BASIC,
}
FUNCTIONS = ("f1", "f2", "f3", "t1")
TAPS = {
    f"{name}-{side}": 10 * at + n
    for at, name in enumerate(FUNCTIONS, 1)
    for n, side in ((0, "in"), (1, "out"))
}
EDGES = {NETWORK, LOCAL, BASIC, 4, 6}

OUT = Frame(
    vlan=10,
    dl_src=GUEST,
    dl_dst=PEER,
    version=4,
    source="192.0.2.1",
    destination="198.51.100.7",
    protocol=6,
    source_port=40000,
    destination_port=80,
)


def function(name: str, *, fail_open: bool = False) -> Function:
    tap = name.startswith("t")
    pair = Pair(ingress_tap=f"{name}-in", egress_tap="" if tap else f"{name}-out")
    return Function(function_id=name, tap=tap, fail_open=fail_open, pairs=(pair,))


def segment(*rules: SteeringRule, vlan_id: int = 10, basic: bool = False) -> Segment:
    return Segment(
        subnet_id=f"s{vlan_id}",
        localnet="" if basic else "ln-a",
        local_bridge="br0.local" if basic else "",
        uplink_bridge="br0",
        vlan_id=vlan_id,
        rules=rules,
    )


def site(
    *segments: Segment, chains: Mapping[str, tuple[str, ...]], down: tuple[str, ...] = (), **kinds: bool
) -> Site:
    functions = tuple(function(name, fail_open=kinds.get(name, False)) for name in FUNCTIONS)
    return Site(
        chains=ServiceChains(
            functions=functions,
            chains=tuple(Chain(chain_id=id, function_ids=ids) for id, ids in chains.items()),
            segments=segments,
        ),
        ofports=PORTS | TAPS,
        active={name: f"{name}-in" for name in FUNCTIONS if name not in down},
    )


def answer(frame: Frame) -> Frame:
    return replace(
        frame,
        dl_src=frame.dl_dst,
        dl_dst=frame.dl_src,
        source=frame.destination,
        destination=frame.source,
        source_port=frame.destination_port,
        destination_port=frame.source_port,
    )


def walk(flows: list[Flow], frame: Frame, port: int) -> list[int]:
    """Return every port that a frame leaves by when functions pass on what they get."""
    seen, waiting, hops = [], [port], 0
    while waiting:
        hops += 1
        assert hops <= 2 * len(FUNCTIONS) + 2, "a loop"
        for out in run(flows, frame, waiting.pop()):
            seen.append(out)
            if out not in EDGES:
                waiting.append(out ^ 1)  # the other side of the function
    return seen


def way(the: Site, frame: Frame, port: int) -> list[int]:
    return walk(parse(render_flows(the)), frame, port)


ALL = SteeringRule(priority=1, chain_id="c")


def test_both_ways_meet_the_functions_and_the_tap_gets_copies() -> None:
    the = site(segment(ALL), chains={"c": ("f1", "t1", "f2")})
    assert way(the, OUT, LOCAL) == [10, 40, 20, NETWORK]
    assert way(the, answer(OUT), NETWORK) == [21, 40, 11, LOCAL]


def test_a_guest_of_vlan_basic_has_the_same_way() -> None:
    the = site(segment(ALL, basic=True), chains={"c": ("f1",)})
    assert way(the, OUT, BASIC) == [10, NETWORK]
    assert way(the, answer(OUT), NETWORK) == [11, BASIC]


def test_untagged_is_a_vlan_like_others() -> None:
    the = site(segment(ALL, vlan_id=0), chains={"c": ("f1",)})
    assert way(the, replace(OUT, vlan=0), LOCAL) == [10, NETWORK]
    assert way(the, OUT, LOCAL) == []


def test_what_does_not_work_is_skipped_or_stops() -> None:
    chains = {"c": ("f1", "f2")}
    assert way(site(segment(ALL), chains=chains, down=("f1",), f1=True), OUT, LOCAL) == [20, NETWORK]
    assert way(site(segment(ALL), chains=chains, down=("f1",)), OUT, LOCAL) == []
    assert way(site(segment(ALL), chains=chains, down=("f2",)), OUT, LOCAL) == [10]
    assert way(site(segment(ALL), chains=chains, down=("f2",)), answer(OUT), NETWORK) == []
    assert way(site(segment(ALL), chains={"c": ("t1", "f2")}, down=("t1",)), OUT, LOCAL) == [20, NETWORK]


def test_the_highest_rule_that_matches_decides() -> None:
    rules = (
        SteeringRule(priority=1, chain_id="c"),
        SteeringRule(
            priority=5,
            chain_id="",
            ip_version=4,
            protocol=6,
            local_mac_addresses=(GUEST,),
            destination_ports=(PortSpan(first=80, last=80),),
        ),
    )
    the = site(segment(*rules), chains={"c": ("f1",)})
    assert way(the, OUT, LOCAL) == [NETWORK]
    assert way(the, answer(OUT), NETWORK) == [LOCAL]
    other = replace(OUT, destination_port=443)
    assert way(the, other, LOCAL) == [10, NETWORK]
    assert way(the, answer(other), NETWORK) == [11, LOCAL]
    assert way(the, replace(OUT, dl_src=PEER), LOCAL) == [10, NETWORK]


def test_a_function_of_two_chains_asks_the_rules_again() -> None:
    web = SteeringRule(
        priority=2, chain_id="web", ip_version=4, protocol=6, destination_ports=(PortSpan(first=80, last=80),)
    )
    the = site(segment(web, ALL), chains={"c": ("f1", "f3"), "web": ("f1", "f2", "f3")})
    assert way(the, OUT, LOCAL) == [10, 20, 30, NETWORK]
    assert way(the, answer(OUT), NETWORK) == [31, 21, 11, LOCAL]
    assert way(the, replace(OUT, protocol=17), LOCAL) == [10, 30, NETWORK]


def test_what_comes_from_a_function_of_two_chains_and_is_in_neither_is_dropped() -> None:
    web = SteeringRule(priority=2, chain_id="web", ip_version=4, protocol=6)
    dns = SteeringRule(priority=1, chain_id="dns", ip_version=4, protocol=17)
    third = SteeringRule(priority=3, chain_id="third", ip_version=4, protocol=132)
    chains = {"web": ("f1", "f2"), "dns": ("f1",), "third": ("f3",)}
    flows = parse(render_flows(site(segment(web, dns, third), chains=chains)))
    assert run(flows, OUT, 11) == [20]
    assert run(flows, replace(OUT, protocol=17), 11) == [NETWORK]
    for protocol in (1, 132):
        assert run(flows, replace(OUT, protocol=protocol), 11) == []
        assert run(flows, replace(answer(OUT), protocol=protocol), 10) == []


def test_what_a_function_rewrote_meets_the_functions_behind_it() -> None:
    only = SteeringRule(priority=1, chain_id="c", ip_version=4, local_networks=("192.0.2.0/24",))
    flows = parse(render_flows(site(segment(only), chains={"c": ("f1", "f2")})))
    rewritten = replace(OUT, source="203.0.113.1")
    assert run(flows, rewritten, 11) == [20]
    assert run(flows, rewritten, LOCAL) == [NETWORK]


def test_pings_and_their_answers() -> None:
    echo = SteeringRule(priority=1, chain_id="c", ip_version=4, protocol=1, icmp_type=8, icmp_code=0)
    the = site(segment(echo), chains={"c": ("f1",)})
    request = replace(OUT, protocol=1, source_port=8, destination_port=0)
    reply = replace(answer(OUT), protocol=1, source_port=0, destination_port=0)
    assert way(the, request, LOCAL) == [10, NETWORK]
    assert way(the, reply, NETWORK) == [11, LOCAL]
    assert way(the, replace(request, source_port=3), LOCAL) == [NETWORK]
    foreign = replace(echo, local_opens=False)
    the = site(segment(foreign), chains={"c": ("f1",)})
    assert way(the, request, LOCAL) == [NETWORK]
    assert way(the, replace(answer(OUT), protocol=1, source_port=8, destination_port=0), NETWORK) == [
        11,
        LOCAL,
    ]


def test_later_fragments_go_by_addresses_and_protocol() -> None:
    web = SteeringRule(
        priority=1, chain_id="c", ip_version=4, protocol=6, destination_ports=(PortSpan(first=80, last=80),)
    )
    the = site(segment(web), chains={"c": ("f1",)})
    later = replace(OUT, later=True, source_port=0, destination_port=0)
    assert way(the, later, LOCAL) == [10, NETWORK]
    assert way(the, replace(later, protocol=17), LOCAL) == [NETWORK]


def test_what_no_frame_may_do() -> None:
    flows = parse(render_flows(site(segment(ALL), chains={"c": ("f1", "f2")})))
    assert run(flows, OUT, LOCAL) == [10]
    for port in (10, 11, LOCAL, NETWORK):
        assert run(flows, replace(OUT, dl_src=PROBE_MAC), port) == []
        assert run(flows, replace(OUT, dl_dst="01:80:c2:00:00:00"), port) == []
        assert run(flows, replace(OUT, vlan=0), port) == []
        assert run(flows, replace(OUT, vlan=11), port) == []
    assert run(flows, OUT, 30) == [], "in no chain"
    assert run(flows, OUT, 40) == [], "gets copies"
    assert run(flows, OUT, 99) == [], "nobody's"


def test_a_chain_the_other_way_round_is_not_served_and_said() -> None:
    web = SteeringRule(priority=2, chain_id="d", ip_version=4, protocol=6)
    the = site(segment(web, ALL), chains={"c": ("f1", "f2"), "d": ("f2", "f1")})
    assert way(the, OUT, LOCAL) == []
    assert way(the, replace(OUT, protocol=17), LOCAL) == [10, 20, NETWORK]
    assert "serviceChains/d" in " ".join(steering_problems(the.chains))


def test_what_is_not_known_drops_and_is_said() -> None:
    the = site(segment(ALL), chains={"c": ("f1", "f9")})
    assert way(the, OUT, LOCAL) == [10]
    assert "networkFunctions/f9" in " ".join(steering_problems(the.chains))
    the = site(segment(ALL), chains={})
    assert way(the, OUT, LOCAL) == []
    assert "serviceChains/c" in " ".join(steering_problems(the.chains))
    two = site(segment(ALL), replace(segment(), subnet_id="other", localnet="ln-b"), chains={"c": ("f1",)})
    assert "subnets/other" in " ".join(steering_problems(two.chains))


def test_a_vlan_of_two_bridges_is_not_mixed_in_a_function() -> None:
    other_network, other_local = 4, 6
    web = SteeringRule(priority=2, chain_id="d", ip_version=4, protocol=6)
    other = replace(segment(web, vlan_id=10), subnet_id="other", localnet="ln-b", uplink_bridge="br1")
    the = site(segment(ALL), other, chains={"c": ("f1",), "d": ("f1",)})
    ports = {"patch-br.nf-to-br1": other_network, "patch-ln-b-to-brAtlas": other_local}
    the = replace(the, ofports={**the.ofports, **ports})
    assert way(the, OUT, LOCAL) == [10, NETWORK]
    assert way(the, OUT, other_local) == [], "it would come out of f1 as a frame of the other network"
    assert way(the, replace(OUT, protocol=17), other_local) == [other_network]
    [problem] = steering_problems(the.chains)
    assert "serviceChains/d" in problem
    assert "subnets/other" in problem


def test_a_port_that_is_not_there_yet_gets_no_flow() -> None:
    the = site(segment(ALL), chains={"c": ("f1",)})
    without = {name: port for name, port in the.ofports.items() if name != "f1-out"}
    assert way(replace(the, ofports=without), OUT, LOCAL) == []
    without = {name: port for name, port in the.ofports.items() if port != LOCAL}
    assert way(replace(the, ofports=without), answer(OUT), NETWORK) == [11]


def test_many_addresses_are_a_sum_of_flows() -> None:
    rule = SteeringRule(
        priority=1,
        chain_id="c",
        ip_version=4,
        protocol=6,
        local_mac_addresses=tuple(f"50:6b:8d:00:00:{n:02x}" for n in range(100)),
        peer_networks=tuple(f"198.51.{n}.0/24" for n in range(50, 150)),
        destination_ports=(PortSpan(first=1, last=1023),),
    )
    the = site(segment(rule), chains={"c": ("f1",)})
    flows = render_flows(the)
    assert len(flows) < 900
    assert way(the, OUT, LOCAL) == [10, NETWORK]
    assert way(the, answer(OUT), NETWORK) == [11, LOCAL]
    for other in (
        replace(OUT, destination_port=1024),
        replace(OUT, destination="198.52.0.1"),
        replace(OUT, dl_src="50:6b:8d:00:00:ff"),
    ):
        assert way(the, other, LOCAL) == [NETWORK]


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_masks_are_the_span(first: int, last: int, port: int) -> None:
    assume(first <= last)
    masks = list(span_masks(PortSpan(first=first, last=last)))
    matching = [
        mask
        for mask in masks
        if port & int((mask + "/0xffff").split("/")[1], 16) == int(mask.split("/")[0], 0)
    ]
    assert len(matching) == (first <= port <= last)
    assert len(masks) <= 30
