"""Hypothesis strategies for the nouns of appliances and copies, as a client could ask for them."""

from __future__ import annotations

from hypothesis import strategies as st

from netctl.model.chain import (
    FailureHandling,
    ForwardingMode,
    HealthCheck,
    NetworkFunction,
    NicPair,
    ServiceChain,
)
from netctl.model.intent import Intent
from netctl.model.keys import (
    HostId,
    NetworkFunctionId,
    NicId,
    ServiceChainId,
    TrafficMirrorId,
    VirtualSwitchId,
)
from netctl.model.mirror import MirrorDirection, MirrorSource, TrafficMirror
from tests.unit.server.nouns import ids, metas

_thresholds = st.integers(1, 100)


@st.composite
def health_checks(draw: st.DrawFn) -> HealthCheck:
    interval_ms = draw(st.integers(50, 60_000))
    return HealthCheck(
        disabled=draw(st.booleans()),
        interval_ms=interval_ms,
        timeout_ms=draw(st.integers(10, interval_ms)),
        success_threshold=draw(_thresholds),
        failure_threshold=draw(_thresholds),
    )


@st.composite
def network_functions(draw: st.DrawFn) -> NetworkFunction:
    inline = draw(st.booleans())
    names = draw(st.lists(ids.map(NicId), max_size=6, unique=True))
    pairs = zip(names[::2], names[1::2], strict=False) if inline else ((name, NicId("")) for name in names)
    handlings = (FailureHandling.FAIL_OPEN, FailureHandling.FAIL_CLOSE)
    return NetworkFunction(
        id=NetworkFunctionId(draw(ids)),
        meta=draw(metas),
        mode=ForwardingMode.INLINE if inline else ForwardingMode.TAP,
        failure_handling=draw(st.sampled_from(handlings)) if inline else FailureHandling.NONE,
        nic_pairs=tuple(
            NicPair(ingress_nic=ingress, egress_nic=egress, disabled=draw(st.booleans()))
            for ingress, egress in pairs
        ),
        health_check=draw(health_checks()) if inline else HealthCheck(),
    )


service_chains = st.builds(
    ServiceChain,
    id=ids.map(ServiceChainId),
    meta=metas,
    functions=st.lists(ids.map(NetworkFunctionId), min_size=1, max_size=8, unique=True).map(tuple),
)
_directions = st.sampled_from(MirrorDirection)
_sources = st.one_of(
    st.builds(MirrorSource, nic=ids.map(NicId), direction=_directions),
    st.builds(MirrorSource, virtual_switch=ids.map(VirtualSwitchId), direction=_directions),
)
traffic_mirrors = st.builds(
    TrafficMirror,
    id=ids.map(TrafficMirrorId),
    meta=metas,
    host=ids.map(HostId),
    sources=st.lists(
        _sources, min_size=1, max_size=4, unique_by=lambda source: (source.nic, source.virtual_switch)
    ).map(tuple),
    destinations=st.lists(ids.map(NicId), min_size=1, max_size=2, unique=True).map(tuple),
    disabled=st.booleans(),
)

intents: st.SearchStrategy[Intent] = st.one_of(network_functions(), service_chains, traffic_mirrors)
