"""VPCs through a real northd, judged by ovn-trace."""

from __future__ import annotations

from tests.functional.northd.conftest import Plane
from tests.intents import uid_of
from tests.vpcs import connection, external, floating, guest, mac_of, route, routed, vpc

BLUE = (vpc("blue", connection()), external(), routed("web"), routed("db", third=2), route())


def packet(source: str, gateway: str, ip: str, to: str) -> str:
    return (
        f'inport=="{uid_of(source)}" && eth.src=={mac_of(source)} && eth.dst=={mac_of(gateway)}'
        f" && ip4.src=={ip} && ip4.dst=={to} && ip.ttl==64 && icmp4.type==8"
    )


def test_subnets_of_a_vpc_are_routed(plane: Plane) -> None:
    plane.arrive(*BLUE, guest("g1"), guest("g2", "db", 2))
    verdict = plane.trace("web", packet("g1", "web", "10.0.1.5", "10.0.2.5"))
    assert f'output("{uid_of("g2")[:6]}")' in verdict


def test_a_guest_leaves_by_snat(plane: Plane) -> None:
    plane.arrive(*BLUE, guest("g1"), floating(nic="g1"))
    plane.arrive(*BLUE, guest("g1"))
    verdict = plane.trace("web", packet("g1", "web", "10.0.1.5", "198.51.100.7"))
    assert "ct_snat" in verdict or "localnet" in verdict
