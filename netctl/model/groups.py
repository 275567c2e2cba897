"""AddressGroup and EntityGroup: who a policy is about, by address or by what NICs have in common.

A term is the resource name of what a NIC can be in: `categories/web`, `entityGroups/shop`, `subnets/s1`, `vpcs/v1`,
`nics/w1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from netctl.errors import Exhausted, InvalidIntent
from netctl.model.address_ranges import canonical_addresses, networks_in, spans_without
from netctl.model.infra import Meta
from netctl.model.keys import AddressGroupId, EntityGroupId, Key, Kind, check_id

ADDRESSES_MAX = 1024
# Of each IP version, when ranges and exceptions are written as networks.
NETWORKS_MAX = 4096
SELECTORS_MAX = 64
# How many groups are on the longest way down from one to a group that names none.
DEPTH_MAX = 16
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
        for name in ("addresses", "except_addresses"):
            object.__setattr__(self, name, _addresses(name, getattr(self, name)))
        for version in (4, 6):
            networks_of(self, version)


def networks_of(group: AddressGroup, version: int) -> tuple[str, ...]:
    """Return the fewest networks that are the group's addresses of an IP version without its exceptions, ascending.

    A network of one address has no prefix length. Exhausted when there are more than NETWORKS_MAX.
    """
    spans = spans_without(group.addresses, group.except_addresses, version)
    found = tuple(islice(networks_in(spans, version), NETWORKS_MAX + 1))
    if len(found) > NETWORKS_MAX:
        raise Exhausted(
            f"addresses: more than {NETWORKS_MAX} IPv{version} networks when ranges and exceptions are written as"
            " networks: use ranges that begin and end at powers of two, or more groups",
            field="addresses",
        )
    return found


def _addresses(field: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > ADDRESSES_MAX:
        raise InvalidIntent(field, f"has {len(texts)} entries; at most {ADDRESSES_MAX} are allowed")
    found: dict[str, None] = {}
    for i, text in enumerate(texts):
        canonical = canonical_addresses(f"{field}[{i}]", text)
        if canonical in found:
            raise InvalidIntent(f"{field}[{i}]", f"{canonical} is listed twice; list it once")
        found[canonical] = None
    return tuple(found)


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
