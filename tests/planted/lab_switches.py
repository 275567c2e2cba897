"""Bugs of leaf switches, cables and functions in the lab, and of the host's network as only its packets show them."""

from __future__ import annotations

from tests.planted.bug import Bug

_SWITCHES = "tests/functional/lab/test_switches.py"

BUGS = (
    Bug(
        "a silent cable speaks",
        "netctl/lab/silence.py",
        "b7000000010000009500",
        "b7000000020000009500",
        f"{_SWITCHES}::test_a_pulled_cable_has_no_carrier_and_a_silent_one_has",
    ),
    Bug(
        "a leaf switch listens to cables of before the reboot",
        "netctl/lab/lab.py",
        "            self._leaves().unplug(host)\n",
        "            self._leaves()\n",
        f"{_SWITCHES}::test_a_rebooted_host_finds_its_group_again",
    ),
    Bug(
        "a forwarder drops nothing",
        "netctl/lab/forwarder.py",
        "        dropped = bool(drop_ports & set(ports))",
        "        dropped = False",
        f"{_SWITCHES}::test_a_function_passes_counts_drops_and_hangs",
    ),
    Bug(
        "a rebooted host's function listens to interfaces that are gone",
        "netctl/lab/functions.py",
        "            self.kill(guest)\n            self.start(guest)\n",
        "            self.start(guest)\n",
        "tests/e2e/test_host_network_reboot.py",
    ),
    Bug(
        "a chained subnet's localnet port keeps its name",
        "netctl/compiler/identity.py",
        "{'-nf' if chained else ''}",
        "",
        "tests/e2e/test_service_chains.py::test_both_directions_pass_the_functions_of_both_hosts",
    ),
    Bug(
        "br0 takes another MAC address with another bond",
        "agents/netctl_host/ovsdb_rows.py",
        "            _keep_mac(port, action, rows)\n",
        "",
        "tests/e2e/test_uplinks_confirmed.py",
    ),
    Bug(
        "br.nf lets pass what nobody told it to",
        "agents/netctl_host/plan_function_bridge.py",
        'wanted[FUNCTION_BRIDGE] = "secure"',
        'wanted[FUNCTION_BRIDGE] = "standalone"',
        "tests/e2e/test_service_chain_faults.py::test_the_death_of_switch_and_agent_lets_nothing_past",
    ),
    Bug(
        "members that listen for an LACP partner carry",
        "agents/netctl_host/report.py",
        "    if not port.active_mac:  # also",
        "    if False:  # also",
        "tests/unit/host/test_report.py",
    ),
    Bug(
        "a bond with LACP is confirmed before it falls back",
        "agents/netctl_host/uplinks.py",
        "    return SETTLE_S if agreed else LACP_SETTLE_S",
        "    return SETTLE_S",
        "tests/unit/host/test_uplink_trial.py",
    ),
)
