"""50 groups of NICs and 250 rules between them, as netctl is asked for it and as others write it by hand.

Group g gets tcp from four others, each on a port of its own, may send anything, and nothing else. NIC n is in group
n modulo 50. By hand: one port group for each group and one ACL for each rule (`GROUPS`, the least there can be); as
Neutron's security groups do, with one port group more that drops for all; an ACL for each pair of ports (`PAIRS`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.nics import infrastructure, nic
from bench.ports import SWITCHES, Port, operations_of
from netctl.nb.rows import row_uuid
from netctl.v1 import network_pb2, operations_pb2, security_pb2, vpc_pb2

GROUPS_COUNT, SOURCES = 50, 4
RULES = GROUPS_COUNT * (SOURCES + 1)
GROUPS, NEUTRON, PAIRS = "by hand, a group", "as Neutron's security groups", "by hand, a pair of ports"
_FIRST_PORT = 1000
_TCP = security_pb2.SERVICE_PROTOCOL_TCP


def group_of(number: int) -> int:
    """Return which group a NIC is in."""
    return number % GROUPS_COUNT


def sources_of(group: int) -> tuple[int, ...]:
    """Return the groups that may open connections to a group."""
    return tuple((group + step) % GROUPS_COUNT for step in range(1, SOURCES + 1))


def ground() -> operations_pb2.BatchRequest:
    """Return everything that NICs stand on, their categories and the policies between those; no DHCP, as by hand."""
    request = infrastructure()
    for edit in request.edits:
        if edit.create.WhichOneof("resource") == "subnet":
            edit.create.subnet.dhcp.CopyFrom(network_pb2.DhcpOptions(disabled=True))
    request.edits.extend(
        operations_pb2.Edit(create=operations_pb2.Resource(category=category(number)))
        for number in range(GROUPS_COUNT)
    )
    request.edits.extend(
        operations_pb2.Edit(create=operations_pb2.Resource(security_policy=policy(number)))
        for number in range(GROUPS_COUNT)
    )
    return request


def category(group: int) -> security_pb2.Category:
    """Return the category of a group."""
    return security_pb2.Category(name=f"categories/g{group}", key="group", value=str(group))


def policy(group: int, *, flipped: bool = False) -> security_pb2.SecurityPolicy:
    """Return the policy of a group; `flipped`: its first rule denies."""
    rules = [
        security_pb2.SecurityRule(
            name=f"from-{source}",
            direction=security_pb2.SECURITY_DIRECTION_IN,
            action=_action(flipped and step == 0),
            peers=[f"categories/g{source}"],
            services=[security_pb2.Service(protocol=_TCP, ports=[_port(step)])],
        )
        for step, source in enumerate(sources_of(group))
    ]
    out = security_pb2.SecurityRule(
        name="out", direction=security_pb2.SECURITY_DIRECTION_OUT, action=_action(False)
    )
    return security_pb2.SecurityPolicy(
        name=f"securityPolicies/p{group}",
        kind=security_pb2.SECURITY_POLICY_KIND_APPLICATION,
        mode=security_pb2.SECURITY_POLICY_MODE_ENFORCE,
        scope=security_pb2.SECURITY_SCOPE_ALL_VLAN,
        secured=[f"categories/g{group}"],
        rules=[*rules, out],
    )


def _action(deny: bool) -> security_pb2.SecurityAction.ValueType:
    return security_pb2.SECURITY_ACTION_DENY if deny else security_pb2.SECURITY_ACTION_ALLOW


def _port(step: int) -> vpc_pb2.PortRange:
    return vpc_pb2.PortRange(first=_FIRST_PORT + step, last=_FIRST_PORT + step)


def grouped(number: int, *, group: int | None = None) -> network_pb2.Nic:
    """Return one NIC to create, in its group or another one."""
    found = nic(number)
    found.categories.append(f"categories/g{group_of(number) if group is None else group}")
    return found


def batches(count: int, chunk: int) -> list[operations_pb2.BatchRequest]:
    """Return `count` NICs to create, `chunk` to a call."""
    return [
        operations_pb2.BatchRequest(
            edits=[
                operations_pb2.Edit(create=operations_pb2.Resource(nic=grouped(number)))
                for number in range(start, min(count, start + chunk))
            ],
            omit_resources=True,
        )
        for start in range(0, count, chunk)
    ]


def port_group(group: int) -> str:
    """Return the uuid of the port group that the peers have for a group."""
    return row_uuid("Port_Group", "bench", str(group))


def first_acl(group: int) -> str:
    """Return the uuid of the peers' ACL for the first rule of a group."""
    return row_uuid("ACL", "bench", str(group), "0")


def transactions(way: str, size: int) -> Iterator[list[Any]]:
    """Yield the operations that make `size` ports and the rules in one of the peers' ways."""
    yield [
        {"op": "insert", "table": "Logical_Switch", "uuid": _switch(number), "row": {"name": f"s{number}"}}
        for number in range(SWITCHES)
    ]
    for start in range(0, size, 5000):
        yield operations_of([Port(number) for number in range(start, min(size, start + 5000))])
    uuids = [Port(number).uuid for number in range(size)]
    if way == PAIRS:
        for group in range(GROUPS_COUNT):
            yield [*_group(group, uuids, ()), *_pairs(group, size)]
    elif way == NEUTRON:
        for group in range(GROUPS_COUNT):
            yield _group(group, uuids, [*_rules(group)])
        yield _drop_all(size)
    else:
        yield from by_group(uuids)


def by_group(ports: Sequence[str]) -> Iterator[list[Any]]:
    """Yield the operations that make the least there can be by hand, of ports (uuids) that are there already."""
    for group in range(GROUPS_COUNT):
        acls = [*_rules(group), *(_drop(f"g{group}", number) for number in (1, 2))]
        yield _group(group, ports, acls)


def beside(numbers: Sequence[int]) -> list[Any]:
    """Return the operations that put a few ports by hand, their switches, and all groups with them alone."""
    ports = {number: Port(number) for number in numbers}
    uuids = [ports[number].uuid if number in ports else "" for number in range(max(numbers) + 1)]
    return [
        *(
            {"op": "insert", "table": "Logical_Switch", "uuid": switch, "row": {"name": f"by-hand-{switch}"}}
            for switch in sorted({port.switch for port in ports.values()})
        ),
        *operations_of(list(ports.values())),
        *(operation for operations in by_group(uuids) for operation in operations),
    ]


def regroup(port: str, here: int, there: int) -> list[Any]:
    """Return the operations by which a port (uuid) leaves one group of the peers' and enters another one."""
    return [_member(port, here, "delete"), _member(port, there, "insert")]


def flip(flipped: bool) -> dict[str, Any]:
    """Return the operation that makes the peers' first rule deny, or allow again."""
    where = [["_uuid", "==", ["uuid", first_acl(0)]]]
    row = {"action": "drop" if flipped else "allow-related"}
    return {"op": "update", "table": "ACL", "where": where, "row": row}


def gone(group: int) -> dict[str, Any]:
    """Return the operation that removes one group of the peers', its rules with it."""
    return {"op": "delete", "table": "Port_Group", "where": [["_uuid", "==", ["uuid", port_group(group)]]]}


def _member(port: str, group: int, mutator: str) -> dict[str, Any]:
    where = [["_uuid", "==", ["uuid", port_group(group)]]]
    mutations = [["ports", mutator, ["set", [["uuid", port]]]]]
    return {"op": "mutate", "table": "Port_Group", "where": where, "mutations": mutations}


def _switch(number: int) -> str:
    return row_uuid("Logical_Switch", str(number))


def _members(group: int, size: int) -> Sequence[int]:
    return range(group, size, GROUPS_COUNT)


def _group(group: int, uuids: Sequence[str], acls: Sequence[dict[str, Any]]) -> list[Any]:
    ports = [["uuid", uuid] for uuid in uuids[group::GROUPS_COUNT] if uuid]
    row = {
        "name": f"g{group}",
        "ports": ["set", ports],
        "acls": ["set", [["uuid", acl["uuid"]] for acl in acls]],
    }
    return [*acls, {"op": "insert", "table": "Port_Group", "uuid": port_group(group), "row": row}]


def _rules(group: int) -> Iterator[dict[str, Any]]:
    for step, source in enumerate(sources_of(group)):
        match = f"outport == @g{group} && ip4.src == $g{source}_ip4 && tcp.dst == {_FIRST_PORT + step}"
        yield _acl((str(group), str(step)), ("to-lport", 1002, match, "allow-related"))
    yield _acl((str(group), "out"), ("from-lport", 1002, f"inport == @g{group} && ip", "allow-related"))


def _drop(name: str, number: int) -> dict[str, Any]:
    direction, end = (("to-lport", "outport"), ("from-lport", "inport"))[number - 1]
    return _acl((name, f"drop {direction}"), (direction, 1001, f"{end} == @{name} && ip", "drop"))


def _drop_all(size: int) -> list[Any]:
    acls = [_drop("drop", 1), _drop("drop", 2)]
    row = {
        "name": "drop",
        "ports": ["set", [["uuid", Port(number).uuid] for number in range(size)]],
        "acls": ["set", [["uuid", acl["uuid"]] for acl in acls]],
    }
    return [
        *acls,
        {"op": "insert", "table": "Port_Group", "uuid": row_uuid("Port_Group", "drop"), "row": row},
    ]


def _pairs(group: int, size: int) -> list[Any]:
    acls = [
        _pair(group, step, receiver, sender)
        for step, source in enumerate(sources_of(group))
        for receiver in _members(group, size)
        for sender in _members(source, size)
    ]
    return [*acls, _has(group, acls, "insert")]


def regroup_pairs(size: int, here: int, there: int) -> list[Any]:
    """Return the operations by which the first port changes its group where each pair of ports has an ACL."""
    operations = []
    for group, acls in _pairs_of(0, here, size).items():
        operations.append(_has(group, acls, "delete"))
    for group, acls in _pairs_of(0, there, size).items():
        operations += [*acls, _has(group, acls, "insert")]
    return operations


def _pairs_of(number: int, group: int, size: int) -> dict[int, list[dict[str, Any]]]:
    """Return the ACLs that a port needs to be in a group, by the group whose rules they are."""
    found = {
        other: [_pair(other, sources_of(other).index(group), receiver, number) for receiver in receivers]
        for other in range(GROUPS_COUNT)
        if group in sources_of(other) and (receivers := [n for n in _members(other, size) if n != number])
    }
    found[group] = [
        _pair(group, step, number, sender)
        for step, source in enumerate(sources_of(group))
        for sender in _members(source, size)
        if sender != number
    ]
    return found


def _pair(group: int, step: int, receiver: int, sender: int) -> dict[str, Any]:
    address = Port(sender).address.split()[1]
    match = f'outport == "{Port(receiver).name}" && ip4.src == {address} && tcp.dst == {_FIRST_PORT + step}'
    key = (str(group), str(step), str(receiver), str(sender))
    return _acl(key, ("to-lport", 1002, match, "allow-related"))


def _has(group: int, acls: Sequence[dict[str, Any]], mutator: str) -> dict[str, Any]:
    members = ["set", [["uuid", acl["uuid"]] for acl in acls]]
    where = [["_uuid", "==", ["uuid", port_group(group)]]]
    return {"op": "mutate", "table": "Port_Group", "where": where, "mutations": [["acls", mutator, members]]}


def _acl(key: tuple[str, ...], what: tuple[str, int, str, str]) -> dict[str, Any]:
    direction, priority, match, action = what
    row = {"direction": direction, "priority": priority, "match": match, "action": action}
    return {"op": "insert", "table": "ACL", "uuid": row_uuid("ACL", "bench", *key), "row": row}
