"""A VLAN basic subnet moves to the controller's OVN and back, NIC by NIC, while its guests talk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netctl.loop import wait_until
from netctl.v1 import network_pb2
from tests.e2e import talk, vpcs
from tests.e2e.bonded import Nic, vlan
from tests.e2e.figures import note
from tests.e2e.site import DEADLINE_S, PROGRAMMED, Site
from tests.lossmeter.meter import LossMeter, measure, nothing_denied

PAIRS = 5
PPS = 50
LOSS_MS = 1000.0
DONE_S = 40.0
SUBNET = "subnets/moving"
VLAN, BASIC = network_pb2.SUBNET_KIND_VLAN, network_pb2.SUBNET_KIND_VLAN_BASIC


@pytest.fixture(scope="module")
def pairs(bonded: Site) -> Iterator[list[tuple[Nic, Nic]]]:
    """Guests of a VLAN basic subnet, one of each pair on each host."""
    bonded.apply(vlan("moving", 50, basic=True))
    nics = [
        Nic(name=f"nics/m{side}{n}", subnet=SUBNET, host=f"hosts/h{side}")
        for n in range(PAIRS)
        for side in (1, 2)
    ]
    made = [bonded.create_nic(nic) for nic in nics]
    for nic in made:
        bonded.plug(nic)
    bonded.wait_programmed(*(nic.name for nic in made))
    found = list(zip(made[::2], made[1::2], strict=True))
    for a, b in found:
        bonded.wait_ping(a, b.ipv4_address)
    yield found
    bonded.discard(*made)
    bonded.remove(SUBNET)


def migrate(here: Site, kind: network_pb2.SubnetKind.ValueType) -> network_pb2.MigrateSubnetsResponse:
    """Ask for the migration."""
    request = network_pb2.MigrateSubnetsRequest(names=[SUBNET], kind=kind)
    return here.subnets.MigrateSubnets(request, timeout=DEADLINE_S, wait_for_ready=True)


def own_nics(here: Site) -> list[Nic]:
    return [nic for nic in here.list_nics() if nic.subnet == SUBNET]


def wait_migrated(here: Site, *, basic: bool) -> None:
    """Return when all NICs are on one side and PROGRAMMED there."""

    def done() -> bool:
        nics = own_nics(here)
        return all(nic.basic == basic and nic.status.phase == PROGRAMMED for nic in nics)

    wait_until(done, timeout_s=DONE_S, what=f"all NICs basic={basic}")
    wait_until(
        lambda: not here.get_subnet(SUBNET).HasField("migration"), timeout_s=10, what="the migration is over"
    )


def moved(here: Site, *, basic: bool) -> int:
    return sum(nic.basic == basic for nic in own_nics(here))


class Talking:
    """Every guest talks to one of the other host, and one pair has a connection open."""

    def __init__(self, here: Site, pairs: list[tuple[Nic, Nic]]) -> None:
        self._here, self._pairs = here, pairs
        self._stack = ExitStack()
        self.meters: list[LossMeter] = []

    def __enter__(self) -> Talking:
        for a, b in self._pairs:
            ends = (self._here.end(a), self._here.end(b))
            self.meters.append(self._stack.enter_context(measure(*ends, pps=PPS, denied=nothing_denied)))
        opener, answerer = (vpcs.guest(self._here, nic) for nic in self._pairs[0])
        self.connection = self._stack.enter_context(talk.conversation(opener, answerer, 4000))
        self._began = time.monotonic()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.monotonic() - self._began
        for meter in self.meters:
            meter.wait_for_arrivals(5)
        self._stack.close()

    def check(self, what: str) -> None:
        """Hold each NIC to its second."""
        gaps = [one.longest_gap_ms for meter in self.meters for one in meter.report.directions]
        lost = sum(meter.report.lost for meter in self.meters)
        note(
            f"migration / {what}",
            f"{len(gaps)} NICs in {self.seconds:.1f} s, longest silence {max(gaps):.0f} ms, {lost} of "
            f"{sum(meter.report.sent for meter in self.meters)} packets lost",
        )
        assert max(gaps) <= LOSS_MS, sorted(gaps)


def addresses(here: Site) -> dict[str, tuple[str, str]]:
    return {nic.name: (nic.ipv4_address, nic.mac_address) for nic in own_nics(here)}


def test_to_the_controller_and_back_while_guests_talk(bonded: Site, pairs: list[tuple[Nic, Nic]]) -> None:
    before = addresses(bonded)
    for kind, basic, what in ((VLAN, False, "VLAN basic to VLAN"), (BASIC, True, "VLAN to VLAN basic")):
        with Talking(bonded, pairs) as talking:
            assert migrate(bonded, kind).nics == 2 * PAIRS
            wait_migrated(bonded, basic=basic)
            assert talking.connection.heard(timeout_s=3)
            assert talking.connection.heard(by_opener=True, timeout_s=3)
        talking.check(what)
        assert addresses(bonded) == before
        bridge = "br0" if basic else "brAtlas"
        assert bonded.vsctl("h1", "port-to-br", pairs[0][0].tap_name).strip() == bridge


def test_a_killed_controller_goes_on_with_it(bonded: Site, pairs: list[tuple[Nic, Nic]]) -> None:
    controller = bonded.lab.process("central", "controller")
    with Talking(bonded, pairs) as talking:
        migrate(bonded, VLAN)
        wait_until(lambda: moved(bonded, basic=False), timeout_s=10, what="the first NIC moved")
        controller.kill()
        controller.start()
        wait_migrated(bonded, basic=False)
    talking.check("controller killed in the middle")


def test_reverted_in_the_middle(bonded: Site, pairs: list[tuple[Nic, Nic]]) -> None:
    """From VLAN, where the test before left them, towards VLAN basic, and back before all are there."""
    with Talking(bonded, pairs) as talking:
        migrate(bonded, BASIC)
        wait_until(lambda: moved(bonded, basic=True), timeout_s=10, what="the first NIC moved")
        reverted = moved(bonded, basic=True)
        migrate(bonded, VLAN)
        wait_migrated(bonded, basic=False)
    talking.check(f"reverted when {reverted} had moved")
