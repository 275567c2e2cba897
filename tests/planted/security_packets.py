"""Bugs of security policies that are seen where they hurt: by packets between guests of the lab."""

from __future__ import annotations

from tests.planted.bug import Bug

KINDS, RULES, PORTS, SPOOF, CHANGE, TELLS = (
    f"tests/e2e/test_security_{name}.py::test_"
    for name in ("kinds", "rules", "ports", "spoof", "change", "tells")
)

BUGS = (
    Bug(
        "what goes is gone before what comes is there",
        "netctl/ovsdb/northbound.py",
        """                return self._transact(delta, epoch)
        with""",
        """                self._transact(Delta((), (), delta.delete, (), delta.remove), epoch)
                return self._transact(Delta(delta.insert, delta.update, (), delta.add, ()), epoch)
        with""",
        f"{CHANGE}rules_are_edited_reordered_and_replaced",
    ),
    Bug(
        "the log has no rate",
        "netctl/compiler/security_policy.py",
        '"rate": policy.log_rate',
        '"rate": 100_000',
        f"{TELLS}the_log_keeps_its_rate_and_the_count_does_not_suffer",
    ),
    Bug(
        "VLANs of a trunk are in no group",
        "netctl/compiler/membership.py",
        "    for vlan in nic.trunk_vlans:",
        "    for vlan in ():",
        f"{PORTS}each_vlan_of_a_trunk_is_a_port_of_its_subnet",
    ),
    Bug(
        "a policy for some VPCs holds in all",
        "netctl/compiler/realms.py",
        "policy.scope is PolicyScope.ALL_VPC",
        "policy.scope is not PolicyScope.ALL_VLAN",
        f"{PORTS}categories_of_a_vpc_and_the_scope_of_a_policy",
    ),
    Bug(
        "categories of VPCs are nobody's",
        "netctl/compiler/membership.py",
        "found.update(dict.fromkeys(vpc.categories))",
        "found.update({})",
        f"{PORTS}categories_of_a_vpc_and_the_scope_of_a_policy",
    ),
    Bug(
        "no host guards its guests",
        "netctl/compiler/assignment_nics.py",
        "guard_ipv6=nic.port_security",
        "guard_ipv6=False",
        f"{SPOOF}the_hosts_guard_stops_what_ovn_lets_through",
    ),
    Bug(
        "a guest may say that it is anybody",
        "netctl/compiler/nic.py",
        "    return held\n",
        "    return frozenset({nic.mac_address})\n",
        f"{SPOOF}port_security_stops_lies_and_nothing_else",
    ),
    Bug(
        "in quarantine all UDP passes as DHCP",
        "netctl/compiler/dhcp.py",
        'f"udp.src == 68 && udp.dst == 67 && ({whom})"',
        'f"udp || ({whom})"',
        f"{KINDS}quarantine_is_before_everything",
    ),
)
