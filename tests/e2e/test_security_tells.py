"""What is told of security policies against what packets do: hits, the log, would-drops, expiry, tests and traces."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from netctl.loop import wait_until
from netctl.v1 import explain_pb2, security_pb2
from tests.e2e.figures import note
from tests.e2e.security import (
    ALLOW,
    BOTH,
    DENY,
    ICMP,
    IN,
    MONITOR,
    OUT,
    Ask,
    Service,
    asks,
    id_of,
    rule,
    streaming,
    tcp,
    udp,
)
from tests.e2e.site import DEADLINE_S
from tests.e2e.wards import APP, WEB, Ward

WEBS, REST = ("web1", "web2"), ("rest1", "rest2")
HTTP = rule("http", IN, tcp(80))
NAME = "securityPolicies/shop"
Row = tuple[str, int, bool]


def to_webs(*services: str) -> list[Ask]:
    """Return questions of those outside to web."""
    return asks([(source, target) for source in REST for target in WEBS], *services)


def hits(ward: Ward) -> dict[Row, int]:
    """Return how often each rule decided: by its name, direction and whether it would have dropped."""
    request = explain_pb2.GetSecurityPolicyHitsRequest(name=NAME)
    answer = ward.here.security_explain.GetSecurityPolicyHits(request, timeout=DEADLINE_S)
    assert not answer.missing_hosts
    for row in answer.rules:
        assert row.packets == sum(host.packets for host in row.hosts)
    return {(row.rule, row.direction, row.would_drop): row.packets for row in answer.rules if row.packets}


def logged(ward: Ward) -> list[explain_pb2.PolicyLogEntry]:
    """Return what the policy's rules have logged."""
    request = explain_pb2.FollowPolicyLogRequest(name=NAME, last=10_000)
    stream = ward.here.security_explain.FollowPolicyLog(request, timeout=DEADLINE_S)
    entries = [entry for answer in stream for entry in answer.entries]
    created = ward.get_policy(
        NAME
    ).create_time.ToNanoseconds()  # the log of an older one of this name is there still
    return [entry for entry in entries if entry.time.ToNanoseconds() > created]


def test_enforced_rules_count_each_packet_they_decide(ward: Ward) -> None:
    ward.put(ward.policy("application", "shop", [WEB], HTTP, rule("no", IN, udp(53), action=DENY)))
    ward.guests.check(to_webs("tcp/80"), to_webs("tcp/443", "udp/53"))
    wanted = {
        ("http", IN, False): len(to_webs("tcp/80")),
        ("no", IN, False): len(to_webs("udp/53")),
        ("", IN, False): len(to_webs("tcp/443")),
    }
    wait_until(lambda: sum(hits(ward).values()) >= sum(wanted.values()), timeout_s=10, what="all are counted")
    assert hits(ward) == wanted
    ward.here.security_explain.ClearSecurityPolicyHits(
        explain_pb2.ClearSecurityPolicyHitsRequest(name=NAME), timeout=DEADLINE_S
    )
    assert hits(ward) == {}


def test_a_policy_in_monitor_drops_nothing_and_tells_what_it_would(ward: Ward) -> None:
    """Counted exactly, each new connection once; logged in names, both ends and the host that saw it."""
    ward.put(ward.policy("application", "shop", [WEB], HTTP, mode=MONITOR))
    inside, outward = (
        to_webs("tcp/80", "tcp/443", "udp/53", "icmp"),
        asks([WEBS[:1] * 1 + REST[1:]], "udp/53"),
    )
    ward.guests.check(inside + outward, [])
    would, told = len(to_webs("tcp/443", "udp/53", "icmp")), len(outward)
    wanted = {("", IN, True): would, ("", OUT, True): told}
    wait_until(lambda: dropped(ward) == wanted, timeout_s=10, what=f"would-drops {wanted}")
    wait_until(lambda: len(logged(ward)) >= would + told, timeout_s=10, what="all are logged")
    lines = logged(ward)
    assert len(lines) == would + told
    assert all(line.would_drop and line.policy == NAME and not line.rule for line in lines)
    seen = {(line.source_nic, line.destination_nic, line.destination_address) for line in lines}
    nics, address = ward.guests.nics, ward.guests.address
    assert seen == {
        (nics[ask.source].name, nics[ask.destination].name, address(ask.destination, ask.version))
        for ask in [*to_webs("tcp/443"), *outward]
    }
    printed = (
        cli(ward, "policy", "hits", "shop", "-o", "json"),
        cli(ward, "policy", "log", "shop", "-o", "json"),
    )
    assert [done.returncode for done in printed] == [0, 0], printed
    assert f'"{would}"' in printed[0].stdout or f": {would}" in printed[0].stdout
    assert all(nics[name].name in printed[1].stdout for name in (*WEBS, *REST))
    ports = {(line.protocol, line.destination_port) for line in lines if line.protocol in ("tcp", "udp")}
    assert ports == {("tcp", 443), ("udp", 53)}
    assert {line.host for line in lines} == {"hosts/h1", "hosts/h2"}


def dropped(ward: Ward) -> dict[Row, int]:
    """Return the would-drops alone."""
    return {row: count for row, count in hits(ward).items() if row[2]}


def test_the_log_keeps_its_rate_and_the_count_does_not_suffer(ward: Ward) -> None:
    rate, pps = 10, 1000
    ward.put(ward.policy("application", "shop", [WEB], HTTP, mode=MONITOR, log_rate=rate))
    began_s = time.monotonic()
    with streaming(ward.guests, to_webs("tcp/443"), pps=pps) as stream:
        stream.wait_for_more(800)
    took_s = time.monotonic() - began_s
    wait_until(lambda: sum(dropped(ward).values()) >= len(stream.sent), timeout_s=10, what="all are counted")
    assert sum(dropped(ward).values()) == len(stream.sent)
    wait_until(lambda: logged(ward), timeout_s=10, what="some are logged")
    lines = len(logged(ward))
    note("log_rate 10", f"{lines} lines of {len(stream.sent)} packets in {took_s:.1f} s on two hosts")
    assert lines <= 2 * rate * (took_s + 2), "a second's worth may come at once"


def test_a_rule_that_expires_is_off(ward: Ward) -> None:
    """An allow closes, a deny opens, the others stay."""
    expiring = [rule("soon", IN, tcp(443)), rule("soon-too", IN, udp(53), action=DENY, priority=1)]
    for one in expiring:
        one.expire_time.FromSeconds(int(time.time()) + 3)
    ward.put(ward.policy("application", "shop", [WEB], HTTP, *expiring, rule("dns", IN, udp(53))))
    ward.guests.check(to_webs("tcp/80", "tcp/443"), to_webs("udp/53"))
    questions, after = to_webs("tcp/443", "udp/53", "tcp/80"), set(to_webs("udp/53", "tcp/80"))
    wait_until(lambda: ward.guests.passing(questions) == after, timeout_s=10, what="the rules are off")
    late_s = time.time() - expiring[0].expire_time.seconds
    note("a rule expires", f"off {late_s:.1f} s after its time")
    assert 0 <= late_s < 5
    kinds = explain_pb2.ReportSecurityPoliciesRequest(name=NAME)
    findings = ward.here.security_explain.ReportSecurityPolicies(kinds, timeout=DEADLINE_S).findings
    assert {found.rule for found in findings if found.kind == "EXPIRED"} == {"soon", "soon-too"}


def test_test_trace_and_packets_agree(ward: Ward) -> None:
    """Each with the policy and the rule that decides, by the API and by the CLI."""
    ward.put(
        ward.policy("application", "shop", [WEB], HTTP, rule("to-app", OUT, udp(53), peers=[APP])),
        ward.policy("isolation", "apart", [APP, "categories/db"]),
        ward.policy("application", "desk", [APP], rule("any", BOTH, ICMP), rule("in", IN), mode=MONITOR),
    )
    pairs = [("rest1", "web2"), ("web1", "app2"), ("app1", "db2")]
    questions = asks(pairs, "tcp/80", versions=(6,)) + asks(pairs, "udp/53", "icmp", versions=(4,))
    passing = ward.guests.passing(questions)
    assert 0 < len(passing) < len(questions)
    for ask in questions:
        tested = judged(ward, ask)
        assert tested.allowed == (ask in passing), f"{ask}: {tested}"
        path = traced(ward, ask)
        assert (path.verdict == "delivered") == tested.allowed, f"{ask}: {path}"
        deciding = {decision.policy for decision in tested.decisions if decision.policy}
        named = {step.resource_name for step in path.steps if step.kind == "security" and step.resource_name}
        assert named <= deciding, f"{ask}: {named} by the trace, {deciding} by the test"
        denying = [one for one in tested.decisions if one.action != ALLOW]
        assert bool(denying) != tested.allowed
        assert all(one.policy for one in denying), ask
    allowed, denied = Ask("rest1", "web2", "tcp/80"), Ask("app1", "db2", "tcp/80")
    for ask, status in ((allowed, 0), (denied, 6)):
        arguments = [id_of(ward.guests.nics[name]) for name in (ask.source, ask.destination)]
        done = cli(ward, "policy", "test", *arguments, "tcp/80", "-o", "json")
        assert done.returncode == status, done.stderr
        assert json.loads(done.stdout).get("allowed", False) == (status == 0)


def judged(ward: Ward, ask: Ask) -> explain_pb2.TestPolicyResponse:
    """Ask the compiled model."""
    protocol, _, port = ask.service.partition("/")
    version = "V6" if ask.version == 6 and protocol == "icmp" else ""
    service = Service(
        protocol=security_pb2.ServiceProtocol.Value(f"SERVICE_PROTOCOL_{protocol.upper()}{version}")
    )
    if port:
        service.ports.add(first=int(port), last=int(port))
    else:
        service.icmp_type = 128 if version else 8
    nics = ward.guests.nics
    request = explain_pb2.TestPolicyRequest(
        source=nics[ask.source].name,
        destination=nics[ask.destination].name,
        service=service,
        ip_version=ask.version,
    )
    return ward.here.security_explain.TestPolicy(request, timeout=DEADLINE_S)


def traced(ward: Ward, ask: Ask) -> explain_pb2.TraceResponse:
    """Ask OVN."""
    protocol, _, port = ask.service.partition("/")
    request = explain_pb2.TraceRequest(
        nic=ward.guests.nics[ask.source].name,
        destination=ward.guests.address(ask.destination, ask.version),
        protocol=protocol,
        destination_port=int(port or 0),
    )
    return ward.here.explain.Trace(request, timeout=60)


def cli(ward: Ward, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run netctl."""
    command = [sys.executable, "-m", "netctl.cli.main", "--server", ward.here.lab.server, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
