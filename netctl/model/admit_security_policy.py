"""Admission of SecurityPolicy: what it names exists, and OVN has priorities for all of its clauses."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import Exhausted, InvalidIntent, Unsupported
from netctl.model.admit_security import check_term
from netctl.model.bands import IN_EVERY_VPC, MONITORED, acl_counts, band_limit, clause_counts
from netctl.model.keys import Kind
from netctl.model.security_policy import ACLS_MAX, Established, SecurityPolicy
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, stamp


def admit_security_policy(
    asked: SecurityPolicy, before: SecurityPolicy | None, draft: Draft, context: Context
) -> SecurityPolicy:
    """Return the policy to store; nothing in it is left to admission."""
    if before is not None:
        check_kept("kind", before.kind.value, asked.kind.value)
    if asked.established is Established.PERSIST:
        raise Unsupported(
            "connections that outlive a change of rules need OVN 25.03 or later, and this netctl does not ask even that"
            " for them yet: use ESTABLISHED_CONNECTIONS_REEVALUATE",
            field="established",
        )
    _check_named(asked, draft)
    _check_expiry(asked, before, context)
    _check_capacity(asked, before, draft)
    _check_acls(asked, before, draft)
    return replace(asked, meta=stamp(asked.meta, before, context))


def _check_named(asked: SecurityPolicy, draft: Draft) -> None:
    for i, id in enumerate(asked.vpcs):
        if draft.vpc(id) is None:
            raise absent((Kind.VPC, id), f"vpcs[{i}]")
    for i, term in enumerate(asked.secured):
        check_term(f"secured[{i}]", term, draft)
    for i, rule in enumerate(asked.rules):
        for j, term in enumerate(rule.peers):
            check_term(f"rules[{i}].peers[{j}]", term, draft)
        for j, group in enumerate(rule.service_groups):
            if draft.service_group(group) is None:
                raise absent((Kind.SERVICE_GROUP, group), f"rules[{i}].service_groups[{j}]")


def _check_expiry(asked: SecurityPolicy, before: SecurityPolicy | None, context: Context) -> None:
    """Refuse a rule that would be off from the start; one that has expired may stay as it is."""
    stored = {rule.name: rule for rule in before.rules} if before is not None else {}
    for i, rule in enumerate(asked.rules):
        if 0 < rule.expire_time_s <= context.time_s and rule != stored.get(rule.name):
            raise InvalidIntent(
                f"rules[{i}].expire_time",
                f"is in the past, so that rule {rule.name!r} would be off from the start: set a later one, or leave it"
                " unset for a rule that stays",
            )


def _check_capacity(asked: SecurityPolicy, before: SecurityPolicy | None, draft: Draft) -> None:
    """Refuse clauses that OVN has no priorities for."""
    old = clause_counts(before) if before is not None else {}
    for band, number in clause_counts(asked).items():
        kept, limit = draft.clause_count(band) - old.get(band, 0), band_limit(band)
        if number > old.get(band, 0) and kept + number > limit:
            kind, phase, way = band
            whose = "policies in MONITOR" if kind == MONITORED else f"{kind} policies (phase {phase})"
            raise Exhausted(
                f"rules: {number} clauses for connections {way} are too many beside the {kept} of other {whose}:"
                f" OVN has priorities for {limit}. Name groups in fewer rules, or fewer secured, or set policies to"
                " SAVE that are not needed",
                field="rules",
            )


def _check_acls(asked: SecurityPolicy, before: SecurityPolicy | None, draft: Draft) -> None:
    """Refuse what would be too many ACLs over all realms."""
    vpcs = draft.count(Kind.VPC)
    old, new = (_acls(policy, vpcs) if policy is not None else 0 for policy in (before, asked))
    others = draft.acl_count(vpcs) - old
    if new > old and others + new > ACLS_MAX:
        raise Exhausted(
            f"rules: {new} ACLs, one for each clause in each realm, are too many beside the {others} of other policies:"
            f" OVN is asked for at most {ACLS_MAX}. Name groups in fewer rules, or fewer VPCs",
            field="rules",
        )


def check_acls_of_vpcs(vpcs: int, draft: Draft) -> None:
    """Refuse a VPC when the policies of scope ALL_VPC would have too many ACLs."""
    wanted, each = draft.acl_count(vpcs), draft.clause_count(IN_EVERY_VPC)
    if wanted > ACLS_MAX and each:
        raise Exhausted(
            f"security policies of scope ALL_VPC have {each} clauses, which with {vpcs} VPCs would make {wanted} ACLs"
            f" of all policies: OVN is asked for at most {ACLS_MAX}. Name VPCs in the policies instead",
            field="name",
        )


def _acls(policy: SecurityPolicy, vpcs: int) -> int:
    return sum(number * (vpcs if band == IN_EVERY_VPC else 1) for band, number in acl_counts(policy).items())
