"""The real class while servers restart, freeze, lose data, change leader, and other clients write."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.errors import Conflict, NorthboundUnavailable, Unsupported
from netctl.loop import wait_until
from netctl.nb.features import check_supported
from netctl.nb.rows import Delta
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.functional.ovsdb.facts import member, network, port, switch
from tests.functional.ovsdb.subjects import OWNER, Wakes, connected
from tests.servers import SCHEMAS, OvsdbServer, ovsdb_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OvsdbServer]:
    with ovsdb_server(tmp_path, "nb") as made:
        yield made


def northbound(
    server: OvsdbServer, *, wakes: Wakes | None = None, timeout_s: float = 10.0
) -> OvsdbNorthbound:
    """Return a client whose probe is quick."""
    return OvsdbNorthbound(
        server.remote, owner=OWNER, wake=wakes or Wakes(), timeout_s=timeout_s, probe_s=0.5
    )


def lost(subject: OvsdbNorthbound) -> None:
    """Wait until the connection is known to be gone."""
    wait_until(lambda: not subject.connected, timeout_s=10, what="loss noticed", poll_s=0.005)


def back(subject: OvsdbNorthbound) -> None:
    """Wait until in sync."""
    wait_until(lambda: subject.connected, timeout_s=10, what="in sync again", poll_s=0.005)


def test_nothing_is_said_before_it_is_known(tmp_path: Path) -> None:
    subject = OvsdbNorthbound(f"unix:{tmp_path}/nobody.sock", owner=OWNER, wake=Wakes())
    subject.start()
    try:
        assert not subject.connected
        for call in (
            subject.features,
            subject.owned_rows,
            lambda: subject.bump(1),
            lambda: subject.apply(Delta(), epoch=1),
        ):
            with pytest.raises(NorthboundUnavailable):
                call()
        assert not subject.wait_northd(1, 60)
    finally:
        subject.close()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL], ids=["stop", "kill"])
def test_a_server_that_restarts_is_found_again_with_what_it_holds(
    server: OvsdbServer, signum: signal.Signals
) -> None:
    wakes = Wakes()
    with connected(northbound(server, wakes=wakes)) as subject:
        subject.apply(network("a", "p"), epoch=1)
        subject.take_changed()
        rows, before = dict(subject.owned_rows()), wakes.count
        server.stop(signum)
        lost(subject)
        assert wakes.count > before
        with pytest.raises(NorthboundUnavailable):
            subject.owned_rows()
        with pytest.raises(NorthboundUnavailable):
            subject.apply(network("b"), epoch=1)
        server.start()
        server.ctl("ovn-nbctl", "set", "Logical_Switch", "a", "other_config:x=1")
        back(subject)
        assert subject.take_changed() is None
        assert subject.owned_rows().keys() == rows.keys()
        wait_until(lambda: _has_x(subject), timeout_s=10, what="edit made meanwhile")
        subject.apply(network("b"), epoch=1)
        assert switch("b").key in subject.owned_rows()


def test_a_server_that_lost_its_data_is_just_empty_and_nb_cfg_does_not_fall(server: OvsdbServer) -> None:
    with connected(northbound(server)) as subject:
        for epoch in (1, 2, 3):
            nb_cfg = subject.apply(network(f"s{epoch}"), epoch=epoch)
        server.stop()
        server.create()
        server.start()
        lost(subject)
        back(subject)
        assert subject.take_changed() is None
        assert dict(subject.owned_rows()) == {}
        # Hosts remember that they were asked for the old number.
        assert subject.apply(network("a", "p"), epoch=3) == nb_cfg + 1
        assert subject.owned_rows().keys() == {switch("a").key, port("p").key, member("a", "p").key}


def test_a_frozen_server_is_given_up_within_the_deadline_and_the_probe(server: OvsdbServer) -> None:
    with connected(northbound(server, timeout_s=0.3)) as subject:
        subject.apply(network("a"), epoch=1)
        server.freeze()
        started = time.monotonic()
        with pytest.raises(NorthboundUnavailable, match="outcome unknown"):
            subject.apply(network("b"), epoch=1)
        assert time.monotonic() - started < 2
        lost(subject)
        server.thaw()
        back(subject)
        # Unknown it was: the server took it when it woke. What is there decides, not what we remember.
        subject.take_changed()
        assert switch("a").key in subject.owned_rows()
        if switch("b").key not in subject.owned_rows():
            subject.apply(network("b"), epoch=1)
        assert switch("b").key in subject.owned_rows()


def test_a_server_busy_with_our_transaction_is_waited_for(server: OvsdbServer) -> None:
    """Silent for longer than two probes, within the deadline of the call: no reason to leave."""
    with connected(OvsdbNorthbound(server.remote, owner=OWNER, wake=Wakes(), probe_s=0.1)) as subject:
        subject.apply(network("a"), epoch=1)
        server.freeze()
        thaw = threading.Timer(0.6, server.thaw)
        thaw.start()
        subject.apply(network("b"), epoch=1)
        thaw.join()
        assert switch("b").key in subject.owned_rows()


def test_a_server_that_takes_long_to_answer_at_first_is_given_longer(server: OvsdbServer) -> None:
    server.freeze()
    subject = OvsdbNorthbound(server.remote, owner=OWNER, wake=Wakes(), probe_s=0.05)
    subject.start()
    try:
        wait_until(lambda: "silent" in subject.last_error, timeout_s=10, what="given up once")
        server.thaw()
        back(subject)
    finally:
        subject.close()


def test_northd_is_waited_for(server: OvsdbServer) -> None:
    with connected(northbound(server)) as subject:
        nb_cfg = subject.apply(network("a"), epoch=1)
        assert not subject.wait_northd(nb_cfg, 0.01)
        northd = threading.Thread(
            target=server.ctl, args=("ovn-nbctl", "set", "NB_Global", ".", f"sb_cfg={nb_cfg}")
        )
        northd.start()
        assert subject.wait_northd(nb_cfg, 10)
        northd.join()
        assert subject.northd_caught_up(nb_cfg)
        stopper = threading.Timer(0.05, server.stop)
        stopper.start()
        assert not subject.wait_northd(nb_cfg + 1, 60)
        stopper.join()


def test_a_stale_controller_writes_nothing_after_the_newer_ones_first_write(server: OvsdbServer) -> None:
    """nb_cfg orders all transactions: every one of the older epoch lies before the first of the newer."""
    stale_writes: list[int] = []
    begun = threading.Event()

    def write_until_refused(subject: OvsdbNorthbound) -> None:
        while len(stale_writes) < 10_000:
            try:
                stale_writes.append(subject.bump(1))
            except Conflict:
                return
            if len(stale_writes) > 20:
                begun.set()

    with connected(northbound(server)) as stale, connected(northbound(server)) as newer:
        writer = threading.Thread(target=write_until_refused, args=(stale,))
        writer.start()
        assert begun.wait(30)
        first = newer.bump(2)
        writer.join(30)
        assert stale_writes[-1] < first
        with pytest.raises(Conflict, match="epoch 2"):
            stale.apply(network("a"), epoch=1)
        newer.apply(network("a"), epoch=2)


def test_another_owners_epoch_is_another(server: OvsdbServer) -> None:
    other = OvsdbNorthbound(server.remote, owner="other", wake=Wakes())
    with connected(northbound(server)) as subject, connected(other):
        other.apply(network("a"), epoch=9)
        subject.apply(network("b"), epoch=1)
        assert subject.owned_rows().keys() == {
            switch("a").key,
            switch("b").key,
        }  # both say whose they are: ours


def test_a_database_without_what_we_write_is_unsupported(tmp_path: Path) -> None:
    schema = json.loads(SCHEMAS["nb"].read_text())
    del schema["tables"]["Logical_Switch_Port"]["columns"]["port_security"]
    old = tmp_path / "old.ovsschema"
    old.write_text(json.dumps(schema))
    server = OvsdbServer(tmp_path, "nb")
    server.create(old)
    try:
        server.start()
        with (
            connected(northbound(server)) as subject,
            pytest.raises(Unsupported, match="port_security"),
        ):
            check_supported(subject.features())
    finally:
        server.stop()


def test_a_schema_upgraded_under_us_is_seen(server: OvsdbServer, tmp_path: Path) -> None:
    schema = json.loads(SCHEMAS["nb"].read_text())
    schema["version"] = "7.99.0"
    schema["tables"]["Logical_Switch"]["columns"]["brand_new"] = {"type": "string"}
    newer = tmp_path / "newer.ovsschema"
    newer.write_text(json.dumps(schema))
    with connected(northbound(server)) as subject:
        subject.apply(network("a", "p"), epoch=1)
        server.convert(newer)
        wait_until(lambda: _version(subject) == "7.99.0", timeout_s=10, what="new schema")
        assert subject.features().has("Logical_Switch", "brand_new")
        assert subject.owned_rows().keys() == {switch("a").key, port("p").key, member("a", "p").key}


def test_ten_thousand_ports_go_in_one_transaction_and_come_back(server: OvsdbServer) -> None:
    names = [f"p{number}" for number in range(10_000)]
    with connected(OvsdbNorthbound(server.remote, owner=OWNER, wake=Wakes())) as subject:
        delta = network("a", *names)
        nb_cfg = subject.apply(delta, epoch=1)
        written = dict(subject.owned_rows())
        assert len(written) == 20_001
        with connected(northbound(server)) as another:
            assert dict(another.owned_rows()) == written
            assert another.nb_cfg == nb_cfg
        subject.apply(Delta(delete=tuple(row.key for row in delta.insert)), epoch=1)
        assert dict(subject.owned_rows()) == {}


def test_a_value_of_ten_megabytes_goes_and_comes_back(server: OvsdbServer) -> None:
    with connected(northbound(server, timeout_s=60)) as subject:
        large = port("p", options={"large": "}{" * 5_000_000})
        subject.apply(Delta(insert=(switch("a"), large), add=(member("a", "p"),)), epoch=1)
        with connected(northbound(server)) as another:
            assert dict(another.owned_rows()) == dict(subject.owned_rows())


def test_changes_that_nobody_looks_at_do_not_pile_up(server: OvsdbServer) -> None:
    with connected(northbound(server)) as subject, connected(northbound(server)) as busy:
        subject.take_changed()
        for number in range(50):
            busy.apply(network(f"s{number}", f"p{number}"), epoch=1)
            busy.apply(Delta(delete=(switch(f"s{number}").key,)), epoch=1)
        last = busy.nb_cfg
        wait_until(lambda: subject.nb_cfg == last, timeout_s=10, what="all seen", poll_s=0.005)
        assert subject.take_changed() == frozenset()


def _has_x(subject: OvsdbNorthbound) -> bool:
    subject.take_changed()
    return any("'x': '1'" in repr(row) for row in subject.owned_rows().values())


def _version(subject: OvsdbNorthbound) -> str:
    try:
        return subject.features().schema_version
    except NorthboundUnavailable:
        return ""


def test_the_first_rows_are_waited_for_and_no_longer(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "nb") as server:
        northbound = OvsdbNorthbound(server.remote, owner=OWNER, wake=lambda: None)
        assert not northbound.wait_in_sync(0.01)  # nobody connects yet
        northbound.start()
        try:
            # Far beyond the test's own limit: only being told ends the wait.
            assert northbound.wait_in_sync(1000)
            assert dict(northbound.owned_rows()) == {}
        finally:
            northbound.close()
