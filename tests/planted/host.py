"""Bugs of the host agent."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a bond of another name is made anew",
        "agents/netctl_host/plan_uplinks.py",
        "    return next((port for port in bridge.ports.values() if set(port.interfaces) == set(members)), None)",
        "    return None",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a plugged tap is plugged again",
        "agents/netctl_host/plan_taps.py",
        "        if is_plugged(nic, state, settings) and _is_marked(nic, state):",
        "        if False:",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a plugged tap is deleted and added",
        "agents/netctl_host/ovsdb_rows.py",
        "    if action.tap not in rows.ports:\n        _add_port(rows, action.bridge, action.tap)\n    elif",
        "    if action.tap in rows.ports:\n"
        '        rows.bridges[action.leaves or action.bridge].delvalue("ports", rows.ports[action.tap])\n'
        "    if True:\n        _add_port(rows, action.bridge, action.tap)\n    elif",
        "tests/functional/host/test_contract.py tests/functional/host/test_switch.py",
    ),
    Bug(
        "a foreign port is unplugged",
        "agents/netctl_host/plan_taps.py",
        "interface is not None and is_our_tap(interface) and port.name not in pluggable:",
        "interface is not None and port.name not in pluggable:",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a foreign bridge is removed",
        "agents/netctl_host/plan_uplinks.py",
        "        if bridge.is_ours and bridge.name not in wanted and not leads_to_controller(bridge.name, state):",
        "        if bridge.name not in wanted and not leads_to_controller(bridge.name, state):",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a tap without an assignment stays plugged",
        "agents/netctl_host/plan_taps.py",
        "            yield UnplugTap(bridge=name, tap=port.name)",
        "            continue",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a tap with another NIC's iface-id is right",
        "agents/netctl_host/plan_taps.py",
        'interface.external_ids.get("iface-id", "") == iface_id(nic)',
        '"iface-id" in interface.external_ids',
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a torn assignment is accepted",
        "netctl/saved_file.py",
        '    new = path.with_suffix(".new")\n',
        "    new = path\n",
        "tests/unit/host/test_saved_assignment.py",
    ),
    Bug(
        "a damaged assignment stops the agent",
        "agents/netctl_host/saved_assignment.py",
        "except (msgspec.DecodeError, UnicodeDecodeError) as error:",
        "except UnicodeDecodeError as error:",
        "tests/unit/host/test_saved_assignment.py",
    ),
    Bug(
        "an older controller's assignment is taken",
        "agents/netctl_host/controller_client.py",
        "            if assignment.epoch < highest:",
        "            if assignment.epoch < 0:",
        "tests/functional/host/test_controller_client.py",
    ),
    Bug(
        "a bridge mapping is missing",
        "agents/netctl_host/chassis.py",
        "    ours = {uplink.physnet: uplink.bridge for uplink in assignment.uplink_bridges}",
        "    ours = {uplink.physnet: uplink.bridge for uplink in assignment.uplink_bridges[:1]}",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a foreign bridge mapping is lost",
        "agents/netctl_host/chassis.py",
        "if physnet not in ours_before | set(ours)}",
        "if physnet in ours}",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "ovn-controller clears its flows at a restart",
        "agents/netctl_host/chassis.py",
        '        "ovn-ofctrl-wait-before-clear": str(settings.wait_before_clear_ms),\n',
        "",
        "tests/unit/host/test_plan.py",
    ),
    Bug(
        "a revision is reached before its actions are done",
        "agents/netctl_host/agent.py",
        "        if assignment is not None and not left:",
        "        if assignment is not None:",
        "tests/unit/host/test_agent.py",
    ),
)
