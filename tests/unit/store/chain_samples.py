"""Network functions, service chains and mirrors to store, and the NICs that go with them; a part of samples.py."""

from __future__ import annotations

from netctl.model.chain import (
    FailureHandling,
    ForwardingMode,
    HealthCheck,
    NetworkFunction,
    NicPair,
    ServiceChain,
)
from netctl.model.infra import Meta
from netctl.model.intent import Intent
from netctl.model.keys import (
    HostId,
    NetworkFunctionId,
    NicId,
    RoutingPolicyId,
    ServiceChainId,
    SubnetId,
    TrafficMirrorId,
    Uid,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.mirror import MirrorDirection, MirrorSource, TrafficMirror
from netctl.model.nic import FunctionSide, Nic, NicKind, NicModel
from netctl.model.routing_policy import PolicyAction, RoutingPolicy

META = Meta(uid=Uid("5b1b7a2e-6b8f-4e44-8d5a-6a6a8f9f2f11"), labels={"vm": "fw"}, revision=9)
INSPECTION = ServiceChainId("inspection")
FUNCTION = NetworkFunction(
    id=NetworkFunctionId("firewall"),
    meta=META,
    mode=ForwardingMode.INLINE,
    failure_handling=FailureHandling.FAIL_CLOSE,
    nic_pairs=(
        NicPair(ingress_nic=NicId("fw1-in"), egress_nic=NicId("fw1-out")),
        NicPair(ingress_nic=NicId("fw2-in"), egress_nic=NicId("fw2-out"), disabled=True),
    ),
    health_check=HealthCheck(
        disabled=True, interval_ms=500, timeout_ms=400, success_threshold=5, failure_threshold=4
    ),
)
CHAIN = ServiceChain(id=INSPECTION, meta=META, functions=(FUNCTION.id, NetworkFunctionId("recorder")))
MIRROR = TrafficMirror(
    id=TrafficMirrorId("desk"),
    meta=META,
    host=HostId("h1"),
    sources=(
        MirrorSource(nic=NicId("web-2"), direction=MirrorDirection.EGRESS),
        MirrorSource(virtual_switch=VirtualSwitchId("vs0"), direction=MirrorDirection.INGRESS),
    ),
    destinations=(NicId("sniffer"),),
    disabled=True,
)
FUNCTION_NIC = Nic(
    id=NicId("fw1-in"),
    meta=META,
    host=HostId("h1"),
    kind=NicKind.NETWORK_FUNCTION,
    function_side=FunctionSide.INGRESS,
    queues=4,
)
BASIC_NIC = Nic(id=NicId("web-2"), meta=META, subnet=SubnetId("plain"), model=NicModel.E1000, basic=True)
CHAINED_POLICY = RoutingPolicy(
    id=RoutingPolicyId("chained"),
    meta=META,
    vpc=VpcId("v1"),
    priority=600,
    action=PolicyAction.PERMIT,
    service_chain=INSPECTION,
)
CHAINING_OF_EACH: tuple[Intent, ...] = (FUNCTION, CHAIN, MIRROR, FUNCTION_NIC, BASIC_NIC, CHAINED_POLICY)
CHAINING_BARE: tuple[Intent, ...] = (
    NetworkFunction(id=NetworkFunctionId("tap"), mode=ForwardingMode.TAP),
    ServiceChain(id=ServiceChainId("watch"), functions=(NetworkFunctionId("tap"),)),
    TrafficMirror(
        id=TrafficMirrorId("bare"),
        host=HostId("h1"),
        sources=(MirrorSource(nic=NicId("web-2")),),
        destinations=(NicId("sniffer"),),
    ),
)
