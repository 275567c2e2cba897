"""Gate 1 of the categories that something has, which infra.py needs before there is a Category."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.keys import CategoryId, check_id

CATEGORIES_MAX = 32


def check_categories(categories: tuple[CategoryId, ...], field: str = "categories") -> None:
    """Raise InvalidIntent unless a NIC, subnet, VPC, host or virtual machine may have these categories."""
    if len(categories) > CATEGORIES_MAX:
        raise InvalidIntent(field, f"has {len(categories)} categories; at most {CATEGORIES_MAX} are allowed")
    for i, id in enumerate(categories):
        check_id(f"{field}[{i}]", id)
        if id in categories[:i]:
            raise InvalidIntent(f"{field}[{i}]", f"categories/{id} is listed twice; list it once")
