"""The host's settings for ovn-controller and ovs-vswitchd: assignment and the Open_vSwitch record -> keys to set. Pure.

Every key of external_ids here is ours, except `ovn-bridge-mappings`: one key holds the mappings of everybody, so we
note the physnets that are ours in a key of our own, and leave the other entries alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl_host.actions import SetChassis
from netctl_host.assignment import Assignment, Chassis
from netctl_host.plan_function_bridge import FUNCTION_BRIDGE
from netctl_host.settings import Settings
from netctl_host.state import HostState

MAPPINGS_KEY = "ovn-bridge-mappings"
PHYSNETS_KEY = "netctl:physnets"
FUNCTION_PHYSNET = "physnet-nf-"
# Open_vSwitch.other_config, where the operator has not set the key.
SWITCH = {
    # Milliseconds between looks at the flows in use, at most; default 500, least 100 (ovs-vswitchd.conf.db(5)).
    # An uplink bridge learns from packets of a flow in use only then: one that becomes a gateway took the router's MAC
    # address for one on the wire that long, and dropped what came in for it.
    "max-revalidator": "100",
}


def plan_chassis(
    assignment: Assignment, state: HostState, settings: Settings, datapath_type: str
) -> Iterator[SetChassis]:
    """Yield the one action that sets the keys which differ, or nothing."""
    chassis = assignment.chassis
    there = state.switch.external_ids
    wanted = {
        **_known(chassis),
        "ovn-bridge": settings.integration_bridge,
        "ovn-bridge-datapath-type": datapath_type,
        # Without it a restart of ovn-controller clears the flows before it has new ones, and packets are lost.
        # OVN >= 25.09 ignores it and does the right thing by itself.
        "ovn-ofctrl-wait-before-clear": str(settings.wait_before_clear_ms),
        MAPPINGS_KEY: _render_mappings(assignment, state),
        PHYSNETS_KEY: ",".join(sorted(_our_mappings(assignment))),
    }
    differing = tuple((key, value) for key, value in sorted(wanted.items()) if there.get(key, "") != value)
    missing = tuple((key, value) for key, value in SWITCH.items() if key not in state.switch.other_config)
    if differing or missing:
        yield SetChassis(external_ids=differing, other_config=missing)


def _known(chassis: Chassis) -> dict[str, str]:
    """Return what the controller says; where it says nothing, the operator's own setting stays."""
    said = {
        "system-id": chassis.system_id,
        # The same as system-id: OVN's requested-chassis may be either.
        "hostname": chassis.system_id,
        "ovn-remote": chassis.ovn_remote,
        "ovn-encap-type": chassis.encap_type,
        "ovn-encap-ip": chassis.encap_ip,
    }
    return {key: value for key, value in said.items() if value}


def _our_mappings(assignment: Assignment) -> dict[str, str]:
    """Return physical network -> bridge; `physnet-nf-vs0` is br.nf's way to the br0 that `physnet-vs0` names."""
    ours = {uplink.physnet: uplink.bridge for uplink in assignment.uplink_bridges}
    for segment in assignment.service_chains.segments:
        for uplink in assignment.uplink_bridges:
            if segment.localnet and segment.uplink_bridge == uplink.bridge:
                ours[uplink.physnet.replace("physnet-", FUNCTION_PHYSNET, 1)] = FUNCTION_BRIDGE
    return ours


def _render_mappings(assignment: Assignment, state: HostState) -> str:
    there = state.switch.external_ids
    ours = _our_mappings(assignment)
    ours_before = set(there.get(PHYSNETS_KEY, "").split(","))
    mappings = _parse_mappings(there.get(MAPPINGS_KEY, ""))
    wanted = {
        **{physnet: bridge for physnet, bridge in mappings.items() if physnet not in ours_before | set(ours)},
        **dict(sorted(ours.items())),
    }
    if wanted == mappings:
        return there.get(MAPPINGS_KEY, "")
    return ",".join(f"{physnet}:{bridge}" for physnet, bridge in wanted.items())


def _parse_mappings(text: str) -> dict[str, str]:
    entries = (entry.partition(":") for entry in text.split(",") if ":" in entry)
    return {physnet.strip(): bridge.strip() for physnet, _colon, bridge in entries}
