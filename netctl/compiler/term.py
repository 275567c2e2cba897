"""Category and EntityGroup to Port_Groups, one for each realm; NIC to its ports' memberships in them."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.acl_match import uid_of_term
from netctl.compiler.identity import external_ids, port_group_name, port_group_uuid
from netctl.compiler.membership import ports_of, terms_of_port
from netctl.compiler.realms import coverage_of, realms_in, uid_of_realm
from netctl.model.category import Category
from netctl.model.groups import EntityGroup
from netctl.model.intent import key_of
from netctl.model.keys import resource_name
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic
from netctl.nb.rows import Fact, Member, Row


def compile_term(snapshot: Lookups, term: Category | EntityGroup, owner: str) -> Iterator[Fact]:
    """Yield the Port_Groups of a category or entity group: where an active policy names it."""
    key = key_of(term)
    marks = external_ids(owner, key)
    for _, realm in realms_in(snapshot, coverage_of(snapshot, resource_name(key))):
        uuid = port_group_uuid(term.meta.uid, realm)
        yield Row("Port_Group", uuid, {"name": port_group_name(uuid), "external_ids": marks})


def compile_memberships(snapshot: Lookups, nic: Nic) -> Iterator[Fact]:
    """Yield what a NIC's ports are members of."""
    for port in ports_of(snapshot, nic):
        realm = uid_of_realm(snapshot, port.realm)
        if realm is None:
            continue
        for term in terms_of_port(snapshot, port):
            uid = uid_of_term(snapshot, term)
            if uid is not None and port.realm in coverage_of(snapshot, term):
                yield Member("Port_Group", port_group_uuid(uid, realm), "ports", port.uuid)
