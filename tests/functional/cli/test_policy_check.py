"""`netctl policy test` and `policy report`: words, exit statuses, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.cli.conftest import Run

WORLD = """
resources:
  - {kind: Category, name: web, key: tier, value: web}
  - {kind: Category, name: db, key: tier, value: db}
  - {kind: Category, name: nobody, key: tier, value: none}
  - {kind: Nic, name: w1, subnet: web, host: h1, ipv4_address: 10.0.0.11, categories: [web]}
  - {kind: Nic, name: d1, subnet: web, host: h2, ipv4_address: 10.0.0.12, categories: [db]}
  - {kind: Nic, name: x1, subnet: web, host: h2, ipv4_address: 10.0.0.13}
  - {kind: SecurityPolicy, name: shop, policy_kind: application, mode: enforce, scope: all-vlan, secured: [cat/db],
     rules: [sql allow from cat/web tcp/5432, again allow from cat/web tcp/5432, lost deny from cat/nobody icmp]}
  - {kind: SecurityPolicy, name: watched, policy_kind: application, mode: monitor, scope: all-vlan, secured: [cat/web]}
"""


@pytest.fixture
def shop(furnished: Run, tmp_path: Path) -> Run:
    file = tmp_path / "shop.yaml"
    file.write_text(WORLD)
    furnished("apply", "-f", str(file))
    return furnished


def test_what_is_allowed_and_what_is_denied_differ_in_the_exit_status(shop: Run) -> None:
    ran = shop("policy", "test", "w1", "nic/d1", "tcp/5432")
    assert ran.lines == [
        "allowed",
        "NIC  WAY  ACTION  POLICY  RULE  TRACKED  WOULD DROP",
        "w1   out  allow   -       -     yes      watched",
        "d1   in   allow   shop    sql   yes      -",
        "tcp/5432 from nics/w1 (10.0.0.11) to nics/d1 (10.0.0.12) is allowed:"
        " securityPolicies/shop allows it (rule sql) at nics/d1, coming in, as one of categories/db (tier:db);"
        " securityPolicies/watched, in MONITOR, would have dropped it (implicit deny) at nics/w1",
    ]
    ran = shop("policy", "test", "x1", "d1", "tcp/5432", expect=6)
    assert ran.lines[0] == "denied"
    assert ran.lines[-1].endswith(
        "is denied: securityPolicies/shop denies it (implicit deny) at nics/d1, coming in, as one of"
        " categories/db (tier:db)"
    )


def test_that_no_answers_come_back_is_said_first(shop: Run) -> None:
    shop("update", "sp", "shop", "--rule", "sql allow from cat/web tcp/5432 stateless")
    ran = shop("policy", "test", "w1", "d1", "tcp/5432")
    assert ran.lines[0] == "allowed, but answers to it are not"
    assert ran.lines[3].split() == ["d1", "in", "allow", "shop", "sql", "no", "-"]
    data = shop("policy", "test", "w1", "d1", "tcp/5432", "-o", "json").data
    assert (data["allowed"], data["answered"]) == (True, False)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("x1", "w1", "udp/53"), 0),
        (("x1", "d1", "icmp"), 6),
        (("x1", "d1", "icmp/8"), 6),
        (("x1", "d1", "47"), 6),
        (("d1", "8.8.8.8"), 6),
        (("8.8.8.8", "w1"), 0),
        (("10.0.0.11", "d1", "tcp/5432"), 0),
    ],
)
def test_services_and_addresses(shop: Run, words: tuple[str, ...], status: int) -> None:
    answer = shop("policy", "test", *words, "-o", "json", expect=status).data
    assert answer["allowed"] is (status == 0)
    assert {decision["direction"] for decision in answer["decisions"]} <= {
        "SECURITY_DIRECTION_IN",
        "SECURITY_DIRECTION_OUT",
    }


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("w1", "d1", "tcp/x"), 2, "'tcp/x': 'x' is not a whole number"),
        (("w1", "d1", "sctp"), 2, "is not a service"),
        (("w1", "d1:80"), 2, "it goes with the service"),
        (("w1", "nobody"), 4, "nics/nobody does not exist"),
        (("w1", "w1"), 1, "is the source itself"),
        (("8.8.8.8", "9.9.9.9"), 1, "one of them must be a NIC"),
        (("w1", "d1", "icmpv6"), 1, "has no IPv6 address"),
        (("w1", "d1", "--ip-version", "5"), 1, "is not 4 or 6"),
    ],
)
def test_what_cannot_be_tested_is_refused(shop: Run, words: tuple[str, ...], status: int, text: str) -> None:
    assert text in shop("policy", "test", *words, expect=status).err


def test_a_report(shop: Run) -> None:
    header, *rows = shop("policy", "report", "shop").lines
    assert header.split() == ["FINDING", "POLICY", "RULE", "WHAT"]
    assert [row.split()[:3] for row in rows] == [
        ["SHADOWED", "shop", "again"],
        ["EMPTY_GROUP", "shop", "lost"],
    ]
    assert rows[0].endswith(
        "rule again of securityPolicies/shop decides nothing: rule sql of securityPolicies/shop comes before it and"
        " matches all that it does"
    )
    assert shop("policy", "report", "-o", "json").data["findings"][0]["other_rule"] == "sql"
    assert shop("policy", "report", "sp/watched").out == "nothing is wrong with securityPolicies/watched\n"
    assert "does not exist" in shop("policy", "report", "nobody", expect=4).err
