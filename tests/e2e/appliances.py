"""Network functions in the tests' hands: made, counted, killed; and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from netctl.lab.guests import Guest
from netctl.loop import wait_until
from netctl.v1 import chain_pb2, network_pb2
from tests.e2e.bonded import HostReport, wait_report
from tests.e2e.site import PROGRAMMED, Site

Nic = network_pb2.Nic
FAIL_OPEN, FAIL_CLOSE = (
    chain_pb2.FailureHandling.Value(f"FAILURE_HANDLING_FAIL_{word}") for word in ("OPEN", "CLOSE")
)
INLINE, TAP = (chain_pb2.ForwardingMode.Value(f"FORWARDING_MODE_{word}") for word in ("INLINE", "TAP"))
# Quick enough for tests, slow enough for a busy machine: a function that hangs is left after half a second.
HEALTH = chain_pb2.HealthCheck(interval_ms=150, timeout_ms=150, success_threshold=2, failure_threshold=3)


@dataclass
class Appliance:
    """A network function and what is inside, by host; a second pair of a host is `HOST-2`."""

    here: Site
    name: str
    guests: dict[str, Guest] = field(default_factory=dict)
    nics: list[Nic] = field(default_factory=list)

    def count(self, where: str, words: str) -> int:
        """Return how many frames were counted, e.g. `ingress passed vlan 10 port 80`."""
        return self.here.lab.functions.counts(self.guests[where]).get(words, 0)

    def passed(self, where: str, port: int) -> tuple[int, int]:
        """Return the frames from and to a port that came in at ingress and at egress, and went on."""
        counts = self.here.lab.functions.counts(self.guests[where])
        found = [
            sum(
                n
                for words, n in counts.items()
                if words.startswith(f"{side} passed") and words.endswith(f" {port}")
            )
            for side in ("ingress", "egress")
        ]
        return found[0], found[1]

    def wait_passed(self, where: str, port: int, ingress: int, egress: int) -> None:
        """Return when so many frames at least went through each way; the counts are written 20 times a second."""

        def enough() -> bool:
            found = self.passed(where, port)
            return found[0] >= ingress and found[1] >= egress

        wait_until(enough, timeout_s=3, what=f"{self.name} on {where} counts port {port}")

    def kill(self, where: str) -> None:
        """Let it hang: its taps keep their carrier."""
        self.here.lab.functions.kill(self.guests[where])

    def start(self, where: str, drop_ports: Sequence[int] | None = None) -> None:
        """Let it work, and drop other ports from now on when they are named."""
        self.here.lab.functions.start(self.guests[where], drop_ports)

    def active(self, host: str) -> str:
        """Return which of its guests packets go through on a host; "" for none."""
        return active_of(wait_report(self.here, host, lambda _report: True, "a report"), self)

    def wait_active(self, host: str, where: str, *, timeout_s: float = 10) -> None:
        """Return when packets of a host go through this guest; "" for none."""
        wait_report(
            self.here,
            host,
            lambda report: active_of(report, self, unknown="?") == where,
            f"{self.name} is active in {where or 'none'}",
            timeout_s=timeout_s,
        )


def active_of(report: HostReport, appliance: Appliance, *, unknown: str = "") -> str:
    """Return the name of the guest that a report calls active."""
    functions = {function.function_id: function for function in report.functions}
    function = functions.get(appliance.name)
    if function is None:
        return unknown
    taps = {guest.tap_name: where for where, guest in appliance.guests.items()}
    return taps.get(function.active_ingress_tap, "")


def add_inline(
    here: Site,
    name: str,
    places: Sequence[str],
    drop_ports: Sequence[int] = (),
    *,
    on_failure: int = FAIL_CLOSE,
) -> Appliance:
    """Make an inline function with a pair at each place: `h1`, `h2`, `h1-2` for a second one of h1."""
    made = Appliance(here, name)
    pairs = []
    for place in places:
        sides = [
            here.create_nic(
                Nic(
                    name=f"nics/{name}-{place}-{word}",
                    host=f"hosts/{place[:2]}",
                    kind=network_pb2.NIC_KIND_NETWORK_FUNCTION,
                    network_function_side=side,
                )
            )
            for word, side in (
                ("in", network_pb2.NETWORK_FUNCTION_SIDE_INGRESS),
                ("out", network_pb2.NETWORK_FUNCTION_SIDE_EGRESS),
            )
        ]
        ingress, egress = ((nic.tap_name, nic.mac_address) for nic in sides)
        made.guests[place] = here.lab.add_function(place[:2], ingress, egress, name=f"{name}-{place}")
        made.nics += sides
        made.start(place, drop_ports)
        pairs.append(chain_pb2.NicPair(ingress_nic=sides[0].name, egress_nic=sides[1].name))
    here.apply(
        chain_pb2.NetworkFunction(
            name=f"networkFunctions/{name}",
            mode=INLINE,
            failure_handling=on_failure,  # type: ignore[arg-type]
            nic_pairs=pairs,
            health_check=HEALTH,
        )
    )
    return made


def add_tap(here: Site, name: str, host: str) -> Nic:
    """Make a function that gets copies, on one host; return its NIC."""
    nic = here.create_nic(
        Nic(
            name=f"nics/{name}",
            host=f"hosts/{host}",
            kind=network_pb2.NIC_KIND_NETWORK_FUNCTION,
            network_function_side=network_pb2.NETWORK_FUNCTION_SIDE_TAP,
        )
    )
    here.plug(nic, address=False)
    pair = chain_pb2.NicPair(ingress_nic=nic.name)
    here.apply(chain_pb2.NetworkFunction(name=f"networkFunctions/{name}", mode=TAP, nic_pairs=[pair]))
    return nic


def chain(name: str, *functions: str) -> chain_pb2.ServiceChain:
    """Return a service chain."""
    return chain_pb2.ServiceChain(
        name=f"serviceChains/{name}", network_functions=[f"networkFunctions/{one}" for one in functions]
    )


def attach(here: Site, subnet: str, chain_name: str) -> None:
    """Let all that a subnet's NICs send to and get from other hosts pass a chain; "" for none."""
    request = network_pb2.UpdateSubnetRequest(
        subnet=network_pb2.Subnet(
            name=f"subnets/{subnet}", service_chain=f"serviceChains/{chain_name}" if chain_name else ""
        )
    )
    request.update_mask.paths.append("service_chain")
    here.subnets.UpdateSubnet(request, timeout=20, wait_for_ready=True)


def settled(here: Site) -> None:
    """Return when OVN has what was asked for so far, and every NIC is PROGRAMMED."""
    here.settle()
    left = [""]

    def all_programmed() -> bool:
        waiting = [nic for nic in here.list_nics() if nic.status.phase != PROGRAMMED]
        left[0] = ", ".join(f"{nic.name} {nic.status.reason}: {nic.status.message}" for nic in waiting)
        return not left[0]

    try:
        wait_until(all_programmed, timeout_s=15, what="NICs PROGRAMMED")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; not so: {left[0]}") from error
