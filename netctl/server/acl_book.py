"""The ACLs of ours as they are named in hits and logs, kept while what they are made from is the same.

In: the current snapshot and what was observed. Out: `AclUses`. A rule that was changed or removed a moment ago is still
named: its last packets' log lines come after it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from netctl.analysis.acls import AclUse, AclUses, index_acls
from netctl.compiler.observed import Observed
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot

# What ACLs are made from; a change of NICs makes none.
_KINDS = (
    Kind.SECURITY_POLICY,
    Kind.ENTITY_GROUP,
    Kind.CATEGORY,
    Kind.ADDRESS_GROUP,
    Kind.SERVICE_GROUP,
    Kind.VPC,
    Kind.SUBNET,
)


class AclBook:
    """Owns: the index of the ACLs of now, and of those before; on the event loop."""

    def __init__(self, snapshot: Callable[[], Snapshot], observed: Callable[[], Observed]) -> None:
        self._snapshot, self._observed = snapshot, observed
        self._made_from: list[object] = []
        self._now: AclUses = {}
        self._before: AclUses = {}
        self._lock = asyncio.Lock()

    async def current(self) -> AclUses:
        """Return the ACLs of now."""
        snapshot, observed = self._snapshot(), self._observed()
        async with self._lock:
            made_from: list[object] = [snapshot.table(kind) for kind in _KINDS]
            made_from += [observed.expired, observed.reject, observed.acl_tiers]
            if not self._same(made_from):
                acls = await asyncio.to_thread(index_acls, snapshot, observed)
                self._before, self._now, self._made_from = self._now, acls, made_from
            return self._now

    def find(self, uuid: str) -> AclUse | None:
        """Return an ACL of now or of before, None when it is unknown; `current` first."""
        return self._now.get(uuid) or self._before.get(uuid)

    def _same(self, made_from: list[object]) -> bool:
        """Are these the values of before? Equal tables that are not the same one are never met."""
        before = self._made_from
        return len(before) == len(made_from) and all(
            a is b or (isinstance(a, (frozenset, bool)) and a == b)
            for a, b in zip(before, made_from, strict=True)
        )
