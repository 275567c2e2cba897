"""Fresh uids are what the uuid module would make."""

from __future__ import annotations

import uuid

from netctl.server.admission import _new_uid


def test_uids_are_random_uuids_in_their_usual_form() -> None:
    uids = [_new_uid() for _ in range(1000)]
    assert len(set(uids)) == len(uids)
    for uid in uids:
        parsed = uuid.UUID(uid)
        assert (str(parsed), parsed.version, parsed.variant) == (uid, 4, uuid.RFC_4122)
