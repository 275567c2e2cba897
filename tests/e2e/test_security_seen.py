"""What is seen of security policies is what packets did: hits by rule, lines of the log."""

from __future__ import annotations

import socket
from itertools import chain
from pathlib import Path

from netctl.loop import wait_until
from netctl.v1.explain_pb2 import (
    ClearSecurityPolicyHitsRequest,
    FollowPolicyLogRequest,
    GetSecurityPolicyHitsRequest,
    PolicyLogEntry,
)
from tests.e2e.security import ALLOW, DENY, IN, MONITOR, OUT, Ask, rule, tcp, udp
from tests.e2e.site import DEADLINE_S
from tests.e2e.wards import APP, DB, WEB, Ward

# Name, direction, action, would it drop?
Line = tuple[str, int, int, bool]


def hits(ward: Ward, policy: str) -> dict[Line, int] | None:
    """Return the packets of a policy's rules, but for those that met none; None while a host does not answer."""
    request = GetSecurityPolicyHitsRequest(name=f"securityPolicies/{policy}")
    answer = ward.here.security_explain.GetSecurityPolicyHits(request, timeout=DEADLINE_S)
    if answer.missing_hosts:
        return None
    return {
        (each.rule, each.direction, each.action, each.would_drop): each.packets
        for each in answer.rules
        if each.packets
    }


def wait_hits(ward: Ward, policy: str, wanted: dict[Line, int]) -> None:
    """Return when these are the hits; counters are half a second behind, agents connect again in a moment."""
    last: list[dict[Line, int] | None] = []

    def reached() -> bool:
        last[:] = [hits(ward, policy)]
        return last[0] == wanted

    try:
        wait_until(reached, timeout_s=10, what=f"hits of {policy}")
    except TimeoutError as error:
        raise TimeoutError(f"hits of {policy}: wanted {wanted}, are {last}") from error


def log(ward: Ward, policy: str) -> list[PolicyLogEntry]:
    """Return what rules of a policy have logged."""
    request = FollowPolicyLogRequest(name=f"securityPolicies/{policy}", last=10_000)
    answers = ward.here.security_explain.FollowPolicyLog(request, timeout=DEADLINE_S)
    return list(chain.from_iterable(answer.entries for answer in answers))


def test_hits_are_the_packets_that_were_sent(ward: Ward) -> None:
    """On both hosts, also of rules that port groups of several switches share; cleared, they begin at zero."""
    ward.put(
        ward.policy("application", "seen", [WEB], rule("names", IN, udp(53)), rule("all-out", OUT)),
        ward.policy(
            "application",
            "heard",
            [WEB],
            rule("no-names", IN, udp(53), action=DENY),
            mode=MONITOR,
            priority=9,
        ),
    )
    assert hits(ward, "seen") == hits(ward, "heard") == {}
    names = [Ask("rest1", "web1", "udp/53")] * 7 + [Ask("rest1", "web2", "udp/53", 6)] * 5
    refused = [Ask("rest2", "web1", "tcp/80")] * 3
    passing = ward.guests.passing([*names, *refused])
    assert passing == set(names)
    wait_hits(ward, "seen", {("names", IN, ALLOW, False): 12, ("", IN, DENY, False): 3})
    wait_hits(ward, "heard", {("no-names", IN, DENY, True): 12})
    request = ClearSecurityPolicyHitsRequest(name="securityPolicies/seen")
    ward.here.security_explain.ClearSecurityPolicyHits(request, timeout=DEADLINE_S)
    ward.guests.passing(refused)
    wait_hits(ward, "seen", {("", IN, DENY, False): 3})
    wait_hits(ward, "heard", {("no-names", IN, DENY, True): 12})


def test_hits_of_a_rule_that_becomes_conjunctions_are_its_packets_too(ward: Ward) -> None:
    """Several addresses times several ports: on a host a conjunction of flows, which must not count each for itself."""
    ports = tcp(80, 443, (8000, 8010))
    ward.put(
        ward.policy(
            "application", "many", [WEB], rule("tiers", IN, ports, peers=[APP, DB]), rule("all-out", OUT)
        )
    )
    questions = [
        *([Ask("app1", "web2", "tcp/8005")] * 4),
        *([Ask("db2", "web1", "tcp/443", 6)] * 2),
        *([Ask("db1", "web1", "tcp/81")] * 3),
    ]
    assert ward.guests.passing(questions) == set(questions[:6])
    wait_hits(ward, "many", {("tiers", IN, ALLOW, False): 6, ("", IN, DENY, False): 3})


def test_the_log_has_the_packets_in_names(ward: Ward) -> None:
    ward.put(
        ward.policy(
            "application",
            "told",
            [WEB],
            rule("names", IN, udp(53), log=True),
            rule("more", IN, udp(54)),
            rule("all-out", OUT),
            log=True,
        ),
        ward.policy(
            "application",
            "foretold",
            [WEB],
            rule("no-more", IN, udp(54), action=DENY),
            rule("rest", IN),
            rule("all-out", OUT),
            mode=MONITOR,
            priority=9,
        ),
    )
    allowed, denied, doomed = (
        Ask("rest2", "web1", "udp/53"),
        Ask("rest1", "web2", "tcp/80", 6),
        Ask("rest1", "web1", "udp/54"),
    )
    assert ward.guests.passing([allowed, denied, doomed]) == {allowed, doomed}
    wait_until(lambda: len(log(ward, "told")) == 2, timeout_s=10, what="two lines")
    wait_until(lambda: len(log(ward, "foretold")) == 1, timeout_s=10, what="a line of what would be dropped")
    by_rule = {entry.rule: entry for entry in (*log(ward, "told"), *log(ward, "foretold"))}
    check(ward, by_rule["names"], allowed, ALLOW, "h1")
    check(ward, by_rule[""], denied, DENY, "h2")
    check(ward, by_rule["no-more"], doomed, DENY, "h1", would_drop=True)


def check(
    ward: Ward, entry: PolicyLogEntry, ask: Ask, action: int, host: str, *, would_drop: bool = False
) -> None:
    """Hold a line to the packet that it is of."""
    assert (entry.direction, entry.action, entry.would_drop) == (IN, action, would_drop)
    assert entry.source_nic == ward.guests.nics[ask.source].name
    assert entry.destination_nic == ward.guests.nics[ask.destination].name
    assert entry.source_address == ward.guests.address(ask.source, ask.version)
    assert entry.destination_address == ward.guests.address(ask.destination, ask.version)
    assert f"{entry.protocol}/{entry.destination_port}" == ask.service
    assert entry.host == f"hosts/{host}"


def test_syslog_gets_the_lines_and_a_restarted_controller_goes_on(ward: Ward, tmp_path: Path) -> None:
    """Agents connect again by themselves; hits go on from where they were."""
    ward.put(
        ward.policy("application", "sent", [WEB], rule("names", IN, udp(53), log=True), rule("all-out", OUT))
    )
    question = Ask("rest2", "web1", "udp/53")
    ward.guests.passing([question])
    wait_hits(ward, "sent", {("names", IN, ALLOW, False): 1})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.settimeout(10)
        ward.here.restart_controller("--syslog", f"unix:{tmp_path}/log")
        try:
            wait_hits(ward, "sent", {("names", IN, ALLOW, False): 1})  # the agents are back
            ward.guests.passing([question])
            said = receiver.recv(4096).decode()
            wait_hits(ward, "sent", {("names", IN, ALLOW, False): 2})
        finally:
            ward.here.restart_controller()
    assert (
        ' h1 netctl - ALLOW [netctl@32473 policy="securityPolicies/sent" rule="names" direction="IN" ' in said
    )
    assert f'source_nic="{ward.guests.nics["rest2"].name}"' in said
