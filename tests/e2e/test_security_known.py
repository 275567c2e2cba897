"""What is known to get around ACLs, or to hurt those who answer: each packet is sent, and finds us not at home.

Most of these are holes of OVN 23.03 and OVS that have a number; by our defaults they are closed, whatever the version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from netctl.loop import wait_until
from tests.e2e import forged, vpcs
from tests.e2e.raw import BROADCAST, frame_socket, tapped
from tests.e2e.security import BOTH, ICMP, ICMP6, IN, REJECT, Ask, asks, rule, tcp, udp
from tests.e2e.stations import Station, beside, heard
from tests.e2e.vpcs import NAT, Nic
from tests.e2e.wards import WEB, Ward, emptied_after
from tests.lossmeter.frames import Address

DOOR = 5001
EVERYBODY = Address(BROADCAST, "255.255.255.255")
SERVERS = Address("33:33:00:01:00:02", "ff02::1:2")
SOLICIT = b"\x01netctl"[:4] + b"\x00\x01\x00\x0a\x00\x03\x00\x01" + bytes(6) + b"\x00\x03\x00\x0c" + bytes(12)
INFLATED_SOLICIT = SOLICIT.replace(b"\x00\x01\x00\x0a", b"\x00\x01\x01\x00")  # a client id of 256 bytes


@pytest.fixture
def ends(ward: Ward) -> tuple[Station, Station]:
    """Who lies, and who is secured; across hosts."""
    return Station(nic=ward.guests.nics["rest1"]), Station(nic=ward.guests.nics["web2"])


@pytest.fixture
def trusting(ward: Ward) -> Iterator[Ward]:
    """The lab's controller with --trust-reject, during a test."""
    ward.here.restart_controller("--trust-reject")
    yield ward
    ward.here.restart_controller()


def test_default_deny_stops_rogue_servers_and_routers_and_no_neighbours(
    ward: Ward, ends: tuple[Station, Station]
) -> None:
    """ARP and neighbour discovery go on; of what a rogue DHCP server and a rogue router say, nothing comes."""
    liar, victim = ends
    nobody = beside(liar.six.ip, 0x99)
    neighbours = {
        "ARP question": forged.arp_request(liar.four.mac, liar.four, beside(liar.four.ip, 99)),
        "NA": forged.advertisement(liar.six, victim.six, liar.six.ip, liar.six.mac),
        "NS": forged.solicitation(liar.six, nobody, liar.six.mac),
        "duplicate address detection": forged.solicitation(Address(liar.six.mac, "::"), liar.six.ip),
    }
    rogue = {
        "DHCP to all": forged.udp(liar.four, EVERYBODY, (67, 68)),
        "DHCP to one": forged.udp(liar.four, victim.four, (67, 68)),
        "multicast": forged.udp(liar.four, Address("01:00:5e:00:00:fb", "224.0.0.251"), (5353, 5353)),
        "IPv6 multicast": forged.udp(liar.six, Address("33:33:00:00:00:fb", "ff02::fb"), (5353, 5353)),
        "broadcast": forged.udp(liar.four, EVERYBODY, (5353, 5353)),
    }
    advertised = {"router": forged.router_advertisement(liar.local)}
    assert heard(ward.here, *ends, neighbours | rogue) == {*neighbours, *rogue}, "without a policy"
    ward.put(ward.policy("application", "shut", [WEB]))
    assert heard(ward.here, *ends, rogue | advertised | neighbours) == set(neighbours)


def test_nothing_leaves_quarantine_that_looks_like_dhcp(ward: Ward) -> None:
    """A guest may ask OVN, and nobody else gets what OVN does not take for a question."""
    shut, other = (Station(nic=ward.guests.nics[name]) for name in ("web1", "rest2"))
    server = ward.here.get_subnet(shut.nic.subnet).dhcp.server_address
    nobody = Address(shut.four.mac, "0.0.0.0")
    frames = {
        "to all": forged.udp(nobody, EVERYBODY, (68, 67)),
        "to one": forged.udp(nobody, Address(other.four.mac, EVERYBODY.ip), (68, 67)),
        "to the server": forged.udp(shut.four, Address(other.four.mac, server), (68, 67)),
    }
    assert {"to all", "to one"} <= heard(ward.here, shut, other, frames), "without a policy"
    ward.put(ward.policy("quarantine", "shut", [WEB]))
    assert heard(ward.here, shut, other, frames) == set()


def test_guests_that_forgot_their_neighbours_find_them_under_default_deny(ward: Ward) -> None:
    ward.put(ward.policy("application", "ping", [WEB], rule("ping", BOTH, ICMP, ICMP6)))
    for version in (4, 6):
        for pair in (("rest1", "web2"), ("web2", "app1"), ("web1", "web2")):
            for name in pair:
                ward.here.lab.exec(
                    ward.guests.nics[name].name.rpartition("/")[2], ["ip", "neigh", "flush", "all"]
                )
            assert ward.guests.talk(Ask(*pair, "icmp", version)), pair
    ward.guests.check(asks([("rest1", "web2")], "icmp"), asks([("rest1", "web2")], "tcp/80"))


def test_lengths_that_are_not_there_pass_no_default_deny(ward: Ward, ends: tuple[Station, Station]) -> None:
    """OVN takes such packets for another protocol. Not port security stops them here: it is off."""
    liar, victim = ends
    pairs = ((liar.four, victim.four), (liar.six, victim.six))
    honest = {f"true {one.ip}": forged.udp(one, other, (5000, DOOR)) for one, other in pairs}
    inflated = {
        f"{what} {one.ip}": forged.udp(one, other, (5000, DOOR), ip_more=more, udp_more=more_udp)
        for one, other in pairs
        for what, more, more_udp in (("IP", 40, 0), ("UDP", 0, 40), ("both", 40, 40))
    }
    denied = {f"denied {one.ip}": forged.udp(one, other, (5000, DOOR + 1)) for one, other in pairs}
    zero = {f"protocol {n} {one.ip}": forged.unknown(one, other, n) for one, other in pairs for n in (0, 255)}
    ward.here.update_nic(Nic(name=liar.nic.name, port_security=False), "port_security")
    ward.here.settle_datapaths()
    try:
        without = heard(ward.here, *ends, honest | inflated | denied | zero)
        assert {*honest, *denied, *zero} <= without
        ward.put(ward.policy("application", "door", [WEB], rule("door", IN, udp(DOOR))))
        assert heard(ward.here, *ends, inflated | denied | zero | honest) == set(honest)
        assert heard(ward.here, *ends, honest | zero | denied | inflated) == set(honest), (
            "nor by what is cached"
        )
    finally:
        ward.here.update_nic(Nic(name=liar.nic.name, port_security=True), "port_security")


def test_cve_2025_0650_no_name_server_port_gets_around_a_policy(
    ward: Ward, ends: tuple[Station, Station]
) -> None:
    """OVN lets UDP from port 53 into a switch that has DNS records: ours never have."""
    liar, victim = ends
    answers = {
        str(version): forged.udp(*pair, (53, 4000))
        for version, pair in ((4, (liar.four, victim.four)), (6, (liar.six, victim.six)))
    }
    honest = {"true": forged.udp(liar.four, victim.four, (53, DOOR))}
    assert heard(ward.here, *ends, answers) == set(answers)
    ward.put(ward.policy("application", "door", [WEB], rule("door", IN, udp(DOOR))))
    assert heard(ward.here, *ends, answers | honest) == set(honest)
    assert not ward.here.nbctl("--bare", "--columns=_uuid", "list", "DNS").split()
    acls = [
        line
        for line in ward.here.lab.exec("central", ["ovn-sbctl", "lflow-list"]).stdout.splitlines()
        if "_acl" in line
    ]
    assert acls
    assert not [line for line in acls if "udp.src == 53" in line]


def test_cve_2026_5265_nobody_is_answered_by_default(ward: Ward, ends: tuple[Station, Station]) -> None:
    """`reject` would send its memory along: it is `drop` unless the operator vouches for OVN."""
    ward.put(ward.policy("application", "no", [WEB], rule("no", IN, tcp(DOOR), udp(DOOR), action=REJECT)))
    assert refused(ward, ends) == set()
    actions = ward.here.nbctl("--bare", "--columns=action", "list", "ACL").split()
    assert "drop" in actions
    assert "reject" not in actions


def test_trusted_reject_tells_the_sender_and_port_security_keeps_inflated_packets_from_it(
    trusting: Ward, ends: tuple[Station, Station]
) -> None:
    trusting.put(
        trusting.policy("application", "no", [WEB], rule("no", IN, tcp(DOOR), udp(DOOR), action=REJECT))
    )
    trusting.wait_status("securityPolicies/no")
    assert refused(trusting, ends) == {"udp 4", "udp 6"}


def refused(ward: Ward, ends: tuple[Station, Station]) -> set[str]:
    """Send what a rule rejects, whole and with lengths that are not there: return what was answered with a refusal."""
    liar, victim = ends
    found = set()
    for version, pair in ((4, (liar.four, victim.four)), (6, (liar.six, victim.six))):
        for name, more in (("udp", 0), ("inflated", 400)):
            frame = forged.udp(*pair, (5000, DOOR), ip_more=more)
            with tapped(ward.here.namespace(liar.nic)) as answers:
                heard(ward.here, *ends, {"it": frame})
                heard(ward.here, *ends[::-1], {})  # and back: an answer would be there before
                if any(map(forged.is_refusal, answers.frames)):
                    found.add(f"{name} {version}")
    return found


def test_cve_2026_5367_nobody_answers_dhcpv6_by_default(ward: Ward) -> None:
    """IPv4's server does, the same guest at the same moment; inflated client ids or not."""
    own = Station(nic=ward.guests.nics["rest1"])
    with tapped(ward.here.namespace(own.nic)) as answers:
        for payload in (SOLICIT, INFLATED_SOLICIT):
            with frame_socket(ward.here.namespace(own.nic)) as wire:
                wire.send(forged.udp(own.local, SERVERS, (546, 547), payload=payload))
        assert ward.here.lease(own.nic).address.startswith(own.four.ip)
        assert not [one for one in answers.frames if one[12:14] == b"\x86\xdd" and one[20] == 17]


def test_cve_2024_2182_a_guests_bfd_is_not_a_hosts(both_wards: dict[str, Ward]) -> None:
    """BFD watches the tunnels of gateway hosts: what a guest sends another one through a tunnel does not count."""
    with emptied_after(both_wards["vpc"]) as ward:
        ward.put(vpcs.vpc("bfd", vpcs.connection(NAT)), vpcs.overlay("bfd", "bfd", "10.49.0.0/24"))
        liar, victim = Station(nic=ward.guests.nics["rest1"]), Station(nic=ward.guests.nics["web2"])
        wait_until(lambda: flaps(ward), timeout_s=15, what="BFD is up on h2's tunnels")
        before = flaps(ward)
        down = b"\x20\x40\x03\x18" + b"\x00\x00\x00\x07" + bytes(4) + b"\x00\x0f\x42\x40" * 2 + bytes(4)
        frames = {
            f"{port} {n}": forged.udp(liar.four, victim.four, (49152 + n, port), payload=down)
            for port in (3784, 4784)
            for n in range(50)
        }
        assert heard(ward.here, liar, victim, frames) == set(frames)
        assert flaps(ward) == before


def flaps(ward: Ward) -> list[str]:
    """Return how often BFD of h2's tunnels went up or down, empty while one is not up."""
    said = ward.here.vsctl("h2", "--columns=bfd_status", "list", "Interface")
    counts, states = (re.findall(rf'\b{key}="?(\w+)', said) for key in ("flap_count", "state"))
    return counts if set(states) == {"up"} else []


def test_malformed_neighbour_discovery_hurts_nobody(ward: Ward, ends: tuple[Station, Station]) -> None:
    """Options of no length, longer than the packet, cut: hosts go on forwarding, by the same process."""
    liar, _ = ends
    pids = [ward.here.lab.process(host, "ovs-vswitchd").pid() for host in ("h1", "h2")]
    target = liar.six.ip
    options = (b"\x01\x00", b"\x01\xff" + bytes(6), b"\x01\x00" * 40, b"\x02\x01\x00", b"\xff" * 1300)
    frames = {
        str(number): forged.solicitation(liar.six, target, option=one) for number, one in enumerate(options)
    }
    heard(ward.here, *ends, frames)
    ward.put(ward.policy("application", "door", [WEB], rule("door", IN, udp(DOOR))))
    honest = {"true": forged.udp(liar.four, ends[1].four, (5000, DOOR))}
    assert heard(ward.here, *ends, frames | honest) >= set(honest)
    assert [ward.here.lab.process(host, "ovs-vswitchd").pid() for host in ("h1", "h2")] == pids
