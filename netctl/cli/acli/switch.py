"""acli's `net.*_virtual_switch`."""

from __future__ import annotations

from typing import Any

from netctl.cli import api
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Edit, Update, send_again
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import ANNOTATION_LABEL, HOSTS, SWITCHES, display_of, find
from netctl.cli.acli.network import small
from netctl.cli.acli.uplinks import plan_uplinks
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.tables import id_of, phase_of
from netctl.v1 import infra_pb2 as infra

BOND_MODES = {
    "kActiveBackup": infra.BOND_MODE_ACTIVE_BACKUP,
    "kBalanceSlb": infra.BOND_MODE_BALANCE_SLB,
    "kBalanceTcp": infra.BOND_MODE_BALANCE_TCP,
    "kNone": infra.BOND_MODE_NONE,
}
TIMEOUTS = {"kFast": infra.LACP_TIMEOUT_FAST, "kSlow": infra.LACP_TIMEOUT_SLOW}
_BOND_TYPES = {mode: name for name, mode in BOND_MODES.items()}


def list_(client: Client, call: Call) -> Answer:
    """List virtual switches."""
    headers = {
        "name": "VSWITCH",
        "uuid": "UUID",
        "bridge": "BRIDGE",
        "bond_type": "BOND-TYPE",
        "mtu": "MTU",
        "pending_hosts": "PENDING-HOSTS",
        "phase": "PHASE",
    }
    rows = [
        {
            "name": display_of(it),
            "uuid": it.uid,
            "bridge": it.bridge,
            "bond_type": _BOND_TYPES.get(it.bond_mode, ""),
            "mtu": it.mtu_bytes or "",
            "pending_hosts": [id_of(name) for name in it.pending_hosts],
            "phase": phase_of(it),
        }
        for it in api.list_all(client, SWITCHES)
    ]
    return answer.table(headers, rows)


def get(client: Client, call: Call) -> Answer:
    """Show a virtual switch, with the uplinks of each host."""
    switch = find(client, SWITCHES, call.get("name"))
    name = display_of(switch)
    lines = [
        f"host {display_of(host)}: {','.join(uplink.interfaces)}"
        for host in api.list_all(client, HOSTS, f"cluster = {switch.cluster}")
        for uplink in host.uplinks
        if uplink.virtual_switch == switch.name
    ]
    return answer.sheet({name: switch}, {name: lines})


def update(client: Client, call: Call) -> Answer:
    """Change a virtual switch and, with host_uplink_config, its hosts in the same change."""
    if len(call.values) == 1:
        raise Failure.usage(f"{call.command.name}: nothing to change", hint=f"usage: {call.command.usage}")

    def plan() -> list[Edit]:
        before = find(client, SWITCHES, call.get("name"))
        edits: list[Edit] = [plan_switch(before, call)]
        if "host_uplink_config" in call:
            edits += plan_uplinks(client, before, call.get("host_uplink_config"))
        return edits

    return answer.made(send_again(client, plan, call))


def plan_switch(before: Any, call: Call) -> Update:
    """Return the edit of the virtual switch itself."""
    after = type(before)()
    after.CopyFrom(before)
    paths = ["rollout"]  # acli says with each change how it comes to the hosts
    quick = call.get("quick_mode") == "true"
    after.rollout = infra.ROLLOUT_QUICK if quick else infra.ROLLOUT_ROLLING
    if "mtu" in call:
        after.mtu_bytes = small("mtu", call.get("mtu"))
        paths.append("mtu_bytes")
    if "annotation" in call:
        after.labels[ANNOTATION_LABEL] = call.get("annotation")
        paths.append(f"labels.{ANNOTATION_LABEL}")
    paths += _set_bond(after, call) + _set_igmp(after, call)
    return Update(before=before, resource=after, paths=paths)


def _set_bond(after: Any, call: Call) -> list[str]:
    paths = []
    if "bond_type" in call:
        after.bond_mode = BOND_MODES[call.get("bond_type")]
        after.lacp_mode = infra.LACP_MODE_UNSPECIFIED  # as the mode needs it
        paths += ["bond_mode", "lacp_mode"]
    if "lacp_fallback" in call:
        after.lacp_fallback = call.get("lacp_fallback") == "true"
        paths.append("lacp_fallback")
    if "lacp_timeout" in call:
        after.lacp_timeout = TIMEOUTS[call.get("lacp_timeout")]
        paths.append("lacp_timeout")
    return paths


def _set_igmp(after: Any, call: Call) -> list[str]:
    paths = []
    for key, field in (("enable_igmp_snooping", "enabled"), ("enable_igmp_querier", "querier")):
        if key in call:
            setattr(after.igmp_snooping, field, call.get(key) == "true")
            paths.append(f"igmp_snooping.{field}")
    if "igmp_snooping_timeout" in call:
        after.igmp_snooping.timeout_s = small("igmp_snooping_timeout", call.get("igmp_snooping_timeout"))
        paths.append("igmp_snooping.timeout_s")
    if "igmp_query_vlan_list" in call:
        vlans = [small("igmp_query_vlan_list", text) for text in call.list("igmp_query_vlan_list")]
        del after.igmp_snooping.querier_vlan_ids[:]
        after.igmp_snooping.querier_vlan_ids.extend(vlans)
        paths.append("igmp_snooping.querier_vlan_ids")
    return paths
