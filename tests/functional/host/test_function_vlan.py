"""A controller VLAN through br.nf: from brAtlas by the patch port of its localnet port, which ovn-controller makes."""

from __future__ import annotations

import pytest

from netctl.loop import wait_until
from tests.functional.host.chained import GUEST_MAC, WIRE_MAC, ChainedHost, chained, function, udp
from tests.functional.host.namespace import NamespaceHost


@pytest.fixture
def site(host: NamespaceHost) -> ChainedHost:
    """A host with a guest and a wire."""
    return ChainedHost(host)


def make_localnet(site: ChainedHost) -> None:
    """Do what ovn-controller does for a localnet port `ln` of VLAN 10 that is mapped to br.nf."""
    for bridge, port, peer in (
        ("brAtlas", "patch-brAtlas-to-ln", "patch-ln-to-brAtlas"),
        ("br.nf", "patch-ln-to-brAtlas", "patch-brAtlas-to-ln"),
    ):
        options = ("type=patch", f"options:peer={peer}")
        site.host.vsctl("add-port", bridge, port, "--", "set", "Interface", port, *options)
    names = ("tap1", "patch-brAtlas-to-ln")

    def numbers() -> list[int]:
        return [site.host.read_state().switch.interfaces[name].ofport for name in names]

    wait_until(lambda: all(numbers()), timeout_s=5, what="ports have numbers")
    tap, patch = numbers()
    for flow in (
        f"in_port={tap},actions=push_vlan:0x8100,set_field:4106->vlan_vid,output:{patch}",
        f"in_port={patch},dl_vlan=10,actions=pop_vlan,output:{tap}",
    ):
        program = site.host.popen("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "brAtlas", flow)
        assert program.wait(timeout=10) == 0


def test_a_controller_vlan_passes_its_functions_both_ways(site: ChainedHost) -> None:
    assignment = chained(function("f"), basic=False)
    with site.forwarder("f1") as forwarder:
        site.look(assignment)
        make_localnet(site)
        site.look(assignment)
        mappings = site.host.read_state().switch.external_ids["ovn-bridge-mappings"]
        assert mappings == "physnet-nf-vs0:br.nf,physnet-vs0:br0"
        site.wait_for_active(f="f1i")
        for make, way in ((site.out, 0), (site.back, 1)):
            before = forwarder.counts[way]
            site.arrives(make)
            assert forwarder.counts[way] > before
        stopped: list[bytes] = []

        def passes_probes_alone(data: bytes) -> bool:
            if b"netctl" in data:
                stopped.append(data)
            return b"netctl" not in data

        forwarder.passes = passes_probes_alone
        marks = []
        with site.ear("x-eth1") as wire, site.ear("x-tap1") as guest:
            for _ in range(10):
                for link, frame, mark in (
                    ("x-tap1", *udp(GUEST_MAC, WIRE_MAC, 80)),
                    ("x-eth1", *udp(WIRE_MAC, GUEST_MAC, 80, vlan=10)),
                ):
                    site.send(link, frame)
                    marks.append(mark)
            wait_until(lambda: len(stopped) == len(marks), timeout_s=5, what="all have come to the function")
            forwarder.passes = lambda _data: True
            site.arrives(site.out)
            site.arrives(site.back)
            assert not any(wire(mark) or guest(mark) for mark in marks)
        assert site.active() == {"f": "f1i"}
