"""What `validate_only` answers besides the resource: the rows that the change would touch.

In: what admission would store; out: messages. Compiling takes its time, so it is done beside the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from netctl.analysis.rows import RowChange, RowChangeKind, row_changes
from netctl.model.admit import Admitted
from netctl.model.snapshot import Snapshot
from netctl.server.ports import Ports
from netctl.server.requests import Answer
from netctl.v1 import status_pb2 as pb

# As many are answered, and as many bytes of them: clients refuse messages above 4 MiB.
ROWS_MAX = 1000
_BYTES_MAX = 1 << 20
_KINDS = {
    RowChangeKind.INSERT: pb.ROW_CHANGE_KIND_INSERT,
    RowChangeKind.UPDATE: pb.ROW_CHANGE_KIND_UPDATE,
    RowChangeKind.DELETE: pb.ROW_CHANGE_KIND_DELETE,
    RowChangeKind.ADD_MEMBER: pb.ROW_CHANGE_KIND_ADD_MEMBER,
    RowChangeKind.REMOVE_MEMBER: pb.ROW_CHANGE_KIND_REMOVE_MEMBER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDiff:
    """The first rows that would change, and how many there are in all."""

    rows: Sequence[pb.RowChange] = ()
    count: int = 0


NO_ROWS = RowDiff()


async def row_diff(ports: Ports, answer: Answer) -> RowDiff:
    """Return the rows that the edits of an answer would touch; none for edits that are stored."""
    if not answer.would:
        return NO_ROWS
    return await asyncio.to_thread(_row_diff, ports, ports.intents.snapshot(), answer.would)


def _row_diff(ports: Ports, before: Snapshot, would: Sequence[Admitted]) -> RowDiff:
    changed = frozenset(one.key for one in would)
    after = hypothetical(before, would)
    found = row_changes(before, after, changed, owner=ports.owner, observed=ports.observed())
    rows: list[pb.RowChange] = []
    used = 0
    for change in found[:ROWS_MAX]:
        message = change_to_proto(change)
        used += message.ByteSize()
        if rows and used > _BYTES_MAX:
            break
        rows.append(message)
    return RowDiff(rows=rows, count=len(found))


def hypothetical(before: Snapshot, would: Sequence[Admitted]) -> Snapshot:
    """Return a snapshot as it would be after the changes."""
    draft = before.draft()
    for one in would:
        if one.after is not None:
            draft.put(one.after)
        elif draft.get(one.key) is not None:
            draft.remove(one.key)
    return draft.freeze(before.revision + 1)


def change_to_proto(change: RowChange) -> pb.RowChange:
    """Return the message of a change."""
    return pb.RowChange(
        kind=_KINDS[change.kind],
        table=change.table,
        row=change.row,
        resource_name=change.name,
        columns=change.columns,
        columns_before=change.before,
        column=change.column,
        member=change.member,
        row_resource_name=change.row_resource_name,
        row_name=change.row_name,
    )
