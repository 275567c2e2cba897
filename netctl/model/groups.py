"""AddressGroup and EntityGroup: who a policy is about, by address or by what NICs have in common.

A term is the resource name of what a NIC can be in: `categories/web`, `entityGroups/shop`, `subnets/s1`, `vpcs/v1`,
`nics/w1`.
"""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model.infra import Meta
from netctl.model.keys import AddressGroupId, EntityGroupId, Key, Kind, check_id

ADDRESSES_MAX = 1024
SELECTORS_MAX = 64
TERMS_MAX = 16

# A resource name.
Term = str
# What an entity group may be made of, and what a policy may be about.
SELECTABLE = (Kind.CATEGORY, Kind.ENTITY_GROUP, Kind.SUBNET, Kind.VPC, Kind.NIC)
SECURABLE = (Kind.CATEGORY, Kind.ENTITY_GROUP)
PEERS = (Kind.CATEGORY, Kind.ENTITY_GROUP, Kind.ADDRESS_GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGroup:
    """Addresses: single ones, networks and ranges `a-b` of both IP versions, without `except_addresses`."""

    id: AddressGroupId
    meta: Meta = Meta()
    addresses: tuple[str, ...] = ()
    except_addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_id("name", self.id)
        # GATE 1: canonical forms and limits are helper A's


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySelector:
    """NICs that are in all of these terms."""

    all_of: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityGroup:
    """NICs that one of `include` selects and none of `except_`."""

    id: EntityGroupId
    meta: Meta = Meta()
    include: tuple[EntitySelector, ...] = ()
    except_: tuple[EntitySelector, ...] = ()

    def __post_init__(self) -> None:
        check_id("name", self.id)
        for name, selectors in (("include", self.include), ("except", self.except_)):
            if len(selectors) > SELECTORS_MAX:
                raise InvalidIntent(
                    name, f"has {len(selectors)} selectors; at most {SELECTORS_MAX} are allowed"
                )
            for i, selector in enumerate(selectors):
                if not selector.all_of:
                    raise InvalidIntent(f"{name}[{i}].all_of", "is empty; name at least one")
                check_terms(f"{name}[{i}].all_of", selector.all_of, SELECTABLE)


def term_key(term: Term) -> Key:
    """Return the key of a well-formed term."""
    collection, _, id = term.partition("/")
    return Kind(collection), id


def check_terms(field: str, terms: tuple[Term, ...], kinds: tuple[Kind, ...]) -> None:
    """Raise InvalidIntent unless each term is a resource name of one of these kinds, each once."""
    if len(terms) > TERMS_MAX:
        raise InvalidIntent(field, f"has {len(terms)} names; at most {TERMS_MAX} are allowed")
    for i, term in enumerate(terms):
        collection, slash, id = term.partition("/")
        if not slash or collection not in tuple(kind.value for kind in kinds):
            forms = " or ".join(f"{kind.value}/ID" for kind in kinds)
            raise InvalidIntent(f"{field}[{i}]", f"{term[:80]!r} is not {forms}")
        check_id(f"{field}[{i}]", id)
        if term in terms[:i]:
            raise InvalidIntent(f"{field}[{i}]", f"{term} is listed twice; list it once")
