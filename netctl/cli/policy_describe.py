"""A security policy and its members in lines, for `netctl describe`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.messages import flatten
from netctl.cli.output import align
from netctl.v1 import security_pb2 as pb

Lines = list[tuple[str, str]]

_SHOWN = 20
_MODES = {
    pb.SECURITY_POLICY_MODE_SAVE: "save: nothing is written",
    pb.SECURITY_POLICY_MODE_MONITOR: "monitor: nothing is dropped, what would be is counted and logged",
    pb.SECURITY_POLICY_MODE_ENFORCE: "enforce",
}
_INTRA = {
    pb.INTRA_GROUP_ALLOW: "between members of the same one of the secured: allow",
    pb.INTRA_GROUP_DENY: "between members of the same one of the secured: deny",
}
_WAYS = {
    pb.SECURITY_DIRECTION_IN: "from",
    pb.SECURITY_DIRECTION_OUT: "to",
    pb.SECURITY_DIRECTION_IN_OUT: "with",
}
_NOTES = ("log", "stateless", "disabled")
_TEXTS = ("owner", "ticket", "description")


def describe_policy(client: Client, policy: pb.SecurityPolicy) -> tuple[Lines, dict[str, Any]]:
    """Return what a policy does, to how many NICs, and its rules in the order in which they are looked at; and data."""
    counts = {term: api.list_members(client, term).count for term in policy.secured}
    lines = [("mode", _MODES.get(policy.mode, ""))]
    for term, count in counts.items():
        lines.append(("secured", f"{term}  {count} NIC{'' if count == 1 else 's'}"))
    rules = sorted(policy.rules, key=lambda rule: -rule.priority)
    if rules:
        headers = ("PRIORITY", "NAME", "ACTION", "WAY", "PEERS", "SERVICES", "AT", "NOTES")
        table = align([headers, *(tuple(cell or "-" for cell in rule_cells(rule)) for rule in rules)])
        lines += [("rules" if index == 0 else "", line) for index, line in enumerate(table)]
    lines += [("then", text) for text in _then(policy)]
    return lines, counts


def describe_members(client: Client, name: str) -> tuple[Lines, dict[str, Any]]:
    """Return who is in a category or entity group: lines and data."""
    found = api.list_members(client, name)
    more = found.count - len(found.nics[:_SHOWN])
    lines = [("", nic) for nic in found.nics[:_SHOWN]] + ([("", f"and {more} more")] if more else [])
    return lines or [("", "nobody")], {"count": found.count, "nics": list(found.nics)}


def rule_cells(rule: pb.SecurityRule) -> tuple[str, ...]:
    """Return a rule in words, one for each column; the last are notes."""
    values = dict(flatten(rule))
    services = [values[field] for field in ("service_groups", "services") if field in values]
    notes = [f"ipv{rule.ip_version}"] if rule.ip_version else []
    notes += [field for field in _NOTES if field in values]
    if rule.service_chain:
        notes.append(f"through {rule.service_chain.rpartition('/')[2]}")
    if "expire_time" in values:
        is_over = rule.expire_time.ToDatetime(UTC) <= datetime.now(UTC)
        notes.append(f"{'off, expired' if is_over else 'until'} {values['expire_time']}")
    notes += [f"{field} {values[field]}" for field in _TEXTS if field in values]
    return (
        str(rule.priority),
        rule.name,
        values.get("action", "").lower(),
        _WAYS.get(rule.direction, ""),
        values.get("peers") or "any",
        ", ".join(services) or "everything",
        values.get("applied_to", ""),
        ", ".join(notes),
    )


def _then(policy: pb.SecurityPolicy) -> list[str]:
    """Return what the policy does beside and after its rules."""
    match policy.kind:
        case pb.SECURITY_POLICY_KIND_ISOLATION:
            return ["between members of different ones of the secured: deny"]
        case pb.SECURITY_POLICY_KIND_SHARED_SERVICE:
            return ["nothing else: other policies decide"]
    intra = _INTRA.get(policy.intra_group)
    return [*([intra] if intra else []), "everything else of the secured, in and out: deny"]
