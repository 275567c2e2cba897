"""Categories, groups and security policies from the command line: flags, tables, files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.policies import ROUTING, SECURITY, find_policy
from netctl.model.keys import Kind
from netctl.model.status import Phase
from tests.controllers import Controller
from tests.functional.cli.conftest import Run

SHOP = """
resources:
  - {kind: SecurityPolicy, name: shop, policy_kind: application, mode: monitor, scope: all-vlan,
     secured: [eg/shop], intra_group: deny,
     rules: [web allow from cat/clients sg/web icmp/8,
             {name: out, direction: out, action: reject, peers: [ag/offices], services: [tcp/25, 47],
              owner: Ω, ticket: CHG-1, expire_time: 2099-01-31, description: no mail}]}
  - {kind: EntityGroup, name: shop, include: ["cat/web,subnet/web", cat/db], except: [nic/w1]}
  - {kind: AddressGroup, name: offices, addresses: [10.0.0.0/8, 192.0.2.7], except_addresses: [10.9.0.0/16]}
  - {kind: ServiceGroup, name: web, services: ["tcp/80,8000-8080", udp/443, icmpv6/128, icmp/3/4]}
  - {kind: Nic, name: w1, subnet: web, host: h1, categories: [web]}
  - {kind: Nic, name: d1, subnet: web, host: h2, categories: [db]}
  - {kind: Category, name: web, key: tier, value: web}
  - {kind: Category, name: db, key: tier, value: db}
  - {kind: Category, name: clients, key: tier, value: clients}
"""


@pytest.fixture
def tiers(furnished: Run) -> Run:
    """The command, after the categories `web`, `db` and `clients`, and a NIC of the first."""
    for value in ("web", "db", "clients"):
        furnished("create", "category", value, "--key", "tier", "--value", value)
    furnished("create", "nic", "w1", "--subnet", "web", "--host", "h1", "--category", "web")
    return furnished


def test_categories_from_flags(tiers: Run) -> None:
    header, _, _, row = tiers("get", "categories").lines
    assert header.split()[:3] == ["NAME", "KEY", "VALUE"]
    assert row.split()[:3] == ["web", "tier", "web"]
    (nic,) = tiers("get", "nic", "-o", "json").data
    assert nic["categories"] == ["categories/web"]
    updated = tiers("update", "nic", "w1", "--category", "db", "--category", "cat/clients").out
    assert updated == "updated    nics/w1  categories: categories/web -> categories/db, categories/clients\n"
    assert "db,clients" in tiers("get", "nic", "-o", "wide").lines[1].split()
    assert tiers("get", "nic", "--filter", "categories:categories/db").lines[1].split()[0] == "w1"
    ran = tiers("delete", "cat", "db", expect=1)
    assert "nics/w1" in ran.err
    ran = tiers("create", "category", "twin", "--key", "tier", "--value", "db", expect=1)
    assert "categories/db" in ran.err


def test_groups_from_flags(tiers: Run) -> None:
    tiers("create", "ag", "offices", "--address", "10.0.0.0/8,2001:db8::1", "--except-address", "10.9.0.0/16")
    assert tiers("get", "ag").lines[1].split()[:3] == ["offices", "10.0.0.0/8,2001:db8::1", "10.9.0.0/16"]
    services = ("tcp/443", "udp/53-60,5353", "icmp/8", "icmp/3/4", "icmpv6", "47", "tcp")
    tiers("create", "sg", "all", *(word for service in services for word in ("--service", service)))
    assert tiers("get", "sg").lines[1].split()[1:-2] == list(services)
    (group,) = tiers("get", "sg", "-o", "json").data
    assert group["services"][3] == {"protocol": "SERVICE_PROTOCOL_ICMP", "icmp_type": 3, "icmp_code": 4}
    assert group["services"][5] == {"protocol": "SERVICE_PROTOCOL_NUMBER", "protocol_number": 47}
    tiers("create", "eg", "shop", "--include", "cat/web", "--include", "cat/db,sn/web", "--except", "nic/w1")
    row = tiers("get", "eg").lines[1]
    assert row.split()[:4] == ["shop", "categories/web", "categories/db,subnets/web", "nics/w1"]
    assert tiers("update", "eg", "shop", "--except", "").out.endswith("except: nics/w1 -> (unset)\n")
    assert "entityGroups/shop" in tiers("describe", "category", "web").out
    assert "entityGroups/shop" in tiers("delete", "category", "db", expect=1).err


def test_a_policy_from_flags(tiers: Run) -> None:
    tiers("create", "ag", "resolvers", "--address", "192.0.2.53")
    tiers(
        *("create", "securitypolicy", "shop", "--kind", "application", "--mode", "monitor"),
        *("--scope", "all-vlan", "--secured", "cat/web,categories/db"),
        *("--rule", "web-in allow from cat/clients tcp/443 at cat/web log"),
        *("--rule", "dns allow to ag/resolvers udp/53 tcp/53", "--rule", "ping allow with any icmp/8 ipv4"),
    )
    header, row = tiers("get", "sp").lines
    assert header.split() == [
        "NAME",
        "KIND",
        "MODE",
        "SCOPE",
        "PRIORITY",
        "SECURED",
        "RULES",
        "PHASE",
        "REASON",
    ]
    assert row.split()[:7] == [
        *("shop", "application", "monitor", "all-vlan", "0", "categories/web,categories/db", "3")
    ]
    (policy,) = tiers("get", "sp", "-o", "json").data
    assert policy["rules"][0] == {
        "name": "web-in",
        "direction": "SECURITY_DIRECTION_IN",
        "action": "SECURITY_ACTION_ALLOW",
        "applied_to": ["categories/web"],
        "peers": ["categories/clients"],
        "services": [{"protocol": "SERVICE_PROTOCOL_TCP", "ports": [{"first": 443, "last": 443}]}],
        "log": True,
    }
    assert policy["rules"][2]["direction"] == "SECURITY_DIRECTION_IN_OUT"
    assert "peers" not in policy["rules"][2]
    updated = tiers("update", "sp", "shop", "--mode", "enforce").out
    assert updated == "updated    securityPolicies/shop  mode: MONITOR -> ENFORCE\n"
    updated = tiers("update", "sp", "shop", "--rule", "dns allow to ag/resolvers udp/53").out
    assert "rules: web-in, dns, ping -> dns," in updated
    assert (
        "rules.dns: allow to addressGroups/resolvers udp/53 tcp/53 -> allow to addressGroups/resolvers udp/53"
        in (updated)
    )
    tiers("delete", "sp", "shop")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (
            "web allow cat/clients tcp/443",
            "is not a rule; write NAME allow|deny|reject from|to|with PEER,...",
        ),
        ("web permit from any", "is not a rule"),
        ("web allow from any https", "'https' is neither a service"),
        ("web allow from any tcp/http", "'http' is not a whole number"),
        ("web allow from any at", "nothing follows 'at'"),
        ("web allow from any until yesterday", "'yesterday' is not a time"),
        ("web allow from any tcp/443/444", "is not a service"),
    ],
)
def test_a_rule_that_cannot_be_read_says_how_to_write_it(tiers: Run, rule: str, says: str) -> None:
    options = ("--kind", "application", "--mode", "save", "--scope", "all-vlan", "--secured", "cat/web")
    ran = tiers("create", "sp", "bad", *options, "--rule", rule, expect=2)
    assert says in ran.err
    assert tiers("get", "sp").out == ""


def test_what_must_be_said_is_asked_for(tiers: Run) -> None:
    ran = tiers("create", "sp", "bad", "--secured", "cat/web", expect=1)
    assert "security_policy.kind: is not set; use SECURITY_POLICY_KIND_QUARANTINE or" in ran.err
    kind = ("--kind", "quarantine", "--secured", "cat/web")
    ran = tiers("create", "sp", "bad", *kind, expect=1)
    assert "security_policy.mode: is not set; use SECURITY_POLICY_MODE_SAVE or" in ran.err
    ran = tiers("create", "sp", "bad", *kind, "--mode", "save", expect=1)
    assert "security_policy.scope: is not set; use SECURITY_SCOPE_ALL_VLAN or" in ran.err
    ran = tiers("create", "sp", "bad", *kind, "--mode", "saved", expect=2)
    assert "did you mean 'save'?" in ran.err
    ran = tiers(
        "create",
        "sp",
        "bad",
        *kind[:2],
        "--mode",
        "save",
        "--scope",
        "all-vlan",
        "--secured",
        "web",
        expect=1,
    )
    assert "security_policy.secured[0]: 'web' is not categories/ID or entityGroups/ID" in ran.err


def test_a_file_in_any_order_and_what_is_printed_can_be_applied(furnished: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    assert "9 created" in furnished("apply", "-f", str(file)).out
    assert "9 unchanged" in furnished("apply", "-f", str(file)).out
    (rule,) = [
        rule for rule in furnished("get", "sp", "-o", "json").data[0]["rules"] if rule["name"] == "out"
    ]
    assert (rule["expire_time"], rule["owner"]) == ("2099-01-31T00:00:00Z", "Ω")
    printed = tmp_path / "printed.yaml"
    kinds = "category,ag,sg,eg,sp"
    printed.write_text(furnished("get", kinds, "-o", "yaml").out)
    assert "7 unchanged" in furnished("apply", "-f", str(printed)).out
    history = furnished("history", "sp/shop", "--diff").out
    assert (
        "+ rules.out: reject to addressGroups/offices tcp/25 47 until 2099-01-31T00:00:00Z owner='Ω'"
        in history
    )
    assert "entityGroups/shop" in furnished("delete", "category", "web", expect=1).err


def test_a_set_is_pruned_in_the_order_of_its_references(furnished: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("set: shop" + SHOP)
    furnished("apply", "-f", str(file))
    file.write_text("set: shop\nresources:\n  - {kind: Category, name: web, key: tier, value: web}\n")
    assert "1 unchanged, 8 deleted" in furnished("apply", "-f", str(file), "--prune").out


def test_a_name_of_a_policy_is_looked_up_in_both_kinds(tiers: Run, controller: Controller) -> None:
    tiers("create", "vpc", "blue")
    both = ("create", "rp", "both", "--vpc", "blue", "--priority", "100", "--action", "deny")
    tiers(*both)
    options = ("--kind", "quarantine", "--mode", "save", "--scope", "all-vlan", "--secured", "cat/web")
    tiers("create", "sp", "both", *options)
    tiers("create", "sp", "alone", *options)
    client = Client(controller.address)
    try:
        assert find_policy(client, "alone") == (SECURITY, "securityPolicies/alone")
        assert find_policy(client, "sp/both") == (SECURITY, "securityPolicies/both")
        assert find_policy(client, "routingPolicies/both") == (ROUTING, "routingPolicies/both")
        for text, says in (
            ("both", "is a routing policy and a security policy"),
            ("none", "there is no policy 'none'"),
            ("nic/both", "names no policy"),
        ):
            with pytest.raises(Failure, match=says):
                find_policy(client, text)
    finally:
        client.close()


def test_a_dry_run_says_which_rows_would_change(tiers: Run) -> None:
    options = ("--kind", "application", "--scope", "all-vlan", "--secured", "cat/web")
    rule = ("--rule", "in allow from cat/clients tcp/443")
    ran = tiers("create", "sp", "shop", *options, *rule, "--mode", "enforce", "--dry-run")
    assert ran.err == "dry run: nothing was changed\n"
    (acl,) = [line for line in ran.lines if line.startswith("  + ACL") and "tcp.dst" in line]
    assert acl.startswith(
        "  + ACL  rule in, in  securityPolicies/shop  action=allow-related direction=to-lport "
    )
    assert "  + Port_Group  categories/web  ports <- nics/w1" in ran.lines
    assert "  + Port_Group  categories/web  acls <- securityPolicies/shop" in ran.lines
    tiers("create", "sp", "shop", *options, *rule, "--mode", "enforce")
    ran = tiers("update", "sp", "shop", "--rule", "in deny from cat/clients tcp/443", "--dry-run")
    (line,) = [line for line in ran.lines if line.startswith("  ~ ACL ")]
    assert line == "  ~ ACL  rule in, in  securityPolicies/shop  action: allow-related -> drop"
    ran = tiers("update", "nic", "w1", "--category", "db", "--dry-run")
    (line,) = [line for line in ran.lines if "Port_Group" in line]
    assert line == "  - Port_Group  categories/web  ports -> nics/w1"
    assert tiers("update", "sp", "shop", "--label", "a=b", "--dry-run").lines[-1] == (
        "no row of the northbound database would change"
    )
    foretold = tiers("delete", "sp", "shop", "--dry-run", "-o", "json").data
    assert foretold["dry_run"] is True
    assert foretold["resources"] == [{"action": "deleted", "name": "securityPolicies/shop"}]
    kinds = {(change["kind"], change["table"]) for change in foretold["row_changes"]}
    assert ("ROW_CHANGE_KIND_DELETE", "ACL") in kinds
    (acl,) = [one for one in foretold["row_changes"] if one.get("row_name") == "rule in, in"]
    assert len(acl["row"]) == 36, "programs get the uuid too"
    assert int(foretold["row_change_count"]) == len(foretold["row_changes"])
    assert tiers("get", "sp").lines[1].split()[0] == "shop", "it is still there"


def test_too_many_rules_are_refused_with_the_limit(tiers: Run, tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    head = "kind: SecurityPolicy\nname: large\npolicy_kind: application\nmode: save\nscope: all-vlan\n"
    head += "secured: [cat/web]\nrules:\n"
    file.write_text(head + "".join(f"- r{number} allow from any\n" for number in range(1001)))
    ran = tiers("apply", "-f", str(file), expect=1)
    assert (
        f"{file}:1: securityPolicies/large: rules: 1001 rules; a policy has at most 1000: use groups"
        in ran.err
    )
    assert "hint" not in ran.err
    long = "x" * 4000
    file.write_text(
        head
        + "".join(
            f"- {{name: r{number}, direction: in, action: allow, description: {long}}}\n"
            for number in range(1100)
        )
    )
    ran = tiers("apply", "-f", str(file), expect=1)
    assert "4194304" in ran.err
    assert "a security policy has at most 1000 rules" in ran.err


def test_a_policy_and_its_groups_are_described(furnished: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    furnished("apply", "-f", str(file))
    lines = [" ".join(line.split()) for line in furnished("describe", "sp", "shop").lines]
    assert "mode monitor: nothing is dropped, what would be is counted and logged" in lines
    assert "secured entityGroups/shop 1 NIC" in lines, "w1 is an exception, d1 is not"
    assert "rules PRIORITY NAME ACTION WAY PEERS SERVICES AT NOTES" in lines
    services = "serviceGroups/web, icmp/8"
    assert f"0 web allow from categories/clients {services} - -" in lines
    notes = "until 2099-01-31T00:00:00Z, owner Ω, ticket CHG-1, description no mail"
    assert f"0 out reject to addressGroups/offices tcp/25, 47 - {notes}" in lines
    assert "then between members of the same one of the secured: deny" in lines
    assert "then everything else of the secured, in and out: deny" in lines
    assert not [line for line in lines if line.startswith("rules.")]
    assert furnished("describe", "sp", "shop", "-o", "json").data["members"] == {"entityGroups/shop": 1}
    lines = furnished("describe", "eg", "shop").lines
    assert lines[lines.index("Members (1)") + 1] == "  nics/d1"
    assert "securityPolicies/shop" in furnished("describe", "eg", "shop").out
    lines = furnished("describe", "category", "clients").lines
    assert lines[lines.index("Members (0)") + 1] == "  nobody"
    for kind in ("ag", "sg"):
        name = furnished("get", kind, "-o", "name").lines[0]
        assert "securityPolicies/shop" in furnished("describe", kind, name).out


def test_a_nic_is_described_as_policies_know_it(furnished: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    furnished("apply", "-f", str(file))
    lines = [" ".join(line.split()) for line in furnished("describe", "nic", "d1").lines]
    section = lines[lines.index("Security") :]
    assert section[1] == "port subnets/web, outside VPCs"
    (given,) = (line for line in section if line.startswith("given "))
    assert given.startswith("given 10.")
    assert "category categories/db from nics/d1" in section
    assert "group entityGroups/shop" in section
    assert "policies POLICY KIND MODE BY" in section
    assert "securityPolicies/shop application monitor entityGroups/shop" in section
    lines = [" ".join(line.split()) for line in furnished("describe", "nic", "w1").lines]
    assert "category categories/web from nics/w1" in lines
    assert "policies none: everything is allowed" in lines, "it is an exception of the group"
    (port,) = furnished("describe", "nic", "d1", "-o", "json").data["security"]["ports"]
    assert [one["policy"] for one in port["policies"]] == ["securityPolicies/shop"]
    assert (port["entity_groups"], port["learned_addresses"]) == (["entityGroups/shop"], [])


def test_a_mode_is_changed_in_a_word(tiers: Run, controller: Controller) -> None:
    options = ("--kind", "quarantine", "--scope", "all-vlan", "--secured", "cat/web")
    controller.statuses.say((Kind.SECURITY_POLICY, "shop"), Phase.PENDING, "SAVED", "nothing is written")
    saved = tiers("create", "sp", "shop", *options, "--mode", "save", "--wait")
    assert saved.lines[-1] == "1 PENDING (saved: nothing is written)", "waiting for that would never end"
    assert tiers("policy", "mode", "shop", "monitor").out == (
        "updated    securityPolicies/shop  mode: SAVE -> MONITOR\n"
    )
    planned = tiers("policy", "mode", "sp/shop", "enforce", "--dry-run").lines
    assert any(line.startswith(("  ~ ACL", "  + ACL")) for line in planned), planned
    assert tiers("get", "sp", "shop", "-o", "json").data[0]["mode"] == "SECURITY_POLICY_MODE_MONITOR"
    ran = tiers("policy", "mode", "rp/shop", "enforce", expect=2)
    assert "names no security policy" in ran.err
    tiers("policy", "mode", "none", "enforce", expect=4)


def test_words_ids_and_terms_are_completed(tiers: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tiers("create", "eg", "shop", "--include", "cat/web")
    monkeypatch.setenv("_NETCTL_COMPLETE", "complete_bash")
    for line, expected in (
        ("netctl create securitypolicy x --mode ", ["save", "monitor", "enforce"]),
        ("netctl create securitypolicy x --secured ", ["cat/clients", "cat/db", "cat/web", "eg/shop"]),
        ("netctl update entitygroup shop --except nic", ["nic/w1"]),
        ("netctl update nic w1 --category c", ["clients"]),
    ):
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        assert tiers().out.split() == expected
