"""The policy benchmarks compare layouts that mean the same, and changes that change something."""

from collections import Counter
from typing import Any

from bench import policy_layout as layout
from bench.ports import Port
from netctl.v1 import security_pb2

SIZE = 100


def acls_of(operations: list[Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["uuid"]: operation["row"]
        for operation in operations
        if operation["op"] == "insert" and operation["table"] == "ACL"
    }


def members(operations: list[Any], column: str) -> dict[str, set[str]]:
    """Return a set column of the port groups that are inserted, by the group's uuid."""
    return {
        operation["uuid"]: {uuid for _, uuid in operation["row"][column][1]}
        for operation in operations
        if operation["op"] == "insert" and operation["table"] == "Port_Group"
    }


def written(way: str) -> list[Any]:
    return [operation for operations in layout.transactions(way, SIZE) for operation in operations]


def test_there_are_as_many_groups_and_rules_as_the_issue_asks_for() -> None:
    policies = [layout.policy(group) for group in range(layout.GROUPS_COUNT)]
    assert len(policies) == 50
    assert sum(len(policy.rules) for policy in policies) == layout.RULES == 250
    categories = Counter(nic for number in range(SIZE) for nic in layout.grouped(number).categories)
    assert set(categories.values()) == {SIZE // 50}


def test_by_hand_every_rule_is_an_acl_about_the_same() -> None:
    acls = acls_of(written(layout.GROUPS))
    allowed = Counter(row["match"] for row in acls.values() if row["action"] == "allow-related")
    wanted: Counter[str] = Counter()
    for group in range(layout.GROUPS_COUNT):
        for rule in layout.policy(group).rules:
            if rule.direction == security_pb2.SECURITY_DIRECTION_OUT:
                wanted[f"inport == @g{group} && ip"] += 1
                continue
            [peer], [service] = rule.peers, rule.services
            source = peer.rpartition("/")[2]
            wanted[
                f"outport == @g{group} && ip4.src == ${source}_ip4 && tcp.dst == {service.ports[0].first}"
            ] += 1
    assert allowed == wanted
    assert sum(row["action"] == "drop" for row in acls.values()) == 2 * layout.GROUPS_COUNT


def test_by_hand_a_port_is_in_the_group_of_the_nic_of_its_number() -> None:
    for way in (layout.GROUPS, layout.NEUTRON):
        ports = members(written(way), "ports")
        for number in range(SIZE):
            assert Port(number).uuid in ports[layout.port_group(layout.group_of(number))]


def test_a_change_by_hand_changes_rows_that_are_there() -> None:
    operations = layout.beside((0, 50, 1))
    ports = members(operations, "ports")
    assert ports[layout.port_group(0)] == {Port(0).uuid, Port(50).uuid}
    assert ports[layout.port_group(1)] == {Port(1).uuid}
    assert not ports[layout.port_group(2)]
    out, into = layout.regroup(Port(0).uuid, 0, 1)
    assert [one["mutations"][0][1] for one in (out, into)] == ["delete", "insert"]
    assert [one["where"][0][2][1] for one in (out, into)] == [layout.port_group(0), layout.port_group(1)]
    [[_, _, [_, flipped]]] = layout.flip(True)["where"]
    assert acls_of(operations)[flipped]["action"] != layout.flip(True)["row"]["action"]
    assert acls_of(operations)[flipped]["action"] == layout.flip(False)["row"]["action"]


def test_where_each_pair_has_an_acl_one_that_moves_takes_its_own_along() -> None:
    """There and back again is where it was; what it leaves is all that names it."""
    before = acls_of(written(layout.PAIRS))
    now = set(before)
    for here, there in ((0, 1), (1, 0)):
        operations = layout.regroup_pairs(SIZE, here, there)
        for operation in operations:
            if operation["op"] == "mutate" and operation["mutations"][0][1] == "delete":
                gone = {uuid for _, uuid in operation["mutations"][0][2][1]}
                assert gone <= now
                now -= gone
        if here == 0:
            assert not [uuid for uuid in now if f'"{Port(0).name}"' in before[uuid]["match"]]
        now |= set(acls_of(operations))
    assert now == set(before)
