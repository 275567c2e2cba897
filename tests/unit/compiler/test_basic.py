"""What is beside OVN has no rows; what is between the two sides has those of the NICs that have ports."""

from __future__ import annotations

from dataclasses import replace

from netctl.compiler.compile import compile_rows
from netctl.compiler.dependents import dependents
from netctl.compiler.identity import child_uuid, port_uuid, switch_uuid
from netctl.model.intent import Intent
from netctl.model.keys import Kind, SubnetId
from netctl.model.nic import Nic, NicKind, NicMode, TrunkVlan
from netctl.model.subnet import Subnet, SubnetKind
from netctl.nb.rows import Member, Row
from tests.intents import OWNER, infra, nic, snapshot, uid_of, vlan
from tests.security import category, in_categories, policy, rule

BASIC_VLAN = replace(vlan(), kind=SubnetKind.VLAN_BASIC)
TAGS = (TrunkVlan(vlan_id=7, subnet=SubnetId("v10"), ipv4_address="10.0.10.77"),)


def basic(nic: Nic) -> Nic:
    return replace(nic, basic=True)


def rows(*intents: Intent) -> dict[tuple[str, str], Row]:
    facts = compile_rows(snapshot([*infra(), *intents]), OWNER).values()
    return {(fact.table, fact.uuid): fact for fact in facts if isinstance(fact, Row)}


def tables(*intents: Intent) -> set[str]:
    return {table for table, _ in rows(*intents)}


def test_a_basic_subnet_with_basic_nics_has_no_rows_at_all() -> None:
    assert tables(vlan(), nic()) == {"Logical_Switch", "Logical_Switch_Port", "DHCP_Options"}
    assert tables(BASIC_VLAN, basic(nic())) == set()
    assert tables(BASIC_VLAN) == set()


def test_a_subnet_that_is_to_be_of_ovn_has_its_switch_before_its_first_port() -> None:
    found = rows(vlan(), basic(nic()))
    assert ("Logical_Switch", switch_uuid(uid_of("v10"))) in found
    assert ("Logical_Switch_Port", port_uuid(uid_of("n1"))) not in found


def test_a_subnet_that_leaves_ovn_is_there_until_its_last_port_is_gone() -> None:
    staying = rows(BASIC_VLAN, basic(nic()), nic("n2", number=6))
    assert staying == {
        key: row
        for key, row in rows(vlan(), nic(), nic("n2", number=6)).items()
        if key[1] != port_uuid(uid_of("n1"))
    }
    assert tables(BASIC_VLAN, basic(nic()), basic(nic("n2", number=6))) == set()


def test_a_direct_nic_is_beside_ovn_wherever_it_is() -> None:
    direct = replace(nic(), kind=NicKind.DIRECT, basic=True)
    assert tables(vlan(), direct) == {"Logical_Switch", "Logical_Switch_Port", "DHCP_Options"}  # the localnet
    assert not [row for row in rows(vlan(), direct).values() if row.columns.get("name") == uid_of("n1")]


def test_a_trunks_vlan_keeps_the_switch_as_a_nic_does() -> None:
    trunk = replace(nic("t1", "v20", number=9), ipv4_address="", mode=NicMode.TRUNK, trunk_vlans=TAGS)
    with_port = rows(BASIC_VLAN, vlan("v20", 20), trunk)
    assert ("Logical_Switch", switch_uuid(uid_of("v10"))) in with_port
    assert ("Logical_Switch_Port", child_uuid(uid_of("t1"), 7)) in with_port
    beside = rows(BASIC_VLAN, vlan("v20", 20), basic(trunk))
    assert ("Logical_Switch", switch_uuid(uid_of("v10"))) not in beside
    assert ("Logical_Switch_Port", child_uuid(uid_of("t1"), 7)) not in beside


def test_only_trunks_with_a_port_make_a_switch_pass_tags() -> None:
    def passes(guest: Nic) -> object:
        untagged: Subnet = vlan("v0", 0)
        row = rows(untagged, guest)["Logical_Switch", switch_uuid(uid_of("v0"))]
        return "vlan-passthru" in row.columns["other_config"]  # type: ignore[operator]

    everything = replace(nic("t1", "v0"), mode=NicMode.TRUNK)
    assert passes(everything)
    assert not passes(basic(everything))


def test_a_basic_nic_is_no_member_of_any_group() -> None:
    active = policy("p1", "web", rules=(rule("r1", "db"),))
    world = (vlan(), category("web"), category("db", value="db"), active)
    guest = in_categories(nic(), "web")

    def members(one: Nic) -> list[str]:
        facts = compile_rows(snapshot([*infra(), *world, one]), OWNER).values()
        groups = (fact for fact in facts if isinstance(fact, Member) and fact.table == "Port_Group")
        return [fact.member for fact in groups if fact.column == "ports"]

    assert port_uuid(uid_of("n1")) in members(guest)
    assert members(basic(guest)) == []


def test_a_port_on_a_basic_subnet_is_read_by_the_subnet() -> None:
    world = snapshot([*infra(), BASIC_VLAN, nic(), basic(nic("n2", number=6))])
    assert (Kind.SUBNET, "v10") in set(dependents(world, (Kind.NIC, "n1")))
    assert (Kind.SUBNET, "v10") not in set(dependents(world, (Kind.NIC, "n2")))
