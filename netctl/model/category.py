"""Category: a key and a value that security policies know NICs by."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, check_id

TEXT_MAX = 64


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
