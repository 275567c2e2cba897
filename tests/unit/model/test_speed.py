"""How fast admission and the snapshot are, printed (`pytest -s`); a number here never fails a run."""

import time

import pytest

from netctl.model.admit import Context, admit
from netctl.model.intent import Create, key_of
from netctl.model.keys import HostId, Kind, Uid
from netctl.model.snapshot import Snapshot
from tests.unit.model.world import World, cluster, contents, host, ipv4, nic, overlay

NICS = 5000


def test_print_the_speed(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(cluster(), *(host(f"h{i}", f"192.0.2.{i + 1}/24") for i in range(10)))
    for i in range(10):
        world.create(overlay(f"s{i}", ipv4=ipv4("10.0.0.0/16", "10.0.0.1")))
    edits = [Create(intent=nic(f"n{i}", f"s{i % 10}", host=HostId(f"h{i % 10}"))) for i in range(NICS)]
    uids = iter([Uid(f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}0000000000000000") for i in range(NICS)])
    context = Context(revision=99, time_s=1.0, new_uid=lambda: next(uids))
    start = time.process_time()
    for edit in edits:
        admit(edit, world.draft, context)
    admitted = time.process_time()
    snapshot = world.draft.freeze(99)
    frozen = time.process_time()
    loaded = Snapshot.load(99, [intent for kind in Kind for intent in snapshot.of_kind(kind)])
    done = time.process_time()
    world.draft.put(world.stored(Kind.NIC, "n1"))
    one = time.process_time()
    world.draft.freeze(100)
    one_frozen = time.process_time()
    with capsys.disabled():
        print(
            f"\nadmit {NICS / (admitted - start):,.0f} NICs/s, freeze {(frozen - admitted) / NICS * 1e6:.2f} us a NIC,"
            f" load {(done - frozen) / NICS * 1e6:.1f} us a NIC, freeze after one put {(one_frozen - one) * 1e6:.0f} us"
        )
    assert loaded.count(Kind.NIC) == NICS
    assert contents(loaded.draft(), cursors=False) == contents(world.draft, cursors=False)
    assert all(loaded.get(key_of(edit.intent)) for edit in edits)
