"""Gate 1 of network functions, service chains and mirrors."""

from __future__ import annotations

from typing import Any

import pytest

from netctl.model.chain import FailureHandling, ForwardingMode, HealthCheck, NicPair
from netctl.model.keys import NicId, VirtualSwitchId
from netctl.model.mirror import MirrorDirection, MirrorSource, TrafficMirror
from netctl.model.nic import NicKind
from netctl.model.routing_policy import PolicyAction
from tests.unit.model.chains import chain, function, mirror, pair, span, tap
from tests.unit.model.test_host_shape import refused
from tests.unit.model.world import policy


def test_an_inline_function_says_what_becomes_of_packets_without_it() -> None:
    assert function(failure_handling=FailureHandling.FAIL_CLOSE).inline
    refused(
        lambda: function(failure_handling=FailureHandling.NONE),
        "failure_handling",
        "is not set; say what becomes of packets",
    )
    refused(
        lambda: tap(failure_handling=FailureHandling.FAIL_OPEN),
        "failure_handling",
        "goes with mode INLINE",
    )


@pytest.mark.parametrize(
    ("pairs", "field", "text"),
    [
        ((pair("a"), pair("a")), "nic_pairs[1]", "nics/a-in is listed twice"),
        (
            (NicPair(ingress_nic=NicId("a"), egress_nic=NicId("a")),),
            "nic_pairs[0]",
            "nics/a is listed twice",
        ),
        (
            (NicPair(ingress_nic=NicId("a")),),
            "nic_pairs[0].egress_nic",
            "is not set; name the NIC of side EGRESS",
        ),
        (
            (NicPair(ingress_nic=NicId("A"), egress_nic=NicId("b")),),
            "nic_pairs[0].ingress_nic",
            "is not an id",
        ),
        (tuple(pair(f"f{i}") for i in range(65)), "nic_pairs", "has 65 pairs; at most 64"),
    ],
)
def test_pairs(pairs: tuple[NicPair, ...], field: str, text: str) -> None:
    refused(lambda: function("fw", *pairs), field, text)


def test_copies_come_to_one_nic() -> None:
    assert tap("ids", "t1", "t2").nic_pairs[1].nics == ("t2",)
    refused(
        lambda: function("ids", pair("a"), mode=ForwardingMode.TAP, failure_handling=FailureHandling.NONE),
        "nic_pairs[0].egress_nic",
        "goes with mode INLINE",
    )


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"interval_ms": 49, "timeout_ms": 40}, "interval_ms", "49 is outside 50 to 60000 ms"),
        ({"timeout_ms": 9}, "timeout_ms", "9 is outside 10 to 60000 ms"),
        ({"interval_ms": 100}, "timeout_ms", "200 ms is longer than the interval of 100 ms"),
        ({"success_threshold": 0}, "success_threshold", "0 is outside 1 to 100"),
        ({"failure_threshold": 101}, "failure_threshold", "101 is outside 1 to 100"),
    ],
)
def test_probes(fields: dict[str, int], field: str, text: str) -> None:
    refused(lambda: HealthCheck(**fields), f"health_check.{field}", text)  # type: ignore[arg-type]
    assert HealthCheck(interval_ms=50, timeout_ms=50).timeout_ms == 50


@pytest.mark.parametrize(
    ("names", "field", "text"),
    [
        (("fw", "ids", "fw"), "network_functions[2]", "networkFunctions/fw is listed twice"),
        (("fw", "Ids"), "network_functions[1]", "is not an id"),
        (tuple(f"f{i}" for i in range(9)), "network_functions", "has 9 functions; name 1 to 8"),
    ],
)
def test_chains(names: tuple[str, ...], field: str, text: str) -> None:
    refused(lambda: chain("c", *names), field, text)


def test_a_chain_goes_with_what_is_permitted() -> None:
    refused(
        lambda: policy(action=PolicyAction.DENY, service_chain="c"),
        "service_chain",
        "goes with action PERMIT",
    )


def raw(*sources: MirrorSource, to: tuple[str, ...] = ("x",)) -> Any:
    made = mirror("m1", "n1")
    return TrafficMirror(
        id=made.id, host=made.host, sources=sources, destinations=tuple(NicId(one) for one in to)
    )


@pytest.mark.parametrize(
    ("sources", "to", "field", "text"),
    [
        ((), ("x",), "sources", "has 0 sources; name 1 to 4"),
        (("n1", "n2", "n3", "n4", "n5"), ("x",), "sources", "has 5 sources; name 1 to 4"),
        (("n1", "n1"), ("x",), "sources[1]", "is listed twice"),
        (("n1",), (), "destinations", "has 0 NICs; name 1 to 2"),
        (("n1",), ("x", "y", "z"), "destinations", "has 3 NICs; name 1 to 2"),
        (("n1",), ("x", "x"), "destinations[1]", "nics/x is listed twice"),
        (("N1",), ("x",), "sources[0].nic", "is not an id"),
    ],
)
def test_mirrors(sources: tuple[str, ...], to: tuple[str, ...], field: str, text: str) -> None:
    refused(lambda: mirror("m1", *sources, to=to), field, text)


def test_a_source_is_a_nic_or_an_uplink() -> None:
    both = MirrorSource(nic=NicId("n1"), virtual_switch=VirtualSwitchId("vs0"))
    for source in (MirrorSource(), both):
        refused(
            lambda source=source: raw(source), "sources[0]", "name a nic or a virtual_switch, one of the two"
        )


def test_a_nic_is_a_source_once_whatever_the_direction() -> None:
    one = MirrorSource(nic=NicId("n1"), direction=MirrorDirection.INGRESS)
    other = MirrorSource(nic=NicId("n1"), direction=MirrorDirection.EGRESS)
    refused(lambda: raw(one, other), "sources[1]", "is listed twice")
    assert span().kind is NicKind.SPAN_DESTINATION
