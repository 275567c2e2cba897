"""MAC addresses that a batch asks for are not allocated to what stands before in it: a backup comes back as it was."""

from __future__ import annotations

from collections.abc import Iterable

from netctl.model.indexes import Space
from netctl.model.infra import Cluster
from netctl.model.intent import Create, Edit, Replace
from netctl.model.keys import ClusterId, Kind
from netctl.model.nic import Nic
from netctl.model.numbers import mac_number
from netctl.model.snapshot import Draft


def pass_asked_macs(edits: Iterable[Edit], draft: Draft) -> None:
    """Let the allocation of MAC addresses go on behind those that NICs of the edits ask for."""
    intents = [edit.intent for edit in edits if isinstance(edit, (Create, Replace))]
    asked = [mac_number(one.mac_address) for one in intents if isinstance(one, Nic) and one.mac_address]
    if not asked:
        return
    there = (*draft.of_kind(Kind.CLUSTER), *intents)
    clusters: dict[ClusterId, str] = {one.id: one.mac_prefix for one in there if isinstance(one, Cluster)}
    for id, prefix in clusters.items():
        low = int(prefix.replace(":", ""), 16) << 24
        last = max((number for number in asked if low < number <= low + 0xFFFFFF), default=0)
        scope = (Space.MAC, id)
        if last and last >= (draft.cursors[scope] or low):
            draft.set_cursor(scope, last + 1)
