"""Facts of the northbound database as plain values, the same for what is desired and what is there.

A `Row` is one row of ours. A `Member` is one reference in a set column (`Logical_Switch.ports`): facts of their own,
because many compilers and foreign clients add to the same set, and a set of 100,000 is never rewritten whole.

Values of columns are canonical: an atomic column is str, int, bool or float; a set (optional ones too) is a frozenset
of those; a map is a dict of str to str. UUIDs are lower-case strings.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Atom = str | int | float | bool
Value = Atom | frozenset[Atom] | Mapping[str, str]

# Fixed for ever: row identities in every installation depend on it.
NETCTL_NAMESPACE = uuid.UUID("6d0f6a52-1c3e-5f43-9d8e-0b6c1f5b7a11")
_NAMESPACE = NETCTL_NAMESPACE.bytes

# external_ids keys that say whose a row is (house rule 4).
OWNER_KEY, KIND_KEY, ID_KEY = "netctl:owner", "netctl:kind", "netctl:id"

RowKey = tuple[str, str]  # (table, uuid)
MemberKey = tuple[str, str, str, str]  # (parent table, parent uuid, column, member uuid)
FactKey = RowKey | MemberKey


def row_uuid(table: str, *key: str) -> str:
    """Return the identity of a row: uuid5 of table and key, the same for ever.

    Written out because the uuid module takes five times as long, and a pass over 100,000 NICs needs 200,000 of them.
    """
    digest = bytearray(
        hashlib.sha1(_NAMESPACE + "/".join((table, *key)).encode(), usedforsecurity=False).digest()
    )
    digest[6] = digest[6] & 0x0F | 0x50  # RFC 9562: version 5
    digest[8] = digest[8] & 0x3F | 0x80  # and variant
    text = digest[:16].hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ours: only the columns, and in map columns only the keys, that we own."""

    table: str
    uuid: str
    columns: Mapping[str, Value]

    @property
    def key(self) -> RowKey:
        """The fact's key."""
        return self.table, self.uuid


@dataclass(frozen=True, slots=True)
class Member:
    """`member` stands in the set column `column` of row `parent`."""

    table: str
    parent: str
    column: str
    member: str

    @property
    def key(self) -> MemberKey:
        """The fact's key."""
        return self.table, self.parent, self.column, self.member


Fact = Row | Member
Rows = Mapping[FactKey, Fact]


def collect(facts: Iterable[Fact]) -> dict[FactKey, Fact]:
    """Return facts by key; a fact compiled twice is a bug of ours and raises ValueError."""
    rows: dict[FactKey, Fact] = {}
    for fact in facts:
        if rows.setdefault(fact.key, fact) is not fact:
            raise ValueError(f"compiled twice: {fact.key}")
    return rows


@dataclass(frozen=True, slots=True)
class MapEdit:
    """Change of a map column: keys to set, keys to remove. Other keys are not ours and stay."""

    put: Mapping[str, str] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Update:
    """Change of one row: `columns` are written whole, `maps` key by key."""

    table: str
    uuid: str
    columns: Mapping[str, Value] = field(default_factory=dict)
    maps: Mapping[str, MapEdit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """What to write, in one transaction. Members of one parent and column go as one mutation."""

    insert: tuple[Row, ...] = ()
    update: tuple[Update, ...] = ()
    delete: tuple[RowKey, ...] = ()
    add: tuple[Member, ...] = ()
    remove: tuple[Member, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.insert or self.update or self.delete or self.add or self.remove)

    def __len__(self) -> int:
        """Number of facts changed."""
        return len(self.insert) + len(self.update) + len(self.delete) + len(self.add) + len(self.remove)
