"""NetworkFunction and ServiceChain: appliances in the path of packets, one after the other."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import NetworkFunctionId, NicId, ServiceChainId, check_id

NIC_PAIRS_MAX = 64
FUNCTIONS_MAX = 8
DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_MS = 250, 200
DEFAULT_SUCCESSES, DEFAULT_FAILURES = 3, 2


class ForwardingMode(enum.StrEnum):
    """How packets meet a function: through it, or copies to it."""

    INLINE = "inline"
    TAP = "tap"


class FailureHandling(enum.StrEnum):
    """What becomes of packets while an inline function works nowhere on their host; NONE in mode TAP."""

    NONE = ""
    FAIL_OPEN = "fail-open"
    FAIL_CLOSE = "fail-close"


@dataclass(frozen=True, slots=True, kw_only=True)
class NicPair:
    """The NICs of one virtual machine of a function; `egress_nic` is "" in mode TAP. `disabled`: under maintenance."""

    ingress_nic: NicId
    egress_nic: NicId = NicId("")
    disabled: bool = False

    @property
    def nics(self) -> tuple[NicId, ...]:
        """The one or two NICs."""
        return (self.ingress_nic, self.egress_nic) if self.egress_nic else (self.ingress_nic,)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Probes through an inline function; `disabled`: only carrier is looked at."""

    disabled: bool = False
    interval_ms: int = DEFAULT_INTERVAL_MS
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    success_threshold: int = DEFAULT_SUCCESSES
    failure_threshold: int = DEFAULT_FAILURES

    def __post_init__(self) -> None:
        shape.check_range("health_check.interval_ms", self.interval_ms, low=50, high=60_000, unit="ms")
        shape.check_range("health_check.timeout_ms", self.timeout_ms, low=10, high=60_000, unit="ms")
        if self.timeout_ms > self.interval_ms:
            raise InvalidIntent(
                "health_check.timeout_ms",
                f"{self.timeout_ms} ms is longer than the interval of {self.interval_ms} ms",
            )
        shape.check_range("health_check.success_threshold", self.success_threshold, low=1, high=100)
        shape.check_range("health_check.failure_threshold", self.failure_threshold, low=1, high=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFunction:
    """An appliance; of the pairs on a host the first that works is active."""

    id: NetworkFunctionId
    meta: Meta = Meta()
    mode: ForwardingMode
    failure_handling: FailureHandling = FailureHandling.NONE
    nic_pairs: tuple[NicPair, ...] = ()
    health_check: HealthCheck = HealthCheck()

    def __post_init__(self) -> None:
        check_id("name", self.id)
        inline = self.mode is ForwardingMode.INLINE
        if inline and self.failure_handling is FailureHandling.NONE:
            raise InvalidIntent(
                "failure_handling",
                "is not set; say what becomes of packets while it does not work: FAIL_OPEN or FAIL_CLOSE",
            )
        if not inline and self.failure_handling is not FailureHandling.NONE:
            raise InvalidIntent(
                "failure_handling", "goes with mode INLINE: a function in mode TAP only gets copies"
            )
        if len(self.nic_pairs) > NIC_PAIRS_MAX:
            raise InvalidIntent(
                "nic_pairs", f"has {len(self.nic_pairs)} pairs; at most {NIC_PAIRS_MAX} are allowed"
            )
        seen: set[str] = set()
        for i, pair in enumerate(self.nic_pairs):
            field = f"nic_pairs[{i}]"
            check_id(f"{field}.ingress_nic", pair.ingress_nic)
            if inline and not pair.egress_nic:
                raise InvalidIntent(
                    f"{field}.egress_nic", "is not set; name the NIC of side EGRESS of the same machine"
                )
            if inline:
                check_id(f"{field}.egress_nic", pair.egress_nic)
            elif pair.egress_nic:
                raise InvalidIntent(f"{field}.egress_nic", "goes with mode INLINE")
            for nic in pair.nics:
                if nic in seen:
                    raise InvalidIntent(field, f"nics/{nic} is listed twice; list it once")
                seen.add(nic)

    @property
    def inline(self) -> bool:
        """Do packets go through it?"""
        return self.mode is ForwardingMode.INLINE


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChain:
    """Functions in the order in which packets from guests meet them."""

    id: ServiceChainId
    meta: Meta = Meta()
    functions: tuple[NetworkFunctionId, ...]

    def __post_init__(self) -> None:
        check_id("name", self.id)
        if not 1 <= len(self.functions) <= FUNCTIONS_MAX:
            raise InvalidIntent(
                "network_functions", f"has {len(self.functions)} functions; name 1 to {FUNCTIONS_MAX}"
            )
        for i, function in enumerate(self.functions):
            check_id(f"network_functions[{i}]", function)
            if function in self.functions[:i]:
                raise InvalidIntent(
                    f"network_functions[{i}]", f"networkFunctions/{function} is listed twice; list it once"
                )
