"""Bugs of VPCs between the intents and the rows: compiler, who reads whom, liveness, status."""

from __future__ import annotations

from tests.planted.bug import Bug

COMPILER, RECONCILER = "tests/unit/compiler", "tests/unit/reconciler"

_ROWS = (
    Bug(
        "the router has the MAC of its DHCP server",
        "netctl/compiler/router_port.py",
        '"mac": subnet.gateway_mac_address,',
        '"mac": subnet.dhcp.server_mac_address if subnet.dhcp else subnet.gateway_mac_address,',
        COMPILER,
    ),
    Bug(
        "SNAT translates the external network",
        "netctl/compiler/router_port.py",
        "yield from snat(exit, uid, config.cidr, marks, observed)",
        "yield from snat(exit, uid, exit.subnet.ipv4.cidr if exit.subnet.ipv4 else '', marks, observed)",
        COMPILER,
    ),
    Bug(
        "the guard sees tracked packets alone",
        "netctl/compiler/router_port.py",
        "(!ct.trk || (!ct.dnat && !ct.rel))",
        "(!ct.dnat && !ct.rel)",
        "tests/functional/northd/test_vpc.py",
    ),
    Bug(
        "policies are written in reverse",
        "netctl/compiler/priority.py",
        "return 2 * priority + 1",
        "return 2 * (1010 - priority) + 1",
        "tests/functional/northd/test_vpc.py",
    ),
    Bug(
        "the way back has the priority of the way",
        "netctl/compiler/priority.py",
        "return 2 * priority\n",
        "return 2 * priority + 1\n",
        COMPILER,
    ),
    Bug(
        "the route that lost is written too",
        "netctl/compiler/route.py",
        "    if route not in contenders(snapshot, observed, vpc, route.destination):\n        return\n",
        "",
        COMPILER,
    ),
    Bug(
        "a dead next hop is kept",
        "netctl/compiler/route.py",
        "        if is_dead(hop, vpc.id, observed):\n            continue\n",
        "",
        COMPILER,
    ),
    Bug(
        "what BFD does not hear is used",
        "netctl/compiler/route.py",
        "return not unheard and not is_dead(hop, vpc, observed)",
        "return not is_dead(hop, vpc, observed)",
        COMPILER,
    ),
    Bug(
        "a route that BFD does not hear is taken away, and never heard again",
        "netctl/compiler/route.py",
        "        if any(hop.watched for hop in hops):\n            found.append(route)\n",
        "",
        COMPILER,
    ),
    Bug(
        "each route writes its own BFD session",
        "netctl/compiler/route.py",
        "if not session or hop.address in taken or route.bfd is None:",
        "if not session or route.bfd is None:",
        COMPILER,
    ),
    Bug(
        "BFD where no gateway runs it",
        "netctl/compiler/route.py",
        "watched = route.bfd is not None and bool(exit.connection.gateways)",
        "watched = route.bfd is not None",
        COMPILER,
    ),
    Bug(
        "a trunk's VLANs may be claimed by any chassis",
        "netctl/compiler/nic.py",
        '        columns["parent_name"] =',
        '        columns["options"] = {}\n        columns["parent_name"] =',
        COMPILER,
    ),
    Bug(
        "the least preferred gateway has the highest priority",
        "netctl/compiler/priority.py",
        "return _GATEWAY - position",
        "return _GATEWAY + position",
        COMPILER,
    ),
    Bug(
        "a floating IP is left to a host without an uplink",
        "netctl/compiler/floating_ip.py",
        "return any(uplink.virtual_switch in external.virtual_switches for uplink in host.uplinks)",
        "return True",
        COMPILER,
    ),
    Bug(
        "guests are not told of a smaller MTU outside",
        "netctl/compiler/vpc.py",
        "if largest_mtu_bytes > mtu_bytes else {}",
        "if False else {}",
        COMPILER,
    ),
    Bug(
        "an unsafe OVN is asked to answer DHCPv6",
        "netctl/compiler/dhcp.py",
        "return asks_for_dhcpv6(subnet) and observed.dhcpv6 and bool(_server_mac(subnet))",
        "return asks_for_dhcpv6(subnet) and bool(_server_mac(subnet))",
        COMPILER,
    ),
    Bug(
        "every later patch of an unsafe branch is safe",
        "netctl/nb/features.py",
        "return version[2:] >= (_LEAKS_FIXED[branch],)",
        "return True",
        "tests/unit/nb/test_features.py",
    ),
    Bug(
        "half a service is taken for a whole one",
        "netctl/compiler/routing_policy.py",
        "return any(observed.is_dead(policy.vpc, address) for address in policy.service_ips)",
        "return all(observed.is_dead(policy.vpc, address) for address in policy.service_ips)",
        COMPILER,
    ),
)

_READERS = (
    Bug(
        "a NIC that moves leaves its floating IP behind",
        "netctl/compiler/dependents.py",
        "            yield from _floating_ips_of(snapshot, nic)\n            if nic.trunks_all:",
        "            if nic.trunks_all:",
        f"{RECONCILER}/test_desired.py",
    ),
    Bug(
        "the next route is not told that the first is gone",
        "netctl/compiler/dependents.py",
        "            yield from map(key_of, snapshot.routes_to(route.vpc, route.destination))\n",
        "",
        f"{RECONCILER}/test_desired.py",
    ),
    Bug(
        "only the snapshot of now is asked who reads",
        "netctl/compiler/dependents.py",
        "for snapshot in (before, after):",
        "for snapshot in (after,):",
        f"{RECONCILER}/test_desired.py",
    ),
    Bug(
        "a BFD session goes with the route that wrote it",
        "netctl/compiler/dependents.py",
        "            if route.bfd is not None:  #",
        "            if False:  #",
        f"{RECONCILER}/test_desired.py",
    ),
    Bug(
        "a spoke's rows stay as the hub was",
        "netctl/compiler/dependents.py",
        "        if subnet.kind is SubnetKind.EXTERNAL:\n",
        "        if False:\n",
        f"{RECONCILER}/test_desired.py",
    ),
)

_LIVENESS = (
    Bug(
        "one report moves the traffic",
        "netctl/reconciler/liveness.py",
        "    if due_s > 0:\n",
        "    if False:\n",
        f"{RECONCILER}/test_liveness.py",
    ),
    Bug(
        "the controller's own deafness kills every service",
        "netctl/reconciler/liveness.py",
        "            return Evidence.UNKNOWN  # it is we who hear nothing",
        "            return Evidence.SILENT",
        f"{RECONCILER}/test_liveness.py",
    ),
    Bug(
        "one deaf witness buries a gateway",
        "netctl/reconciler/liveness.py",
        "bool(watching) and not any(watching)",
        "bool(watching) and not all(watching)",
        f"{RECONCILER}/test_liveness.py",
    ),
    Bug(
        "a half-deaf pair of gateways is called split",
        "netctl/reconciler/status_vpc.py",
        "if bfd_up(heard(one), second) is False and bfd_up(heard(other), first) is False:",
        "if bfd_up(heard(one), second) is False or bfd_up(heard(other), first) is False:",
        f"{RECONCILER}/test_status_vpc.py",
    ),
    Bug(
        "OVN's own settings are written by a stale controller",
        "netctl/ovsdb/northbound.py",
        "            fence(row, self._owner, epoch)\n",
        "",
        "tests/functional/ovsdb",
    ),
)

BUGS = (*_ROWS, *_READERS, *_LIVENESS)
