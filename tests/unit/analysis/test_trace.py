"""The path of a packet, told from what ovn-trace really said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netctl.analysis.probe import STRANGER, Probe, first_probe
from netctl.analysis.trace import trace_packet
from netctl.analysis.trace_text import parse_trace
from netctl.analysis.trace_walk import Walk, World, find_policy
from netctl.compiler import priority
from netctl.compiler.identity import router_uuid, switch_uuid
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.errors import InvalidIntent
from netctl.model.keys import Kind, NicId, VpcId
from netctl.model.nic import Nic
from netctl.model.route import NextHop
from tests.explained import BLUE, DENY_SSH, THROUGH_FW, nic, route
from tests.intents import overlay, snapshot, uid_of, vlan
from tests.unit.analysis.cases import CASES, HOLDERS, SNAPSHOT, Case, to

RECORDED = Path(__file__).parent / "recorded"
WORLD = World(snapshot=SNAPSHOT, observed=NOTHING_OBSERVED, holders=HOLDERS)


def replay(name: str) -> Callable[[str], str]:
    """Answer as ovn-trace did, if it is asked the same packets in the same order."""
    answers = iter(sorted(RECORDED.glob(f"{name}-[0-9].txt")))

    def ask(packet: str) -> str:
        asked, _, text = next(answers).read_text().partition("\n")
        assert packet == asked.removeprefix("> ")
        return text

    return ask


def sender(id: str) -> Nic:
    found = SNAPSHOT.nic(NicId(id))
    assert found is not None
    return found


def outline(walk: Walk) -> tuple[str, ...]:
    return tuple(f"{step.kind} {step.host} {step.key[1] if step.key else '-'}" for step in walk.steps)


@pytest.mark.parametrize("name", CASES)
def test_the_path_of(name: str) -> None:
    case: Case = CASES[name]
    walk, raw = trace_packet(replace_holders(case), sender(case.nic), case.probe, replay(name))
    assert outline(walk) == case.steps
    assert walk.verdict == case.verdict
    assert case.text in walk.reason
    assert "lr_in" in raw or "ls_in" in raw


def test_a_nic_without_a_tap_gets_nothing() -> None:
    case = CASES["permitted"]
    world = replace(replace_holders(case), absent=lambda nic: nic.id != case.nic)
    walk, _ = trace_packet(world, sender(case.nic), case.probe, replay("permitted"))
    assert walk.verdict == "dropped"
    assert "is not plugged: hosts/" in walk.reason


def test_a_route_that_is_not_in_use_is_named_where_there_is_none() -> None:
    case = CASES["no-route"]
    unused = route("unused", "2600::/16", NextHop(ip_address="fd00:9::9"), vpc="spoke")
    intents = [intent for kind in Kind for intent in SNAPSHOT.of_kind(kind)]
    observed = Observed(dead=frozenset({(VpcId("spoke"), "fd00:9::9")}))
    world = replace(WORLD, snapshot=snapshot([*intents, unused]), observed=observed)
    walk, _ = trace_packet(world, sender(case.nic), case.probe, replay("no-route"))
    assert "routes/unused is not in use: " in walk.reason


def replace_holders(case: Case) -> World:
    return replace(WORLD, holders=case.holders)


def test_every_word_of_one_path() -> None:
    walk, _ = trace_packet(WORLD, sender("w1"), CASES["office"].probe, replay("office"))
    assert [step.text for step in walk.steps] == [
        "nics/w1 sends icmp 10.0.1.11 -> 172.20.1.1",
        "subnets/web, to the router of vpcs/blue",
        "172.20.0.0/16 via 172.16.0.9 (routes/office)",
        "Geneve from hosts/h1 to hosts/h2",
        "gateway of vpcs/blue",
        "by VLAN 200 of virtualSwitches/vs0",
    ]


def test_translations_are_told_with_their_addresses() -> None:
    walk, _ = trace_packet(WORLD, sender("s1"), CASES["to-floating"].probe, replay("to-floating"))
    assert [step.text for step in walk.steps if step.kind == "nat"] == [
        "source becomes 203.0.113.20",
        "destination 203.0.113.77 becomes 10.0.1.12",
    ]


def test_ports_are_told() -> None:
    walk, _ = trace_packet(WORLD, sender("w1"), CASES["denied"].probe, replay("denied"))
    assert walk.steps[0].text == "nics/w1 sends tcp 10.0.1.11 -> 10.0.2.11:22"


def test_the_packet_is_what_the_guest_would_send() -> None:
    assert first_probe(SNAPSHOT, sender("w1"), to("10.0.2.11", 80)).render() == (
        f'inport == "{uid_of("w1")}" && eth.src == 50:6b:8d:00:01:0b && eth.dst == 50:6b:8d:01:00:01'
        " && ip4.src == 10.0.1.11 && ip4.dst == 10.0.2.11 && ip.ttl == 64"
        " && tcp && tcp.src == 40000 && tcp.dst == 80"
    )
    six = first_probe(SNAPSHOT, sender("w1"), to("2600::1"))
    assert "ip6.src == fd00:1::11" in six.render()
    assert "icmp6.type == 128" in six.render()
    assert first_probe(SNAPSHOT, sender("w1"), to("10.0.1.12")).next_mac == "50:6b:8d:00:01:0c"


def test_an_address_that_is_nobodys_here_has_a_strangers_mac() -> None:
    lan = snapshot([vlan(), nic("n1", "v10", "10.0.10.5", "h1")])
    guest = lan.nic(NicId("n1"))
    assert guest is not None
    assert first_probe(lan, guest, to("10.0.10.9")).next_mac == STRANGER


@pytest.mark.parametrize(
    ("id", "probe", "field", "text"),
    [
        ("n4", to("8.8.8.8"), "nic", "attached to no host"),
        ("d1", to("2600::1"), "nic", "has no IPv6 address"),
        ("w1", to("10.0.1.11"), "destination", "never leaves the guest"),
    ],
)
def test_what_cannot_be_sent_is_refused(id: str, probe: Probe, field: str, text: str) -> None:
    with pytest.raises(InvalidIntent, match=text) as refused:
        first_probe(SNAPSHOT, sender(id), probe)
    assert refused.value.field == field


def test_out_of_a_subnet_without_gateway_is_refused() -> None:
    lone = snapshot([overlay(), replace(nic("n1", "o1", "10.0.10.5", "h1"), ipv4_address="10.0.10.5")])
    guest = lone.nic(NicId("n1"))
    assert guest is not None
    with pytest.raises(InvalidIntent, match="has no gateway"):
        first_probe(lone, guest, to("8.8.8.8"))


def test_routers_in_a_circle_end() -> None:
    """Each router knows its neighbour by the intents alone: what ovn-trace says does not change."""
    first = (RECORDED / "to-floating-unasked-1.txt").read_text().partition("\n")[2]
    walk, _ = trace_packet(WORLD, sender("s1"), to("203.0.113.77"), lambda packet: first)
    assert (walk.verdict, walk.reason) == (
        "dropped",
        "it goes in circles: more routers on its way than are believable",
    )


def test_what_ovn_trace_never_said_is_a_drop() -> None:
    walk, _ = trace_packet(WORLD, sender("w1"), to("10.0.1.12"), lambda packet: "")
    assert (walk.verdict, walk.reason) == ("dropped", "OVN lets it end")


def test_stages_without_a_match_drop() -> None:
    text = f"""ingress(dp="{uid_of("web")}", inport="x")
    12. ls_in_l2_lkup: no match (implicit drop)
    """
    (pipeline,) = parse_trace(text)
    assert [(stage.name, stage.drops) for stage in pipeline.stages] == [("ls_in_l2_lkup", True)]


def test_rows_of_both_directions_are_their_policy() -> None:
    assert find_policy(SNAPSHOT, BLUE, priority.policy_forth(DENY_SSH.priority)) == DENY_SSH
    assert find_policy(SNAPSHOT, BLUE, priority.policy_back(THROUGH_FW.priority)) == THROUGH_FW
    assert find_policy(SNAPSHOT, BLUE, priority.POLICY_GUARD) is None
    assert find_policy(SNAPSHOT, BLUE, priority.policy_forth(77)) is None


def policy_stage(number: int, action: str) -> str:
    """As ovn-trace tells of blue's policies."""
    return f"""ingress(dp="{router_uuid(uid_of("blue"))}", inport="x")
    15. lr_in_policy (northd.c:9526): ip4, priority {number}, uuid 96f048cb
        {action}
    """


@pytest.mark.parametrize(
    ("number", "action", "told"),
    [
        (
            priority.POLICY_GUARD,
            "drop;",
            "private addresses of vpcs/blue are not reached from outside: NAT hides them",
        ),
        (601, "drop;", "routingPolicies/deny-ssh denies it"),
        (401, "drop;", "routingPolicies/through-fw denies it: its service does not work"),
        (400, "reg8[0..15] = 0;", "routingPolicies/through-fw permits it: its service does not work"),
        (201, "reg8[0..15] = 0;", "routingPolicies/let-http permits it"),
        (401, "reg0 = 10.0.2.9;", "routingPolicies/through-fw reroutes it to 10.0.2.9"),
    ],
)
def test_what_a_policy_did(number: int, action: str, told: str) -> None:
    walk, _ = trace_packet(WORLD, sender("w1"), to("10.0.2.11"), lambda packet: policy_stage(number, action))
    assert walk.steps[1].text == told


def test_a_packet_that_would_go_back_is_dropped() -> None:
    """As for a packet that is rerouted to the service that sent it."""
    text = f"""ingress(dp="{switch_uuid(uid_of("web"))}", inport="x")
    25. ls_in_l2_lkup (northd.c:9122): eth.dst == 50:6b:8d:00:01:0b, priority 50, uuid 35179ded
        outport = "x";
        output;
        /* omitting output because inport == outport && !flags.loopback */
    """
    walk, _ = trace_packet(WORLD, sender("w1"), to("10.0.1.12"), lambda packet: text)
    assert (walk.verdict, walk.reason) == ("dropped", "subnets/web sends nothing back to where it came from")
