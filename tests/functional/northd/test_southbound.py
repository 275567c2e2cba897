"""Questions to a southbound database that a real northd wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netctl.errors import SouthboundUnavailable
from netctl.ovsdb.southbound import OvsdbSouthbound
from tests.servers import OvsdbServer, northd, ovsdb_server

USERS = (20, 2001)


@dataclass
class Databases:
    """Both databases with northd between them, and what is asked."""

    nb: OvsdbServer
    sb: OvsdbServer
    southbound: OvsdbSouthbound

    def router(self, name: str, tunnel_key: int) -> str:
        """Make a router; return its uuid."""
        self.nb.ctl("ovn-nbctl", "lr-add", name)
        self.nb.ctl("ovn-nbctl", "set", "Logical_Router", name, f"options:requested-tnl-key={tunnel_key}")
        return self.nb.ctl("ovn-nbctl", "get", "Logical_Router", name, "_uuid").strip()

    def policy(self, router: str, priority: int, match: str) -> None:
        """Add a policy that drops."""
        self.nb.ctl("ovn-nbctl", "lr-policy-add", router, str(priority), match, "drop")

    def sync(self) -> None:
        """Return when northd has worked everything off."""
        self.nb.ctl("ovn-nbctl", "--wait=sb", "sync")

    def cookies(self) -> dict[tuple[int, str], int]:
        """Return the policies' cookies by priority and match, as ovn-sbctl has them."""
        columns = ("--columns=_uuid,priority,match", "--bare", "--format=csv", "--no-headings")
        text = self.sb.ctl(
            "ovn-sbctl", *columns, "find", "Logical_Flow", "external_ids:stage-name=lr_in_policy"
        )
        rows = (line.split(",", 2) for line in text.splitlines())
        return {(int(priority), match): int(uuid[:8], 16) for uuid, priority, match in rows}


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    with ovsdb_server(tmp_path, "nb") as nb, ovsdb_server(tmp_path, "sb") as sb, northd(tmp_path, nb, sb):
        southbound = OvsdbSouthbound(sb.remote, timeout_s=2.0)
        try:
            yield Databases(nb, sb, southbound)
        finally:
            southbound.close()


def test_policies_have_the_cookies_of_their_flows(databases: Databases) -> None:
    red, blue = databases.router("red", 700), databases.router("blue", 701)
    databases.policy("red", 201, "ip4.src == 10.0.0.0/24")
    databases.policy("red", 200, "ip4.dst == 10.0.0.0/24")
    databases.policy("blue", 301, "ip6")
    databases.policy("blue", 9000, "ip4")  # not of a user's priority
    databases.sync()
    found = databases.southbound.policy_flows([red, blue], priorities=USERS)
    cookies = databases.cookies()
    assert found[red].datapath == 700
    assert {(flow.priority, flow.cookie) for flow in found[red].flows} == {
        (201, cookies[201, "ip4.src == 10.0.0.0/24"]),
        (200, cookies[200, "ip4.dst == 10.0.0.0/24"]),
    }
    assert found[blue].datapath == 701
    assert [(flow.priority, flow.cookie) for flow in found[blue].flows] == [(301, cookies[301, "ip6"])]


def test_equal_policies_of_two_routers_are_found_for_both(databases: Databases) -> None:
    red, blue = databases.router("red", 700), databases.router("blue", 701)
    for router in ("red", "blue"):
        databases.policy(router, 201, "tcp")
    databases.sync()
    assert len(databases.cookies()) == 2  # one for both, and northd's own of priority 0
    found = databases.southbound.policy_flows([red, blue], priorities=USERS)
    assert [flow.priority for flow in found[red].flows] == [201]
    assert found[red].flows == found[blue].flows
    assert (found[red].datapath, found[blue].datapath) == (700, 701)


def test_a_router_that_northd_has_not_made_is_missing(databases: Databases) -> None:
    red = databases.router("red", 700)
    databases.sync()
    nobody = "00000000-0000-0000-0000-000000000001"
    assert set(databases.southbound.policy_flows([red, nobody], priorities=USERS)) == {red}
    assert databases.southbound.policy_flows([], priorities=USERS) == {}


def test_a_port_is_on_the_chassis_that_holds_it(databases: Databases) -> None:
    databases.nb.ctl(
        "ovn-nbctl", "ls-add", "s", "--", "lsp-add", "s", "here", "--", "lsp-add", "s", "nowhere"
    )
    databases.sync()
    databases.sb.ctl("ovn-sbctl", "chassis-add", "h1", "geneve", "192.0.2.1")
    databases.sb.ctl("ovn-sbctl", "lsp-bind", "here", "h1")
    assert databases.southbound.chassis_of_ports(["here", "nowhere", "absent"]) == {"here": "h1"}


def test_a_database_that_is_away_is_unavailable_in_time_and_found_again(databases: Databases) -> None:
    red = databases.router("red", 700)
    databases.sync()
    assert red in databases.southbound.policy_flows([red], priorities=USERS)
    databases.sb.stop()
    started = time.monotonic()
    with pytest.raises(SouthboundUnavailable, match="southbound database"):
        databases.southbound.policy_flows([red], priorities=USERS)
    assert time.monotonic() - started < 4
    databases.sb.start()
    assert red in databases.southbound.policy_flows([red], priorities=USERS)


def test_a_frozen_database_is_unavailable_in_time(databases: Databases) -> None:
    red = databases.router("red", 700)
    databases.sync()
    assert red in databases.southbound.policy_flows([red], priorities=USERS)
    databases.sb.freeze()
    with pytest.raises(SouthboundUnavailable, match="no answer"):
        databases.southbound.policy_flows([red], priorities=USERS)
    databases.sb.thaw()
    assert red in databases.southbound.policy_flows([red], priorities=USERS)


def test_another_database_is_not_the_southbound(databases: Databases) -> None:
    wrong = OvsdbSouthbound(databases.nb.remote, timeout_s=2.0)
    try:
        with pytest.raises(SouthboundUnavailable, match="OVN_Southbound"):
            wrong.chassis_of_ports(["x"])
    finally:
        wrong.close()
