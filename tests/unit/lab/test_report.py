"""What people see of the demo."""

from netctl.lab.demo import Demo, DemoGuest, Probe
from netctl.lab.report import render_demo, render_matrix, render_table


def guest(name: str, subnet: str) -> DemoGuest:
    return DemoGuest(
        name=name, host="h1", subnet=subnet, tap_name=f"tap-{name}", address="10.0.0.2/24", mtu_bytes=1500
    )


def probe(source: str, destination: str, *, expected: bool, seen: bool) -> Probe:
    return Probe(source=source, destination=destination, expected=expected, seen=seen, rtt_ms=None)


def demo(*probes: Probe) -> Demo:
    guests = (guest("a", "one"), guest("b", "one"), guest("c", "two"))
    return Demo(lab="x", server="unix:/s", guests=guests, matrix=probes, northbound="switch 1\n    port 2\n")


def test_the_matrix_tells_an_answer_a_silence_a_loss_and_a_leak_apart() -> None:
    shown = demo(
        probe("a", "b", expected=True, seen=True),
        probe("b", "a", expected=True, seen=False),
        probe("a", "c", expected=False, seen=False),
        probe("c", "a", expected=False, seen=True),
    )
    assert not shown.ok
    lines = render_matrix(shown).splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["a", ".", "ok", "-"],
        ["b", "LOST", ".", "."],
        ["c", "LEAK", ".", "."],
    ]
    assert "2 answers expected, 1 seen" in lines[5]
    assert "0 answers expected, 1 seen of 2" in lines[6]


def test_all_as_expected_is_ok() -> None:
    assert demo(probe("a", "b", expected=True, seen=True), probe("a", "c", expected=False, seen=False)).ok


def test_the_story_says_what_to_type_next() -> None:
    text = render_demo(demo(), {"one": 1.0, "two": 2.5}, "bin/netctl", "sudo ")
    assert "3.5 s in all" in text
    assert "  export NETCTL_SERVER=unix:/s" in text
    assert "  sudo bin/netctl lab exec a -- ping -c 3 10.0.0.2" in text
    assert "      port 2" in text


def test_a_table_has_columns() -> None:
    assert render_table(["A", "LONG"], [["value", "x"], ["y", "z"]]) == "A      LONG\nvalue  x\ny      z"
