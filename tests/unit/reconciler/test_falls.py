"""A gateway host fails when most of those that watch it do not hear it, and stays behind then."""

from netctl.compiler.observed import Observed
from netctl.model.keys import HostId
from netctl.model.status import HostReport, TunnelReport
from netctl.reconciler.falls import find_heard, note_falls, recall_falls

H1, H2, H3 = HostId("h1"), HostId("h2"), HostId("h3")
IPS = {H1: "10.0.0.1", H2: "10.0.0.2", H3: "10.0.0.3"}


def hears(host: HostId, **others: bool) -> HostReport:
    return HostReport(
        host=host,
        tunnels=tuple(
            TunnelReport(remote_ip=IPS[HostId(name)], up=True, bfd=True, bfd_up=up)
            for name, up in others.items()
        ),
    )


def test_a_host_that_most_watchers_do_not_hear_is_down() -> None:
    up, down = find_heard(IPS, [hears(H2, h1=False, h3=True), hears(H3, h1=False, h2=True)])
    assert (set(up), set(down)) == ({H2, H3}, {H1})


def test_a_host_that_hears_nobody_is_not_believed_alone() -> None:
    reports = [hears(H1, h2=True, h3=True), hears(H2, h1=True, h3=False), hears(H3, h1=False, h2=False)]
    assert find_heard(IPS, reports)[1] == set(), "h3 is heard by h1, and half of two is not most"


def test_a_host_that_nobody_watches_is_not_down() -> None:
    unwatched = HostReport(host=H2, tunnels=(TunnelReport(remote_ip=IPS[H1], up=False),))
    assert not any(find_heard(IPS, [unwatched]))


def test_the_last_to_fail_is_the_last() -> None:
    both, none = frozenset({H1, H2}), frozenset[HostId]()
    once = note_falls((), both, frozenset({H1}))
    assert once == (H1,)
    assert note_falls(once, frozenset({H2}), frozenset({H1})) == once, "down still: no new failure"
    assert note_falls(once, both, none) == once, "it came back, and stays behind"
    twice = note_falls(once, both, frozenset({H2}))
    assert twice == (H1, H2)
    assert note_falls(twice, both, frozenset({H1})) == (H2, H1)


def test_a_session_that_begins_is_no_failure() -> None:
    assert note_falls((), frozenset(), frozenset({H1, H2})) == ()


def test_those_that_failed_stand_behind_those_that_did_not() -> None:
    assert Observed(fallen=()).preferred((H1, H2, H3)) == (H1, H2, H3)
    assert Observed(fallen=(H1,)).preferred((H1, H2)) == (H2, H1)
    assert Observed(fallen=(H2, H1)).preferred((H1, H2, H3)) == (H3, H2, H1)


def test_a_new_controller_reads_the_failures_from_the_order_that_is_there() -> None:
    assert recall_falls([((H1, H2), (H1, H2)), ((H2, H3), (H2, H3))]) == ()
    for fallen in ((H1,), (H2, H1), (H1, H2)):
        there = Observed(fallen=fallen).preferred((H1, H2, H3))
        assert recall_falls([((H1, H2, H3), there)]) == fallen
    assert recall_falls([((H1, H2), (H2, H1)), ((H1, H3), (H3, H1))]) == (H1,)
    assert recall_falls([((H1, H2), (H2,))]) == (), "the other has no row yet"
