"""Which flows count for which policies: what northd made of our rows, asked of the southbound database.

In: a snapshot, ACLs of ours, the southbound. Out: FlowKeys with what each counts for. Blocks.
"""

from __future__ import annotations

from collections.abc import Collection

from netctl.analysis.acls import AclUses
from netctl.analysis.hits import Asked
from netctl.compiler.identity import router_uuid
from netctl.compiler.priority import policy_back, policy_forth
from netctl.model.hits import AclFlow, Counted, FlowKey
from netctl.model.keys import Uid, VpcId
from netctl.model.routing_policy import PRIORITY_MAX, PRIORITY_MIN
from netctl.model.snapshot import Snapshot
from netctl.server.ports import Southbound

_HINT_DIGITS = 8


def find_routing_flows(snapshot: Snapshot, southbound: Southbound, vpcs: Collection[VpcId]) -> Asked:
    """Return the flows of the routing policies of VPCs."""
    owners: dict[str, dict[int, Uid]] = {}
    for id in vpcs:
        vpc = snapshot.vpc(id)
        policies = tuple(snapshot.policies_of_vpc(id)) if vpc is not None else ()
        if vpc is not None and policies:
            owners[router_uuid(vpc.meta.uid)] = {
                priority(policy.priority): policy.meta.uid
                for policy in policies
                for priority in (policy_forth, policy_back)
            }
    if not owners:
        return {}
    priorities = (policy_back(PRIORITY_MIN), policy_forth(PRIORITY_MAX))
    found = southbound.policy_flows(tuple(owners), priorities=priorities)
    return {
        FlowKey(flow.cookie, flows.datapath): (Counted(owners[router][flow.priority]),)
        for router, flows in found.items()
        for flow in flows.flows
        if flow.priority in owners[router]
    }


def find_acl_flows(acls: AclUses, southbound: Southbound, policies: Collection[Uid] | None = None) -> Asked:
    """Return the flows of ACLs, of those that count for one of these policies or of all.

    Over all datapaths: a port group's name is in each match, so that no ACL of anybody else shares its flow.
    """
    hinted: dict[str, list[str]] = {}
    for uuid, acl in acls.items():
        if policies is None or any(counted.policy in policies for counted in acl.counted):
            hinted.setdefault(uuid[:_HINT_DIGITS], []).append(uuid)
    if not hinted:
        return {}
    found: dict[FlowKey, tuple[Counted, ...]] = {}
    for flow in southbound.acl_flows():
        for uuid in hinted.get(flow.hint, ()):
            if _is_of(flow, acls[uuid].match):
                found[FlowKey(flow.cookie, 0)] = acls[uuid].counted
    return found


def _is_of(flow: AclFlow, match: str) -> bool:
    """Has a flow the match of an ACL? Among 10,000 ACLs two uuids begin alike once in a hundred installations."""
    return match in flow.match
