"""What a rule may say, by packets: peers, services, IP version, priority, verdict, tracking. And open connections."""

from __future__ import annotations

from contextlib import ExitStack

from netctl.loop import wait_until
from netctl.v1 import security_pb2, vpc_pb2
from tests.e2e import forged, security, talk
from tests.e2e.security import BOTH, DENY, IN, OUT, REJECT, Ask, asks, rule, tcp, udp
from tests.e2e.wards import APP, WEB, Ward

SERVICES = ("tcp/80", "tcp/443", "udp/53", "icmp")
REST = ("rest1", "rest2")
WEBS = ("web1", "web2")


def pairs(sources: tuple[str, ...], targets: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each source with each target."""
    return [(source, target) for source in sources for target in targets]


def split(ward: Ward, questions: list[Ask], allowed: set[Ask]) -> None:
    """Hold questions to their fate: those in `allowed` pass, the others do not."""
    ward.guests.check(
        [ask for ask in questions if ask in allowed], [ask for ask in questions if ask not in allowed]
    )


def test_peers_by_address(ward: Ward) -> None:
    """An address, a range, a network with a hole; IPv4 and IPv6 apart. An empty group is nobody."""
    rest = [ward.guests.address("rest1"), ward.guests.address("rest1", 6)]
    network = ward.guests.address("app1").rpartition(".")[0] + ".0/24"
    hole = [ward.guests.address(name) for name in ("app2", "web1", "web2", "db1", "db2", "rest1", "rest2")]
    first = ward.guests.address("db1")
    ward.put(
        security_pb2.AddressGroup(name="addressGroups/rest", addresses=rest),
        security_pb2.AddressGroup(name="addressGroups/apps", addresses=[network], except_addresses=hole),
        security_pb2.AddressGroup(name="addressGroups/dbs", addresses=[f"{first}-{first}"]),
        security_pb2.AddressGroup(name="addressGroups/none"),
        ward.policy(
            "application",
            "addressed",
            [WEB],
            rule("rest", IN, tcp(80), peers=["addressGroups/rest"]),
            rule("apps", IN, tcp(80), peers=["addressGroups/apps", "addressGroups/dbs"]),
            rule("nobody", IN, udp(53), peers=["addressGroups/none"]),
        ),
    )
    questions = asks(pairs((*REST, "app1", "app2", "db1", "db2"), WEBS), "tcp/80", "udp/53")
    four = asks(pairs(("rest1", "app1", "db1"), WEBS), "tcp/80", versions=(4,))
    split(ward, questions, {*four, *asks(pairs(("rest1",), WEBS), "tcp/80", versions=(6,))})
    ward.put(security_pb2.AddressGroup(name="addressGroups/none", addresses=rest[:1]))
    ward.guests.check(
        asks(pairs(("rest1",), WEBS), "udp/53", versions=(4,)), asks(pairs(("rest2",), WEBS), "udp/53")
    )


def test_services_by_name_port_and_number(ward: Ward) -> None:
    """Ranges end where they say, source ports count, ICMP has types, other protocols have numbers."""
    named = security_pb2.ServiceGroup(name="serviceGroups/named", services=[tcp((8000, 8010), 80), udp(53)])
    numbered = security.Service(protocol=security_pb2.SERVICE_PROTOCOL_NUMBER, protocol_number=6)
    low = tcp(9000)
    low.source_ports.append(vpc_pb2.PortRange(first=1, last=1000))
    reply = security.Service(protocol=security_pb2.SERVICE_PROTOCOL_ICMP, icmp_type=0)
    ward.put(
        named,
        ward.policy(
            "application", "web", [WEB], rule("some", IN, low, reply, service_groups=["serviceGroups/named"])
        ),
        ward.policy("application", "app", [APP], rule("tcp", IN, numbered)),
    )
    ports = (
        "tcp/79",
        "tcp/80",
        "tcp/81",
        "tcp/7999",
        "tcp/8000",
        "tcp/8010",
        "tcp/8011",
        "tcp/9000",
        "udp/80",
        "udp/53",
    )
    allowed = ("tcp/80", "tcp/8000", "tcp/8010", "udp/53")
    to_web, to_app = pairs(REST, WEBS), pairs(REST, ("app1", "app2"))
    split(
        ward,
        [*asks(to_web, *ports, "icmp"), *asks(to_app, "tcp/1", "tcp/65535", "udp/53", "icmp")],
        {*asks(to_web, *allowed), *asks(to_app, "tcp/1", "tcp/65535")},
    )


def test_a_rule_for_one_ip_version(ward: Ward) -> None:
    ward.put(
        ward.policy(
            "application",
            "versions",
            [WEB],
            rule("four", IN, tcp(80), ip_version=4),
            rule("six", IN, tcp(443), ip_version=6),
        )
    )
    to_web = pairs(REST, WEBS)
    split(
        ward,
        asks(to_web, "tcp/80", "tcp/443"),
        {*asks(to_web, "tcp/80", versions=(4,)), *asks(to_web, "tcp/443", versions=(6,))},
    )


def test_entity_groups_and_their_exceptions(ward: Ward) -> None:
    """All of a selector, any selector, but not the excepted; a group in a group; the exception follows the NIC."""
    nic = ward.guests.nics
    ward.put(
        security.entities("shop", [WEB], [APP], but=[[APP, nic["app2"].name]]),
        security.entities("all", ["entityGroups/shop"], [nic["rest1"].name, nic["rest1"].subnet]),
        security.entities("never", [WEB, APP]),
        ward.policy(
            "application",
            "grouped",
            ["entityGroups/all"],
            rule("dns", IN, udp(53), peers=["entityGroups/shop"]),
            rule("dns-out", OUT, udp(53)),
            rule("no", BOTH, tcp(80), peers=["entityGroups/never"]),
        ),
    )
    inside, shop = ("web1", "web2", "app1", "rest1"), ("web1", "web2", "app1")
    outside = ("app2", "db1", "rest2")
    everybody = (*inside, *outside)
    questions = asks([(a, b) for a, b in pairs(everybody, everybody) if a != b], "tcp/80", "udp/53")
    allowed = {
        ask
        for ask in questions
        if (ask.destination in outside and (ask.source in outside or ask.service == "udp/53"))
        or (ask.destination in inside and ask.source in shop and ask.service == "udp/53")
    }
    split(ward, questions, allowed)
    ward.put(security.entities("shop", [WEB], [APP]))
    ward.guests.check(
        asks([("app2", "web1")], "udp/53"), asks([("rest2", "app2"), ("app2", "rest2")], "tcp/80")
    )


def test_the_rule_with_the_higher_priority_decides_and_then_the_earlier(ward: Ward) -> None:
    rules = [
        rule("allow", IN, tcp(80), peers=[APP]),
        rule("deny", IN, tcp((1, 100)), action=DENY),
        rule("later", IN, tcp(80, 443)),
    ]

    def put(*, deny: int) -> None:
        rules[1].priority = deny
        ward.put(ward.policy("application", "ordered", [WEB], *rules))

    questions = asks(pairs(("app1", "app2", *REST), WEBS), "tcp/80", "tcp/443")
    every443 = set(asks(pairs(("app1", "app2", *REST), WEBS), "tcp/443"))
    put(deny=0)
    split(ward, questions, every443 | set(asks(pairs(("app1", "app2"), WEBS), "tcp/80")))
    put(deny=1)
    split(ward, questions, every443)
    rules[0].priority = 2
    put(deny=1)
    split(ward, questions, every443 | set(asks(pairs(("app1", "app2"), WEBS), "tcp/80")))


def test_an_allow_of_one_application_is_not_undone_by_anothers_implicit_deny(ward: Ward) -> None:
    ward.put(
        ward.policy("application", "one", [WEB], rule("http", IN, tcp(80)), priority=1),
        ward.policy(
            "application", "two", [WEB], rule("dns", IN, udp(53)), rule("not", IN, tcp(80), action=DENY)
        ),
    )
    to_web = pairs(REST, WEBS)
    split(ward, asks(to_web, *SERVICES), set(asks(to_web, "tcp/80", "udp/53")))
    ward.put(ward.policy("application", "one", [WEB], rule("http", IN, tcp(80))))
    split(ward, asks(to_web, *SERVICES), set(asks(to_web, "tcp/80", "udp/53")))
    ward.put(ward.policy("application", "one", [WEB], rule("http", IN, tcp(80)), mode=security.SAVE))
    split(ward, asks(to_web, *SERVICES), set(asks(to_web, "udp/53")))


def test_reject_is_silent_where_ovns_answer_is_not_safe(ward: Ward) -> None:
    ward.put(ward.policy("application", "no", [WEB], rule("no", IN, tcp(80), udp(53), action=REJECT)))
    assert ward.wait_status("securityPolicies/no", "REJECT_AS_DENY")
    ward.guests.check(asks([("by1", "by2")], "icmp"), asks(pairs(REST, WEBS), "tcp/80", "udp/53"))
    assert not [name for name in REST if any(map(forged.is_refusal, ward.guests.got[name]))]


def test_answers_to_what_is_not_tracked_need_a_rule_of_their_own(ward: Ward) -> None:
    """Stateless one way: the question is heard, the answer is not; with its rule it is."""
    to_web = rule("http", IN, tcp(80), stateless=True)
    back = rule("answers", OUT, stateless=True)
    back.services.add(
        protocol=security_pb2.SERVICE_PROTOCOL_TCP, source_ports=[vpc_pb2.PortRange(first=80, last=80)]
    )
    ward.put(ward.policy("application", "bare", [WEB], to_web))
    ward.guests.check(asks(pairs(REST, WEBS), "tcp/80"), asks(pairs(REST, WEBS), "tcp/443"))
    assert not ward.guests.talk(Ask("rest2", "web1", "tcp/80"))
    ward.put(ward.policy("application", "bare", [WEB], to_web, back))
    assert ward.guests.talk(Ask("rest2", "web1", "tcp/80"))
    ward.put(ward.policy("application", "bare", [WEB], rule("http", IN, tcp(80))))
    assert ward.guests.talk(Ask("rest2", "web1", "tcp/80")), "tracked: answers pass"


def test_quarantine_cuts_open_connections_until_it_is_lifted(ward: Ward) -> None:
    """At the opener's next packet, and from then on both ways; what the other side says before that is heard."""
    ward.put(ward.policy("application", "before", [APP], rule("all", BOTH)))
    ends = [(ward.guests.end("web1", version), ward.guests.end("app2", version)) for version in (4, 6)]
    with ExitStack() as stack:
        talks = [stack.enter_context(talk.conversation(*pair, 8080)) for pair in ends]
        left = stack.enter_context(talk.conversation(ward.guests.end("rest1"), ward.guests.end("db2"), 8080))
        ward.put(ward.policy("quarantine", "now", [APP]))
        assert [one.heard(by_opener=True) for one in talks] == [True, True], "an answer"
        assert [one.heard(timeout_s=0.5) for one in talks] == [False, False]
        assert [one.heard(by_opener=True, timeout_s=0.5) for one in talks] == [False, False]
        assert left.heard()
        ward.drop("securityPolicies/now")
        for one in talks:
            wait_until(one.heard, timeout_s=10, what="the connection goes on")
            assert one.heard(by_opener=True)


def test_a_rule_that_goes_cuts_what_it_let_in(ward: Ward) -> None:
    """And what is still allowed goes on, whichever rule allows it now."""
    rules = [rule("http", IN, tcp(80), peers=[WEB]), rule("other", IN, tcp(8080), peers=[WEB])]
    ward.put(ward.policy("application", "shop", [APP], *rules))
    source, target = ward.guests.end("web2"), ward.guests.end("app1")
    with talk.conversation(source, target, 80) as cut, talk.conversation(source, target, 8080) as kept:
        ward.put(ward.policy("application", "shop", [APP], rule("renamed", IN, tcp((8000, 9000)))))
        assert not cut.heard(timeout_s=0.5)
        assert not cut.heard(by_opener=True, timeout_s=0.5)
        assert kept.heard()
        assert kept.heard(by_opener=True)
