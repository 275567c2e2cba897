"""What the lab shows people: tables, the ping matrix, what to type next. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netctl.lab.demo import Demo, Probe

_SELF, _ANSWER, _SILENCE, _LOST, _LEAKED = ".", "ok", "-", "LOST", "LEAK"


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns under upper-case heads."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def render_matrix(demo: Demo) -> str:
    """Return who reached whom, a row for each source."""
    names = [guest.name for guest in demo.guests]
    probes = {(probe.source, probe.destination): probe for probe in demo.matrix}
    rows = [
        [source, *(_cell(probes.get((source, destination))) for destination in names)] for source in names
    ]
    wanted = [probe for probe in demo.matrix if probe.expected]
    others = [probe for probe in demo.matrix if not probe.expected]
    return "\n".join(
        [
            render_table(["PING", *names], rows),
            "",
            f"within a subnet: {len(wanted)} answers expected, {sum(p.seen for p in wanted)} seen ({_ANSWER})",
            f"between subnets: 0 answers expected, {sum(p.seen for p in others)} seen of {len(others)} ({_SILENCE})",
        ]
    )


def _cell(probe: Probe | None) -> str:
    if probe is None:
        return _SELF
    if probe.expected:
        return _ANSWER if probe.seen else _LOST
    return _LEAKED if probe.seen else _SILENCE


def render_demo(demo: Demo, took: Mapping[str, float], netctl: str, sudo: str) -> str:
    """Return the whole story; `netctl` is how to call the command here, `sudo` stands before what needs root."""
    guests = [
        [guest.name, guest.subnet, guest.host, guest.tap_name, guest.address, str(guest.mtu_bytes)]
        for guest in demo.guests
    ]
    peer = demo.guests[1].address.partition("/")[0]
    first, host = demo.guests[0].name, demo.guests[0].host
    next_steps = [
        f"export NETCTL_SERVER={demo.server}",
        f"{netctl} get nics",
        f"{netctl} describe nic {first}",
        f"{netctl} status",
        f"{netctl} history",
        f"{sudo}{netctl} lab exec {first} -- ping -c 3 {peer}",
        f"{sudo}{netctl} lab exec {host} -- ovs-vsctl show",
        f"{sudo}{netctl} lab exec central -- ovn-nbctl show",
        f"{sudo}{netctl} lab kill central controller   # packets go on; lab start central controller: back",
        f"{sudo}{netctl} lab status",
        "make down",
    ]
    return "\n".join(
        [
            "",
            render_table(["GUEST", "SUBNET", "HOST", "TAP", "LEASED", "MTU"], guests),
            "",
            render_matrix(demo),
            "",
            "In OVN's northbound database (ovn-nbctl show):",
            *(f"  {line}" for line in demo.northbound.rstrip().splitlines()),
            "",
            f"{sum(took.values()):.1f} s in all. The lab stays up. Next:",
            *(f"  {line}" for line in next_steps),
        ]
    )
