"""AddressGroup to Address_Sets, one for each IP version."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.identity import address_set_name, address_set_uuid, external_ids
from netctl.compiler.realms import coverage_of
from netctl.model.groups import AddressGroup, networks_of
from netctl.model.intent import key_of
from netctl.model.keys import resource_name
from netctl.model.lookups import Lookups
from netctl.nb.rows import Fact, Row


def compile_address_group(snapshot: Lookups, group: AddressGroup, owner: str) -> Iterator[Fact]:
    """Yield the Address_Sets of an address group that an active policy names."""
    key = key_of(group)
    if not coverage_of(snapshot, resource_name(key)):
        return
    marks = external_ids(owner, key)
    for version in (4, 6):
        yield Row(
            "Address_Set",
            address_set_uuid(group.meta.uid, version),
            {
                "name": address_set_name(group.meta.uid, version),
                "addresses": frozenset(networks_of(group, version)),
                "external_ids": marks,
            },
        )
