"""Category: a key and a value that security policies know NICs by."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, check_id

TEXT_MAX = 64
CATEGORIES_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category; `key` and `value` together are unique."""

    id: CategoryId
    meta: Meta = Meta()
    key: str
    value: str

    def __post_init__(self) -> None:
        check_id("name", self.id)
        for field in ("key", "value"):
            text = getattr(self, field)
            if not text:
                raise InvalidIntent(field, "is empty; a category is a key and a value")
            shape.check_text(field, text, TEXT_MAX)


def check_categories(categories: tuple[CategoryId, ...]) -> None:
    """Raise InvalidIntent unless a NIC, subnet or VPC may have these categories."""
    if len(categories) > CATEGORIES_MAX:
        raise InvalidIntent(
            "categories", f"has {len(categories)} categories; at most {CATEGORIES_MAX} are allowed"
        )
    for i, id in enumerate(categories):
        check_id(f"categories[{i}]", id)
        if id in categories[:i]:
            raise InvalidIntent(f"categories[{i}]", f"categories/{id} is listed twice; list it once")
