"""What tests of security policies ask of rows: the small world, its Port_Groups and ACLs."""

from __future__ import annotations

from typing import Any

from netctl.compiler import identity
from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.model.keys import Uid
from netctl.nb.rows import Fact, FactKey, Member, Row
from tests.intents import OWNER, snapshot, uid_of
from tests.security import (
    small_world,
)
from tests.unit.compiler.rows import marks

VLANS = Uid("")


def rows_with(*more: Intent, observed: Observed = NOTHING_OBSERVED) -> dict[FactKey, Fact]:
    """Compile the small world and these."""
    return compile_rows(snapshot(small_world(*more)), OWNER, observed)


def group(term: str, realm: str = "") -> str:
    """Return the name of a Port_Group."""
    uuid = identity.port_group_uuid(uid_of(term), uid_of(realm) if realm else VLANS)
    return identity.port_group_name(uuid)


def acls(rows: dict[FactKey, Fact], of: str) -> list[dict[str, Any]]:
    """Return the ACLs of a policy, the highest priority first, IN before OUT."""
    found = [
        dict(fact.columns)
        for fact in rows.values()
        if isinstance(fact, Row)
        and fact.table == "ACL"
        and fact.columns["external_ids"] == marks("securityPolicies", of)
    ]
    return sorted(found, key=lambda acl: (acl["direction"], acl["priority"]), reverse=True)


def said(rows: dict[FactKey, Fact], of: str = "shop") -> list[tuple[str, str]]:
    """Return direction and match of a policy's ACLs, with their actions."""
    return [(f"{acl['direction']} {acl['action']}", acl["match"]) for acl in acls(rows, of)]


def members(rows: dict[FactKey, Fact], term: str, realm: str = "", column: str = "ports") -> set[str]:
    """Return what is in a Port_Group."""
    parent = identity.port_group_uuid(uid_of(term), uid_of(realm) if realm else VLANS)
    return {
        fact.member
        for fact in rows.values()
        if isinstance(fact, Member) and (fact.parent, fact.column) == (parent, column)
    }


def ports(*names: str) -> set[str]:
    return {identity.port_uuid(uid_of(name)) for name in names}
