"""NetworkFunction, ServiceChain and TrafficMirror between protobuf and model."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.model.chain import (
    DEFAULT_FAILURES,
    DEFAULT_INTERVAL_MS,
    DEFAULT_SUCCESSES,
    DEFAULT_TIMEOUT_MS,
    FailureHandling,
    ForwardingMode,
    HealthCheck,
    NetworkFunction,
    NicPair,
    ServiceChain,
)
from netctl.model.keys import (
    HostId,
    Kind,
    NetworkFunctionId,
    NicId,
    ServiceChainId,
    TrafficMirrorId,
    VirtualSwitchId,
)
from netctl.model.mirror import MirrorDirection, MirrorSource, TrafficMirror
from netctl.model.status import Status
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_enum,
    parse_name,
    parse_reference,
    render_name,
    status_to_proto,
)
from netctl.v1 import chain_pb2 as pb

_MODES = {
    pb.FORWARDING_MODE_INLINE: ForwardingMode.INLINE,
    pb.FORWARDING_MODE_TAP: ForwardingMode.TAP,
}
_MODE_VALUES = {mode: value for value, mode in _MODES.items()}
_MODE_NAMES = {value: name for name, value in pb.ForwardingMode.items()}
_HANDLINGS = {
    pb.FAILURE_HANDLING_UNSPECIFIED: FailureHandling.NONE,
    pb.FAILURE_HANDLING_FAIL_OPEN: FailureHandling.FAIL_OPEN,
    pb.FAILURE_HANDLING_FAIL_CLOSE: FailureHandling.FAIL_CLOSE,
}
_HANDLING_VALUES = {handling: value for value, handling in _HANDLINGS.items()}
_HANDLING_NAMES = {value: name for name, value in pb.FailureHandling.items()}
_DIRECTIONS = {
    pb.MIRROR_DIRECTION_INGRESS: MirrorDirection.INGRESS,
    pb.MIRROR_DIRECTION_EGRESS: MirrorDirection.EGRESS,
    pb.MIRROR_DIRECTION_BOTH: MirrorDirection.BOTH,
}
_DIRECTION_VALUES = {direction: value for value, direction in _DIRECTIONS.items()}
_DIRECTION_NAMES = {value: name for name, value in pb.MirrorDirection.items()}
# How filters spell what the model holds.
FORWARDING_MODE_NAMES = {mode: _MODE_NAMES[value] for value, mode in _MODES.items()}
FAILURE_HANDLING_NAMES = {handling: _HANDLING_NAMES[value] for value, handling in _HANDLINGS.items()}
MIRROR_DIRECTION_NAMES = {direction: _DIRECTION_NAMES[value] for value, direction in _DIRECTIONS.items()}


def network_function_from_proto(message: pb.NetworkFunction) -> NetworkFunction:
    """Return the network function that a request asks for; its mode must be said."""
    return NetworkFunction(
        id=NetworkFunctionId(parse_name("name", message.name, Kind.NETWORK_FUNCTION)),
        meta=meta_from_proto(message),
        mode=parse_enum("mode", message.mode, _MODES, _MODE_NAMES),
        failure_handling=parse_enum(
            "failure_handling", message.failure_handling, _HANDLINGS, _HANDLING_NAMES
        ),
        nic_pairs=_pairs_from_proto(message.nic_pairs),
        health_check=_health_check_from_proto(message.health_check),
    )


def _pairs_from_proto(messages: Sequence[pb.NicPair]) -> tuple[NicPair, ...]:
    return tuple(
        NicPair(
            ingress_nic=NicId(parse_name(f"nic_pairs[{i}].ingress_nic", pair.ingress_nic, Kind.NIC)),
            egress_nic=NicId(parse_reference(f"nic_pairs[{i}].egress_nic", pair.egress_nic, Kind.NIC)),
            disabled=pair.disabled,
        )
        for i, pair in enumerate(messages)
    )


def _health_check_from_proto(message: pb.HealthCheck) -> HealthCheck:
    return HealthCheck(
        disabled=message.disabled,
        interval_ms=message.interval_ms or DEFAULT_INTERVAL_MS,
        timeout_ms=message.timeout_ms or DEFAULT_TIMEOUT_MS,
        success_threshold=message.success_threshold or DEFAULT_SUCCESSES,
        failure_threshold=message.failure_threshold or DEFAULT_FAILURES,
    )


def network_function_to_proto(function: NetworkFunction, status: Status | None) -> pb.NetworkFunction:
    """Return the message of a network function."""
    message = pb.NetworkFunction()
    message.name = f"networkFunctions/{function.id}"
    meta_to_proto(function.meta, message)
    message.mode = _MODE_VALUES[function.mode]
    message.failure_handling = _HANDLING_VALUES[function.failure_handling]
    for pair in function.nic_pairs:
        message.nic_pairs.add(
            ingress_nic=f"nics/{pair.ingress_nic}",
            egress_nic=render_name(Kind.NIC, pair.egress_nic),
            disabled=pair.disabled,
        )
    check = function.health_check
    message.health_check.disabled = check.disabled
    message.health_check.interval_ms = check.interval_ms
    message.health_check.timeout_ms = check.timeout_ms
    message.health_check.success_threshold = check.success_threshold
    message.health_check.failure_threshold = check.failure_threshold
    if status is not None:
        status_to_proto(status, message.status)
    return message


def service_chain_from_proto(message: pb.ServiceChain) -> ServiceChain:
    """Return the service chain that a request asks for."""
    return ServiceChain(
        id=ServiceChainId(parse_name("name", message.name, Kind.SERVICE_CHAIN)),
        meta=meta_from_proto(message),
        functions=tuple(
            NetworkFunctionId(parse_name(f"network_functions[{i}]", name, Kind.NETWORK_FUNCTION))
            for i, name in enumerate(message.network_functions)
        ),
    )


def service_chain_to_proto(chain: ServiceChain, status: Status | None) -> pb.ServiceChain:
    """Return the message of a service chain."""
    message = pb.ServiceChain()
    message.name = f"serviceChains/{chain.id}"
    meta_to_proto(chain.meta, message)
    message.network_functions.extend(f"networkFunctions/{id}" for id in chain.functions)
    if status is not None:
        status_to_proto(status, message.status)
    return message


def traffic_mirror_from_proto(message: pb.TrafficMirror) -> TrafficMirror:
    """Return the traffic mirror that a request asks for."""
    return TrafficMirror(
        id=TrafficMirrorId(parse_name("name", message.name, Kind.TRAFFIC_MIRROR)),
        meta=meta_from_proto(message),
        host=HostId(parse_name("host", message.host, Kind.HOST)),
        sources=tuple(_source_from_proto(f"sources[{i}]", one) for i, one in enumerate(message.sources)),
        destinations=tuple(
            NicId(parse_name(f"destinations[{i}]", name, Kind.NIC))
            for i, name in enumerate(message.destinations)
        ),
        disabled=message.disabled,
    )


def _source_from_proto(field: str, message: pb.MirrorSource) -> MirrorSource:
    switch = parse_reference(f"{field}.virtual_switch", message.virtual_switch, Kind.VIRTUAL_SWITCH)
    direction = message.direction or pb.MIRROR_DIRECTION_BOTH
    return MirrorSource(
        nic=NicId(parse_reference(f"{field}.nic", message.nic, Kind.NIC)),
        virtual_switch=VirtualSwitchId(switch),
        direction=parse_enum(f"{field}.direction", direction, _DIRECTIONS, _DIRECTION_NAMES),
    )


def traffic_mirror_to_proto(mirror: TrafficMirror, status: Status | None) -> pb.TrafficMirror:
    """Return the message of a traffic mirror."""
    message = pb.TrafficMirror()
    message.name = f"trafficMirrors/{mirror.id}"
    meta_to_proto(mirror.meta, message)
    message.host = f"hosts/{mirror.host}"
    for source in mirror.sources:
        message.sources.add(
            nic=render_name(Kind.NIC, source.nic),
            virtual_switch=render_name(Kind.VIRTUAL_SWITCH, source.virtual_switch),
            direction=_DIRECTION_VALUES[source.direction],
        )
    message.destinations.extend(f"nics/{id}" for id in mirror.destinations)
    message.disabled = mirror.disabled
    if status is not None:
        status_to_proto(status, message.status)
    return message
