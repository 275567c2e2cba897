"""What `bench steering` asks for: NICs of one subnet on hosts of 100, two functions and a chain of them.

As admission would store it; nothing here goes through a controller. Addresses leave gaps, so that no two peers are one
network; a rule names as many of them as there are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from netctl.model.intent import Intent
from netctl.model.keys import CategoryId, HostId, Kind, ServiceChainId
from netctl.model.nic import Nic
from netctl.model.security_policy import RuleAction, SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from tests import chained
from tests.intents import cluster, host, nic, switch, vlan
from tests.security import category, policy, rule

PER_HOST, NICS_OF_FUNCTIONS = 100, 4
HOST, CLIENTS, SERVED = HostId("h1"), CategoryId("clients"), CategoryId("served")
_CHAIN, _SUBNET = "inspect", "v10"
_FIRST = int(ipaddress.ip_address("10.0.0.10"))


def own_chain(size: int) -> Snapshot:
    """Return a controller VLAN whose own chain everything passes."""
    return _snapshot(size, chained.with_chain(_subnet(SubnetKind.VLAN), _CHAIN))


def by_category(size: int) -> Snapshot:
    """Return one where some TCP and UDP from all NICs to those of h1 passes the chain."""
    return _snapshot(size, _subnet(SubnetKind.VLAN), _policy())


def changed(snapshot: Snapshot, odd: int) -> Snapshot:
    """Return one whose last NIC, on the last host, is a client or not."""
    number = snapshot.count(Kind.NIC) - NICS_OF_FUNCTIONS - 1
    draft = snapshot.draft()
    draft.put(replace(_nic(number), categories=(CLIENTS,) if odd else ()))
    return draft.freeze(snapshot.revision + 1)


def all_basic(size: int) -> Snapshot:
    """Return a VLAN basic subnet with all its NICs on h1, without chains."""
    found = (replace(_nic(number), host=HOST, basic=True) for number in range(size))
    return _frozen((*_ground(size), _subnet(SubnetKind.VLAN_BASIC), *found))


def _snapshot(size: int, *more: Intent) -> Snapshot:
    return _frozen((*_ground(size), *more, *_functions(), *map(_nic, range(size))))


def _frozen(intents: tuple[Intent, ...]) -> Snapshot:
    draft = Snapshot.empty().draft()
    for intent in intents:
        draft.put(intent)
    return draft.freeze(1)


def _ground(size: int) -> Iterator[Intent]:
    yield cluster()
    yield switch()
    for number in range(max(2, size // PER_HOST)):
        yield host(f"h{number + 1}", number=number + 1)
    yield category(CLIENTS)
    yield category(SERVED)


def _subnet(kind: SubnetKind) -> Subnet:
    network = IpConfig(version=4, cidr="10.0.0.0/16", gateway="10.0.0.1")
    return replace(vlan(_SUBNET, 10), kind=kind, ipv4=network)


def _nic(number: int) -> Nic:
    found = nic(f"n{number:06}", _SUBNET, host=f"h{number // PER_HOST + 1}")
    return replace(
        found,
        mac_address=f"50:6b:8d:00:{number >> 8:02x}:{number & 255:02x}",
        ipv4_address=str(ipaddress.ip_address(_FIRST + 2 * number)),
        categories=(CLIENTS, SERVED) if number < PER_HOST else (CLIENTS,),
    )


def _functions() -> Iterator[Intent]:
    for name in ("one", "two"):
        yield chained.function(name, chained.pair(name))
        yield from chained.function_nics(name)
    yield chained.chain(_CHAIN, "one", "two")


def _policy() -> SecurityPolicy:
    tcp = rule("in", CLIENTS, services=("tcp/443", "udp/4000-4999"), action=RuleAction.ALLOW)
    return policy("served", SERVED, rules=(replace(tcp, service_chain=ServiceChainId(_CHAIN)),))
