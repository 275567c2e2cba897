"""Bugs of service chains in the controller: what passes br.nf, by which rule, and OVN's own functions."""

from __future__ import annotations

from tests.planted.bug import Bug

COMPILER = "tests/unit/compiler"
STEERING, READERS = f"{COMPILER}/test_steering.py", f"{COMPILER}/test_steering_readers.py"
NATIVE, ORACLE = f"{COMPILER}/test_native_chain.py", "tests/unit/oracle/test_steering.py"

BUGS = (
    Bug(
        "a chained VLAN leads past br.nf",
        "netctl/compiler/subnet.py",
        "nf_physnet(virtual_switch) if chained else virtual_switch.physnet",
        "virtual_switch.physnet",
        STEERING,
    ),
    Bug(
        "the subnet that a rule's chain concerns is not compiled again",
        "netctl/compiler/dependents.py",
        "    readers.update(readers_of_chains(before, after))\n",
        "",
        READERS,
    ),
    Bug(
        "a rule whose time is over goes on steering",
        "netctl/compiler/steering_attached.py",
        "(reason.policy, reason.rule) not in observed.expired and steers(",
        "steers(",
        STEERING,
    ),
    Bug(
        "who opens a connection is turned round in steering rules",
        "netctl/compiler/steering_services.py",
        "local_opens=clause.direction is Direction.OUT",
        "local_opens=clause.direction is Direction.IN",
        ORACLE,
    ),
    Bug(
        "an allow without a chain keeps nothing from a chain behind it",
        "netctl/compiler/steering_security.py",
        "        if not lead.is_mask or lead.takes or any(_may_meet(lead, other) for other in later):\n",
        "        if not lead.is_mask or lead.takes:\n",
        STEERING,
    ),
    Bug(
        "an allow without a chain keeps everything of the other direction from its chain",
        "netctl/compiler/steering_security.py",
        "            yield (runs, False, one.lead.place), one.lead, one.macs\n",
        "            yield (runs, True, one.lead.place), one.lead, one.macs\n",
        STEERING,
    ),
    Bug(
        "learned addresses are no peers of steering rules",
        "netctl/compiler/steering_peers.py",
        "yield from port.addresses(observed)",
        "yield from port.given",
        STEERING,
    ),
    Bug(
        "neighbour discovery passes the chain of a rule",
        "netctl/compiler/steering_security.py",
        "        yield from neighbourhood(own)\n",
        "        pass\n",
        ORACLE,
    ),
    Bug(
        "what a router says for itself passes a policy's chain",
        "netctl/compiler/steering_routing.py",
        "            yield replace(router, ip_version=version, local_networks=(exit.address(version),))\n",
        "            continue\n",
        f"{COMPILER}/test_steering_routing.py",
    ),
    Bug(
        "a function in two chains is OVN's",
        "netctl/compiler/native_chain.py",
        "if len(chain.functions) > 1 or chain.id in attached",
        "if chain.id in attached",
        NATIVE,
    ),
    Bug(
        "an OVN before 26.03 is told of network functions",
        "netctl/nb/features.py",
        "    return all(wanted) and _northd(features)[:2] >= NETWORK_FUNCTIONS_SINCE\n",
        "    return all(wanted)\n",
        "tests/unit/nb/test_features.py",
    ),
    Bug(
        "a stateless rule with a chain lets its answers pass by",
        "netctl/compiler/security_policy.py",
        '                columns["action"] = "allow-related"\n',
        "                pass\n",
        NATIVE,
    ),
)
