"""Round trips to real listeners: one that answers, one that refuses, one that is no address."""

from __future__ import annotations

import socket
import threading

from netctl_compute.round_trips import RoundTrips

from netctl.loop import wait_until


def test_who_answers_is_known_and_who_does_not_is_not() -> None:
    woken = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        hosts = {
            "h2": f"tcp://127.0.0.1:{server.getsockname()[1]}",
            "h3": f"tcp://127.0.0.1:{closed.getsockname()[1]}",
            "h4": "127.0.0.1",
        }
        trips = RoundTrips(woken.set)
        assert trips.measure(hosts) == {}
        assert woken.wait(10)
        known = trips.measure(hosts)
        assert known.keys() == {"h2"}
        assert 0 < known["h2"] < 1_000_000
        moved = {"h2": hosts["h3"]}
        assert trips.measure(moved) == {}, "what was measured of another address does not count"
        assert trips.measure({}) == {}


def test_an_old_measurement_is_made_again() -> None:
    now_s = [0.0]
    woken = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        hosts = {"h2": f"tcp://127.0.0.1:{server.getsockname()[1]}"}
        trips = RoundTrips(woken.set, clock=lambda: now_s[0])
        trips.measure(hosts)
        assert woken.wait(10)
        woken.clear()
        trips.measure(hosts)
        assert not woken.is_set()
        now_s[0] = 61.0
        wait_until(lambda: trips.measure(hosts) and woken.is_set(), timeout_s=10, what="measured again")
