"""What the DHCP client and ping say, as values."""

import pytest

from netctl.errors import InvalidIntent, Unavailable
from netctl.lab.guests import Guest, Ping, parse_lease, parse_ping

ENVIRONMENT = """\
interface=eth0
ip=10.0.1.12
mask=24
subnet=255.255.255.0
mtu=8942
router=10.0.1.1 10.0.1.2
dns=192.0.2.53 192.0.2.54
lease=3600
PATH=/usr/bin
staticroutes=10.9.0.0/16 10.0.1.1
"""


def test_a_lease() -> None:
    lease = parse_lease(ENVIRONMENT)
    assert (lease.address, lease.router, lease.mtu_bytes) == ("10.0.1.12/24", "10.0.1.1", 8942)
    assert lease.lease_s == 3600
    assert lease.dns_servers == ("192.0.2.53", "192.0.2.54")
    assert lease.options["staticroutes"] == "10.9.0.0/16 10.0.1.1"
    assert "PATH" not in lease.options


def test_a_lease_without_router_and_mtu() -> None:
    lease = parse_lease("ip=10.0.0.2\nmask=24\n")
    assert (lease.router, lease.mtu_bytes, lease.dns_servers) == ("", 0, ())


def test_no_lease() -> None:
    with pytest.raises(Unavailable):
        parse_lease("PATH=/usr/bin\n")


def test_a_ping_that_is_answered() -> None:
    output = (
        "PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n\n--- 10.0.0.2 ping statistics ---\n"
        "3 packets transmitted, 2 received, 33.3333% packet loss, time 402ms\n"
        "rtt min/avg/max/mdev = 0.657/0.814/1.072/0.292 ms\n"
    )
    assert parse_ping(output) == Ping(sent=3, received=2, rtt_ms=0.814)
    assert parse_ping(output).ok


def test_a_ping_that_is_not_answered() -> None:
    output = "5 packets transmitted, 0 received, +3 errors, 100% packet loss, time 8ms\n"
    assert parse_ping(output) == Ping(sent=5, received=0, rtt_ms=None)
    assert not parse_ping("").ok


@pytest.mark.parametrize(
    ("tap", "mac", "field"),
    [
        ("../etc", "02:00:00:00:00:01", "tap_name"),
        ("a" * 16, "02:00:00:00:00:01", "tap_name"),
        ("", "02:00:00:00:00:01", "tap_name"),
        ("tap0", "02:00", "mac_address"),
    ],
)
def test_a_guest_that_cannot_be(tap: str, mac: str, field: str) -> None:
    with pytest.raises(InvalidIntent) as refused:
        Guest(name="g", host="h1", tap_name=tap, mac_address=mac, mtu_bytes=1500)
    assert refused.value.field == field
