"""The flows of br.nf, read by ovs-vswitchd itself (`ofproto/trace`): it says what the tests' model says."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import pytest
from netctl_host import ofctl
from netctl_host.assignment_chains import PortSpan, SteeringRule
from netctl_host.function_flows import Site, render_flows

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.unit.host.openflow_model import Frame, parse, run
from tests.unit.host.test_function_flows import (
    ALL,
    GUEST,
    LOCAL,
    NETWORK,
    OUT,
    PEER,
    PORTS,
    TAPS,
    answer,
    segment,
    site,
)

WEB = SteeringRule(
    priority=5,
    chain_id="d",
    ip_version=4,
    protocol=6,
    local_mac_addresses=(GUEST, PEER, "50:6b:8d:00:00:03"),
    peer_networks=("198.51.100.0/25", "203.0.113.0/24", "10.0.0.0/8"),
    destination_ports=(PortSpan(first=80, last=90), PortSpan(first=443, last=443)),
)
V6 = SteeringRule(
    priority=7,
    chain_id="",
    ip_version=6,
    protocol=58,
    icmp_type=128,
    icmp_code=0,
    peer_networks=("2001:db8::/32",),
)
THEIRS = replace(WEB, priority=4, chain_id="", local_opens=False, protocol=17)
SITE = site(
    segment(WEB, V6, THEIRS, ALL),
    segment(ALL, vlan_id=0),
    chains={"c": ("f1", "t1", "f2"), "d": ("f1", "f3")},
)
SIX = replace(
    OUT,
    version=6,
    source="2001:db8::1",
    destination="2001:db8::2",
    protocol=58,
    source_port=128,
    destination_port=0,
)
FRAMES = [
    OUT,
    replace(OUT, destination_port=91),
    replace(OUT, destination="10.9.9.9", destination_port=443),
    replace(OUT, destination="192.0.2.9"),
    replace(OUT, protocol=17, source_port=85, destination_port=5000),
    replace(OUT, later=True, source_port=0, destination_port=0),
    replace(OUT, vlan=0),
    replace(OUT, vlan=20),
    replace(OUT, dl_dst="01:80:c2:00:00:0e"),
    SIX,
    replace(SIX, source_port=129),
]


@pytest.fixture
def switch(host: NamespaceHost) -> Site:
    """A real br.nf with the flows of SITE and all its ports, by their numbers there."""
    ports = PORTS | TAPS
    host.vsctl("add-br", "br.nf", "--", "set", "bridge", "br.nf", "datapath_type=netdev", "fail_mode=secure")
    for number in ports.values():
        options = ("type=internal", f"ofport_request={number}")
        host.vsctl("add-port", "br.nf", f"p{number}", "--", "set", "interface", f"p{number}", *options)
    wait_until(
        lambda: all(host.read_state().switch.interfaces[f"p{n}"].ofport == n for n in ports.values()),
        timeout_s=10,
        what="the ports have their numbers",
    )
    ofctl.replace_all(host.directory / "br.nf.mgmt", render_flows(SITE))
    return SITE


def test_a_real_switch_says_the_same(host: NamespaceHost, switch: Site) -> None:
    flows = parse(render_flows(switch))
    seen: set[tuple[int, ...]] = set()
    for frame in (*FRAMES, *map(answer, FRAMES)):
        for port in (LOCAL, NETWORK, *TAPS.values()):
            expected = run(flows, frame, port)
            assert traced(host, frame, port) == expected, (frame, port)
            seen.add(tuple(expected))
    assert len(seen) >= 8, "the frames meet different fates"


def test_what_was_written_is_found_again(host: NamespaceHost, switch: Site) -> None:
    socket, all_flows = host.directory / "br.nf.mgmt", render_flows(switch)
    assert not ofctl.differs(socket, all_flows)
    down = render_flows(replace(switch, active={}))
    ofctl.change(socket, all_flows, down)
    assert not ofctl.differs(socket, down)
    assert ofctl.differs(socket, all_flows)
    ofctl.change(socket, down, all_flows)
    assert not ofctl.differs(socket, all_flows)


def traced(host: NamespaceHost, frame: Frame, port: int) -> list[int]:
    """Return the ports by which the switch would send a frame."""
    kind = {0: "", 4: "ip", 6: "ipv6"}[frame.version]
    source, destination = ("nw_src", "nw_dst") if frame.version == 4 else ("ipv6_src", "ipv6_dst")
    parts = [f"in_port={port}", f"dl_src={frame.dl_src}", f"dl_dst={frame.dl_dst}", kind]
    parts += [f"dl_vlan={frame.vlan}"] if frame.vlan else []
    parts += [f"{source}={frame.source}", f"{destination}={frame.destination}", f"nw_proto={frame.protocol}"]
    if frame.later:
        parts.append("nw_frag=later")
    else:
        names = {6: ("tcp_src", "tcp_dst"), 17: ("udp_src", "udp_dst"), 58: ("icmpv6_type", "icmpv6_code")}
        values = (frame.source_port, frame.destination_port)
        parts += [f"{name}={value}" for name, value in zip(names[frame.protocol], values, strict=True)]
    control = str(host.directory / "ovs-vswitchd.ctl")
    done = subprocess.run(
        ("ovs-appctl", "-t", control, "ofproto/trace", "br.nf", ",".join(part for part in parts if part)),
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in re.findall(r"^\s+output:(\d+)$", done.stdout, re.MULTILINE)]
