"""apply, create, update, delete against the real server."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from netctl.cli.api import Ask
from netctl.cli.apply import make_plan, run_plan
from netctl.cli.client import Client
from netctl.cli.documents import Documents
from netctl.cli.failures import Failure
from netctl.model.keys import Kind
from netctl.model.status import Phase
from tests.controllers import Controller
from tests.functional.cli.conftest import FURNITURE, Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "net.yaml"


def test_apply_creates_then_changes_nothing_then_says_which_fields_changed(netctl: Run, file: Path) -> None:
    file.write_text(FURNITURE)
    assert [line.split()[:2] for line in netctl("apply", "-f", str(file)).lines[:-1]] == [
        ["created", "clusters/c1"],
        ["created", "virtualSwitches/vs0"],
        ["created", "hosts/h1"],
        ["created", "hosts/h2"],
        ["created", "subnets/web"],
    ]
    assert netctl("apply", "-f", str(file)).lines[-1] == "5 unchanged"
    file.write_text(FURNITURE.replace("vlan_id: 10", "vlan_id: 11"))
    ran = netctl("apply", "-f", str(file))
    assert "updated    subnets/web  vlan_id: 10 -> 11" in ran.lines
    assert ran.lines[-1] == "1 updated, 4 unchanged"


def test_a_dry_run_prints_the_same_plan_and_changes_nothing(netctl: Run, file: Path) -> None:
    file.write_text(FURNITURE)
    planned = netctl("apply", "-f", str(file), "--dry-run")
    assert planned.err == "dry run: nothing was changed\n"
    assert netctl("get", "all", "-o", "json").data == []
    done = netctl("apply", "-f", str(file))
    resources, rows = planned.lines[: len(done.lines)], planned.lines[len(done.lines) :]
    assert [line.split()[:2] for line in resources] == [line.split()[:2] for line in done.lines]
    assert rows[0] == f"{len(rows) - 1} changes in the northbound database:"
    assert any(line.startswith("  + Logical_Switch  subnets/web  name=") for line in rows)
    assert "Logical_Switch" not in done.out


def test_apply_names_file_and_line_of_what_the_server_refuses(netctl: Run, file: Path) -> None:
    file.write_text(FURNITURE.replace("vlan_id: 10", "vlan_id: 4095"))
    ran = netctl("apply", "-f", str(file), expect=1)
    assert ran.err.startswith(f"error: {file}:7: subnets/web: vlan_id: ")
    assert netctl("get", "all", "-o", "json").data == [], "all or nothing"


def test_apply_refuses_a_key_that_is_unknown(netctl: Run, file: Path) -> None:
    file.write_text("kind: Subnet\nname: web\nvlanid: 10\n")
    ran = netctl("apply", "-f", str(file), expect=1)
    expected = f"error: {file}:3: document 1: Subnet has no field 'vlanid'; did you mean 'vlan_id'?\n"
    assert ran.err == expected


def test_prune_deletes_only_what_the_set_brought(furnished: Run, file: Path) -> None:
    nic = "- {{kind: Nic, name: {0}, subnet: web}}\n"
    file.write_text("set: tenant\nresources:\n" + nic.format("a") + nic.format("b"))
    furnished("apply", "-f", str(file))
    furnished("create", "nic", "other", "--subnet", "web")
    furnished("create", "nic", "theirs", "--subnet", "web", "--label", "netctl.set=tenant2")
    file.write_text("set: tenant\nresources:\n" + nic.format("b") + nic.format("c"))
    furnished("apply", "-f", str(file))
    assert len(furnished("get", "nics", "-o", "name").lines) == 5, "nothing is deleted unless asked"
    planned = furnished("apply", "-f", str(file), "--prune", "--dry-run")
    assert "deleted    nics/a" in planned.lines
    ran = furnished("apply", "-f", str(file), "--prune")
    assert ran.lines == [
        "deleted    nics/a",
        "unchanged  nics/b",
        "unchanged  nics/c",
        "2 unchanged, 1 deleted",
    ]
    assert furnished("get", "nics", "-o", "name").lines == ["nics/b", "nics/c", "nics/other", "nics/theirs"]


def test_prune_does_not_delete_what_changed_since_it_was_read(
    furnished: Run, controller: Controller, file: Path
) -> None:
    file.write_text("kind: Nic\nname: a\nsubnet: web\n")
    furnished("apply", "-f", str(file), "--set", "t")
    client = Client(controller.address)
    plan = make_plan(client, Documents(set_name="t"), prune=True)
    furnished("update", "nic", "a", "--label", "netctl.set=somebody-elses")
    with pytest.raises(Failure) as refused:
        run_plan(client, plan, Ask())
    client.close()
    assert refused.value.code == "ABORTED"
    assert furnished("get", "nics", "-o", "name").lines == ["nics/a"]


def test_prune_frees_what_new_resources_need_and_deletes_in_the_order_of_dependence(
    furnished: Run, file: Path
) -> None:
    subnet = "kind: Subnet\nname: {0}\nsubnet_kind: vlan\nvirtual_switches: [vs0]\nvlan_id: 20\n"
    file.write_text(subnet.format("old") + "---\nkind: Nic\nname: n\nsubnet: old\n")
    furnished("apply", "-f", str(file), "--set", "t")
    file.write_text(subnet.format("new"))
    ran = furnished("apply", "-f", str(file), "--set", "t", "--prune")
    assert [line.split()[:2] for line in ran.lines[:-1]] == [
        ["deleted", "nics/n"],
        ["deleted", "subnets/old"],
        ["created", "subnets/new"],
    ]


def test_prune_wants_to_know_the_set(furnished: Run, file: Path) -> None:
    file.write_text("kind: Nic\nname: a\nsubnet: web\n")
    ran = furnished("apply", "-f", str(file), "--prune", expect=2)
    assert "--set NAME" in ran.err


def test_taking_a_resource_from_another_set_is_noted(furnished: Run, file: Path) -> None:
    file.write_text("kind: Nic\nname: a\nsubnet: web\n")
    furnished("apply", "-f", str(file), "--set", "one")
    ran = furnished("apply", "-f", str(file), "--set", "two")
    assert ran.err == "note: nics/a belonged to set 'one', now to 'two'\n"
    assert "labels.netctl.set: one -> two" in ran.out


def test_what_get_prints_can_be_applied(furnished: Run, file: Path) -> None:
    furnished("create", "nic", "a", "--subnet", "web", "--host", "h1", "--label", "tier=web")
    for output in ("yaml", "json"):
        file.write_text(furnished("get", "all", "-o", output).out)
        assert furnished("apply", "-f", str(file)).lines[-1] == "6 unchanged"


def test_many_resources_go_through_all_pages(furnished: Run, file: Path) -> None:
    wide = "kind: Subnet\nname: wide\nsubnet_kind: vlan\nvirtual_switches: [vs0]\nvlan_id: 20\n"
    wide += "ipv4: {cidr: 10.8.0.0/16}\n"
    nics = "".join(f"---\nkind: Nic\nname: n{i}\nsubnet: wide\n" for i in range(1100))
    file.write_text(wide + nics)
    furnished("apply", "-f", str(file))
    assert len(furnished("get", "nics", "-o", "name").lines) == 1100
    assert furnished("apply", "-f", str(file)).lines[-1] == "1101 unchanged"


def test_create_shows_what_was_chosen_and_update_what_changed(furnished: Run) -> None:
    created = furnished("create", "nic", "web-1", "--subnet", "web", "--host", "h1").out
    assert created.startswith("created    nics/web-1  ipv4_address=10.0.0.")
    assert "mac_address=50:6b:8d:" in created
    assert "tap_name=" in created
    updated = furnished("update", "nic", "web-1", "--connected=false", "--reason", "quarantine").out
    assert updated == "updated    nics/web-1  connected: true -> false\n"
    assert furnished("update", "nic", "web-1", "--connected", "false").out == "unchanged  nics/web-1\n"
    (change, *_) = furnished("history", "nic/web-1", "-o", "json").data
    assert change["reason"] == "quarantine"


def test_update_changes_labels_one_by_one(furnished: Run) -> None:
    furnished("create", "nic", "a", "--subnet", "web", "--label", "tier=web", "--label", "x.y/z=1")
    furnished("update", "nic", "a", "--label", "owner=me", "--label", "x.y/z-")
    assert furnished("get", "nic", "a", "-o", "json").data[0]["labels"] == {"owner": "me", "tier": "web"}


def test_every_flag_of_a_subnet_arrives(furnished: Run) -> None:
    furnished(
        *("create", "subnet", "full", "--kind", "overlay", "--cluster", "c1", "--mtu", "1400"),
        *("--ipv4-cidr", "10.1.0.0/16", "--ipv4-gateway", "10.1.0.1", "--ipv4-pool", "10.1.1.0-10.1.1.9"),
        *(
            "--ipv4-exclude",
            "10.1.1.5",
            "--ipv6-cidr",
            "fd00:1::/64",
            "--dns-server",
            "192.0.2.53,192.0.2.54",
        ),
        *("--dhcp-lease", "3600", "--domain-name", "example.org", "--static-route", "10.9.0.0/16=10.1.0.2"),
    )
    subnet = furnished("get", "sn", "full", "-o", "json").data[0]
    assert subnet["kind"] == "SUBNET_KIND_OVERLAY"
    assert subnet["mtu_bytes"] == 1400
    assert subnet["ipv4"]["pools"] == [{"start": "10.1.1.0", "end": "10.1.1.9"}]
    assert subnet["ipv4"]["exclusions"] == [{"start": "10.1.1.5", "end": "10.1.1.5"}]
    assert subnet["ipv6"]["cidr"] == "fd00:1::/64"
    assert subnet["dhcp"]["dns_servers"] == ["192.0.2.53", "192.0.2.54"]
    assert subnet["dhcp"]["static_routes"] == [{"destination": "10.9.0.0/16", "next_hop": "10.1.0.2"}]
    furnished("update", "subnet", "full", "--dns-server", "")
    assert "dns_servers" not in furnished("get", "sn", "full", "-o", "json").data[0]["dhcp"]


def test_static_addresses_are_given_before_automatic_ones(furnished: Run, file: Path) -> None:
    file.write_text(
        "- {kind: Nic, name: any, subnet: web}\n- {kind: Nic, name: first, subnet: web, ipv4_address: 10.0.0.1}\n"
    )
    furnished("apply", "-f", str(file))
    addresses = {nic["name"]: nic["ipv4_address"] for nic in furnished("get", "nics", "-o", "json").data}
    assert addresses == {"nics/any": "10.0.0.2", "nics/first": "10.0.0.1"}


def test_delete_names_the_dependents_and_deletes_several_as_one(furnished: Run) -> None:
    furnished("create", "nic", "a", "--subnet", "web")
    furnished("create", "nic", "b", "--subnet", "web")
    ran = furnished("delete", "subnet", "web", expect=1)
    assert "nics/a, nics/b" in ran.err
    refused = furnished("delete", "nic", "a", "nope", expect=4).err
    assert refused.startswith("error: nics/nope")
    assert "hint: nothing was deleted" in refused
    assert len(furnished("get", "nics", "-o", "name").lines) == 2, "all or nothing"
    assert furnished("delete", "nic", "a", "nics/b", "nics/a").lines == [
        "deleted    nics/a",
        "deleted    nics/b",
        "2 deleted",
    ]
    furnished("delete", "subnet", "web", "--wait")


def test_if_revision_refuses_what_somebody_else_changed(furnished: Run) -> None:
    created = furnished("create", "nic", "a", "--subnet", "web", "-o", "json").data[0]["resource"]
    furnished("update", "nic", "a", "--connected", "false")
    ran = furnished(
        "update", "nic", "a", "--connected", "true", "--if-revision", created["revision"], expect=1
    )
    assert "netctl get" in ran.err
    furnished("delete", "nic", "a", "--if-revision", created["revision"], expect=1)


def test_the_same_request_id_has_one_effect(furnished: Run) -> None:
    create = ("create", "nic", "a", "--subnet", "web", "--request-id", "once", "-o", "json")
    first, second = furnished(*create).data, furnished(*create).data
    assert first[0]["resource"]["uid"] == second[0]["resource"]["uid"]
    assert "request" in furnished(*create[:2], "b", *create[3:], expect=1).err


def test_wait_ends_with_the_reason_when_one_failed(furnished: Run, controller: Controller) -> None:
    controller.statuses.say((Kind.NIC, "a"), Phase.FAILED, "NO_UPLINK", "host h1 has no uplink to vs0")
    ran = furnished("create", "nic", "a", "--subnet", "web", "--host", "h1", "--wait", expect=1)
    assert ran.err == "error: nics/a FAILED NO_UPLINK: host h1 has no uplink to vs0\n"
    controller.statuses.say((Kind.NIC, "a"), Phase.PENDING, "WAITING_FOR_OVN")
    ran = furnished("wait", "nic/a", "--timeout", "0.2", expect=5)
    assert "nics/a PENDING WAITING_FOR_OVN" in ran.err
    controller.statuses.say((Kind.NIC, "a"), Phase.PROGRAMMED)
    furnished("wait", "nics/a")


def test_a_floating_nic_counts_as_settled(furnished: Run) -> None:
    ran = furnished("create", "nic", "a", "--subnet", "web", "--wait", "--timeout", "5")
    assert ran.lines[-1] == "1 PENDING (not attached to a host)"


def test_waiting_for_a_removal_waits_for_the_northbound_database(
    furnished: Run, controller: Controller
) -> None:
    furnished("create", "nic", "a", "--subnet", "web")
    controller.info.lag = 1
    ran = furnished("delete", "nic", "a", "--wait", "--timeout", "0.2", expect=5)
    assert "not removed from the network" in ran.err


def test_errors_are_json_when_the_output_is(furnished: Run) -> None:
    ran = furnished("create", "nic", "a", "--subnet", "nope", "-o", "json", expect=4)
    error = json.loads(ran.err)["error"]
    assert error["code"] == "NOT_FOUND"
    assert error["field"] == "nic.subnet"
    assert error["exit_status"] == 4


def test_apply_from_standard_input(netctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("kind: Cluster\nname: c9\nmacPrefix: 50:16:10\n"))
    netctl("apply", "-f", "-")
    assert netctl("get", "cluster", "c9", "-o", "json").data[0]["mac_prefix"] == "50:16:10"
