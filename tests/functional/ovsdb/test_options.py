"""NB_Global.options: our keys are set and kept, nobody else's touched, and no stale controller sets any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netctl.errors import Conflict
from netctl.loop import wait_until
from netctl.nb.rows import Delta
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.functional.ovsdb.subjects import OWNER, Wakes, connected
from tests.servers import OvsdbServer, ovsdb_server

FAST = {"bfd-min-rx": "300", "bfd-min-tx": "300", "bfd-mult": "3"}


def options(server: OvsdbServer) -> dict[str, str]:
    select = {"op": "select", "table": "NB_Global", "where": [], "columns": ["options"]}
    (found,) = json.loads(server.transact(json.dumps(["OVN_Northbound", select])))
    return dict(found["rows"][0]["options"][1])


def northbound(server: OvsdbServer, wanted: dict[str, str]) -> OvsdbNorthbound:
    return OvsdbNorthbound(server.remote, owner=OWNER, wake=Wakes(), options=wanted)


def test_options_are_set_once_and_repaired(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server:
        server.ctl("ovn-nbctl", "set", "NB_Global", ".", "options:bfd-mult=9", "options:theirs=1")
        with connected(northbound(server, FAST)) as ours:
            first = ours.apply(Delta(), epoch=1)
            assert options(server) == {**FAST, "theirs": "1"}
            assert ours.apply(Delta(), epoch=1) == first, "nothing to do is nothing written"
            server.ctl("ovn-nbctl", "set", "NB_Global", ".", "options:bfd-mult=9")

            def repaired() -> bool:
                ours.apply(Delta(), epoch=1)
                return options(server) == {**FAST, "theirs": "1"}

            wait_until(repaired, timeout_s=10, what="bfd-mult is ours again")


def test_what_is_not_asked_for_is_left_alone(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server:
        server.ctl("ovn-nbctl", "set", "NB_Global", ".", "options:bfd-mult=9")
        with connected(northbound(server, {})) as ours:
            ours.apply(Delta(), epoch=1)
            assert options(server) == {"bfd-mult": "9"}


def test_a_stale_controller_sets_none(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server:
        with connected(northbound(server, FAST)) as ours:
            ours.apply(Delta(), epoch=2)
        with connected(northbound(server, {"bfd-mult": "9"})) as stale:
            with pytest.raises(Conflict):
                stale.apply(Delta(), epoch=1)
            assert options(server) == FAST
