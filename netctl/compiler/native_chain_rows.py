"""NetworkFunction to rows of OVN 26.03: its NICs as ports, Network_Function, its Group, its health check.

The NICs are ports of a switch of the function's own. On each switch from which it gets traffic they have children
(ovn-northd(8), Network Function): so one function serves many subnets, and gets frames with a tag, as in br.nf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netctl.compiler import identity
from netctl.compiler.identity import external_ids, switch_uuid
from netctl.compiler.native_chain import is_native
from netctl.compiler.native_chain_reach import reach_of
from netctl.compiler.observed import Observed
from netctl.model.chain import FailureHandling, NetworkFunction, NicPair
from netctl.model.intent import key_of
from netctl.model.keys import Kind, Uid
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.nb.rows import Fact, Member, Row, Value

# Network_Function.id and Network_Function_Group.id, ovn-nb(5): 1 to 255 each. More are left out.
NUMBERS_MAX = 255
_EMPTY: frozenset[str] = frozenset()


def compile_network_function(
    snapshot: Snapshot, function: NetworkFunction, owner: str, observed: Observed
) -> Iterator[Fact]:
    """Yield the rows of one function, none unless OVN has it."""
    numbers = numbers_of(snapshot)
    if not is_native(snapshot, function.id, observed) or function.meta.uid not in numbers:
        return
    marks = external_ids(owner, key_of(function))
    switch = identity.function_switch_uuid(function.meta.uid)
    yield Row(
        "Logical_Switch",
        switch,
        {"name": f"network-function-{function.id}", "other_config": {}, "external_ids": marks},
    )
    subnets = reach_of(snapshot, function.id)
    rows = []
    for pair, nics in _pairs(snapshot, function):
        number = numbers.get(nics[0].meta.uid)
        for nic, other in (nics, nics[::-1]):
            yield from _ports(nic, other, switch, marks)
            for subnet in subnets:
                yield from _children(nic, other, subnet, marks)
        if number is not None and not pair.disabled:
            rows.append(row := identity.network_function_uuid(nics[0].meta.uid))
            yield Row("Network_Function", row, _function_columns(function, nics, number, marks))
    yield Row(
        "Network_Function_Group",
        identity.network_function_group_uuid(function.meta.uid),
        {
            "name": f"nfg-{function.meta.uid}",
            "id": numbers[function.meta.uid],
            "mode": "inline",
            "fallback": frozenset({function.failure_handling.value or FailureHandling.FAIL_CLOSE.value}),
            "network_function": frozenset(rows),
            "external_ids": marks,
        },
    )
    if rows and not function.health_check.disabled:
        yield _health_check(function, marks)


def numbers_of(snapshot: Lookups) -> Mapping[Uid, int]:
    """Return OVN's numbers: of functions (their groups) by their uid, of pairs by that of their ingress NIC.

    A number is in the state of connections, so that others must not move when one comes: each begins to look for a
    free one where its uid says, the oldest first.
    """
    functions = sorted(
        (f for f in snapshot.of_kind(Kind.NETWORK_FUNCTION) if isinstance(f, NetworkFunction)),
        key=lambda f: (f.meta.create_time_s, f.meta.uid),
    )
    pairs = [nics[0].meta.uid for function in functions for _, nics in _pairs(snapshot, function)]
    return {**_spread(function.meta.uid for function in functions), **_spread(pairs)}


def _spread(uids: Iterable[Uid]) -> dict[Uid, int]:
    taken: dict[int, Uid] = {}
    for uid in uids:
        if len(taken) == NUMBERS_MAX:
            break
        at = int(identity.network_function_uuid(uid)[:8], 16) % NUMBERS_MAX
        while at in taken:
            at = (at + 1) % NUMBERS_MAX
        taken[at] = uid
    return {uid: at + 1 for at, uid in taken.items()}


def _pairs(snapshot: Lookups, function: NetworkFunction) -> Iterator[tuple[NicPair, tuple[Nic, Nic]]]:
    for pair in function.nic_pairs:
        ingress, egress = snapshot.nic(pair.ingress_nic), snapshot.nic(pair.egress_nic)
        if ingress is not None and egress is not None:
            yield pair, (ingress, egress)


def _columns(nic: Nic, linked: str, marks: dict[str, str]) -> dict[str, Value]:
    """Return what a port of a function and its children have in common: no address, for they are not spoken to."""
    options = {
        "is-nf": "true",
        "nf-linked-port": linked,
        "lsp_learn_fdb": "false",
        "receive_multicast": "false",
    }
    return {
        "type": "",
        "addresses": _EMPTY,
        "port_security": _EMPTY,
        "enabled": frozenset({nic.connected}),
        "dhcpv4_options": _EMPTY,
        "dhcpv6_options": _EMPTY,
        "options": options | ({"requested-chassis": nic.host} if nic.host else {}),
        "external_ids": marks,
    }


def _ports(nic: Nic, other: Nic, switch: str, marks: dict[str, str]) -> Iterator[Fact]:
    port = identity.port_uuid(nic.meta.uid)
    yield Row("Logical_Switch_Port", port, {"name": nic.meta.uid, **_columns(nic, other.meta.uid, marks)})
    yield Member("Logical_Switch", switch, "ports", port)


def _children(nic: Nic, other: Nic, subnet: Subnet, marks: dict[str, str]) -> Iterator[Fact]:
    uid = subnet.meta.uid
    port = identity.function_child_uuid(nic.meta.uid, uid)
    columns = _columns(nic, identity.function_child_name(other.meta.uid, uid), marks)
    columns["name"] = identity.function_child_name(nic.meta.uid, uid)
    columns["parent_name"] = frozenset({str(nic.meta.uid)})
    columns["tag_request"] = frozenset({0})  # northd chooses one that no other child has
    yield Row("Logical_Switch_Port", port, columns)
    yield Member("Logical_Switch", switch_uuid(uid), "ports", port)


def _function_columns(
    function: NetworkFunction, nics: tuple[Nic, Nic], number: int, marks: dict[str, str]
) -> dict[str, Value]:
    check = identity.function_check_uuid(function.meta.uid)
    ingress, egress = nics
    return {
        "name": f"nf-{ingress.meta.uid}",
        "id": number,
        "inport": identity.port_uuid(ingress.meta.uid),
        "outport": identity.port_uuid(egress.meta.uid),
        "health_check": _EMPTY if function.health_check.disabled else frozenset({check}),
        "external_ids": marks,
    }


def _health_check(function: NetworkFunction, marks: dict[str, str]) -> Row:
    """Return how OVN asks whether a function works: in whole seconds."""
    check = function.health_check
    return Row(
        "Network_Function_Health_Check",
        identity.function_check_uuid(function.meta.uid),
        {
            "name": f"nf-{function.meta.uid}",
            "options": {
                "interval": str(-(-check.interval_ms // 1000)),
                "timeout": str(-(-check.timeout_ms // 1000)),
                "success_count": str(check.success_threshold),
                "failure_count": str(check.failure_threshold),
            },
            "external_ids": marks,
        },
    )
