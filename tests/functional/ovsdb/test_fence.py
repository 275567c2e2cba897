"""The epoch fence where it counts: the server refuses whoever was overtaken after the last look at NB_Global."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netctl.errors import Conflict
from netctl.loop import wait_until
from netctl.nb.rows import Row
from netctl.ovsdb.fence import count_up, fence
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.functional.ovsdb.facts import network, switch
from tests.functional.ovsdb.relay import Relay
from tests.functional.ovsdb.subjects import OWNER, Wakes, connected
from tests.servers import OvsdbServer, ovsdb_server

KEY = f"netctl:epoch:{OWNER}"


def seen(epoch: str) -> Row:
    """Return NB_Global as it was seen, with the epoch that had written, "" for none yet."""
    marks = {"another": "key", KEY: epoch} if epoch else {"another": "key"}
    return Row("NB_Global", "g", {"external_ids": marks, "nb_cfg": 0})


def write(server: OvsdbServer, row: Row | None, epoch: int) -> bool:
    """Write as a controller of `epoch` that saw `row`; say whether the server took it."""
    operations = ["OVN_Northbound", *fence(row, OWNER, epoch), *count_up(1)]
    results = json.loads(server.transact(json.dumps(operations)))
    return not any(result and result.get("error") for result in results)


def held_by(server: OvsdbServer) -> str:
    """Return the epoch that the database says has written."""
    select = {"op": "select", "table": "NB_Global", "where": [], "columns": ["external_ids"]}
    (found,) = json.loads(server.transact(json.dumps(["OVN_Northbound", select])))
    (row,) = found["rows"]
    return str(dict(row["external_ids"][1])[KEY])


@pytest.mark.parametrize(
    "stale", [None, seen(""), seen("8"), seen("9")], ids=["no row", "none", "older", "own"]
)
def test_who_is_overtaken_after_the_look_is_refused(tmp_path: Path, stale: Row | None) -> None:
    with ovsdb_server(tmp_path, "nb") as server:
        assert write(server, None, 8)
        assert write(server, seen("8"), 10)
        assert not write(server, stale, 9)
        assert held_by(server) == "10"
        assert write(server, seen("10"), 10)  # who holds it goes on


def test_who_looks_in_time_takes_over(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server:
        assert write(server, None, 9)
        assert write(server, seen("9"), 9)
        assert write(server, seen("9"), 10)
        assert held_by(server) == "10"


def test_a_newer_epoch_that_is_seen_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="epoch 10 of another controller"):
        fence(seen("10"), OWNER, 9)


def test_a_controller_that_was_overtaken_unseen_writes_nothing(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server, Relay(server.socket, tmp_path / "relay") as relay:
        old = OvsdbNorthbound(relay.remote, owner=OWNER, wake=Wakes(), probe_s=30)
        new = OvsdbNorthbound(server.remote, owner=OWNER, wake=Wakes())
        with connected(old), connected(new), ThreadPoolExecutor(max_workers=1) as pool:
            old.apply(network("a"), epoch=1)
            relay.hold()
            new.apply(network("b"), epoch=2)
            asked = relay.asked
            late = pool.submit(old.apply, network("c"), epoch=1)
            wait_until(lambda: relay.asked > asked, timeout_s=10, what="the old one's transaction")
            relay.release()
            with pytest.raises(Conflict, match="epoch 2"):
                late.result(10)
            new.apply(network("d"), epoch=2)
            assert new.owned_rows().keys() == {switch(name).key for name in "abd"}
