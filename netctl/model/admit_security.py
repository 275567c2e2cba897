"""Admission of Category, AddressGroup, ServiceGroup and EntityGroup, and of the categories that others have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.category import Category
from netctl.model.groups import DEPTH_MAX, AddressGroup, EntityGroup, Term, term_key
from netctl.model.indexes import Relation, Space
from netctl.model.keys import CategoryId, EntityGroupId, Kind, resource_name
from netctl.model.service import ServiceGroup
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, stamp


def admit_category(asked: Category, before: Category | None, draft: Draft, context: Context) -> Category:
    """Return the category to store; nothing in it is left to admission."""
    if before is not None:
        check_kept("key", before.key, asked.key)
        check_kept("value", before.value, asked.value)
    owner = draft.owner(((Space.CATEGORY, ""), f"{asked.key}\0{asked.value}"))
    if owner not in (None, (Kind.CATEGORY, asked.id)):
        raise AlreadyExists(
            f"{asked.key}:{asked.value} is {resource_name(owner)}: use that one, or another value",
            field="value",
        )
    return replace(asked, meta=stamp(asked.meta, before, context))


def admit_address_group(
    asked: AddressGroup, before: AddressGroup | None, _draft: Draft, context: Context
) -> AddressGroup:
    """Return the address group to store; nothing in it is left to admission."""
    return replace(asked, meta=stamp(asked.meta, before, context))


def admit_service_group(
    asked: ServiceGroup, before: ServiceGroup | None, _draft: Draft, context: Context
) -> ServiceGroup:
    """Return the service group to store; nothing in it is left to admission."""
    return replace(asked, meta=stamp(asked.meta, before, context))


def admit_entity_group(
    asked: EntityGroup, before: EntityGroup | None, draft: Draft, context: Context
) -> EntityGroup:
    """Return the entity group to store; nothing in it is left to admission."""
    for field, term in _named(asked):
        if term_key(term)[0] is Kind.ENTITY_GROUP:
            _check_no_circle(asked, field, term, draft)
        check_term(field, term, draft)
    _check_depth(asked, draft)
    return replace(asked, meta=stamp(asked.meta, before, context))


def check_term(field: str, term: Term, draft: Draft) -> None:
    """Refuse the name of nothing."""
    key = term_key(term)
    if draft.get(key) is None:
        raise absent(key, field)


def check_categories_exist(categories: tuple[CategoryId, ...], draft: Draft) -> None:
    """Refuse a category that is not there, on a NIC, subnet or VPC."""
    for i, id in enumerate(categories):
        if draft.category(id) is None:
            raise absent((Kind.CATEGORY, id), f"categories[{i}]")


def _named(group: EntityGroup) -> Iterator[tuple[str, Term]]:
    """Yield what a group names, each with its field."""
    for name, selectors in (("include", group.include), ("except", group.except_)):
        for i, selector in enumerate(selectors):
            for j, term in enumerate(selector.all_of):
                yield f"{name}[{i}].all_of[{j}]", term


def _check_no_circle(asked: EntityGroup, field: str, term: Term, draft: Draft) -> None:
    """Refuse a group from which, over the groups that it names, the way leads back to it."""
    own = resource_name((Kind.ENTITY_GROUP, asked.id))
    named_by: dict[Term, Term] = {term: own}
    ahead = [term]
    while ahead:
        at = ahead.pop()
        if at == own:
            raise InvalidIntent(field, f"groups may not name each other in a circle: {_way(named_by, own)}")
        group = draft.entity_group(EntityGroupId(term_key(at)[1]))
        for _, name in _named(group) if group is not None else ():
            if name not in named_by and term_key(name)[0] is Kind.ENTITY_GROUP:
                named_by[name] = at
                ahead.append(name)


def _check_depth(asked: EntityGroup, draft: Draft) -> None:
    """Refuse groups in groups in groups without end; what is stored is no deeper than DEPTH_MAX."""
    depth = _depth(asked, draft, {}) + _height(asked.id, draft, {})
    if depth > DEPTH_MAX:
        raise InvalidIntent(
            "include",
            f"makes groups that name groups {depth} deep; at most {DEPTH_MAX} are allowed: name fewer groups",
        )


def _depth(group: EntityGroup, draft: Draft, known: dict[str, int]) -> int:
    """Return how many groups are on the longest way down, the group itself included."""
    if group.id not in known:
        named = {term_key(term) for _, term in _named(group)}
        below = (draft.entity_group(EntityGroupId(id)) for kind, id in named if kind is Kind.ENTITY_GROUP)
        known[group.id] = 1 + max((_depth(one, draft, known) for one in below if one is not None), default=0)
    return known[group.id]


def _height(id: str, draft: Draft, known: dict[str, int]) -> int:
    """Return how many groups are on the longest way up, the group itself not included."""
    if id not in known:
        above = list(draft.related(Relation.GROUPS_NAMING, resource_name((Kind.ENTITY_GROUP, id))))
        known[id] = max((1 + _height(other, draft, known) for other in above), default=0)
    return known[id]


def _way(named_by: dict[Term, Term], own: Term) -> str:
    """Return "entityGroups/a names entityGroups/b names entityGroups/a"."""
    way = [own, named_by[own]]
    while way[-1] != own:
        way.append(named_by[way[-1]])
    return " names ".join(reversed(way))
